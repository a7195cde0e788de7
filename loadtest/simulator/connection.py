"""One connection of the simulator: ``websockets``' asyncio connection with our way of reading and writing.

Messages are handed on as they are parsed, without a coroutine between, and what is said in one loop turn
goes out in one write: with bursts of 5, three times the seven-event turns per second of ``recv`` and ``send``
(57,000 against 18,000 on one core). What a slow reader does not take is bounded: while the transport's
buffer is full no further message is answered and, soon, none is read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from loadtest.simulator.fault_options import ABNORMAL
from loadtest.simulator.identity import PREFIXES, Identity

if TYPE_CHECKING:
    from loadtest.simulator.simulation import Simulation

OPEN = State.OPEN
TEXT, BINARY, CONT, PING = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING

WRITE_AT = 64 * 1024
"""Bytes said in one loop turn after which they are written without waiting for its end."""

WAITING = 64
"""Unanswered messages after which no more are read."""

BACKLOG = 128 * 1024 * 1024
"""Bytes in a transport's buffer, of turns already under way, at which a reader is too slow to be kept."""

HANG_UP_S = 2.0

Payload = bytes | bytearray | memoryview


class ServerClose(NamedTuple):
    """How the server ends a connection. ``raw``: the code is written as it is, valid or not."""

    code: int
    reason: str = ""
    raw: bool = False


class Talk(Protocol):
    """What one path answers."""

    def ready(self) -> None:
        """Say what stands at the beginning of the conversation."""

    def take(self, data: Payload, *, text: bool) -> None:
        """Answer one message."""

    def left(self) -> None:
        """The connection is gone; nothing more can be said."""


class SimulatedProtocol(ServerProtocol):
    """The sans-I/O connection, with manners of agent backends: tokens in subprotocols, missing pongs."""

    silent = False
    """Whether pings are left unanswered."""

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """``jwt-auth`` where it is offered, else the one that carries the token, exactly, else the first."""
        if "jwt-auth" in subprotocols:
            return Subprotocol("jwt-auth")
        carriers = [offered for offered in subprotocols if offered.startswith(PREFIXES)]
        return next(iter([*carriers, *subprotocols]), None)

    def send_frame(self, frame: Frame) -> None:
        """Send a frame, unless it is a pong and pongs are to be missing."""
        if not (self.silent and frame.opcode is Opcode.PONG):
            super().send_frame(frame)


