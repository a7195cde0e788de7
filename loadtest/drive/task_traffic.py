"""Between a user's greenlet, which waits, and its connection, which never does."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec
from gevent.event import Event
from locust.exception import StopUser
from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.traffic import Traffic
from loadtest.speak.turn import Outcome, Turn

if TYPE_CHECKING:
    from loadtest.drive.shard import Share

EVENTS_KEPT = 10_000
"""Payloads kept for a user who does not take them."""


class Guide(Traffic):
    """The traffic of a user whose tasks decide what is sent, and when.

    While there is no connection, and one is to come, tasks wait for it.
    """

    def __init__(self, share: Share, seqs: Iterator[int]) -> None:
        self.over = False
        self.events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._share = share
        self._seqs = seqs
        self._connection: Connection | None = None
        self._settled = Event()
        self._waiters: dict[int, Event] = {}

    def wait_ready(self) -> bool:
        """Wait for the connection; False if it never gets ready."""
        try:
            self._open()
        except StopUser:
            return False
        return True

    def turn(self, data: Mapping[str, Any]) -> Turn:
        """One turn, waited for.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self.burst(1, data)[0]

    def burst(self, n: int, data: Mapping[str, Any]) -> list[Turn]:
        """``n`` turns sent back to back, waited for."""
        connection = self._open()
        share = self._share
        intended_ns = share.now()
        row = {f"data.{name}": value for name, value in data.items()}
        part = share.recorder.metrics_at(intended_ns)
        turns = []
        for position, seq in enumerate(itertools.islice(self._seqs, n)):
            waiter = self._waiters[seq] = Event()
            turns.append((connection.begin(seq, position, intended_ns, {**share.row(seq), **row}), waiter))
            part.turns_due += 1
        share.poller.wake()
        for _, waiter in turns:
            waiter.wait()
        if any(turn.outcome is Outcome.ABANDONED for turn, _ in turns):
            # We left: what a task would make of a turn without an end says nothing of the target.
            raise StopUser
        return [turn for turn, _ in turns]

    def failed(self, reason: str, frame: FrameType | None) -> None:
        """A task says that something is not as it should be."""
        self._share.tasks.failed(reason, frame)

    def send(self, payload: str | bytes | Mapping[str, Any]) -> None:
        """A message that is no turn."""
        connection = self._open()
        text = payload if isinstance(payload, str | bytes) else msgspec.json.encode(payload).decode()
        connection.say(text)
        self._share.recorder.metrics.events_sent += 1
        self._share.poller.wake()

    def _open(self) -> Connection:
        """The connection, once there is one that can take turns."""
        self._settled.wait()
        while self._connection is None and not self._settled.is_set():
            # It was lost again before this greenlet had its turn.
            self._settled.wait()
        connection = self._connection
        late = self._share.now() >= self._share.end_ns
        if self.over or late or connection is None or not connection.is_open:
            raise StopUser
        return connection

    @override
    def ready(self, connection: Connection) -> None:
        connection.tap = self.events.append
        self._connection = connection
        self._settled.set()

    @override
    def away(self) -> None:
        self._connection = None
        self._settled.clear()

    @override
    def leave(self) -> None:
        """The user may come back in a later visit."""
        self.away()

    @override
    def gone(self) -> None:
        self._connection = None
        self._settled.set()

    @override
    def ended(self, turn: Turn) -> None:
        """Wake who waits for it."""
        waiter = self._waiters.pop(turn.seq, None)
        if waiter is not None:
            waiter.set()

    @override
    def finish(self) -> None:
        self.over = True
        self._settled.set()
