"""What a stored run is worth to a comparison: it counts, its target was down, or it is left out."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.run_standing import standing, value_in
from tests.judge.made import deep
from tests.judge.repeats import run

SPOILT = {"notices": [{"spoils": True, "message": "A worker was lost."}]}

DOWN: dict[str, Any] = {
    "verdict": {"outcome": "unreachable"},
    "metrics": {"turn.first_event": None},
    "counts": {
        "connections": {"attempted": 4, "ready": 0, "peak": 0, "refused": {"tcp": 4}},
        "turns": {"due": 100},
        "measured": {"turns": {"due": 0, "complete": 0, "lost": 0}},
    },
    "load": {"planned": {"turns_due": 40}},
}


def down(**more: Any) -> dict[str, Any]:
    """A run whose target refused every connection."""
    return deep(run(0), DOWN) | more


def test_a_run_that_was_measured_counts() -> None:
    assert standing(run(0)).kind == "measured"
    assert standing(run(0) | {"verdict": {"outcome": "fail"}, "notices": [{"spoils": False}]}).counts
    assert standing({}).kind == "measured"
    assert standing({"notices": "none"}).kind == "measured"
    assert standing(run(0, complete=None)).kind == "measured"


@pytest.mark.parametrize("more", [{}, SPOILT])
def test_a_run_whose_target_was_down_counts_as_that(more: dict[str, Any]) -> None:
    found = standing(down(**more))
    assert (found.kind, found.counts, found.target_failed) == ("down", True, True)
    assert found.reason == "could not reach the target"


def test_a_run_without_any_complete_turn_is_the_targets_failing_too() -> None:
    found = standing(run(0, complete=0.0))
    assert (found.kind, found.counts, found.target_failed) == ("unanswered", True, True)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "cut short"}, "the run is cut short"),
        ({"status": "running"}, "the run is running"),
        ({"failure": {"exit_code": 70}}, "the run failed before it began"),
        ({"interrupted": True}, "the run was interrupted"),
        (SPOILT, "invalid: A worker was lost."),
    ],
)
@pytest.mark.parametrize("complete", [1.0, 0.0])
def test_what_is_not_the_targets_doing_is_left_out(
    changes: dict[str, Any], why: str, complete: float
) -> None:
    found = standing(run(0, complete=complete) | changes)
    assert (found.kind, found.counts, found.target_failed) == ("left out", False, False)
    assert why in found.reason


@pytest.mark.parametrize("changes", [{"status": "running"}, {"interrupted": True}, {"failure": {"x": 1}}])
def test_a_run_that_did_not_end_is_no_word_of_a_target_that_was_down(changes: dict[str, Any]) -> None:
    assert standing(down(**changes)).kind == "left out"


def test_ratios_of_success_are_0_of_all_that_was_planned_where_the_target_was_down() -> None:
    complete, ready = value_in("turns.complete.ratio", down()), value_in("connections.ready.ratio", down())
    assert (complete.value, complete.n) == (0.0, 40)
    assert (ready.value, ready.n) == (0.0, 4)
    unplanned = deep(down(), {"load": {"planned": {"turns_due": None, "connections": None}}})
    assert value_in("turns.complete.ratio", unplanned).n == 100
    assert value_in("connections.ready.ratio", unplanned).n == 4


@pytest.mark.parametrize(
    "name", ["turn.first_event.p95", "turns.lost.ratio", "turns.lost", "events.lost", "rates.turns_per_s"]
)
def test_nothing_else_was_measured_where_the_target_was_down(name: str) -> None:
    found = value_in(name, down())
    assert found.value is None
    assert found.reason == "the target could not be reached"


def test_connections_are_as_they_were_counted_where_the_target_was_down() -> None:
    assert value_in("connections.refused", down()).value == 4
    assert value_in("connections.ready.peak", down()).value == 0


def test_times_are_missing_because_no_turn_was_complete() -> None:
    silent = deep(run(0, complete=0.0), {"metrics": {"turn.first_event": None}})
    found = value_in("turn.first_event.p95", silent)
    assert (found.value, found.reason) == (None, "no turn was complete")
    assert value_in("turns.complete.ratio", silent).value == 0
    assert value_in("turn.first_event.p95", run(0)).value == 50.0


def test_turns_that_never_end_or_that_the_plan_took_away_are_no_failing() -> None:
    counts = {"measured": {"turns": {"due": 10, "complete": 0, "abandoned": 10}}}
    made = {"status": "complete", "counts": counts, "verdict": {"outcome": "pass"}}
    endless = {"scenario": {"settings": {"protocol": {"events": {"turn": ["id"]}}}}}
    leavers = {"scenario": {"settings": {"chaos": {"leavers": {"share": "100%"}}}}}
    assert standing(made).kind == "unanswered"
    assert standing({**made, **endless}).kind == "measured"
    assert standing({**made, **leavers}).kind == "measured"
