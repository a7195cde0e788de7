"""Which kind each turn is: by weight, by the seed, and by nothing else."""

from __future__ import annotations

from collections import Counter

from loadtest.plan.mix import Mix


def test_kinds_come_by_weight() -> None:
    counted = Counter(map(Mix({"ask": 8, "cancel": 1, "stop": 1}, 1).kind, range(5_000)))
    assert counted.keys() == {"ask", "cancel", "stop"}
    assert 3_850 < counted["ask"] < 4_150
    assert 420 < counted["cancel"] < 580


def test_the_seed_and_the_number_of_the_turn_decide_and_not_the_order_of_asking() -> None:
    one, other = Mix({"a": 1, "b": 2}, 7), Mix({"b": 2, "a": 1}, 7)
    assert [one.kind(seq) for seq in range(50)] == [other.kind(seq) for seq in reversed(range(50))][::-1]
    assert [one.kind(seq) for seq in range(50)] != [Mix({"a": 1, "b": 2}, 8).kind(seq) for seq in range(50)]


def test_one_kind_is_always_drawn() -> None:
    assert {Mix({"only": 3}, 1).kind(seq) for seq in range(20)} == {"only"}
