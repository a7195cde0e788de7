"""What one virtual user sends, and when: the schedule's arrivals, or bursts that wait for their replies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.plan.schedule import Arrival
from loadtest.speak.turn import NEVER, Turn

if TYPE_CHECKING:
    from loadtest.drive.shard import Share


class Waiting(NamedTuple):
    """A turn that is due and whose connection is not ready."""

    seq: int
    position: int
    intended_ns: int


class Traffic:
    """The turns of one visit: here none, the connection is only held."""

    __slots__ = ()

    @property
    def busy(self) -> bool:
        """Whether more turns will fall due, or are due and wait; those in flight are the connection's."""
        return False

    def start(self) -> None:
        """The planned connect instant has come."""

    def ready(self, connection: Connection) -> None:
        """A connection can take turns: the first of the visit, or the one after one that was lost."""

    def ended(self, turn: Turn) -> None:
        """A turn has its outcome."""

    def away(self) -> None:
        """The connection was lost; another is to come."""

    def gone(self) -> None:
        """There is no connection any more, and none to come."""

    def leave(self) -> None:
        """The visit is over: nothing falls due any more in it."""
        self.finish()

    def schedule_over(self) -> None:
        """The schedule is over: nothing falls due any more, but what waits may still be begun."""

    def finish(self) -> None:
        """No further turn; what still waits is not attempted."""


class OpenTraffic(Traffic):
    """Turns fall due by the schedule, whether or not earlier ones were answered.

    If we are late we do not forgive: the intended instant stays. A turn on a connection that is not ready
    waits; after the timeout it is not attempted.
    """

    __slots__ = ("_arrivals", "_connection", "_next", "_share", "_waiting")

    def __init__(self, share: Share, connection: Connection, arrivals: Iterator[Arrival]) -> None:
        self._share = share
        self._connection = connection
        self._arrivals = arrivals
        self._next: Arrival | None = next(arrivals, None)
        # Empty for most users all their life, and a deque costs 600 bytes.
        self._waiting: deque[Waiting] | None = None

    @property
    @override
    def busy(self) -> bool:
        return self._next is not None or bool(self._waiting)

    @override
    def start(self) -> None:
        if self._next is not None:
            self._share.poller.agenda.add(self._share.start_ns + self._next.offset_ns, self._due)

    def _due(self, due_ns: int) -> None:
        """A burst is due: all arrivals of this instant."""
        if self._next is None:
            return
        share = self._share
        position = 0
        offset_ns = self._next.offset_ns
        part = share.recorder.metrics_at(due_ns)
        while self._next is not None and self._next.offset_ns == offset_ns:
            part.turns_due += 1
            self._begin(Waiting(self._next.seq, position, due_ns))
            position += 1
            self._next = next(self._arrivals, None)
        if self._next is not None:
            share.poller.agenda.add(share.start_ns + self._next.offset_ns, self._due)

    def _begin(self, due: Waiting) -> None:
        connection = self._connection
        if connection.is_open:
            if connection.session.turns:
                # Replies of one connection that shared a read would share a stamp: not in this second.
                self._share.poller.patient = False
            connection.begin(due.seq, due.position, due.intended_ns, self._share.row(due.seq))
            return
        if self._waiting is None:
            self._waiting = deque()
            self._share.poller.agenda.add(due.intended_ns + self._share.timeout_ns, self._overdue)
        self._waiting.append(due)

    @override
    def ready(self, connection: Connection) -> None:
        self._connection = connection
        waiting, self._waiting = self._waiting, None
        for due in waiting or ():
            self._begin(due)

    def _overdue(self, _due_ns: int) -> None:
        share = self._share
        waiting = self._waiting
        limit_ns = share.now() - share.timeout_ns
        while waiting and waiting[0].intended_ns <= limit_ns:
            self._give_up(waiting.popleft())
        if waiting:
            share.poller.agenda.add(waiting[0].intended_ns + share.timeout_ns, self._overdue)
        else:
            self._waiting = None
            share.may_be_done()

    def _give_up(self, due: Waiting) -> None:
        self._share.recorder.not_attempted(due.seq, self._connection.number, due.position, due.intended_ns)

    @override
    def ended(self, turn: Turn) -> None:
        if self._next is None:
            self._share.may_be_done()

    @override
    def finish(self) -> None:
        self._next = None
        waiting, self._waiting = self._waiting, None
        for due in waiting or ():
            self._give_up(due)


class ClosedTraffic(Traffic):
    """The next burst falls due when the last one has ended, plus think time; never without a connection."""

    __slots__ = (
        "_connection",
        "_due_ns",
        "_last_done_ns",
        "_left",
        "_outstanding",
        "_over",
        "_seqs",
        "_share",
    )

    def __init__(self, share: Share, connection: Connection, seqs: Iterator[int]) -> None:
        self._share = share
        self._connection = connection
        self._seqs = seqs
        self._left = share.turns_per_connection
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
            self._burst(self._share.now())

    def _burst(self, intended_ns: int) -> None:
        share = self._share
        size = share.burst if self._left is None else min(share.burst, self._left)
        if intended_ns >= share.end_ns or size == 0 or self._over:
            self.finish()
            return
        if self._left is not None:
            self._left -= size
        part = share.recorder.metrics_at(intended_ns)
        part.turns_due += size
        self._outstanding = size
        self._last_done_ns = NEVER
        for position in range(size):
            seq = next(self._seqs)
            self._connection.begin(seq, position, intended_ns, share.row(seq))

    @override
    def ended(self, turn: Turn) -> None:
        """When the whole burst has ended, the next one is planned."""
        done_ns = turn.done_ns if turn.done_ns != NEVER else self._share.now()
        if done_ns > self._last_done_ns:  # noqa: PLR1730 - max() costs 0.1 us
            self._last_done_ns = done_ns
        self._outstanding -= 1
        if self._outstanding or self._over:
            return
        due_ns = self._last_done_ns + self._share.think_ns
        if self._share.think_ns:
            self._due_ns = due_ns
            self._share.poller.agenda.add(due_ns, self._due)
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
        self._share.may_be_done()
