"""The copies of a turn's event that the other users of its audience are to get: which came, when, how often.

A copy is due to each user of the audience who is ready when the message is sent, and who is still there when
the copy comes or its time is over. So every copy that was due has either arrived or is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from loadtest.speak.phase_metrics import PhaseMetrics


class CopyRecorder(Protocol):
    """Receives what is counted of the copies that are due to its users."""

    def metrics_in(self, phase: int) -> PhaseMetrics:
        """The metrics of one phase of the run."""


class _Copies:
    """The copies of one turn: to whom they are still due, to whom they came, and when.

    ``metrics`` are those of who sent it; their phase is that of its copies.
    """

    __slots__ = ("arrived", "due", "first_ns", "last_ns", "metrics", "sent_ns", "spread_told")

    def __init__(self, due: set[int], sent_ns: int, metrics: PhaseMetrics) -> None:
        self.due = due
        self.sent_ns = sent_ns
        self.metrics = metrics
        self.arrived: set[int] = set()
        self.first_ns = sent_ns
        self.last_ns = sent_ns
        self.spread_told = False

    def record_spread(self) -> None:
        """Record, once, how far the first and the last arrival were apart."""
        if len(self.arrived) > 1 and not self.spread_told:
            self.metrics.delivery_skew.append(self.last_ns - self.first_ns)
        self.spread_told = True


class Deliveries:
    """The copies that are due in one process, which must have all users of the run.

    That a copy was due, has not come, or came twice, and how long it took, counts for the user who was to get
    it; how far the arrivals of one message were apart, for the user who sent it.

    ``holders``: how many populations share them; the last of them to be over closes the accounts.
    ``audience_of`` gives the audience of a user. A copy is missing that has not come ``within_ns`` after its
    message was sent. ``counts_twice``: a turn has one event, so that a second copy is a duplicate.
    """

    __slots__ = (
        "_audience_of",
        "_audiences",
        "_counts_twice",
        "_members",
        "_open",
        "_recorders",
        "_within_ns",
        "holders",
    )

    def __init__(self, audience_of: Callable[[int], str], within_ns: int, *, counts_twice: bool) -> None:
        self._audience_of = audience_of
        self._within_ns = within_ns
        self._counts_twice = counts_twice
        self.holders = 1
        self._audiences: dict[int, str] = {}
        # By user, what takes what is counted of the copies that are due to it.
        self._recorders: dict[int, CopyRecorder] = {}
        # The users of each audience who are ready.
        self._members: dict[str, set[int]] = {}
        # By the id of their turn, in the order in which messages were sent.
        self._open: dict[object, _Copies] = {}

    def opened(self, user: int, recorder: CopyRecorder) -> None:
        """A user is ready: copies of what is sent from now on are due to it."""
        self._recorders[user] = recorder
        audience = self._audiences.get(user)
        if audience is None:
            audience = self._audiences[user] = self._audience_of(user)
        self._members.setdefault(audience, set()).add(user)

    def closed(self, user: int) -> None:
        """A user has no connection any more: what has not come to it is not due."""
        audience = self._audiences.get(user)
        if audience is None:
            return
        self._members[audience].discard(user)
        for copies in self._open.values():
            copies.due.discard(user)

    def sent(self, turn_id: object, sender: int, at_ns: int, metrics: PhaseMetrics) -> None:
        """The message of a turn goes to the kernel."""
        self.expire(at_ns)
        due = self._members.get(self._audiences.get(sender, ""), set()) - {sender}
        if due:
            self._open[turn_id] = _Copies(due, at_ns, metrics)

    def arrived(self, turn_id: object, receiver: int, at_ns: int) -> None:
        """An event of a turn came to another user than its own."""
        copies = self._open.get(turn_id)
        if copies is None:
            return
        if receiver not in copies.due:
            if self._counts_twice and receiver in copies.arrived:
                self._metrics_of(receiver, copies).count("deliveries.duplicate")
            return
        copies.due.discard(receiver)
        copies.first_ns = min(copies.first_ns, at_ns) if copies.arrived else at_ns
        copies.last_ns = max(copies.last_ns, at_ns)
        copies.arrived.add(receiver)
        metrics = self._metrics_of(receiver, copies)
        metrics.count("deliveries.due")
        metrics.delivery_time.append(max(at_ns - copies.sent_ns, 0))

    def _metrics_of(self, receiver: int, copies: _Copies) -> PhaseMetrics:
        return self._recorders[receiver].metrics_in(copies.metrics.phase)

    def expire(self, now_ns: int) -> None:
        """Close the accounts of turns whose time is over; they are in the order in which they were sent."""
        while self._open:
            turn_id, copies = next(iter(self._open.items()))
            if copies.sent_ns + self._within_ns > now_ns:
                return
            self._close(turn_id, copies)

    def waiting(self) -> bool:
        """Whether a copy is due that has not come."""
        return any(copies.due for copies in self._open.values())

    def close(self) -> None:
        """The run is over: what has not come is missing."""
        self.holders -= 1
        if self.holders:
            # Their sender may be over already, and record nothing any more.
            for copies in self._open.values():
                if not copies.due:
                    copies.record_spread()
            return
        for turn_id, copies in list(self._open.items()):
            self._close(turn_id, copies)

    def _close(self, turn_id: object, copies: _Copies) -> None:
        del self._open[turn_id]
        for receiver in copies.due:
            metrics = self._metrics_of(receiver, copies)
            metrics.count("deliveries.due")
            metrics.count("deliveries.missing")
        copies.record_spread()
