"""What an event means that comes after its turn has ended."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.protocol import Events, Protocol
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.event_rules import EventRules
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.recent_turns import (
    REMEMBERED,
    REMEMBERED_NS,
    SHARED_NS,
    AfterEnd,
    RecentTurns,
)
from loadtest.speak.turn import NEVER, Outcome, Turn

PLAIN = CompiledProtocol(Protocol(name="plain"), message="x", nonce="n", timeout_ns=1).plain


def a_turn(turn_id: str, *numbers: int | None, start: int = 0) -> Turn:
    turn = Turn(1, 1, 0, turn_id, 0, PhaseMetrics(1), start)
    turn.kind = PLAIN
    for number in numbers:
        turn.number(number, "x")
    return turn


@pytest.mark.parametrize(
    ("seq", "found"),
    [
        (1, AfterEnd.DUPLICATE),
        (3, AfterEnd.DUPLICATE),
        (3.0, AfterEnd.DUPLICATE),
        (2, AfterEnd.LATE),
        (4, AfterEnd.LATE),
        (0, AfterEnd.LATE),
        (None, AfterEnd.LATE),
        ("3", AfterEnd.LATE),
    ],
)
def test_a_remembered_turn(seq: Any, found: AfterEnd) -> None:
    """Numbers began at 1 and 2 was lost: when it comes now it is late, and no duplicate."""
    recent = RecentTurns(1)
    recent.remember(a_turn("a", 1, 3, start=1), 0)
    assert recent.receive("a", seq, "x") is found
    assert recent.receive("b", seq, "x") is AfterEnd.UNKNOWN


def test_a_turn_without_numbers_has_no_duplicates() -> None:
    recent = RecentTurns(0)
    recent.remember(a_turn("a", None, None), 0)
    assert recent.receive("a", None, "x") is AfterEnd.LATE
    assert recent.receive("a", 0, "x") is AfterEnd.LATE


@pytest.mark.parametrize(
    ("seq", "found", "matched", "duplicate"),
    [
        (1, AfterEnd.ENTERED, 1, 0),
        (2, AfterEnd.ENTERED, 0, 1),
        (3, AfterEnd.LATE, 0, 0),
        (-1, AfterEnd.LATE, 0, 0),
        (None, AfterEnd.LATE, 0, 0),
    ],
)
def test_a_turn_that_waits_for_a_number_takes_only_that(
    seq: Any, found: AfterEnd, matched: int, duplicate: int
) -> None:
    recent = RecentTurns(0)
    turn = a_turn("a", 0, 2)
    recent.waiting["a"] = (100, turn)
    assert recent.receive("a", seq, "x") is found
    metrics = turn.metrics
    assert (metrics.events_matched, metrics.events_duplicate, turn.received) == (
        matched,
        duplicate,
        2 + matched,
    )


def test_who_has_waited_long_enough() -> None:
    recent = RecentTurns(0)
    assert (recent.earliest(), recent.due(10**18)) == (NEVER, [])
    one, two = a_turn("a"), a_turn("b")
    recent.waiting = {"a": (200, one), "b": (100, two)}
    assert recent.earliest() == 100
    assert recent.due(99) == []
    assert recent.due(100) == [two]
    assert recent.due(200) == [one, two]
    recent.remember(two, 0)
    assert recent.earliest() == 200


def test_only_the_last_turns_are_remembered() -> None:
    recent = RecentTurns(0)
    for number in range(2 * REMEMBERED):
        recent.remember(a_turn(f"t{number}", 0, 2), 0)
    assert recent.receive(f"t{REMEMBERED - 1}", 0, "x") is AfterEnd.UNKNOWN
    assert not recent.knows(f"t{REMEMBERED - 1}")
    for number in range(REMEMBERED, 2 * REMEMBERED):
        assert recent.knows(f"t{number}")
        assert recent.receive(f"t{number}", 0, "x") is AfterEnd.DUPLICATE
        assert recent.receive(f"t{number}", 1, "x") is AfterEnd.LATE


def test_turns_are_remembered_for_a_minute_until_the_next_one_ends() -> None:
    """Else users who send seldom would fill the memory for as long as it takes to send 64 times."""
    recent = RecentTurns(0)
    recent.remember(a_turn("a"), 0)
    recent.remember(a_turn("b"), SHARED_NS)
    recent.remember(a_turn("c"), REMEMBERED_NS + SHARED_NS)
    assert [recent.knows(each) for each in "abc"] == [True, True, True]
    recent.remember(a_turn("d"), REMEMBERED_NS + 2 * SHARED_NS)
    assert [recent.knows(each) for each in "abcd"] == [False, True, True, True]
    recent.remember(a_turn("e"), 10 * REMEMBERED_NS)
    assert [recent.knows(each) for each in "abcde"] == [False, False, False, False, True]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * SHARED_NS),
            st.integers(0, 3),
            st.sampled_from([Outcome.COMPLETE, Outcome.FAILED, Outcome.LOST]),
        ),
        max_size=2 * REMEMBERED,
    )
)
def test_what_is_shared_of_ends_is_what_each_turn_had(ends: list[tuple[int, int, Outcome]]) -> None:
    """Of the last turns of a minute each has its own outcome and numbers, however many ended alike."""
    recent, now = RecentTurns(0), 0
    closed: list[tuple[str, int, int, Outcome]] = []
    for number, (later, next_seq, outcome) in enumerate(ends):
        now += later
        turn = a_turn(f"t{number}")
        turn.next_seq, turn.outcome = next_seq, outcome
        recent.remember(turn, now)
        closed.append((turn.id, now, next_seq, outcome))
    for turn_id, at, next_seq, outcome in closed[-REMEMBERED:]:
        if at < now - REMEMBERED_NS:
            continue
        assert recent.knows(turn_id)
        late = AfterEnd.RESUMED if outcome is Outcome.LOST else AfterEnd.LATE
        within = AfterEnd.RESUMED if outcome is Outcome.LOST else AfterEnd.DUPLICATE
        assert recent.receive(turn_id, next_seq, "x") is late
        assert not next_seq or recent.receive(turn_id, next_seq - 1, "x") is within
        assert (recent.complete_kind(turn_id) is not None) == (outcome is Outcome.COMPLETE)


def test_what_was_forgotten_leaves_nothing_behind() -> None:
    recent = RecentTurns(0)
    recent.remember(a_turn("a", 0, 2), 0)
    for number in range(REMEMBERED):
        recent.remember(a_turn(f"t{number}"), 0)
    assert not recent.knows("a")
    recent.remember(a_turn("a", 0, 1, 2), 0)
    assert recent.receive("a", 1, "x") is AfterEnd.DUPLICATE


def test_an_id_that_is_used_again_is_the_newest() -> None:
    recent = RecentTurns(0)
    recent.remember(a_turn("a", 0, 2), 0)
    for number in range(REMEMBERED - 1):
        recent.remember(a_turn(f"t{number}"), 0)
    recent.remember(a_turn("a", 0, 1, 3), 0)
    for number in range(REMEMBERED - 1):
        recent.remember(a_turn(f"u{number}"), 0)
    assert recent.receive("t0", None, "x") is AfterEnd.UNKNOWN
    assert recent.receive("a", 1, "x") is AfterEnd.DUPLICATE
    assert recent.receive("a", 2, "x") is AfterEnd.LATE


def broken_off(turn_id: str) -> Turn:
    turn = a_turn(turn_id, 0, 1)
    turn.outcome = Outcome.LOST
    return turn


@pytest.mark.parametrize("seq", [0, 1, 2, None])
def test_whatever_comes_of_a_turn_that_was_lost_with_its_connection_is_resumed(seq: Any) -> None:
    recent = RecentTurns(0)
    recent.remember(broken_off("a"), 0)
    assert recent.receive("a", seq, "x") is AfterEnd.RESUMED
    recent.remember(a_turn("a", 0, 1), 0)
    assert recent.receive("a", 1, "x") is AfterEnd.DUPLICATE


def test_a_turn_that_was_lost_is_forgotten_in_the_end() -> None:
    recent = RecentTurns(0)
    for number in range(2 * REMEMBERED):
        recent.remember(broken_off(f"turn-{number}"), 0)
    assert recent.receive("turn-0", 2, "x") is AfterEnd.UNKNOWN
    assert recent.receive(f"turn-{REMEMBERED}", 2, "x") is AfterEnd.RESUMED


def test_a_turn_whose_numbers_could_not_be_followed_has_no_duplicates() -> None:
    recent = RecentTurns(0)
    turn = a_turn("a", 0, 1, 10**9)
    turn.close_ledger(EventRules(Events()))
    recent.remember(turn, 0)
    assert recent.receive("a", 1, "x") is AfterEnd.LATE
    assert recent.receive("a", 10**9, "x") is AfterEnd.LATE
