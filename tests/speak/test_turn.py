"""The rules of a protocol and the ledger of one turn."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.interval import OUTCOMES
from loadtest.plan.protocol import Events
from loadtest.speak.record import Part
from loadtest.speak.turn import (
    COUNT,
    END,
    FIRST,
    NEVER,
    WIDEST_GAP,
    MissingNumbers,
    Outcome,
    Rules,
    Turn,
    whole,
)


def a_turn(start_seq: int = 0, *, types: bool = False) -> Turn:
    turn = Turn(1, 2, 0, "id", 100, Part(1), start_seq)
    turn.types = [] if types else None
    return turn


def test_outcomes_are_numbered_as_the_turn_table_has_them() -> None:
    assert tuple(outcome.name.lower() for outcome in Outcome) == OUTCOMES


# ------------------------------------------------------------------ rules


def test_a_type_may_mean_several_things() -> None:
    rules = Rules(Events(first=("one",), end=("one", "two"), ignore=("ack",)))
    assert rules.kinds["one"] == FIRST | END
    assert rules.kinds["two"] == END
    assert rules.plain == 0


def test_without_a_list_of_first_content_any_event_is_first() -> None:
    rules = Rules(Events(end=("done",), count=2))
    assert rules.plain == FIRST | COUNT
    assert rules.kinds["done"] == FIRST | COUNT | END


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        (Events(), False),
        (Events(end=("x",)), False),
        (Events(required=("x",)), True),
        (Events(pairs=(("a", "b"),)), True),
        (Events(order=("x",)), True),
    ],
)
def test_types_are_kept_only_where_a_rule_asks_for_them(events: Events, *, kept: bool) -> None:
    assert Rules(events).keep_types is kept


@pytest.mark.parametrize(
    ("types", "alone"),
    [
        ("", 0),
        ("ab", 0),
        ("aabb", 0),
        ("a", 1),
        ("b", 1),
        ("ba", 2),
        ("abb", 1),
        ("aab", 1),
        ("xaybz", 0),
        ("acbd", 0),
        ("acb", 1),
    ],
)
def test_an_event_of_a_pair_that_stands_alone(types: str, alone: int) -> None:
    assert Rules(Events(pairs=(("a", "b"), ("c", "d")))).unpaired(list(types)) == alone


def test_required_types() -> None:
    rules = Rules(Events(required=("a", "b")))
    assert rules.missing(["b", "x", "b"]) == 1
    assert rules.missing(["b", "a"]) == 0


@pytest.mark.parametrize(
    ("order", "types", "fits"),
    [
        ("", "anything", True),
        ("a*z", "az", True),
        ("a*z", "abcz", True),
        ("a*z", "azaz", True),
        ("a*z", "za", False),
        ("a*z", "abc", False),
        ("ab", "abc", False),
        ("ab", "a", False),
        ("*", "", True),
        ("a**", "a", True),
        ("*b*", "aabaa", True),
        ("*ab", "aab", True),
    ],
)
def test_an_order_pattern(order: str, types: str, *, fits: bool) -> None:
    assert Rules(Events(order=tuple(order))).in_order(list(types)) is fits


def glob(pattern: str, types: str) -> bool:
    """The meaning of a pattern, said without any cleverness."""
    if not pattern:
        return not types
    if pattern[0] == "*":
        return any(glob(pattern[1:], types[skip:]) for skip in range(len(types) + 1))
    return bool(types) and types[0] == pattern[0] and glob(pattern[1:], types[1:])


@given(st.text("ab*", min_size=1, max_size=6), st.text("abc", max_size=8))
def test_order_is_globbing_over_words(pattern: str, types: str) -> None:
    assert Rules(Events(order=tuple(pattern))).in_order(list(types)) == glob(pattern, types)


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    ("carried", "number"),
    [(3, 3), (3.0, 3), (-1, -1), (3.5, None), ("3", None), (None, None), (True, None), (1e300, int(1e300))],
)
def test_what_counts_as_a_sequence_number(carried: Any, number: int | None) -> None:
    assert whole(carried) == number


@given(
    st.integers(0, 3),
    st.lists(st.integers(0, 8), max_size=20),
)
def test_the_ledger_is_a_matter_of_counting(start: int, offsets: list[int]) -> None:
    """However they come: each once, the rest duplicates; what is below the highest and never came is lost."""
    numbers = [start + offset for offset in offsets]
    turn = a_turn(start, types=True)
    entered = [turn.number(number, number) for number in numbers]
    highest = max(numbers, default=start - 1)
    assert entered == [number not in numbers[:index] for index, number in enumerate(numbers)]
    assert turn.received == len(set(numbers))
    assert turn.duplicate == turn.part.events_duplicate == len(numbers) - len(set(numbers))
    assert turn.next_seq == highest + 1
    missing = sorted(set(range(start, highest + 1)) - set(numbers))
    assert (turn.holes or MissingNumbers()).first(20) == missing
    assert [number for number in range(20) if turn.holes and number in turn.holes] == missing
    overtaken = [
        n for index, n in enumerate(numbers) if n not in numbers[:index] and n < max([n, *numbers[:index]])
    ]
    assert turn.out_of_order == turn.part.events_out_of_order == len(overtaken)
    assert turn.types == sorted(set(numbers))


def test_an_overtaken_event_takes_its_place_among_the_types() -> None:
    turn = a_turn(1, types=True)
    for number, kind in [(1, "a"), (4, "d"), (3, "c"), (2, "b")]:
        assert turn.number(number, kind)
    assert turn.types == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("carried", "reason"),
    [
        (None, ""),
        ("7", "not_whole"),
        (2.5, "not_whole"),
        (True, "not_whole"),
        (-1, "below_start"),
        (0, "below_start"),
        (-1e300, "below_start"),
        (2 + WIDEST_GAP, "gap_too_wide"),
        (10**30, "gap_too_wide"),
        (1e300, "gap_too_wide"),
    ],
)
def test_a_number_that_cannot_be_right_says_so(carried: Any, reason: str) -> None:
    turn = a_turn(1)
    assert turn.number(carried, "x")
    assert (turn.received, turn.duplicate, turn.next_seq, turn.holes) == (1, 0, 1, None)
    assert turn.misnumbered == reason
    assert turn.part.other == ({f"turns.misnumbered_by.{reason}": 1} if reason else {})


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([0, 10**9, 2 * 10**9], "gap_too_wide"),
        ([0, 1, 10**9, 3, 4], "gap_too_wide"),
        ([0, 1, 3, 10**9], "gap_too_wide"),
        ([10**9, 0, 1, 1, 2], "gap_too_wide"),
        ([0, 2, 4, -1, 3, 3], "below_start"),
        ([0, 1, "2", 3], "not_whole"),
        ([-3, -2, -1], "below_start"),
        ([1.5, 10**9, -1], "not_whole"),
    ],
)
def test_of_a_turn_whose_numbers_cannot_be_followed_nothing_is_known(numbers: list[Any], reason: str) -> None:
    """One wild number may be the name of a missing one, so nothing is lost for certain; it counts once."""
    turn = a_turn()
    assert all(turn.number(number, "x") for number in numbers)
    turn.outcome = Outcome.COMPLETE
    turn.settle(Rules(Events()))
    part = turn.part
    assert turn.misnumbered == reason
    assert part.other == {f"turns.misnumbered_by.{reason}": 1}
    assert (turn.received, turn.lost, turn.holes) == (len(numbers), 0, None)
    assert (part.events_lost, part.events_duplicate, part.turns_numbered) == (0, 0, 1)
    # What comes later is late, and no duplicate of an event that bore its number.
    assert turn.next_seq == turn.start_seq


def test_rules_of_pairs_and_order_are_not_judged_on_numbers_that_cannot_be_followed() -> None:
    rules = Rules(Events(pairs=(("b", "c"),), order=("a", "*")))
    turn = a_turn(types=True)
    for number, kind in ((0, "b"), (10**9, "a")):
        turn.number(number, kind)
    turn.outcome = Outcome.COMPLETE
    turn.settle(rules)
    assert (turn.outcome, turn.part.events_unpaired) == (Outcome.COMPLETE, 0)


def test_numbers_that_are_whole_may_be_written_as_floating_point() -> None:
    turn = a_turn()
    assert turn.number(1.0, "x")
    assert turn.number(0.0, "x")
    assert not turn.number(1.0, "x")
    assert (turn.received, turn.duplicate, turn.out_of_order) == (2, 1, 1)


def test_as_many_holes_as_are_believed_are_taken_one_by_one_in_any_order() -> None:
    turn = a_turn()
    turn.number(WIDEST_GAP, "x")
    assert turn.holes is not None
    assert len(turn.holes) == WIDEST_GAP
    missing = turn.holes.first(WIDEST_GAP)
    random.Random(1).shuffle(missing)
    assert all(turn.number(number, "x") for number in missing)
    assert (len(turn.holes), turn.misnumbered) == (0, "")
    assert turn.received == turn.next_seq == WIDEST_GAP + 1


def test_the_holes_of_a_turn_are_believed_up_to_their_sum() -> None:
    turn = a_turn()
    for number in (WIDEST_GAP // 2, WIDEST_GAP + 1, WIDEST_GAP + 3):
        assert not turn.misnumbered
        turn.number(number, "x")
    assert turn.misnumbered == "gap_too_wide"


def test_a_peer_cannot_make_us_remember_more_holes_than_we_want() -> None:
    """A target that counts all its events with one counter skips tens of thousands in each turn."""
    tracemalloc.start()
    try:
        turns = [a_turn() for _ in range(100)]
        before = tracemalloc.get_traced_memory()[0]
        for turn in turns:
            turn.number(WIDEST_GAP - 1, "x")
            turn.number(WIDEST_GAP, "x")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert {len(turn.holes or ()) for turn in turns} == {WIDEST_GAP - 1}
    assert grown < 100 * 1_000


# ------------------------------------------------------------------ the end of the ledger


def settled(types: str, outcome: Outcome = Outcome.COMPLETE, *, holes: bool = False, **events: Any) -> Turn:
    rules = Rules(Events(**events))
    turn = a_turn(types=rules.keep_types)
    for number, kind in enumerate(types):
        turn.number(number + (number > 0 and holes), kind)
    turn.outcome = outcome
    turn.settle(rules)
    return turn


def test_a_good_turn_stays_complete() -> None:
    turn = settled("abc", required=("a",), pairs=(("b", "c"),), order=("a", "*"))
    assert (turn.outcome, turn.reason) == (Outcome.COMPLETE, "")
    part = turn.part
    assert (part.events_expected, part.events_lost, part.turns_numbered) == (3, 0, 1)


@pytest.mark.parametrize(
    ("types", "reason", "missing", "unpaired"),
    [("bc", "required", 1, 0), ("ab", "pairs", 0, 1), ("bca", "order", 0, 0), ("b", "required", 1, 1)],
)
def test_a_broken_rule_fails_the_turn(types: str, reason: str, missing: int, unpaired: int) -> None:
    turn = settled(types, required=("a",), pairs=(("b", "c"),), order=("a", "*"))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, reason)
    assert (turn.part.events_missing_required, turn.part.events_unpaired) == (missing, unpaired)


def test_pairs_and_order_are_not_judged_on_what_was_lost() -> None:
    turn = settled("bca", holes=True, pairs=(("b", "c"), ("x", "a")), order=("a", "*"))
    assert (turn.outcome, turn.lost, turn.part.events_lost, turn.part.events_expected) == (
        Outcome.COMPLETE,
        1,
        1,
        4,
    )
    assert turn.part.events_unpaired == 0


def test_rules_are_judged_on_complete_turns_only() -> None:
    turn = settled("b", Outcome.TIMED_OUT, required=("a",), pairs=(("b", "c"),))
    assert (turn.outcome, turn.reason, turn.part.events_missing_required) == (Outcome.TIMED_OUT, "", 0)


def test_a_turn_without_numbers_is_not_numbered() -> None:
    for start in (0, 1, 5):
        turn = a_turn(start)
        turn.number(None, "x")
        turn.outcome = Outcome.COMPLETE
        turn.settle(Rules(Events()))
        assert (turn.part.turns_numbered, turn.part.events_expected, turn.lost) == (0, 1, 0)


def test_instants_that_never_came_are_never() -> None:
    turn = a_turn()
    assert {turn.sent_ns, turn.first_ns, turn.last_ns, turn.done_ns} == {NEVER}
