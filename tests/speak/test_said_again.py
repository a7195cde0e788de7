"""What comes for a complete turn: its end once more, one event more than it counts, or anything else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.speak.talk import TIMEOUT, Talk, said
from tests.speak.test_session_kinds import Mixed

AGAIN = "turns.ended_again"
BEYOND = "events.beyond_count"


def again(talk: Talk) -> dict[str, int]:
    counts = talk.record.counts()
    return {
        name: counts[name] for name in (AGAIN, BEYOND, "events.late", "events.duplicate") if name in counts
    }


def test_the_end_of_a_turn_that_was_complete_is_told_from_what_else_is_late() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("completed", turn))
    talk.hear(30, said("completed", turn), said("thinking", turn))
    assert again(talk) == {AGAIN: 1, "events.late": 2}


def test_numbers_tell_that_it_is_a_duplicate() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(20, said("completed", turn, 0), said("completed", turn, 0))
    assert again(talk) == {"events.duplicate": 1}


def test_the_answer_to_a_turn_that_timed_out_is_no_second_one() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.session.tick(2 * TIMEOUT)
    talk.hear(2 * TIMEOUT, said("completed", turn), said("completed", turn))
    assert again(talk) == {"events.late": 2}


@pytest.mark.parametrize("count", [1, 2])
def test_one_event_more_than_a_turn_counts(count: int) -> None:
    talk = Talk(count=count, end=(), first=())
    turn = talk.begin()
    talk.hear(20, *[said("part", turn)] * count)
    talk.hear(30, said("part", turn))
    assert again(talk) == {BEYOND: 1, "events.late": 1}


def both(**more: Any) -> Talk:
    return Talk(end=(), end_all=("acknowledged", "delivered"), **more)


def test_one_of_several_ends_that_comes_twice_before_the_others_or_after_them() -> None:
    talk = both()
    one, other = talk.begin(0), talk.begin(1)
    talk.hear(20, said("delivered", one), said("delivered", one), said("acknowledged", one))
    assert again(talk) == {AGAIN: 1}
    talk.hear(30, said("acknowledged", other), said("delivered", other), said("delivered", other))
    assert again(talk) == {AGAIN: 2, "events.late": 1}
    talk.hear(40, said("thinking", other))
    assert again(talk) == {AGAIN: 2, "events.late": 2}


def test_the_ends_of_kinds_of_turn_are_their_own() -> None:
    mixed = Mixed()
    cancel, _ = mixed.begin(0, "cancel")
    ask, _ = mixed.begin(1, "ask")
    mixed.session.receive([said("cancelled", cancel), said("completed", ask)], 20)
    mixed.session.receive([said("cancelled", cancel), said("thinking", ask)], 30)
    counts = mixed.record.counts()
    assert (counts[AGAIN], counts["events.late"]) == (1, 2)


def test_what_ends_another_kind_of_turn_may_follow() -> None:
    mixed = Mixed()
    ask, _ = mixed.begin(0, "ask")
    mixed.session.receive([said("completed", ask)], 20)
    mixed.session.receive([said("cancelled", ask)], 30)
    counts = mixed.record.counts()
    assert (counts.get(AGAIN, 0), counts["events.late"]) == (0, 1)
