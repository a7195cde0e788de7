"""The copies of a turn's event that the other users of its audience are to get: which came, when, how often.

A copy is due to each user of the audience who is ready when the message is sent, and who is still there when
the copy comes or its time is over. So every copy that was due has either arrived or is missing.
"""

from __future__ import annotations

from collections.abc import Callable

from loadtest.speak.phase_metrics import PhaseMetrics


class _Copies:
    """The copies of one turn: to whom they are still due, to whom they came, and when."""

    __slots__ = ("arrived", "due", "first_ns", "last_ns", "metrics", "sent_ns")

    def __init__(self, due: set[int], sent_ns: int, metrics: PhaseMetrics) -> None:
        self.due = due
        self.sent_ns = sent_ns
        self.metrics = metrics
        self.arrived: set[int] = set()
        self.first_ns = sent_ns
        self.last_ns = sent_ns


class Deliveries:
    """The copies that are due in one process, which must have all users of the run.

    ``holders``: how many populations share them; the last of them to be over closes the accounts.
    ``audience_of`` gives the audience of a user. A copy is missing that has not come ``within_ns`` after its
    message was sent. ``counts_twice``: a turn has one event, so that a second copy is a duplicate.
    """

    __slots__ = ("_audience_of", "_audiences", "_counts_twice", "_members", "_open", "_within_ns", "holders")

    def __init__(self, audience_of: Callable[[int], str], within_ns: int, *, counts_twice: bool) -> None:
        self._audience_of = audience_of
        self._within_ns = within_ns
        self._counts_twice = counts_twice
        self.holders = 1
        self._audiences: dict[int, str] = {}
        # The users of each audience who are ready.
        self._members: dict[str, set[int]] = {}
        # By the id of their turn, in the order in which messages were sent.
        self._open: dict[object, _Copies] = {}

    def opened(self, user: int) -> None:
        """A user is ready: copies of what is sent from now on are due to it."""
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
                copies.metrics.count("deliveries.duplicate")
            return
        copies.due.discard(receiver)
        copies.first_ns = min(copies.first_ns, at_ns) if copies.arrived else at_ns
        copies.last_ns = max(copies.last_ns, at_ns)
        copies.arrived.add(receiver)
        copies.metrics.count("deliveries.due")
        copies.metrics.delivery_time.append(max(at_ns - copies.sent_ns, 0))

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
            return
        for turn_id, copies in list(self._open.items()):
            self._close(turn_id, copies)

    def _close(self, turn_id: object, copies: _Copies) -> None:
        del self._open[turn_id]
        missing = len(copies.due)
        if missing:
            copies.metrics.count("deliveries.due", missing)
            copies.metrics.count("deliveries.missing", missing)
        if len(copies.arrived) > 1:
            copies.metrics.delivery_skew.append(copies.last_ns - copies.first_ns)
