"""Copies for the members of an audience: which came, when, how often; what was due is arrived or missing."""

from __future__ import annotations

from loadtest.speak.deliveries import Deliveries
from loadtest.speak.phase_metrics import PhaseMetrics

WITHIN = 100


class Kept:
    """What is counted of some users, all in one phase."""

    def __init__(self, metrics: PhaseMetrics) -> None:
        self.metrics = metrics

    def metrics_in(self, phase: int) -> PhaseMetrics:
        assert phase == self.metrics.phase
        return self.metrics


def room(*users: int, counts_twice: bool = True) -> tuple[Deliveries, PhaseMetrics]:
    """Users with an even number are in one room, the others in another."""
    deliveries = Deliveries(lambda user: f"room {user % 2}", WITHIN, counts_twice=counts_twice)
    metrics = PhaseMetrics(1)
    for user in users:
        deliveries.opened(user, Kept(metrics))
    return deliveries, metrics


def counts(metrics: PhaseMetrics) -> dict[str, int]:
    return {name.removeprefix("deliveries."): n for name, n in metrics.other.items()}


def test_each_member_gets_its_copy() -> None:
    deliveries, metrics = room(0, 1, 2, 4)
    deliveries.sent("a", 0, 10, metrics)
    assert deliveries.waiting()
    deliveries.arrived("a", 2, 15)
    deliveries.arrived("a", 4, 30)
    assert not deliveries.waiting()
    deliveries.expire(10 + WITHIN)
    assert counts(metrics) == {"due": 2}
    assert list(metrics.delivery_time) == [5, 20]
    assert list(metrics.delivery_skew) == [15]


def test_what_does_not_come_in_time_is_missing() -> None:
    deliveries, metrics = room(0, 2, 4)
    deliveries.sent("a", 0, 0, metrics)
    deliveries.arrived("a", 4, 5)
    deliveries.expire(WITHIN - 1)
    assert counts(metrics) == {"due": 1}
    deliveries.sent("b", 0, WITHIN, metrics)
    assert counts(metrics) == {"due": 2, "missing": 1}
    assert list(metrics.delivery_skew) == []
    deliveries.close()
    assert counts(metrics) == {"due": 4, "missing": 3}


def test_a_second_copy_is_a_duplicate_where_a_turn_has_one_event() -> None:
    for counts_twice, expected in ((True, {"due": 1, "duplicate": 1}), (False, {"due": 1})):
        deliveries, metrics = room(0, 2, counts_twice=counts_twice)
        deliveries.sent("a", 0, 0, metrics)
        deliveries.arrived("a", 2, 1)
        deliveries.arrived("a", 2, 2)
        assert counts(metrics) == expected


def test_nothing_is_due_to_who_was_not_there() -> None:
    deliveries, metrics = room(0, 2)
    deliveries.sent("a", 0, 0, metrics)
    deliveries.opened(4, Kept(metrics))
    deliveries.closed(2)
    deliveries.closed(7)
    deliveries.arrived("a", 4, 1)
    deliveries.arrived("of nobody", 4, 1)
    deliveries.close()
    assert counts(metrics) == {}
    deliveries.opened(2, Kept(metrics))
    deliveries.sent("b", 0, 5, metrics)
    deliveries.arrived("b", 2, 6)
    assert counts(metrics) == {"due": 1}


def test_a_message_for_nobody_is_forgotten() -> None:
    deliveries, metrics = room(0, 1)
    deliveries.sent("a", 0, 0, metrics)
    deliveries.sent("b", 9, 0, metrics)
    assert not deliveries.waiting()
    deliveries.close()
    assert counts(metrics) == {}


def test_copies_that_arrive_out_of_the_order_of_their_stamps() -> None:
    deliveries, metrics = room(0, 2, 4)
    deliveries.sent("a", 0, 10, metrics)
    deliveries.arrived("a", 2, 9)
    deliveries.arrived("a", 4, 8)
    deliveries.close()
    assert list(metrics.delivery_time) == [0, 0]
    assert list(metrics.delivery_skew) == [2]


def test_accounts_that_populations_share_are_closed_by_the_last() -> None:
    deliveries, metrics = room(0, 2)
    deliveries.holders = 2
    deliveries.sent("a", 0, 10, metrics)
    deliveries.close()
    assert counts(metrics) == {}, "a copy may still come while others go on"
    deliveries.close()
    assert counts(metrics) == {"due": 1, "missing": 1}


def test_copies_are_told_of_who_was_to_get_them_and_their_spread_of_who_sent_them() -> None:
    deliveries, sender = room(0)
    near, far = PhaseMetrics(1), PhaseMetrics(1)
    for user, metrics in ((2, near), (4, near), (6, far)):
        deliveries.opened(user, Kept(metrics))
    deliveries.sent("a", 0, 0, sender)
    for user in (2, 4, 4):
        deliveries.arrived("a", user, user)
    deliveries.expire(WITHIN)
    assert counts(sender) == {}
    assert counts(near) == {"due": 2, "duplicate": 1}
    assert counts(far) == {"due": 1, "missing": 1}, "a few who got nothing are not hidden by many who did"
    assert (list(near.delivery_time), list(far.delivery_time)) == ([2, 4], [])
    assert list(sender.delivery_skew) == [2]


def test_the_spread_of_what_came_is_told_before_its_sender_is_over() -> None:
    deliveries, sender = room(0, 2, 4)
    deliveries.holders = 2
    deliveries.sent("a", 0, 0, sender)
    deliveries.arrived("a", 2, 5)
    deliveries.close()
    assert list(sender.delivery_skew) == []
    deliveries.holders = 2
    deliveries.arrived("a", 4, 9)
    deliveries.close()
    deliveries.close()
    assert list(sender.delivery_skew) == [4], "once"
