"""Connects a user's greenlet, which waits, with its connection, which works in callbacks."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import msgspec
from gevent.event import Event
from typing_extensions import override

from loadtest.drive.locust_import import StopUser
from loadtest.drive.connection import Connection
from loadtest.drive.context import Context
from loadtest.drive.task_errors import Tasks
from loadtest.drive.traffic import UserTraffic
from loadtest.plan.match import Match, match_words
from loadtest.plan.match_file import checked_match
from loadtest.speak.turn import MAX_FRAME_BYTES, Outcome, Turn
from loadtest.units import format_duration

EVENTS_KEPT = 10_000
"""Payloads kept for a user who does not read them."""


LONG_KEPT = 64
"""Events of more than 4 KiB that are kept whole for the turns of a user."""


class _Awaited:
    """An event that a task waits for. ``came`` is also set where none will come any more."""

    __slots__ = ("came", "fits", "payload")

    def __init__(self, fits: Callable[[bytes], bool]) -> None:
        self.fits = fits
        self.came = Event()
        self.payload: bytes | None = None


class TaskTurn:
    """A turn that a task sent, as it ended. ``events`` are the payloads of its events, in order.

    Of a turn whose events came in more than 256 reads the first and the last are kept, and ``left_out`` says
    how many are not. Everything else is that of ``speak.turn.Turn``.
    """

    __slots__ = ("_failed", "_turn", "events")

    def __init__(
        self, turn: Turn, events: list[bytes], failed: Callable[[str, FrameType | None], None]
    ) -> None:
        self._turn = turn
        self.events = events
        self._failed = failed

    @property
    def outcome(self) -> Outcome:
        """How it ended by the protocol; ``fail`` does not change it."""
        assert self._turn.outcome is not None  # noqa: S101 - it has ended
        return self._turn.outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turn, name)

    def fail(self, reason: str) -> None:
        """Report that a check of this turn failed, as ``WebSocketUser.fail`` does; the task goes on."""
        self._failed(f"turn {self._turn.seq}: {reason}", sys._getframe(1))


class TaskTraffic(UserTraffic):
    """The traffic of a user whose tasks decide what is sent, and when.

    While the user has no connection and will reconnect, tasks wait for it. ``prepares``: its code is to be
    called before each connection, by ``prepare``.
    """

    def __init__(
        self, context: Context, tasks: Tasks, seqs: Iterator[int], *, prepares: bool = False
    ) -> None:
        self.over = False
        self.prepares = prepares
        self._before_connect: Callable[[], Mapping[str, object] | None] | None = None
        self._claimed = Event()
        self._awaited: list[_Awaited] = []
        # Whole, where a turn's own log has only their beginning.
        self._long: deque[bytes] = deque(maxlen=LONG_KEPT)
        self.events: deque[bytes] = deque(maxlen=EVENTS_KEPT)
        self._context = context
        self._tasks = tasks
        self._seqs = seqs
        self._connection: Connection | None = None
        self._latest: Connection | None = None
        self._settled = Event()
        self._waiters: dict[int, Event] = {}

    def wait_ready(self) -> bool:
        """Wait for the connection; False if it never gets ready."""
        try:
            self._open()
        except StopUser:
            return False
        return True

    def turn(self, data: Mapping[str, Any], written: str | bytes | None = None) -> TaskTurn:
        """Send one turn and wait for its end; ``written`` stands in the place of the protocol's message.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self.burst(1, data, written)[0]

    def burst(self, n: int, data: Mapping[str, Any], written: str | bytes | None = None) -> list[TaskTurn]:
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
            of_turn = {**context.row(seq), **row}
            turn = connection.begin(seq, position, intended_ns, of_turn, kind, written)
            turns.append((turn, waiter))
            metrics.turns_due += 1
        context.poller.wake()
        for _, waiter in turns:
            waiter.wait()
        if any(turn.outcome is Outcome.ABANDONED for turn, _ in turns):
            # We left: a turn without an end would tell the task nothing about the target.
            raise StopUser
        return [TaskTurn(turn, self._events_of(turn), self.failed) for turn, _ in turns]

    def _events_of(self, turn: Turn) -> list[bytes]:
        """The payloads of a turn's events, whole."""
        events = [each for each in turn.frames or () if isinstance(each, bytes)]
        return [self._whole(each) if len(each) == MAX_FRAME_BYTES else each for each in events]

    def _whole(self, beginning: bytes) -> bytes:
        """The payload that has this beginning, and came last of those."""
        return next((each for each in self._long if each.startswith(beginning)), beginning)

    def receive(self, match: Match, within_ns: int | None) -> bytes:
        """Take the first event that fits and was not taken yet, or wait for one.

        Raises:
            TimeoutError: none came in time.
            ValueError: ``match`` is none.
            StopUser: the run is over, or the connection is.
        """
        self._open()
        protocol = self._context.compiled_protocol
        test = protocol.compile_match(checked_match(match))
        for payload in self.events:
            if test(protocol.hear_any(payload)):
                self.events.remove(payload)
                return payload
        within_ns = self._context.timeout_ns if within_ns is None else within_ns
        awaited = _Awaited(lambda payload: test(protocol.hear_any(payload)))
        self._awaited.append(awaited)
        try:
            awaited.came.wait(within_ns / 1e9)
        finally:
            self._awaited.remove(awaited)
        if awaited.payload is not None:
            return awaited.payload
        if awaited.came.is_set():
            raise StopUser
        raise TimeoutError(f"no event with {match_words(match)} within {format_duration(within_ns)}")

    def _arrived(self, payload: bytes) -> None:
        """An event came: for who waits for it, else to be taken later."""
        if len(payload) > MAX_FRAME_BYTES:
            self._long.appendleft(payload)
        for awaited in self._awaited:
            if awaited.payload is None and awaited.fits(payload):
                awaited.payload = payload
                awaited.came.set()
                return
        self.events.append(payload)

    def _wake(self) -> None:
        """Nothing more will come: wake whoever waits for it."""
        for awaited in self._awaited:
            awaited.came.set()

    # ------------------------------------------------------------------ before a connection is opened

    def claim(self, before_connect: Callable[[], Mapping[str, object] | None]) -> None:
        """A user takes this traffic: what it does before each connection is known from now on."""
        self._before_connect = before_connect
        self._claimed.set()

    def prepare(self) -> Mapping[str, object]:
        """What the user's ``before_connect`` says, in the greenlet that calls this.

        Raises:
            Exception: whatever it raised, which is counted as an exception of a task.
        """
        self._claimed.wait()
        if self._before_connect is None:
            return {}
        try:
            return self._before_connect() or {}
        except Exception as error:
            self._tasks.raised(error)
            raise

    def failed(self, reason: str, frame: FrameType | None) -> None:
        """A task reports that a check failed."""
        self._tasks.failed(self.public(reason), frame)

    def public(self, text: str) -> str:
        """What a task says, without the secrets that came with its latest connection."""
        return text if self._latest is None else self._latest.public(text)

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
        connection.tap = self._arrived
        self._connection = self._latest = connection
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
        self._wake()

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
        self._claimed.set()
        self._wake()
