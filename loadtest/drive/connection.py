"""One connection of one virtual user: opened, spoken on, closed; all by callbacks of the poller.

WAITING ── connect() ──► OPENING ── 101 ──► SPEAKING ── close() ──► CLOSING ──► CLOSED
                            └── refused ──────┴── gone ────────────────────────►
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from loadtest.drive.incoming import Incoming
from loadtest.drive.opening import Opening
from loadtest.drive.pulse import Pulse
from loadtest.drive.transport import Transport
from loadtest.errors import Layer
from loadtest.speak.frames import NO_CLOSE_FRAME, PING, FrameParser, encode
from loadtest.speak.session import OPEN, Refused, Session, SessionState
from loadtest.speak.turn import NEVER, Turn
from loadtest.speak.upgrade import Upgrade

if TYPE_CHECKING:
    from loadtest.drive.shard import Share

NORMAL_CLOSE = 1000


class Stage(enum.IntEnum):
    """How far a connection has come."""

    WAITING = 0
    OPENING = 1
    SPEAKING = 2
    CLOSING = 3
    CLOSED = 4


_SPEAKING: Final = Stage.SPEAKING
"""For the hot loop, as ``COMPLETE`` of ``speak.turn``."""


class Connection(Incoming):
    """One connection of one virtual user.

    ``on_ready``, ``on_closed`` and ``on_turn`` are called with this connection (and the turn); the traffic
    of the user hangs on them, and ``tap`` sees every message. ``refusal`` is set if it never got ready:
    the target refused, or this machine could not open it; ``again``: the user was ready before, on another
    one.
    """

    __slots__ = (
        "_attempted_ns",
        "_opening",
        "_pulse",
        "_upgraded_ns",
        "again",
        "number",
        "on_closed",
        "on_ready",
        "on_turn",
        "refusal",
        "stage",
        "tap",
        "values",
    )

    def __init__(self, share: Share, number: int, values: dict[str, Any]) -> None:
        super().__init__(share, Session(share.compiled_protocol, share.recorder, number, values))
        self.session.listener = self
        self.number = number
        self.values = values
        self.stage = Stage.WAITING
        self.refusal: Refused | None = None
        self.again = False
        self.on_ready: Callable[[Connection], None] | None = None
        self.on_closed: Callable[[Connection], None] | None = None
        self.on_turn: Callable[[Turn], None] | None = None
        self.tap: Callable[[bytes], None] | None = None
        self._opening: Opening | None = None
        self._attempted_ns = NEVER
        self._upgraded_ns = NEVER
        self._pulse: Pulse | None = None

    @property
    def is_open(self) -> bool:
        """Whether turns can be begun."""
        return self.stage is _SPEAKING and self.session.state is OPEN

    # ------------------------------------------------------------------ opening

    def connect(self) -> None:
        """Begin to open. Every way it can end is told by ``on_ready`` or ``on_closed``."""
        share = self.share
        now_ns = self._attempted_ns = share.now()
        share.recorder.metrics.connections_attempted += 1
        share.recorder.instant("first_attempt", now_ns)
        self.stage = Stage.OPENING
        self._opening = Opening(share, self, self.values, now_ns)
        self._opening.begin(self.number)

    def shown(self, user: str | None) -> None:
        """Our credential names us: events of any other user are foreign."""
        if user is not None:
            self.session.user_mark = user

    def upgraded(self, transport: Transport, upgrade: Upgrade, at_ns: int) -> None:
        """The answer to the upgrade is whole: speak."""
        share = self.share
        share.saw_server(upgrade.server, upgrade.subprotocol)
        share.poller.hand_over(transport.fd, self._on_ready)
        self._opening = None
        self._transport = transport
        self._lane = FrameParser(share.max_message_bytes, upgrade.extensions)
        self._upgraded_ns = at_ns
        self.stage = Stage.SPEAKING
        self.session.upgraded(at_ns)
        if self.session.state is SessionState.OPEN:
            self._opened(at_ns)
        try:
            if upgrade.rest:
                self._take(upgrade.rest, at_ns)
            self._after_events()
        except Refused as refusal:
            self.refused(refusal)

    def _opened(self, at_ns: int) -> None:
        """The protocol's ready condition holds."""
        # The last ready step may be to send: it goes out before the first turn.
        self._answer()
        share = self.share
        recorder = share.recorder
        if at_ns > self._upgraded_ns:
            # Otherwise the last ready step came in one read with the answer to the upgrade, or there is none.
            recorder.metrics.ready.append(at_ns - self._upgraded_ns)
        recorder.metrics.total.append(max(at_ns - self._attempted_ns, 0))
        recorder.metrics.connections_ready += 1
        recorder.instant("last_back" if self.again else "last_ready", at_ns)
        recorder.moved(at_ns, 1)
        if share.ping_ns:
            self._pulse = Pulse()
            share.poller.agenda.add(at_ns + share.ping_ns, self._ping)
        if self.on_ready is not None:
            self.on_ready(self)

    @override
    def refused(self, refusal: Refused) -> None:
        self.refusal = refusal
        self.share.recorder.metrics.count(f"connections.refused.{refusal.layer}")
        self.share.saw_refusal(refusal)
        self._dispose()

    def not_opened(self, limit: str) -> None:
        """This machine could not open it: the user may try again, but the target refused nothing."""
        self.refusal = Refused(Layer.TCP, limit)
        self.share.recorder.metrics.count(f"connections.not_opened.{limit}")
        self._dispose()

    # ------------------------------------------------------------------ listening

    @override
    def _heard(self, messages: list[bytes], at_ns: int) -> None:
        if self.stage is not _SPEAKING:
            return
        if self.session.state is OPEN:
            if self.tap is not None:
                for message in messages:
                    self.tap(message)
            self.session.receive(messages, at_ns)
        else:
            self._heard_early(messages, at_ns)

    def _heard_early(self, messages: list[bytes], at_ns: int) -> None:
        """Messages while getting ready; the connection may be open after any of them."""
        for message in messages:
            was_open = self.session.state is SessionState.OPEN
            if was_open and self.tap is not None:
                self.tap(message)
            self.session.receive([message], at_ns)
            if not was_open and self.session.state is SessionState.OPEN:
                self._opened(at_ns)

    @override
    def _ponged(self, payload: bytes, at_ns: int) -> None:
        if self._pulse is not None:
            self._pulse.pong(payload, at_ns, self.share.recorder.metrics)

    @override
    def _tick(self, due_ns: int) -> None:
        if due_ns != self._armed_ns or self.stage is not Stage.SPEAKING:
            return
        self._catch_up()
        if self.stage is not Stage.SPEAKING:
            return
        self._armed_ns = NEVER
        was_open = self.session.state is SessionState.OPEN
        now_ns = self.share.now()
        try:
            self.session.tick(now_ns)
        except Refused as refusal:
            self.refused(refusal)
            return
        if not was_open and self.session.state is SessionState.OPEN:
            self._opened(now_ns)
        self._after_events()

    def _ping(self, _due_ns: int) -> None:
        """Ping the peer; one that has not answered the last ping is dead."""
        share = self.share
        pulse = self._pulse
        if pulse is None or not self.is_open:
            return
        if pulse.waiting:
            self._catch_up()
        if not self.is_open:
            return
        if pulse.waiting:
            share.recorder.metrics.count("connections.silent")
            self._gone(NO_CLOSE_FRAME)
            return
        now_ns = share.now()
        self._out.append(encode(pulse.ping(now_ns, share.recorder.metrics), PING))
        self._gather()
        share.poller.agenda.add(now_ns + share.ping_ns, self._ping)

    # ------------------------------------------------------------------ the end

    def turn_ended(self, turn: Turn) -> None:
        """A turn of this conversation has its outcome."""
        if self.on_turn is not None:
            self.on_turn(turn)

    def close(self) -> None:
        """Leave: say so, wait for the peer's close frame, then go. Turns in flight are abandoned."""
        recorder = self.share.recorder
        if self.stage is Stage.SPEAKING:
            # What was begun in this very loop turn is sent before it is abandoned.
            self.flush()
        if self.stage is Stage.SPEAKING:
            if self.session.state is SessionState.READYING:
                self.share.saw_still_opening(f"{Layer.READY}: {self.session.awaited()}")
            self._end_session(NORMAL_CLOSE, by_us=True)
            recorder.metrics.connections_left += 1
            self.stage = Stage.CLOSING
            if self._lane is not None:
                self._out.append(self._lane.close(NORMAL_CLOSE))
            self._flush_last()
            self.share.poller.agenda.add(self.share.now() + self.share.close_timeout_ns, self._close_overdue)
        elif self.stage < Stage.SPEAKING:
            if self._opening is not None:
                self.share.saw_still_opening(self._opening.awaited)
            recorder.metrics.connections_left += self.stage is Stage.OPENING
            self._dispose()

    def _close_overdue(self, _due_ns: int) -> None:
        self._dispose()

    @override
    def _gone(self, code: int) -> None:
        """The target ended the connection, or it broke; or it answered our close."""
        if self.stage is Stage.SPEAKING:
            refusal = self._end_session(code, by_us=False)
            if refusal is not None:
                self.refused(refusal)
                return
            self.share.recorder.metrics.count(f"connections.closed.{code}")
            if self._lane is not None and self._lane.close_reason:
                self.share.saw_close(code, self._lane.close_reason)
        self._dispose()

    def _end_session(self, code: int, *, by_us: bool) -> Refused | None:
        was_open = self.session.state is SessionState.OPEN
        now_ns = self.share.now()
        refusal = self.session.lost(now_ns, code, by_us=by_us)
        if was_open:
            self.share.recorder.moved(now_ns, -1)
        return refusal

    def _dispose(self) -> None:
        if self.stage is Stage.CLOSED:
            return
        self.stage = Stage.CLOSED
        if self.session.state is not SessionState.CLOSED:
            self.session.lost(self.share.now(), NO_CLOSE_FRAME, by_us=True)
        if self._opening is not None:
            self._opening.abandon()
            self._opening = None
        if self._transport is not None:
            self.share.poller.unregister(self._transport.fd)
            self._transport.close()
            self._transport = None
        self._lane = None
        if self.on_closed is not None:
            self.on_closed(self)
