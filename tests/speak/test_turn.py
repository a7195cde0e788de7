"""The ledger of one turn."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.interval import OUTCOMES
from loadtest.plan.protocol import Events
from loadtest.speak.event_rules import EventRules
from loadtest.speak.missing_numbers import MissingNumbers
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import MAX_GAP, NEVER, Outcome, Turn, sequence_number


def a_turn(start_seq: int = 0, *, types: bool = False) -> Turn:
    turn = Turn(1, 2, 0, "id", 100, PhaseMetrics(1), start_seq)
    turn.types = [] if types else None
    return turn


def test_outcomes_are_numbered_as_the_turn_table_has_them() -> None:
    assert tuple(outcome.name.lower() for outcome in Outcome) == OUTCOMES


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    ("carried", "number"),
    [(3, 3), (3.0, 3), (-1, -1), (3.5, None), ("3", None), (None, None), (True, None), (1e300, int(1e300))],
)
def test_what_counts_as_a_sequence_number(carried: Any, number: int | None) -> None:
    assert sequence_number(carried) == number


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
    assert turn.duplicate == turn.metrics.events_duplicate == len(numbers) - len(set(numbers))
    assert turn.next_seq == highest + 1
    missing = sorted(set(range(start, highest + 1)) - set(numbers))
    assert (turn.missing or MissingNumbers()).first(20) == missing
    assert [number for number in range(20) if turn.missing and number in turn.missing] == missing
    overtaken = [
        n for index, n in enumerate(numbers) if n not in numbers[:index] and n < max([n, *numbers[:index]])
    ]
    assert turn.out_of_order == turn.metrics.events_out_of_order == len(overtaken)
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
        (2 + MAX_GAP, "gap_too_wide"),
        (10**30, "gap_too_wide"),
        (1e300, "gap_too_wide"),
    ],
)
def test_a_number_that_cannot_be_right_says_so(carried: Any, reason: str) -> None:
    turn = a_turn(1)
    assert turn.number(carried, "x")
    assert (turn.received, turn.duplicate, turn.next_seq, turn.missing) == (1, 0, 1, None)
    assert turn.misnumbered == reason
    assert turn.metrics.other == ({f"turns.misnumbered_by.{reason}": 1} if reason else {})


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
    turn.close_ledger(EventRules(Events()))
    metrics = turn.metrics
    assert turn.misnumbered == reason
    assert metrics.other == {f"turns.misnumbered_by.{reason}": 1}
    assert (turn.received, turn.lost, turn.missing) == (len(numbers), 0, None)
    assert (metrics.events_lost, metrics.events_duplicate, metrics.turns_numbered) == (0, 0, 1)
    # What comes later is late, and no duplicate of an event that bore its number.
    assert turn.next_seq == turn.start_seq


def test_rules_of_pairs_and_order_are_not_judged_on_numbers_that_cannot_be_followed() -> None:
    rules = EventRules(Events(pairs=(("b", "c"),), order=("a", "*")))
    turn = a_turn(types=True)
    for number, kind in ((0, "b"), (10**9, "a")):
        turn.number(number, kind)
    turn.outcome = Outcome.COMPLETE
    turn.close_ledger(rules)
    assert (turn.outcome, turn.metrics.events_unpaired) == (Outcome.COMPLETE, 0)


def test_numbers_that_are_whole_may_be_written_as_floating_point() -> None:
    turn = a_turn()
    assert turn.number(1.0, "x")
    assert turn.number(0.0, "x")
    assert not turn.number(1.0, "x")
    assert (turn.received, turn.duplicate, turn.out_of_order) == (2, 1, 1)


def test_as_many_holes_as_are_believed_are_taken_one_by_one_in_any_order() -> None:
    turn = a_turn()
    turn.number(MAX_GAP, "x")
    assert turn.missing is not None
    assert len(turn.missing) == MAX_GAP
    missing = turn.missing.first(MAX_GAP)
    random.Random(1).shuffle(missing)
    assert all(turn.number(number, "x") for number in missing)
    assert (len(turn.missing), turn.misnumbered) == (0, "")
    assert turn.received == turn.next_seq == MAX_GAP + 1


def test_the_holes_of_a_turn_are_believed_up_to_their_sum() -> None:
    turn = a_turn()
    for number in (MAX_GAP // 2, MAX_GAP + 1, MAX_GAP + 3):
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
            turn.number(MAX_GAP - 1, "x")
            turn.number(MAX_GAP, "x")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert {len(turn.missing or ()) for turn in turns} == {MAX_GAP - 1}
    assert grown < 100 * 1_000


# ------------------------------------------------------------------ the end of the ledger


def settled(types: str, outcome: Outcome = Outcome.COMPLETE, *, missing: bool = False, **events: Any) -> Turn:
    rules = EventRules(Events(**events))
    turn = a_turn(types=rules.keep_types)
    for number, kind in enumerate(types):
        turn.number(number + (number > 0 and missing), kind)
    turn.outcome = outcome
    turn.close_ledger(rules)
    return turn


def test_a_good_turn_stays_complete() -> None:
    turn = settled("abc", required=("a",), pairs=(("b", "c"),), order=("a", "*"))
    assert (turn.outcome, turn.reason) == (Outcome.COMPLETE, "")
    metrics = turn.metrics
    assert (metrics.events_expected, metrics.events_lost, metrics.turns_numbered) == (3, 0, 1)


@pytest.mark.parametrize(
    ("types", "reason", "missing", "unpaired"),
    [("bc", "required", 1, 0), ("ab", "pairs", 0, 1), ("bca", "order", 0, 0), ("b", "required", 1, 1)],
)
def test_a_broken_rule_fails_the_turn(types: str, reason: str, missing: int, unpaired: int) -> None:
    turn = settled(types, required=("a",), pairs=(("b", "c"),), order=("a", "*"))
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, reason)
    assert (turn.metrics.events_missing_required, turn.metrics.events_unpaired) == (missing, unpaired)


def test_pairs_and_order_are_not_judged_on_what_was_lost() -> None:
    turn = settled("bca", missing=True, pairs=(("b", "c"), ("x", "a")), order=("a", "*"))
    assert (turn.outcome, turn.lost, turn.metrics.events_lost, turn.metrics.events_expected) == (
        Outcome.COMPLETE,
        1,
        1,
        4,
    )
    assert turn.metrics.events_unpaired == 0


def test_rules_are_judged_on_complete_turns_only() -> None:
    turn = settled("b", Outcome.TIMED_OUT, required=("a",), pairs=(("b", "c"),))
    assert (turn.outcome, turn.reason, turn.metrics.events_missing_required) == (Outcome.TIMED_OUT, "", 0)


def test_a_turn_without_numbers_is_not_numbered() -> None:
    for start in (0, 1, 5):
        turn = a_turn(start)
        turn.number(None, "x")
        turn.outcome = Outcome.COMPLETE
        turn.close_ledger(EventRules(Events()))
        assert (turn.metrics.turns_numbered, turn.metrics.events_expected, turn.lost) == (0, 1, 0)


def test_instants_that_never_came_are_never() -> None:
    turn = a_turn()
    assert {turn.sent_ns, turn.first_ns, turn.last_ns, turn.done_ns} == {NEVER}


def test_the_last_frame_is_the_payload_that_came_last() -> None:
    turn = a_turn()
    assert turn.last_frame == b""
    turn.frames = [1, b"a", 2, b"b", 3]
    assert turn.last_frame == b"b"
