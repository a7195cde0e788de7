"""What a user says, and how long it thinks, is drawn before it happens."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest.plan.conversation import (
    Branch,
    Conversation,
    ConversationPlan,
    ConversationStep,
    Think,
    fewest_turns,
    kinds_in,
    most_turns,
)

S = 1_000_000_000
ASK, STOP = ConversationStep(turn="ask"), ConversationStep(turn="stop")
BRANCHED = ConversationStep(branches=(Branch(weight=3, steps=(ASK, STOP)), Branch(weight=1, steps=())))
LONG = Conversation(
    name="long",
    weight=3,
    steps=(
        ASK,
        ConversationStep(think=Think(low_ns=S)),
        ConversationStep(think=Think(way="uniform", low_ns=0, high_ns=S)),
        ConversationStep(repeat=2, steps=(STOP, BRANCHED)),
        ConversationStep(think=Think(way="lognormal", low_ns=S, high_ns=2 * S, sigma=2.0)),
    ),
)
SHORT = Conversation(name="short", steps=(ASK,))


def test_the_longest_and_the_shortest_way_are_counted() -> None:
    assert (most_turns(LONG.steps), fewest_turns(LONG.steps)) == (7, 3)
    assert list(kinds_in(LONG.steps)) == ["ask", "stop", "ask", "stop"]


def test_conversations_and_branches_come_by_weight() -> None:
    plan = ConversationPlan((SHORT, LONG), 1)
    said = [plan.conversation(user, nth) for user in range(40) for nth in range(50)]
    names = Counter(each.name for each in said)
    assert 1_400 < names["long"] < 1_600
    lengths = Counter(len(each.turns) for each in said if each.name == "long")
    assert lengths.keys() == {3, 5, 7}
    assert lengths[7] / names["long"] == pytest.approx(9 / 16, abs=0.05)


def test_the_seed_the_user_and_the_number_decide_and_nothing_else() -> None:
    plan, same = ConversationPlan((SHORT, LONG), 7), ConversationPlan((LONG, SHORT), 7)
    every = [(user, nth) for user in range(5) for nth in range(20)]
    said = [plan.conversation(*each) for each in every]
    assert said == [same.conversation(*each) for each in reversed(every)][::-1]
    assert said != [ConversationPlan((SHORT, LONG), 8).conversation(*each) for each in every]


def test_every_turn_has_a_number_of_its_own() -> None:
    plan = ConversationPlan((SHORT, LONG), 1)
    numbers = [plan.seq(user, 3, nth, place) for user in range(3) for nth in range(9) for place in range(7)]
    assert sorted(numbers) == list(range(3 * 9 * 7))
    assert all(plan.seq(user, 3, 4, 2) % 3 == user for user in range(3))


def test_time_to_think_is_as_it_is_drawn() -> None:
    plan = ConversationPlan((LONG,), 1)
    said = [plan.conversation(0, nth) for nth in range(500)]
    assert {each.turns[0].think_ns for each in said} == {0}
    before_second = [each.turns[1].think_ns for each in said]
    assert S <= min(before_second) < 1.05 * S
    assert 1.95 * S < max(before_second) < 2 * S
    rests = sorted(each.rest_ns for each in said)
    assert rests[250] == pytest.approx(S, rel=0.25)
    assert rests[0] > 0
    assert rests[-1] == 2 * S


def test_a_draw_of_nothing_is_a_time_all_the_same() -> None:
    assert Think(way="lognormal", low_ns=S, high_ns=2 * S, sigma=1.0).drawn_ns(lambda: 0.0) > 0