class SimulatedConnection(ServerConnection):
    """One connection; ``number`` counts upgrade requests from 1."""

    def __init__(
        self, simulation: Simulation, protocol: ServerProtocol, server: Server, **settings: Any
    ) -> None:
        ours = SimulatedProtocol(
            extensions=protocol.available_extensions,
            max_size=(protocol.max_message_size, protocol.max_fragment_size),
            logger=protocol.logger,
        )
        ours.silent = simulation.faults.no_pong
        super().__init__(ours, server, **settings)
        self.simulation = simulation
        self.counters = simulation.counters
        self.number = 0
        self.identity = Identity(None)
        self.claimed: str | None = None
        self.talk: Talk | None = None
        self.ending: asyncio.Future[ServerClose | None] = self.loop.create_future()
        self.established = False
        self.answers = False
        self.waiting: deque[tuple[Payload, bool]] = deque()
        self._lossy_until: float | None = None
        self._parts = bytearray()
        self._text = False
        self._ending_written: ServerClose | None = None
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._slow: asyncio.TimerHandle | None = None

    # Reading

    def data_received(self, data: bytes) -> None:
        """Bytes from the network; whatever they make us say goes out in one write."""
        super().data_received(data)
        self.flush()

    def process_event(self, event: Event) -> None:
        """The upgrade request, a data frame or a control frame."""
        if self.request is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.fin and event.opcode in {TEXT, BINARY}:
            self._receive(event.data, text=event.opcode is TEXT)
        elif event.opcode in {TEXT, BINARY, CONT}:
            self._assemble(event)
        elif event.opcode is PING:
            self.counters.pings += 1
            self.counters.pongs += not self.simulation.faults.no_pong

    def _assemble(self, frame: Frame) -> None:
        """Fragments are joined; ``websockets`` bounds their sum and checks their order."""
        if frame.opcode is not CONT:
            self._text = frame.opcode is TEXT
        self._parts += frame.data
        if frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self._receive(whole, text=self._text)

    def _receive(self, data: Payload, *, text: bool) -> None:
        self.counters.received += 1
        self.counters.bytes_received += len(data)
        if self.protocol.state in {State.CLOSING, State.CLOSED} or self.ending.done():
            self.counters.unread += 1
        elif self._is_lost():
            self.counters.unread += 1
            self.counters.count_fault("lose-before-ready", self.number, self.counters.received)
        elif self.waiting or not self.answers or self.paused:
            self.waiting.append((data, text))
            if len(self.waiting) >= WAITING:
                self.transport.pause_reading()
        elif self.talk is not None:
            self.talk.take(data, text=text)

    def _is_lost(self) -> bool:
        """Whether a message that arrives now is lost because the server was not ready for it."""
        if self.simulation.faults.lose_before_ready_ns is None:
            return False
        return self._lossy_until is None or self.loop.time() < self._lossy_until

    def _answer_waiting(self) -> None:
        while self.waiting and self.answers and self.talk is not None and not self.paused:
            data, text = self.waiting.popleft()
            if self.speaks:
                self.talk.take(data, text=text)
            else:
                self.counters.unread += 1
        if not self.waiting:
            self.transport.resume_reading()
        self.flush()

    # Speaking

    @property
    def speaks(self) -> bool:
        """Whether anything may still be said."""
        return self.protocol.state is OPEN and not self.ending.done()

    def say(self, payload: bytes, *, text: bool = True) -> None:
        """Put one message on its way; ``flush`` writes it."""
        if self.protocol.extensions:
            (self.protocol.send_text if text else self.protocol.send_binary)(payload)
            self._outbox += self.protocol.data_to_send()
        else:
            self._outbox.append(header(0x81 if text else 0x82, len(payload)))
            self._outbox.append(payload)
        self._outbox_bytes += len(payload)
        self.counters.bytes_sent += len(payload)
        if self._outbox_bytes > WRITE_AT:
            self.flush()

    def flush(self) -> None:
        """Write what was said since the last time."""
        if not self._outbox:
            return
        data = b"".join(self._outbox)
        self._outbox.clear()
        self._outbox_bytes = 0
        self.transport.write(data)
        if self.paused and self.transport.get_write_buffer_size() > BACKLOG:
            self._give_up()

    def pause_writing(self) -> None:
        """The reader does not keep up: from now on it has ``slow_reader_ns`` to catch up."""
        super().pause_writing()
        self._slow = self.loop.call_later(self.simulation.options.slow_reader_ns / 1e9, self._give_up)

    def resume_writing(self) -> None:
        """The reader caught up; what waited is answered."""
        super().resume_writing()
        if self._slow is not None:
            self._slow.cancel()
        self._answer_waiting()

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.counters.slow_readers += 1
            self.transport.abort()

    # Beginning and end

    def begin(self) -> None:
        """The talk begins: from now on messages are answered."""
        if self.talk is None or not self.speaks:
            return
        self.answers = True
        self.counters.ready += 1
        lossy_ns = self.simulation.faults.lose_before_ready_ns or 0
        self._lossy_until = self.loop.time() + lossy_ns / 1e9
        self.talk.ready()
        self._answer_waiting()

    def end(self, ending: ServerClose | None) -> None:
        """Nothing more is said; the connection's task closes it. None: it is closed already."""
        if not self.ending.done():
            self.ending.set_result(ending)

    async def hang_up(self, ending: ServerClose) -> None:
        """Close as asked, and wait until the connection is gone, at most for a bounded time."""
        self.flush()
        self._ending_written = ending
        if not ending.raw and ending.code != ABNORMAL:
            await self.close(ending.code, ending.reason)
            return
        if ending.raw:
            self.transport.write(header(0x88, 2) + ending.code.to_bytes(2, "big"))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        try:
            await asyncio.wait_for(self.wait_closed(), HANG_UP_S)
        except TimeoutError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection, whoever brought it about."""
        super().connection_lost(exc)
        self.end(None)
        if self._slow is not None:
            self._slow.cancel()
        self.counters.unread += len(self.waiting)
        self.waiting.clear()
        if self.established:
            self.counters.open -= 1
            self._count_close()
            self.simulation.release(self)
        if self.talk is not None:
            self.talk.left()

    def _count_close(self) -> None:
        protocol, ending = self.protocol, self._ending_written
        if ending is not None and ending.raw:
            self.counters.closed_by_server[ending.code] += 1
        elif ending is not None and ending.code == ABNORMAL:
            self.counters.closed_without_frame += 1
        elif protocol.close_sent is not None and not protocol.close_rcvd_then_sent:
            self.counters.closed_by_server[protocol.close_sent.code] += 1
        elif protocol.close_rcvd is not None:
            self.counters.closed_by_client[protocol.close_rcvd.code] += 1
        else:
            self.counters.closed_without_frame += 1


def header(first: int, length: int) -> bytes:
    """The head of an unmasked frame: its first byte, then the length as RFC 6455 section 5.2 writes it."""
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return bytes((first, 126, length >> 8, length & 0xFF))
    return bytes((first, 127)) + length.to_bytes(8, "big")
