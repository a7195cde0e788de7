"""One connection of one virtual user, from the first attempt to its end, all in callbacks of the poller.

NEW ── connect() ──► CONNECTING ── 101 ──► UPGRADED ── close() ──► CLOSING ──► CLOSED
                          └── refused ────────┴── lost ──────────────────────────►
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from loadtest.drive.broken_messages import note_broken, note_unfinished
from loadtest.drive.connect_attempt import ConnectAttempt
from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.context import Context
from loadtest.drive.error_answers import note_answer, note_error
from loadtest.drive.http_answers import settle_answer
from loadtest.drive.http_client import HttpRequestFailed
from loadtest.drive.keepalive import Keepalive
from loadtest.drive.poller import READ, WRITE
from loadtest.drive.transport import FULL_READ_BYTES, Read, Transport
from loadtest.drive.unsent_turns import UnsentTurns
from loadtest.errors import Layer
from loadtest.speak.chunk_stream import Payload
from loadtest.speak.close_codes import NO_CLOSE_FRAME, NORMAL, WITHOUT_ERROR
from loadtest.speak.codec.coded_frames import CodedFrameParser, NotTakenError, UnsendableError
from loadtest.speak.compiled_protocol import Awaited
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.deflater import Deflater, negotiated
from loadtest.speak.flood_guard import FloodGuard
from loadtest.speak.frames import BINARY, PING, TEXT, FrameParser, encode
from loadtest.speak.session import OPEN, Session, SessionState
from loadtest.speak.session_recorder import SessionRecorder
from loadtest.speak.turn import NEVER, Turn
from loadtest.speak.upgrade import Upgrade

MAX_CATCH_UP_READS = 64
"""Reads in which a connection catches up, 4 MiB: a peer that never stops must not hold up all others."""

MAX_CATCH_UP_NS = 5_000_000
"""How long catching up may take: 4 MiB have room for two million frames without content."""

MAX_UNSENT = 1_048_576
"""Bytes that may wait for a peer who does not read; beyond, its pings are not answered (RFC 6455, 5.5.3)."""

MAX_BACKLOG = 16 * MAX_UNSENT
"""Bytes of turns that may wait for a peer who does not read; turns that fall due beyond are not attempted."""

SLOW_SEND_NS, SLOW_SEND_NS_PER_BYTE = 1_000_000, 10
"""To send takes no longer than this, with a copy at 100 MB/s, unless the kernel takes the core away."""

MAX_WAITING_BYTES: Final = 2_048
"""Bytes of a read that may wait until others have read."""

MANY_MESSAGES: Final = 1_000
"""Messages of one read, 64 KiB: with more of them it is worth to look whether they have content."""


class Connection:
    """One connection of virtual user ``user``.

    Writes are gathered during a loop turn of the poller and sent in one system call at its end.

    ``on_ready``, ``on_closed`` and ``on_turn`` are called with this connection (and the turn); the user and
    its traffic set them. ``tap`` is called with every message. ``refusal`` is set if the connection never got
    ready: the target refused it, or this machine could not open it. ``is_reconnect``: the user was ready
    before, on an earlier connection; ``is_retry``: it has tried before. ``recorder`` takes what the session
    measures; None: that of the context.
    """

    __slots__ = (
        "_armed_ns",
        "_attempt",
        "_attempted_ns",
        "_encode",
        "_flood",
        "_gathered",
        "_heard_ns",
        "_keepalive",
        "_last_answer",
        "_opcode",
        "_out",
        "_parser",
        "_queued",
        "_read_little",
        "_sends_otherwise",
        "_transport",
        "_unsent",
        "_untaken",
        "_upgraded_ns",
        "context",
        "is_reconnect",
        "is_retry",
        "on_closed",
        "on_ready",
        "on_turn",
        "refusal",
        "session",
        "state",
        "tap",
        "user",
        "values",
    )

    def __init__(
        self, context: Context, user: int, values: dict[str, Any], recorder: SessionRecorder | None = None
    ) -> None:
        self.context = context
        self.user = user
        self.values = values
        measured_by = context.recorder if recorder is None else recorder
        self.session = Session(context.compiled_protocol, measured_by, user, values)
        self.session.listener = self
        self.session.on_secret = context.note_secret
        self.state = ConnectionState.NEW
        self.refusal: ConnectRefusal | None = None
        self.is_reconnect = False
        self.is_retry = False
        self.on_ready: Callable[[Connection], None] | None = None
        self.on_closed: Callable[[Connection], None] | None = None
        self.on_turn: Callable[[Turn], None] | None = None
        self.tap: Callable[[bytes], None] | None = None
        self._attempt: ConnectAttempt | None = None
        self._attempted_ns = NEVER
        self._upgraded_ns = NEVER
        self._transport: Transport | None = None
        self._parser: FrameParser | None = None
        self._flood = FloodGuard()
        # Whether there was a read, and it brought so little that nothing more lay behind it.
        self._read_little = False
        # What was read and not looked at yet. The poller reads again only when all of it was taken.
        self._untaken: Read | None = None
        self._keepalive: Keepalive | None = None
        # When the last bytes arrived: proof that the peer lives, for which no clock is read.
        self._heard_ns = NEVER
        # The instant at which the session's timer is set.
        self._armed_ns = NEVER
        self._opcode = BINARY if context.binary else TEXT
        # A turn's message may go by HTTP, or be several: all others are spared the question.
        self._sends_otherwise = context.http_turns is not None or context.compiled_protocol.uploads
        # Replaced where a codec or a compressor makes the frames.
        self._encode = encode
        self._out: list[bytes] = []
        # Bytes of the turns' messages in ``_out``.
        self._gathered = 0
        # Turns with the index of their frame in ``_out``.
        self._queued: list[tuple[Turn, int]] = []
        self._unsent: UnsentTurns | None = None
        # What the target has to say before this closing connection is closed.
        self._last_answer: Awaited | None = None

    @property
    def is_open(self) -> bool:
        """Whether turns can be begun."""
        return self.session.state is OPEN

    @property
    def is_backed_up(self) -> bool:
        """Whether so much waits for a peer who does not read that no more turns are begun."""
        transport = self._transport
        return transport is not None and len(transport.unsent) + self._gathered > MAX_BACKLOG

    # ------------------------------------------------------------------ connecting

    def connect(self) -> None:
        """Begin to connect. However it ends, ``on_ready`` or ``on_closed`` is called."""
        context = self.context
        now_ns = self._attempted_ns = context.now()
        context.recorder.metrics.connections_attempted += 1
        context.recorder.instant("first_attempt", now_ns)
        self.state = ConnectionState.CONNECTING
        self._attempt = ConnectAttempt(context, self, self.values, now_ns)
        self._attempt.begin(self.user, again=self.is_retry)

    def identified(self, user: str | None) -> None:
        """Our credential, or our codec, names us: events of any other user are foreign."""
        if user is not None:
            self.session.user_mark = user

    def entrusted(self, secrets: Iterable[str]) -> None:
        """Secrets that nobody knew before this attempt go to the target, or came from it."""
        self.session.conceal(secrets)

    def answered(self, upgrade: Upgrade) -> None:
        """The target has answered the upgrade, whatever it said."""
        self.context.observations.saw_server(self.public(upgrade.server), upgrade.subprotocol)

    def upgraded(self, transport: Transport, upgrade: Upgrade, at_ns: int) -> None:
        """The answer to the upgrade is complete: the session begins."""
        context = self.context
        self.answered(upgrade)
        context.poller.hand_over(transport.fd, self._on_ready)
        self._attempt = None
        self._transport = transport
        self._parser = self._new_parser(upgrade)
        self._upgraded_ns = at_ns
        self.state = ConnectionState.UPGRADED
        self.session.upgraded(at_ns)
        if self.session.state is SessionState.OPEN:
            self._opened(at_ns)
        try:
            if upgrade.rest:
                self._parse(upgrade.rest, at_ns)
            self._after_events()
        except ConnectRefusal as refusal:
            self.refused(refusal)

    def _new_parser(self, upgrade: Upgrade) -> FrameParser:
        """What reads this connection's frames; with a codec, it makes those that are sent as well."""
        context = self.context
        if context.compression:
            self._note_compression(upgrade)
        if context.codec is None:
            return FrameParser(context.max_message_bytes, upgrade.extensions)
        codec = context.codec.make()
        if context.compiled_protocol.names_users:
            self.identified(getattr(codec, "user_mark", None))
        parser = CodedFrameParser(
            context.max_message_bytes,
            upgrade.extensions,
            codec=codec,
            name=context.codec.name,
            answer=self._answer_wire,
            frame=self._encode,
        )
        self._encode = parser.encode
        return parser

    def _note_compression(self, upgrade: Upgrade) -> None:
        """Compression was offered, and the target agreed or did not."""
        context, agreed = self.context, negotiated(upgrade.extensions)
        if agreed is None:
            context.recorder.metrics.count("compression.not_negotiated")
            return
        context.recorder.metrics.count("compression.negotiated")
        if context.compress_sent:
            self._encode = Deflater(agreed, self._count_compressed).encode

    def _count_compressed(self, payload: int, wire: int) -> None:
        metrics = self.context.recorder.metrics
        metrics.count("compression.sent_payload", payload)
        metrics.count("compression.sent_wire", wire)

    def _opened(self, at_ns: int) -> None:
        """The protocol's ready condition holds."""
        # The last ready step may send something: it must go out before the first turn.
        self._gather_replies()
        context = self.context
        recorder = context.recorder
        if at_ns > self._upgraded_ns:
            # Else there is no ready step, or the last one came in one read with the answer to the upgrade.
            recorder.metrics.ready.append(at_ns - self._upgraded_ns)
        recorder.metrics.total.append(max(at_ns - self._attempted_ns, 0))
        recorder.metrics.connections_ready += 1
        recorder.instant("last_back" if self.is_reconnect else "last_ready", at_ns)
        recorder.moved(at_ns, 1)
        if context.ping_ns:
            self._keepalive = Keepalive(at_ns + context.ping_ns)
            context.poller.timers.add(self._keepalive.wakes_ns, self._keep_alive)
        if self.on_ready is not None:
            self.on_ready(self)

    def refused(self, refusal: ConnectRefusal) -> None:
        """The target refused the connection before it was ready."""
        self.refusal = refusal
        self.context.recorder.metrics.count(f"connections.refused.{refusal.layer}")
        self.context.observations.saw_refusal(ConnectRefusal(refusal.layer, self.public(refusal.reason)))
        self._dispose()

    def not_opened(self, limit: str) -> None:
        """This machine could not open it: the user may try again, but the target refused nothing."""
        self.refusal = ConnectRefusal(Layer.TCP, limit)
        self.context.recorder.metrics.count(f"connections.not_opened.{limit}")
        self._dispose()

    # ------------------------------------------------------------------ sending

    def begin(  # noqa: PLR0917 - an argument by name alone costs 0.1 us a turn
        self,
        seq: int,
        position: int,
        intended_ns: int,
        row: dict[str, Any],
        kind: str = "",
        written: str | bytes | None = None,
    ) -> Turn:
        """Begin a turn (of a kind): its message goes out at the end of this loop turn.

        ``written`` stands in the place of the protocol's message: bytes in a binary frame, a text in one of
        text.
        """
        turn, payload = self.session.begin(seq, position, intended_ns, row, kind, written)
        opcode = self._opcode
        if written is not None:
            opcode = TEXT
            if isinstance(written, bytes):
                opcode, payload = BINARY, memoryview(payload)
        elif self._sends_otherwise and self._send_otherwise(turn, payload, row, kind):
            return turn
        out = self._out
        self._queued.append((turn, len(out)))
        try:
            frame = self._encode(payload, opcode)
        except UnsendableError as error:
            self._queued.pop()
            self._not_sendable(error, turn)
            return turn
        self._gathered += len(frame)
        out.append(frame)
        # Inlined from _gather: 0.06 us less a turn.
        dirty = self.context.poller.dirty
        if not dirty or dirty[-1] is not self:
            dirty.append(self)
        return turn

    def _send_otherwise(self, turn: Turn, payload: Payload, row: dict[str, Any], kind: str) -> bool:
        """Send a turn by HTTP, or the first of its several messages; False: it is one message."""
        by_http = self.context.http_turns
        if by_http is not None and by_http.takes(kind):
            by_http.send(self, turn, kind, self.session.request_values(turn, row))
            return True
        if not turn.uploading:
            return False
        self.session.outbox = [(turn, payload), *(self.session.outbox or ())]
        self._gathered += len(payload)
        self._gather_replies()
        return True

    def http_wrote(self, turn: Turn, at_ns: int) -> None:
        """The last byte of a turn's request goes out by HTTP; called in its greenlet."""
        self.session.sent(turn, at_ns)
        self.context.poller.timers.add(at_ns, self._look_after_timers)
        self.context.poller.wake()

    def _look_after_timers(self, _due_ns: int) -> None:
        if self.state is ConnectionState.UPGRADED:
            self._after_events()

    def http_answered(self, turn: Turn, refused: HttpRequestFailed | None, status: int) -> None:
        """A turn's request has its answer."""
        settle_answer(self.context, self.session, turn, refused, status, self.public)

    def send(self, payload: str | bytes) -> None:
        """Send a message that belongs to no turn; bytes are sent as they are.

        Raises:
            UnsendableError: the codec can make no frame of it.
        """
        if isinstance(payload, bytes):
            self._out.append(self._encode(memoryview(payload), BINARY))
        else:
            self._out.append(self._encode(payload.encode(), TEXT))
        self._gather()

    def send_as_it_is(self, payload: str) -> None:
        """Send a frame of text that need not be a message of the protocol."""
        self._out.append(encode(payload.encode(), TEXT))
        self._gather()

    def _gather(self) -> None:
        """Have the gathered writes flushed after the reads of this loop turn."""
        dirty = self.context.poller.dirty
        if not dirty or dirty[-1] is not self:
            dirty.append(self)

    def _gather_replies(self) -> None:
        """Gather what the session itself sends: ready steps, heartbeats, further messages of turns."""
        for each in self.session.outbox or ():
            turn, payload = (None, each.encode()) if isinstance(each, str) else each
            opcode = TEXT if turn is None else self._opcode_of(payload)
            try:
                frame = self._encode(payload, opcode)
            except UnsendableError as error:
                self._not_sendable(error, turn)
                continue
            if turn is not None:
                self._queued.append((turn, len(self._out)))
            self._out.append(frame)
        self.session.outbox = None
        self._gather()

    def _opcode_of(self, payload: Payload) -> int:
        """The kind of frame of a turn's message: chunks without one of their own are binary."""
        return BINARY if isinstance(payload, memoryview) else self._opcode

    def _not_sendable(self, error: UnsendableError, turn: Turn | None) -> None:
        """The codec makes no frame of a message, by our fault or the protocol's, or the target takes no more.

        Its turn fails, a connection that was getting ready is given up; from a timer, since a turn that ends
        may have the next one begun.
        """
        context = self.context
        if isinstance(error, NotTakenError):
            reason = "not_taken"
            context.recorder.metrics.count("codec.not_taken")
        else:
            reason = "codec"
            context.recorder.metrics.count("codec.unsendable")
        context.recorder.evidence("unsendable", str(error).encode(), self.session.user)

        def settle(_due_ns: int) -> None:
            if turn is not None:
                self.session.not_sendable(turn, context.now(), reason)
            elif self.session.state is SessionState.READYING and self.state is ConnectionState.UPGRADED:
                self.refused(ConnectRefusal(Layer.READY, f"a ready step could not be sent: {error}"))

        context.poller.timers.add(context.now(), settle)

    def _answer_wire(self, frames: bytes, n: int) -> None:
        """Send what the wire demands at once, such as a pong of its own; a peer must read it."""
        transport = self._transport
        if transport is None or len(transport.unsent) > MAX_UNSENT:
            if self._parser is not None:
                self._parser.refuse("the target does not read the answers that its protocol requires")
            return
        self.context.recorder.metrics.count("codec.replies", n)
        self._out.append(frames)
        self._gather()

    def flush(self) -> None:
        """Write what was gathered, in one system call; a turn is sent when that call is made."""
        transport = self._transport
        out = self._out
        if transport is None or not out:
            return
        context = self.context
        session = self.session
        # Found once: Python 3.11 takes 0.05 us to call what is an attribute of an instance.
        now = context.now
        data = out[0] if len(out) == 1 else b"".join(out)
        self._gathered = 0
        at_ns = now()
        uploads = session.protocol.uploads
        for turn, _ in self._queued:
            if uploads and turn.uploading:
                session.written(turn, at_ns)
            else:
                session.sent(turn, at_ns)
        try:
            complete = transport.send(data)
        except OSError:
            # ssl.SSLError is one, too.
            out.clear()
            self._socket_broke()
            return
        size = len(data)
        context.recorder.metrics.bytes_sent += size
        took_ns = now() - at_ns
        if not complete:
            if self._unsent is None:
                self._unsent = UnsentTurns()
            self._unsent.add(out, self._queued)
            context.poller.modify(transport.fd, READ | WRITE)
        if self._unsent is not None:
            self._note_sent(self._unsent, len(transport.unsent), at_ns, took_ns)
        if uploads and complete:
            self._note_uploaded(at_ns)
        if took_ns > SLOW_SEND_NS and complete and took_ns > SLOW_SEND_NS + size * SLOW_SEND_NS_PER_BYTE:
            self._note_slow_send((turn for turn, _ in self._queued), at_ns)
        out.clear()
        self._queued.clear()
        # The timer may still be set for a ready step that is over: a turn's timeout comes before it.
        wakes_ns = session.wakes_ns
        if wakes_ns != NEVER and (self._armed_ns == NEVER or wakes_ns < self._armed_ns):
            self._after_events()

    def _flush_rest(self, transport: Transport) -> None:
        """The socket takes bytes again: write what the kernel had no room for."""
        at_ns = self.context.now()
        try:
            complete = transport.send(b"")
        except OSError:
            self._socket_broke()
            return
        if self._unsent is not None:
            took_ns = self.context.now() - at_ns
            self._note_sent(self._unsent, len(transport.unsent), at_ns, took_ns)
        if complete:
            self.context.poller.modify(transport.fd, READ)
            self.flush()
        if self.session.protocol.uploads:
            # With what was taken, a pause may begin.
            self._look_after_timers(at_ns)

    def _socket_broke(self) -> None:
        """Nothing more can be sent; what was read before still counts, maybe as the reason."""
        self.take()
        if self.state is not ConnectionState.CLOSED:
            self._lost(NO_CLOSE_FRAME)

    def _note_slow_send(self, turns: Iterable[Turn], at_ns: int) -> None:
        """To send took so long that the process had no core: of these, those sent now may have left later."""
        for turn in dict.fromkeys(turns):
            if turn.sent_ns == at_ns:
                turn.metrics.count("turns.slow_send")

    def _note_sent(self, unsent: UnsentTurns, left: int, at_ns: int, took_ns: int) -> None:
        """The system call at ``at_ns`` left ``left`` bytes that the kernel has not taken."""
        turns = list(unsent.take(left))
        for turn in turns:
            if turn.uploading:
                self.session.sent(turn, at_ns)
            elif turn.outcome is None:
                turn.sent_ns = at_ns
        self._unsent = unsent or None
        if took_ns > SLOW_SEND_NS:
            self._note_slow_send(turns, at_ns)

    def _note_uploaded(self, at_ns: int) -> None:
        """The kernel took all that was written: the messages of turns of several among it are sent."""
        for turn, _ in self._queued:
            if turn.uploading:
                self.session.sent(turn, at_ns)

    def _flush_last(self) -> None:
        """Try to write the last frames of a connection that is about to end."""
        if self._out and self._transport is not None:
            try:
                self._transport.send(b"".join(self._out))
            except OSError:
                self._out.clear()
        self._out.clear()

    # ------------------------------------------------------------------ receiving

    def _on_ready(self, bits: int) -> Connection | None:
        """The socket is ready; the poller calls this for reads before all other work.

        Gives itself if what it read is to be taken later; a large read is taken while the caches hold it.
        """
        if bits == READ:
            size = self._receive()
            if 0 < size <= MAX_WAITING_BYTES:
                return self
            if size:
                self.take()
            return None
        if bits & ~WRITE:
            self._read()
        if bits & WRITE and self._transport is not None:
            self._flush_rest(self._transport)
        return None

    def _read(self) -> None:
        """Read once, and take what that brought."""
        self.take()
        if self._receive():
            self.take()

    def _receive(self) -> int:
        """Read once, and keep for ``take`` what came; how many bytes.

        If the peer has closed, or the socket is broken, this connection ends.
        """
        transport = self._transport
        if transport is None:
            return 0
        try:
            read = transport.receive()
        except OSError:
            # ssl.SSLError is one, too.
            self._lost(NO_CLOSE_FRAME)
            return 0
        if read is None:
            return 0
        data, at_ns = read
        self._heard_ns = at_ns
        size = len(data)
        if not size:
            self._lost(self._parser.close_code if self._parser is not None else NO_CLOSE_FRAME)
            return 0
        context = self.context
        now = context.now
        lag_ns = now() - at_ns
        metrics = context.recorder.metrics
        metrics.receive_lag.append(lag_ns if lag_ns > 0 else 0)  # noqa: FURB136 - max() costs 0.1 us
        metrics.bytes_received += size
        self._read_little = size < FULL_READ_BYTES
        self._untaken = read
        return size

    def take(self) -> None:
        """Take what was read last; a refusal ends this connection."""
        read = self._untaken
        if read is None:
            return
        self._untaken = None
        try:
            self._parse(*read)
            self._after_events()
        except ConnectRefusal as refusal:
            self.refused(refusal)

    def take_replies(self) -> None:
        """Where reads are behind, read before the next turn: two replies in one read have one time stamp.

        Not from a flood, for which nothing due must wait; nor before what came with the upgrade is parsed.
        """
        if self.context.poller.reads_behind and self._read_little:
            self._read()

    def _catch_up(self) -> None:
        """Read what lies unread, before the peer is called late or silent: it may be we who are late."""
        metrics = self.context.recorder.metrics
        until_ns = self.context.now() + MAX_CATCH_UP_NS
        for _ in range(MAX_CATCH_UP_READS):
            before = metrics.bytes_received
            self._read()
            if metrics.bytes_received == before or self.context.now() >= until_ns:
                return

    def _parse(self, data: bytes, at_ns: int) -> None:
        """Take the frames of one read.

        Raises:
            ConnectRefusal: the target refused the session while it was getting ready.
        """
        parser = self._parser
        if parser is None:
            return
        messages = parser.receive(data)
        if parser.unpacks:
            self._unpacked(parser, parser.payload_of(messages), len(data), at_ns)
        if messages:
            if len(messages) > MANY_MESSAGES:
                self._refuse(parser, self._flood.empty_messages(messages.count(b""), at_ns))
            session = self.session
            # Of _receive_messages, what most reads are: a call costs 0.1 us a read.
            if session.state is OPEN and self.tap is None:
                session.receive(messages, at_ns, parser.together)
            else:
                self._receive_messages(messages, at_ns, parser.together)
        if parser.replies or parser.pongs or parser.closed:
            self._handle_control_frames(parser, at_ns)

    def _unpacked(self, parser: FrameParser, payload: int, wire: int, at_ns: int) -> None:
        """Count what one read brought, and end a connection whose messages unpack without measure."""
        metrics = self.context.recorder.metrics
        metrics.count("compression.received_payload", payload)
        metrics.count("compression.received_wire", wire)
        if payload:
            self._refuse(parser, self._flood.unpacked(payload, wire, at_ns))

    def _receive_messages(self, messages: list[bytes], at_ns: int, together: int) -> None:
        if self.state is not ConnectionState.UPGRADED:
            self._take_last_answer(messages)
            return
        if self.session.state is OPEN:
            if self.tap is not None:
                for message in messages:
                    self.tap(message)
            self.session.receive(messages, at_ns, together)
        else:
            self._receive_before_ready(messages, at_ns)

    def _receive_before_ready(self, messages: list[bytes], at_ns: int) -> None:
        """Give the session one message at a time: it may be open after any of them."""
        for message in messages:
            was_open = self.session.state is SessionState.OPEN
            if was_open and self.tap is not None:
                self.tap(message)
            self.session.receive([message], at_ns)
            if not was_open and self.session.state is SessionState.OPEN:
                self._opened(at_ns)

    def _handle_control_frames(self, parser: FrameParser, at_ns: int) -> None:
        """Send the parser's answers to pings and close frames; take the pongs and the close."""
        self._refuse(parser, self._flood.control_frames(len(parser.replies) + len(parser.pongs), at_ns))
        if parser.replies:
            if parser.closed or self._transport is None or len(self._transport.unsent) < MAX_UNSENT:
                self._out += parser.replies
            parser.replies = []
            self._gather()
        for payload in parser.pongs:
            self._receive_pong(payload, at_ns)
        parser.pongs = []
        if parser.closed:
            self._flush_last()
            if parser.broken is not None and self.session.state is SessionState.OPEN:
                note_broken(self.context, parser, parser.broken, self.user)
            self._lost(parser.close_code)

    def _refuse(self, parser: FrameParser, why: str | None) -> None:
        """End a connection that the target floods: its doing, and no slowness of ours."""
        if why is not None and not parser.closed:
            parser.refuse(why)

    def turn_ended(self, turn: Turn) -> None:
        """A turn of this session has its outcome."""
        seen = self.context.observations
        if turn.reason == "event":
            note_error(turn, self.session.protocol, seen, self.public)
        elif seen.looks_at_answers:
            note_answer(turn, self.context.assignment.scenario.protocol.events, seen, self.public)
        on_turn = self.on_turn
        if on_turn is not None:
            on_turn(turn)

    # ------------------------------------------------------------------ timers

    def _after_events(self) -> None:
        """Send the session's replies, and set the timer for its next instant."""
        session = self.session
        if session.outbox:
            self._gather_replies()
        wakes_ns = session.wakes_ns
        if wakes_ns != NEVER and (self._armed_ns == NEVER or wakes_ns < self._armed_ns):
            self._armed_ns = wakes_ns
            self.context.poller.timers.add(wakes_ns, self._tick)

    def _tick(self, due_ns: int) -> None:
        """The session asked to be woken now."""
        if due_ns != self._armed_ns or self.state is not ConnectionState.UPGRADED:
            return
        if not self.session.only_streams(self.context.now()):
            self._catch_up()
            if self.state is not ConnectionState.UPGRADED:
                return
        self._armed_ns = NEVER
        was_open = self.session.state is SessionState.OPEN
        now_ns = self.context.now()
        try:
            self.session.tick(now_ns)
        except ConnectRefusal as refusal:
            self.refused(refusal)
            return
        if self.session.silent:
            self.context.recorder.metrics.count("connections.silent")
            self._lost(NO_CLOSE_FRAME)
            return
        if not was_open and self.session.state is SessionState.OPEN:
            self._opened(now_ns)
        self._after_events()

    # ------------------------------------------------------------------ keepalive

    def _keep_alive(self, _due_ns: int) -> None:
        """Look whether the peer lives, and ping it, whatever is due: two timers would be 160 bytes more."""
        context, keepalive = self.context, self._keepalive
        if keepalive is None or not self.is_open:
            return
        now_ns = context.now()
        # Before the next ping, so that of two at one instant the end comes first.
        if keepalive.look_ns != NEVER and keepalive.look_ns <= now_ns:
            self._check_alive(keepalive)
            if not self.is_open:
                return
        if keepalive.ping_ns <= now_ns:
            self._ping(keepalive)
        context.poller.timers.add(keepalive.wakes_ns, self._keep_alive)

    def _ping(self, keepalive: Keepalive) -> None:
        """Ping the peer, and ask later whether it still lives."""
        context = self.context
        now_ns = context.now()
        if not keepalive.is_full:
            self._out.append(encode(keepalive.ping(now_ns, context.recorder.metrics), PING))
            self._gather()
        if keepalive.look_ns == NEVER:
            keepalive.look_ns = now_ns + context.ping_timeout_ns
        keepalive.ping_ns = now_ns + context.ping_ns

    def _check_alive(self, keepalive: Keepalive) -> None:
        """Give up a peer that left a ping unanswered and sent nothing else for as long as it may."""
        context = self.context
        keepalive.look_ns = NEVER
        if self._silent_at_ns(keepalive) <= context.now():
            self._catch_up()
        if not self.is_open or keepalive.oldest_ns == NEVER:
            return
        silent_at_ns = self._silent_at_ns(keepalive)
        if silent_at_ns > context.now():
            keepalive.look_ns = silent_at_ns
            return
        context.recorder.metrics.count("connections.silent")
        self._lost(NO_CLOSE_FRAME)

    def _silent_at_ns(self, keepalive: Keepalive) -> int:
        """When the peer is given up if nothing comes: any byte is a sign of life, a part of a message too."""
        partial_ns = NEVER if self._transport is None else self._transport.partial_ns
        return max(keepalive.oldest_ns, self._heard_ns, partial_ns) + self.context.ping_timeout_ns

    def _receive_pong(self, payload: bytes, at_ns: int) -> None:
        if self._keepalive is not None:
            self._keepalive.pong(payload, at_ns, self.context.recorder.metrics)

    # ------------------------------------------------------------------ the end

    def close(self) -> None:
        """Say the protocol's last word, send a close frame, wait for the peer's, then end.

        Turns in flight are abandoned.
        """
        context = self.context
        # What was read came before we left.
        self.take()
        if self.state is ConnectionState.UPGRADED:
            self._last_answer = self.session.leave(context.now())
            if self.session.outbox:
                self._gather_replies()
            # What was begun in this very loop turn is sent before it is abandoned.
            self.flush()
        if self.state is ConnectionState.UPGRADED:
            if self.session.state is SessionState.READYING:
                context.observations.saw_still_opening(f"{Layer.READY}: {self.session.awaited()}")
            self._end_session(NORMAL, by_us=True)
            context.recorder.metrics.connections_left += 1
            self.state = ConnectionState.CLOSING
            if self._last_answer is None:
                self._say_close()
            context.poller.timers.add(context.now() + context.close_timeout_ns, self._close_overdue)
        elif self.state < ConnectionState.UPGRADED:
            if self._attempt is not None:
                context.observations.saw_still_opening(self._attempt.awaited)
            context.recorder.metrics.connections_left += self.state is ConnectionState.CONNECTING
            self._dispose()

    def _say_close(self) -> None:
        """Send the close frame behind all that was said."""
        self._last_answer = None
        if self._parser is not None:
            self._out.append(self._parser.close(NORMAL))
        self._flush_last()

    def _take_last_answer(self, messages: list[bytes]) -> None:
        """What comes on a closing connection says nothing, but for what the close waits for."""
        answer, hear = self._last_answer, self.session.protocol.hear_any
        if answer is not None and any(answer.fits(hear(message)) for message in messages):
            self._say_close()

    def _close_overdue(self, _due_ns: int) -> None:
        self.take()
        if self._last_answer is not None and self.state is ConnectionState.CLOSING:
            self.context.recorder.metrics.count("connections.left_unanswered")
            self._say_close()
        self._dispose()

    def _lost(self, code: int) -> None:
        """The target closed the connection, or it broke; or the target answered our close."""
        if self.state is ConnectionState.UPGRADED:
            refusal = self._end_session(code, by_us=False)
            if refusal is not None:
                self.refused(refusal)
                return
            self.context.recorder.metrics.count(f"connections.closed.{code}")
            if self._parser is not None:
                broken = self._parser.broken
                reason = self._parser.close_reason if broken is None else f"given up by us: {broken}"
                if reason:
                    self.context.observations.saw_close(code, self.public(reason))
                note_unfinished(self.context, self._parser, self.user)
        elif self._last_answer is not None and not self._closed_well(code):
            self.context.recorder.metrics.count("connections.left_unanswered")
        self._dispose()

    def _closed_well(self, code: int) -> bool:
        """Whether the target closed by itself, and by a close frame that names no error."""
        broken = self._parser is not None and self._parser.broken is not None
        return code in WITHOUT_ERROR and not broken

    def public(self, text: str) -> str:
        """A text about this connection, without the secrets that came with it."""
        hidden = self.session.public(text.encode("utf-8", "surrogateescape"))
        return hidden.decode("utf-8", "surrogateescape")

    def _end_session(self, code: int, *, by_us: bool) -> ConnectRefusal | None:
        was_open = self.session.state is SessionState.OPEN
        now_ns = self.context.now()
        if self._keepalive is not None:
            in_time_ns = now_ns - self.context.ping_timeout_ns
            if in_flight := self._keepalive.unanswered_since(in_time_ns):
                self.context.recorder.metrics.count("pings.in_flight", in_flight)
            # A pong that comes behind the close answers what is counted already.
            self._keepalive = None
        refusal = self.session.lost(now_ns, code, by_us=by_us)
        if was_open:
            self.context.recorder.moved(now_ns, -1)
        return refusal

    def _dispose(self) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        if self.session.state is not SessionState.CLOSED:
            self.session.lost(self.context.now(), NO_CLOSE_FRAME, by_us=True)
        if self._attempt is not None:
            self._attempt.abandon()
            self._attempt = None
        if self._transport is not None:
            self.context.poller.unregister(self._transport.fd)
            self._transport.close()
            self._transport = None
        self._parser = None
        if self.on_closed is not None:
            self.on_closed(self)
