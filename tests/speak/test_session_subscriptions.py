"""Turns without an end, and events that nobody asked for."""

from __future__ import annotations

from typing import Any

from loadtest.speak.turn import NEVER, Outcome
from tests.speak.talk import SECOND, TIMEOUT, Talk, said

ENDLESS: dict[str, Any] = {"end": (), "fail": (), "refuse": (), "first": (), "match": "order"}


def test_a_turn_without_an_end_does_not_time_out() -> None:
    talk = Talk(**ENDLESS)
    turn = talk.begin()
    assert talk.session.wakes_ns == NEVER
    talk.session.tick(TIMEOUT * 10)
    assert turn.outcome is None
    assert talk.session.wakes_ns == NEVER
    assert not talk.session.awaits_end
    assert not talk.session.at_rest
    talk.hear(TIMEOUT * 10, said("price"), said("price"))
    talk.session.lost(TIMEOUT * 11, 1000, by_us=True)
    assert turn.outcome is Outcome.ABANDONED
    assert talk.counts()["matched"] == 2
    assert talk.counts("turns.begun") == {"": 1}
    assert talk.counts("turns.timed_out") == {}


def test_a_turn_that_may_end_is_awaited() -> None:
    talk = Talk()
    assert not talk.session.awaits_end
    talk.begin()
    assert talk.session.awaits_end


def test_events_of_a_subscription_count_in_the_phase_in_which_they_come() -> None:
    talk = Talk(**ENDLESS)
    first, second = talk.record.phases
    turn = talk.begin()
    talk.hear(20, said("price"))
    talk.hear(50, said("price"))
    talk.session.enter_phase()
    assert (first.events_matched, list(first.gap)) == (2, [30])
    talk.record.metrics = second
    talk.session.enter_phase()
    talk.hear(90, said("price"))
    talk.hear(95, said("price"), said("price"))
    talk.session.enter_phase()
    talk.hear(97, said("price"))
    talk.session.lost(100, 1000, by_us=True)
    assert (first.events_matched, second.events_matched) == (2, 4)
    assert list(second.gap) == [40, 5, 2]
    assert turn.metrics is first
    assert turn.received == 6


def test_a_turn_of_a_new_phase_stays_in_its_own() -> None:
    talk = Talk(**ENDLESS)
    talk.begin()
    talk.session.enter_phase()
    other = talk.begin(1)
    talk.session.lost(100, 1000, by_us=True)
    assert other.metrics is talk.record.phases[0]


def test_nothing_moves_where_turns_end() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.record.metrics = talk.record.phases[1]
    talk.session.enter_phase()
    assert turn.metrics is talk.record.phases[0]


def test_a_subscription_that_brought_nothing_in_time_is_counted() -> None:
    for waited_ns, silent in ((TIMEOUT, 1), (TIMEOUT - 1, 0)):
        talk = Talk(**ENDLESS)
        talk.begin()
        talk.session.lost(10 + waited_ns, 1000, by_us=True)
        assert talk.counts("turns.no_first_event") == ({"": 1} if silent else {})
    loud = Talk(**ENDLESS)
    loud.begin()
    loud.hear(20, said("price"))
    loud.session.lost(TIMEOUT * 2, 1000, by_us=True)
    assert loud.counts("turns.no_first_event") == {}


def test_where_nothing_is_sent_events_are_counted_and_their_gaps_timed() -> None:
    for talk in (Talk(listens=True), Talk(listens=True, match="order")):
        talk.hear(SECOND, said("price"))
        talk.hear(SECOND + 20, said("price"), said("price"))
        talk.hear(SECOND + 50, said("price"), said("ack"), b"{")
        assert talk.counts() == {"received": 6, "coalesced": 3, "pushed": 4, "ignored": 1, "malformed": 1}
        assert talk.record.phases[0].gap.tolist() == [20, 30]


def test_a_listener_still_knows_whose_events_are_others() -> None:
    talk = Talk(listens=True)
    talk.record.others = {"theirs"}
    talk.hear(20, said("price", "theirs"), said("price", "nobody's"))
    assert talk.counts()["foreign"] == talk.counts()["pushed"] == 1
