"""Values that are drawn: the same for the same seed and place, and another for each other."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from loadtest.plan.generated import generated, is_generated, problem_of
from loadtest.plan.placeholder_names import IN_MESSAGES, NOW, now_values, unknown_names
from loadtest.plan.template import Template


@pytest.mark.parametrize(
    "name", ["random.int 1 100", "random.choice a b", "uuid4", "uuid4#2", "random.int 1 2#3"]
)
def test_what_is_drawn(name: str) -> None:
    assert is_generated(name)
    assert generated(name, 1, "run", "turn", 5) == generated(name, 1, "run", "turn", 5)


@pytest.mark.parametrize("name", ["uuid", "uuid5", "turn.id", "data.random"])
def test_what_is_not(name: str) -> None:
    assert not is_generated(name)


def test_numbers_lie_between_their_bounds_and_each_comes() -> None:
    drawn = Counter(generated("random.int -1 2", 7, "", "turn", seq) for seq in range(400))
    assert set(drawn) == {"-1", "0", "1", "2"}
    assert min(drawn.values()) > 60
    assert generated("random.int 5 5", 7, "", "turn", 1) == "5"


def test_each_choice_comes() -> None:
    drawn = Counter(generated("random.choice red blue green", 7, "", "turn", seq) for seq in range(300))
    assert set(drawn) == {"red", "blue", "green"}
    assert min(drawn.values()) > 60


def test_a_draw_follows_from_seed_message_and_place() -> None:
    places = [
        (1, "turn", 1, ""),
        (2, "turn", 1, ""),
        (1, "turn", 2, ""),
        (1, "text", 1, ""),
        (1, "turn", 1, "#2"),
    ]
    name = "random.int 1 1000000000"
    assert len({generated(name + end, seed, "", what, n) for seed, what, n, end in places}) == 5


def test_random_ids_are_of_the_run() -> None:
    ids = {generated("uuid4", 1, run, "turn", seq) for run in ("a", "b") for seq in range(3)}
    assert len(ids) == 6
    assert {uuid.UUID(each).version for each in ids} == {4}
    assert {str(uuid.UUID(each)) for each in ids} == ids


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("random.int 1 100", None),
        ("random.int 1 100#2", None),
        ("random.choice a", None),
        ("random.int 1", "there is no placeholder {random.int 1}; write {random.int 1 100}"),
        ("random.int a b", "there is no placeholder {random.int a b}; write"),
        ("random.int", "there is no placeholder {random.int}; write"),
        ("random.choice  a", "there is no placeholder {random.choice  a}; write"),
        ("random.int 5 1", "in {random.int 5 1} the first number is greater"),
    ],
)
def test_mistakes(name: str, problem: str | None) -> None:
    found = problem_of(name)
    assert found is None if problem is None else (found or "").startswith(problem)


def test_names_of_messages() -> None:
    assert (
        unknown_names("{random.int 1 9}{random.choice a b}{uuid4}{uuid4}{now.ms}{now.iso}", IN_MESSAGES) == []
    )
    assert unknown_names("{random.int 9 1}{run.idd}", IN_MESSAGES) == [
        "in {random.int 9 1} the first number is greater than the second",
        "there is no placeholder {run.idd}; did you mean `run.id`?",
    ]
    assert unknown_names("{uuid4}", ["uuid"])[0].startswith("there is no placeholder {uuid4}; did you mean")
    assert unknown_names("{random.int 1 2}", ["x"]) == [
        "there is no placeholder {random.int 1 2}; known here: x"
    ]


def test_each_placeholder_is_drawn_for_itself() -> None:
    text = Template.parse("{uuid4}{random.int 1 9}{uuid4}{random.int 1 9}{random.int 1 8}")
    assert [name for _, name, _ in text.slots] == [
        "uuid4", "random.int 1 9", "uuid4#2", "random.int 1 9#2", "random.int 1 8",
    ]  # fmt: skip


def test_the_wall_clock() -> None:
    assert now_values(42) == {"now_ms": "42", "now_s": "0.042"}
    assert now_values(1_757_000_000_042, NOW) == {
        "now_ms": "1757000000042",
        "now_s": "1757000000.042",
        "now.ms": "1757000000042",
        "now.iso": "2025-09-04T15:33:20.042Z",
    }
