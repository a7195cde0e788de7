"""What an event means that comes after its turn has ended."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plan.protocol import Events
from loadtest.speak.ended import REMEMBERED, Ended, Place
from loadtest.speak.record import Part
from loadtest.speak.turn import NEVER, Outcome, Rules, Turn


def a_turn(turn_id: str, *numbers: int | None, start: int = 0) -> Turn:
    turn = Turn(1, 1, 0, turn_id, 0, Part(1), start)
    for number in numbers:
        turn.number(number, "x")
    return turn


@pytest.mark.parametrize(
    ("seq", "place"),
    [
        (1, Place.DUPLICATE),
        (3, Place.DUPLICATE),
        (3.0, Place.DUPLICATE),
        (2, Place.LATE),
        (4, Place.LATE),
        (0, Place.LATE),
        (None, Place.LATE),
        ("3", Place.LATE),
    ],
)
def test_a_remembered_turn(seq: Any, place: Place) -> None:
    """Numbers began at 1 and 2 was lost: when it comes now it is late, and no duplicate."""
    ended = Ended(1)
    ended.remember(a_turn("a", 1, 3, start=1))
    assert ended.place("a", seq, "x") is place
    assert ended.place("b", seq, "x") is Place.UNKNOWN


def test_a_turn_without_numbers_has_no_duplicates() -> None:
    ended = Ended(0)
    ended.remember(a_turn("a", None, None))
    assert ended.place("a", None, "x") is Place.LATE
    assert ended.place("a", 0, "x") is Place.LATE


@pytest.mark.parametrize(
    ("seq", "place", "matched", "duplicate"),
    [
        (1, Place.ENTERED, 1, 0),
        (2, Place.ENTERED, 0, 1),
        (3, Place.LATE, 0, 0),
        (-1, Place.LATE, 0, 0),
        (None, Place.LATE, 0, 0),
    ],
)
def test_a_turn_that_waits_for_a_number_takes_only_that(
    seq: Any, place: Place, matched: int, duplicate: int
) -> None:
    ended = Ended(0)
    turn = a_turn("a", 0, 2)
    ended.waiting["a"] = (100, turn)
    assert ended.place("a", seq, "x") is place
    part = turn.part
    assert (part.events_matched, part.events_duplicate, turn.received) == (matched, duplicate, 2 + matched)


def test_who_has_waited_long_enough() -> None:
    ended = Ended(0)
    assert (ended.earliest(), ended.due(10**18)) == (NEVER, [])
    one, two = a_turn("a"), a_turn("b")
    ended.waiting = {"a": (200, one), "b": (100, two)}
    assert ended.earliest() == 100
    assert ended.due(99) == []
    assert ended.due(100) == [two]
    assert ended.due(200) == [one, two]
    ended.remember(two)
    assert ended.earliest() == 200


def test_only_the_last_turns_are_remembered() -> None:
    ended = Ended(0)
    for number in range(2 * REMEMBERED):
        ended.remember(a_turn(f"t{number}", 0, 2))
    assert ended.place(f"t{REMEMBERED - 1}", 0, "x") is Place.UNKNOWN
    assert not ended.knows(f"t{REMEMBERED - 1}")
    for number in range(REMEMBERED, 2 * REMEMBERED):
        assert ended.knows(f"t{number}")
        assert ended.place(f"t{number}", 0, "x") is Place.DUPLICATE
        assert ended.place(f"t{number}", 1, "x") is Place.LATE


def test_what_was_forgotten_leaves_nothing_behind() -> None:
    ended = Ended(0)
    ended.remember(a_turn("a", 0, 2))
    for number in range(REMEMBERED):
        ended.remember(a_turn(f"t{number}"))
    assert not ended.knows("a")
    ended.remember(a_turn("a", 0, 1, 2))
    assert ended.place("a", 1, "x") is Place.DUPLICATE


def test_an_id_that_is_used_again_is_the_newest() -> None:
    ended = Ended(0)
    ended.remember(a_turn("a", 0, 2))
    for number in range(REMEMBERED - 1):
        ended.remember(a_turn(f"t{number}"))
    ended.remember(a_turn("a", 0, 1, 3))
    for number in range(REMEMBERED - 1):
        ended.remember(a_turn(f"u{number}"))
    assert ended.place("t0", None, "x") is Place.UNKNOWN
    assert ended.place("a", 1, "x") is Place.DUPLICATE
    assert ended.place("a", 2, "x") is Place.LATE


def broken_off(turn_id: str) -> Turn:
    turn = a_turn(turn_id, 0, 1)
    turn.outcome = Outcome.LOST
    return turn


@pytest.mark.parametrize("seq", [0, 1, 2, None])
def test_whatever_comes_of_a_turn_that_was_lost_with_its_connection_is_resumed(seq: Any) -> None:
    ended = Ended(0)
    ended.remember(broken_off("a"))
    assert ended.place("a", seq, "x") is Place.RESUMED
    ended.remember(a_turn("a", 0, 1))
    assert ended.place("a", 1, "x") is Place.DUPLICATE


def test_a_turn_that_was_lost_is_forgotten_in_the_end() -> None:
    ended = Ended(0)
    for number in range(2 * REMEMBERED):
        ended.remember(broken_off(f"turn-{number}"))
    assert ended.place("turn-0", 2, "x") is Place.UNKNOWN
    assert ended.place(f"turn-{REMEMBERED}", 2, "x") is Place.RESUMED


def test_a_turn_whose_numbers_could_not_be_followed_has_no_duplicates() -> None:
    ended = Ended(0)
    turn = a_turn("a", 0, 1, 10**9)
    turn.settle(Rules(Events()))
    ended.remember(turn)
    assert ended.place("a", 1, "x") is Place.LATE
    assert ended.place("a", 10**9, "x") is Place.LATE
