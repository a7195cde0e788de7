"""What one virtual user sends, and when: planned arrivals (open model), or bursts after replies (closed)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.context import NO_ROW, Context
from loadtest.plan.schedule import Arrival
from loadtest.speak.turn import NEVER, Turn

BACKLOG: Final = "backlog"
"""Why turns are not attempted on whose connection too much waits for the target to read."""


class DueTurn(NamedTuple):
    """A turn that is due; it waits while its connection is not ready."""

    seq: int
    position: int
    intended_ns: int
    kind: str = ""


class UserTraffic:
    """The turns that a user sends in one visit: here none, the connection is only held."""

    __slots__ = ()

    @property
    def busy(self) -> bool:
        """Whether turns will fall due, or are due and wait; those in flight belong to the connection."""
        return False

    def start(self) -> None:
        """The planned connect instant has come."""

    def ready(self, connection: Connection) -> None:
        """A connection is ready: the first of the visit, or the one after a lost one."""

    def ended(self, turn: Turn) -> None:
        """A turn has its outcome."""

    def away(self) -> None:
        """The connection was lost; the user will reconnect."""

    def gone(self) -> None:
        """There is no connection any more, and the user will not reconnect."""

    def leave(self) -> None:
        """The visit is over: nothing more falls due in it."""
        self.finish()

    def schedule_over(self) -> None:
        """The schedule is over: nothing more falls due, but a turn that waits may still be begun."""

    def finish(self) -> None:
        """Begin no further turn; a turn that still waits is not attempted."""


class OpenTraffic(UserTraffic):
    """Turns fall due by the schedule, whether or not earlier ones were answered.

    A turn that we send late keeps its intended instant. A turn whose connection is not ready waits; after the
    timeout it is not attempted. Nor is one on whose connection ``MAX_BACKLOG`` bytes wait already.
    """

    __slots__ = ("_arrivals", "_connection", "_context", "_may_be_done", "_next", "_waiting")

    def __init__(
        self,
        context: Context,
        connection: Connection,
        arrivals: Iterator[Arrival],
        may_be_done: Callable[[], None],
    ) -> None:
        self._context = context
        self._may_be_done = may_be_done
        self._connection = connection
        self._arrivals = arrivals
        self._next: Arrival | None = next(arrivals, None)
        # Most users never need it, and a deque costs 600 bytes.
        self._waiting: deque[DueTurn] | None = None

    @property
    @override
    def busy(self) -> bool:
        return self._next is not None or bool(self._waiting)

    @override
    def start(self) -> None:
        if self._next is not None:
            self._context.poller.timers.add(self._context.start_ns + self._next.offset_ns, self._due)

    def _due(self, due_ns: int) -> None:
        """A burst is due: all arrivals of this instant."""
        if self._next is None:
            return
        context = self._context
        position = 0
        offset_ns = self._next.offset_ns
        metrics, mix, kind = context.recorder.metrics_at(due_ns), context.mix, ""
        while self._next is not None and self._next.offset_ns == offset_ns:
            if mix is not None:
                kind = mix.kind(self._next.seq)
                metrics = context.recorder.metrics_at(due_ns, kind)
            metrics.turns_due += 1
            self._begin(DueTurn(self._next.seq, position, due_ns, kind))
            position += 1
            self._next = next(self._arrivals, None)
        if self._next is not None:
            context.poller.timers.add(context.start_ns + self._next.offset_ns, self._due)

    def _begin(self, due: DueTurn) -> None:
        connection = self._connection
        if connection.session.turns:
            # Reads must not wait in this second: two replies in one read would share a time stamp.
            self._context.poller.patient = False
            if not due.position:
                connection.take_replies()
        if connection.is_open:
            if connection.is_backed_up:
                self._give_up(due, BACKLOG)
                self._may_be_done()
                return
            connection.begin(due.seq, due.position, due.intended_ns, self._context.row(due.seq), due.kind)
            return
        if self._waiting is None:
            self._waiting = deque()
            self._context.poller.timers.add(due.intended_ns + self._context.timeout_ns, self._overdue)
        self._waiting.append(due)

    @override
    def ready(self, connection: Connection) -> None:
        self._connection = connection
        waiting, self._waiting = self._waiting, None
        for due in waiting or ():
            self._begin(due)

    def _overdue(self, _due_ns: int) -> None:
        context = self._context
        waiting = self._waiting
        limit_ns = context.now() - context.timeout_ns
        while waiting and waiting[0].intended_ns <= limit_ns:
            self._give_up(waiting.popleft())
        if waiting:
            context.poller.timers.add(waiting[0].intended_ns + context.timeout_ns, self._overdue)
        else:
            self._waiting = None
            self._may_be_done()

    def _give_up(self, due: DueTurn, reason: str = "") -> None:
        user = self._connection.user
        self._context.recorder.not_attempted(
            due.seq, user, due.position, due.intended_ns, due.kind, reason=reason
        )

    @override
    def ended(self, turn: Turn) -> None:
        if self._next is None:
            self._may_be_done()

    @override
    def finish(self) -> None:
        self._next = None
        waiting, self._waiting = self._waiting, None
        for due in waiting or ():
            self._give_up(due)


class ClosedTraffic(UserTraffic):
    """The next burst falls due when the last one has ended, plus think time; it needs a connection."""

    __slots__ = (
        "_connection",
        "_context",
        "_due_ns",
        "_last_done_ns",
        "_may_be_done",
        "_outstanding",
        "_over",
        "_seqs",
        "_turns_left",
    )

    def __init__(
        self, context: Context, connection: Connection, seqs: Iterator[int], may_be_done: Callable[[], None]
    ) -> None:
        self._context = context
        self._may_be_done = may_be_done
        self._connection = connection
        self._seqs = seqs
        self._turns_left = context.turns_per_connection
        self._over = False
        self._outstanding = 0
        self._last_done_ns = NEVER
        self._due_ns = NEVER

    @property
    @override
    def busy(self) -> bool:
        return not self._over

    @override
    def ready(self, connection: Connection) -> None:
        """The first burst is due now; after a loss the next one is, unless the user is still thinking."""
        self._connection = connection
        if self._due_ns == NEVER:
            self._burst(self._context.now())

    def _burst(self, intended_ns: int) -> None:
        context = self._context
        size = context.burst if self._turns_left is None else min(context.burst, self._turns_left)
        if intended_ns >= context.end_ns or size == 0 or self._over:
            self.finish()
            return
        if self._turns_left is not None:
            self._turns_left -= size
        mix, has_rows = context.mix, context.has_rows
        row, kind = NO_ROW, ""
        self._outstanding = size
        self._last_done_ns = NEVER
        for position in range(size):
            seq = next(self._seqs)
            if mix is not None:
                kind = mix.kind(seq)
            if has_rows:
                row = context.row(seq)
            turn = self._connection.begin(seq, position, intended_ns, row, kind)
            turn.metrics.turns_due += 1

    @override
    def ended(self, turn: Turn) -> None:
        """When the whole burst has ended, the next one is planned."""
        done_ns = turn.done_ns if turn.done_ns != NEVER else self._context.now()
        if done_ns > self._last_done_ns:  # noqa: PLR1730 - max() costs 0.1 us
            self._last_done_ns = done_ns
        self._outstanding -= 1
        if self._outstanding or self._over:
            return
        think_ns = self._context.think_ns
        due_ns = self._last_done_ns + think_ns
        if think_ns:
            self._due_ns = due_ns
            self._context.poller.timers.add(due_ns, self._due)
        elif self._connection.is_open:
            self._burst(due_ns)

    def _due(self, due_ns: int) -> None:
        self._due_ns = NEVER
        if self._connection.is_open:
            self._burst(due_ns)

    @override
    def gone(self) -> None:
        self.finish()

    @override
    def schedule_over(self) -> None:
        self.finish()

    @override
    def finish(self) -> None:
        self._over = True
        self._may_be_done()
