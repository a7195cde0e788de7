"""A connection with a line at its other end, by hand: opened, spoken on, ended."""

from __future__ import annotations

from typing import Any

from websockets.frames import Opcode

from loadtest.drive.connection import Connection
from loadtest.drive.poller import READ, WRITE
from loadtest.speak.turn import Turn
from tests.drive.standing_in import FakeContext, HandPoller, Line, agreed, frame, frames_in, scenario_of

FD = 7


class Spoken:
    """One connection, and all it tells. It is open unless it was made with ``is_open`` False."""

    def __init__(self, *, is_open: bool = True, context: FakeContext | None = None, **scenario: Any) -> None:
        self.line = Line(FD)
        self.context = context or FakeContext(scenario_of(**scenario), lines=[self.line])
        self.poller: HandPoller = self.context.hand_poller
        self.metrics = self.context.recorder.metrics
        self.connection = Connection(self.context, 3, {"user.id": "anna"})
        self.ready = 0
        self.closed = 0
        self.turns: list[Turn] = []
        self.connection.on_ready = self._ready
        self.connection.on_closed = self._closed
        self.connection.on_turn = self.turns.append
        self._upgrade_bytes = 0
        if is_open:
            self.open()

    def _ready(self, connection: Connection) -> None:
        assert connection is self.connection
        self.ready += 1

    def _closed(self, connection: Connection) -> None:
        assert connection is self.connection
        self.closed += 1

    @property
    def now(self) -> int:
        return self.context.hand.ns

    def open(self, *headers: str, rest: bytes = b"") -> None:
        """The target takes the connection and agrees to the upgrade."""
        self.connection.connect()
        self.poller.turn(FD, WRITE)
        self._upgrade_bytes = len(self.line.sent)
        self.arrive(agreed(bytes(self.line.sent), *headers, rest=rest))

    def arrive(self, *reads: bytes | Exception, at_ns: int | None = None) -> None:
        """Bytes (or an error) are there to be read, and the poller says so; a loop turn for each."""
        for read in reads:
            self.lie_unread(read, at_ns=at_ns)
            self.poller.turn(FD, READ)

    def lie_unread(self, read: bytes | Exception, at_ns: int | None = None) -> None:
        """Bytes are there to be read, and nobody has told."""
        stamp = self.now if at_ns is None else at_ns
        self.line.reads.append(read if isinstance(read, Exception) else (read, stamp))

    def hear(self, *payloads: bytes, at_ns: int | None = None) -> None:
        """Messages arrive in one read."""
        self.arrive(b"".join(map(frame, payloads)), at_ns=at_ns)

    def begin(self, seq: int = 0, intended_ns: int | None = None) -> Turn:
        """Begin a turn; nothing is written yet."""
        return self.connection.begin(seq, 0, self.now if intended_ns is None else intended_ns, {})

    @property
    def frames(self) -> list[tuple[Opcode, bytes]]:
        """What was written after the upgrade."""
        return frames_in(self.line.sent[self._upgrade_bytes :])

    @property
    def texts(self) -> list[bytes]:
        return [payload for opcode, payload in self.frames if opcode is Opcode.TEXT]

    def counts(self, prefix: str = "") -> dict[str, int]:
        return self.context.counts(prefix)
