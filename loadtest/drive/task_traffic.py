"""Connects a user's greenlet, which waits, with its connection, which works in callbacks."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import msgspec
from gevent.event import Event
from typing_extensions import override

from loadtest.drive.locust_import import StopUser
from loadtest.drive.connection import Connection
from loadtest.drive.context import Context
from loadtest.drive.tasks import Tasks
from loadtest.drive.traffic import UserTraffic
from loadtest.speak.turn import Outcome, Turn

EVENTS_KEPT = 10_000
"""Payloads kept for a user who does not read them."""


class TaskTraffic(UserTraffic):
    """The traffic of a user whose tasks decide what is sent, and when.

    While the user has no connection and will reconnect, tasks wait for it.
    """

    def __init__(self, context: Context, tasks: Tasks, seqs: Iterator[int]) -> None:
        self.over = False
        self.events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._context = context
        self._tasks = tasks
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
        """Send one turn and wait for its end.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self.burst(1, data)[0]

    def burst(self, n: int, data: Mapping[str, Any]) -> list[Turn]:
        """Send ``n`` turns back to back and wait for the end of all.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        connection = self._open()
        context = self._context
        intended_ns = context.now()
        row = {f"data.{name}": value for name, value in data.items()}
        metrics, mix, kind = context.recorder.metrics_at(intended_ns), context.mix, ""
        turns = []
        for position, seq in enumerate(itertools.islice(self._seqs, n)):
            waiter = self._waiters[seq] = Event()
            if mix is not None:
                kind = mix.kind(seq)
                metrics = context.recorder.metrics_at(intended_ns, kind)
            turn = connection.begin(seq, position, intended_ns, {**context.row(seq), **row}, kind)
            turns.append((turn, waiter))
            metrics.turns_due += 1
        context.poller.wake()
        for _, waiter in turns:
            waiter.wait()
        if any(turn.outcome is Outcome.ABANDONED for turn, _ in turns):
            # We left: a turn without an end would tell the task nothing about the target.
            raise StopUser
        return [turn for turn, _ in turns]

    def failed(self, reason: str, frame: FrameType | None) -> None:
        """A task reports that a check failed."""
        self._tasks.failed(reason, frame)

    def send(self, payload: str | bytes | Mapping[str, Any]) -> None:
        """Send a message that belongs to no turn."""
        connection = self._open()
        text = payload if isinstance(payload, str | bytes) else msgspec.json.encode(payload).decode()
        connection.send(text)
        self._context.recorder.metrics.events_sent += 1
        self._context.poller.wake()

    def _open(self) -> Connection:
        """The connection, once there is one that is ready.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        self._settled.wait()
        while self._connection is None and not self._settled.is_set():
            # It was lost again before this greenlet had its turn.
            self._settled.wait()
        connection = self._connection
        late = self._context.now() >= self._context.end_ns
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
