"""Comparisons in which the target was down, or runs are left out: what fails, fails."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.errors import Exit
from loadtest.judge.compare import compare
from loadtest.judge.samples import Side, side
from tests.judge.made import deep
from tests.judge.repeats import run, spread

DOWN: dict[str, Any] = {
    "verdict": {"outcome": "unreachable", "thresholds": []},
    "metrics": {"turn.first_event": None},
    "counts": {"measured": {"turns": {"due": 0, "complete": 0}}},
    "load": {"planned": {"turns_due": 1000}},
}
SILENT = {"metrics": {"turn.first_event": None}, "counts": {"measured": {"turns": {"complete": 0}}}}
SPOILT = {"notices": [{"spoils": True, "message": "A worker was lost."}]}
PLANNED = {"load": {"planned": {"turns_due": 1000}}}


def made(
    label: str, *, good: int = 0, down: int = 0, silent: int = 0, spoilt: int = 0, by: float = 1
) -> Side:
    """A side of so many runs of each kind."""
    times = spread(50 * by, 0.01, good + down + silent + spoilt, len(label))
    changes = [{}] * good + [DOWN] * down + [SILENT] * silent + [SPOILT] * spoilt
    runs = [
        deep(deep(run(at, label=label, p95_ms=time), PLANNED), change)
        for at, (time, change) in enumerate(zip(times, changes, strict=True))
    ]
    return side(label, runs)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"good": 4}, {"good": 4, "down": 1}, "1 of 5 runs of v2 could not reach the target; of v1: none"),
        ({"good": 8}, {"good": 4, "down": 4}, "4 of 8 runs of v2 could not reach the target; of v1: none"),
        ({"good": 5}, {"down": 5}, "5 of 5 runs of v2 could not reach the target; of v1: none."),
        ({"good": 5}, {"good": 4, "silent": 1}, "1 of 5 runs of v2 had no turn complete; of v1: none."),
        ({"down": 5}, {"down": 5}, "5 of 5 runs of v2 could not reach the target; of v1: 5."),
        ({"good": 15, "down": 1}, {"good": 4, "down": 6}, "6 of 10 runs of v2 could not reach the target"),
        ({"good": 1}, {"good": 4, "down": 1, "by": 0.5}, "1 of 5 runs of v2 could not reach the target"),
    ],
)
def test_a_target_that_was_down_is_worse_whatever_else(
    before: dict[str, Any], after: dict[str, Any], said: str, *, lenient: bool
) -> None:
    found = compare(made("v1", **before), made("v2", **after), lenient=lenient).ruling
    assert (found.outcome, found.exit_code) == ("worse", Exit.FAIL)
    assert found.reason.startswith(said)


def test_down_a_little_more_often_than_before_is_neither_same_nor_surely_worse() -> None:
    found = compare(made("v1", good=9, down=1), made("v2", good=4, down=1))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    assert (
        "the target failed in more runs of the candidate than of the baseline, but this may be chance"
        in found.ruling.reason
    )


def test_down_as_often_as_before_is_named() -> None:
    found = compare(made("v1", good=7, down=1), made("v2", good=7, down=1))
    assert found.ruling.outcome != "worse"
    assert found.ruling.reason.startswith("1 of 8 runs of v2 could not reach the target; of v1: 1.")


def test_a_baseline_that_was_down_is_no_reason_to_call_a_good_candidate_the_same() -> None:
    found = compare(made("v1", good=5, down=2), made("v2", good=7))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("better", Exit.PASS)
    assert found.ruling.reason.startswith("2 of 7 runs of v1 could not reach the target; of v2: none.")
    assert "target_failed" in {notice["code"] for notice in found.notices}
    fewer = [
        deep(each, {"counts": {"measured": {"turns": {"complete": 980}}}}) for each in found.candidate.runs
    ]
    worse = compare(found.baseline, side("v2", fewer))
    assert (worse.ruling.outcome, worse.ruling.exit_code) == ("worse", Exit.FAIL)
    faster = compare(made("v1", good=7), made("v2", good=7, by=0.8))
    assert faster.ruling.outcome == "faster"


def test_times_of_a_side_that_was_down_are_not_the_same() -> None:
    rows = compare(made("v1", good=5), made("v2", good=5, down=1)).rows
    (p95,) = [row for row in rows if row.name == "turn.first_event.p95"]
    assert p95.word == "cannot tell"
    assert p95.why == "1 of 6 runs of the candidate have no value, because the target failed"
    (complete,) = [row for row in rows if row.name == "turns.complete.ratio"]
    assert complete.candidate.values[-1] == 0
    assert complete.candidate.value == pytest.approx(5 / 6)


def test_too_many_runs_left_out_are_a_reason_not_to_know() -> None:
    found = compare(made("v1", good=5), made("v2", good=5, spoilt=3))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    assert "3 of 8 runs of v2 do not count (the run is invalid: A worker was lost.)" in found.ruling.reason
    assert compare(made("v1", good=5), made("v2", good=6, spoilt=3)).ruling.outcome == "same"
    assert compare(made("v1", good=5), made("v2", good=5, spoilt=3), lenient=True).ruling.exit_code == 0
    assert compare(made("v1", good=5), made("v2", good=5, spoilt=3, by=2)).ruling.outcome == "slower"


NEVER = {"of_due": {"turn.first_event": {"n": 1000, "answered": 940, "unbounded": ["p95"]}}}


def with_never(label: str, never: int, by: float = 1) -> Side:
    """Six runs; the p95 of the newest is that of turns that never answered."""
    return side(
        label,
        [
            deep(each, NEVER if at >= 6 - never else {})
            for at, each in enumerate(made(label, good=6, by=by).runs)
        ],
    )


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 1), (0, 6), (0, 3)])
@pytest.mark.parametrize("by", [1, 0.5])
def test_a_run_whose_p95_is_never_makes_no_candidate_better(before: int, after: int, by: float) -> None:
    found = compare(with_never("v1", before), with_never("v2", after, by))
    (p95,) = [row for row in found.rows if row.name == "turn.first_event.p95"]
    assert p95.word == "cannot tell"
    assert len(p95.candidate.never) == after
    assert (
        f"{after} of 6 runs of the candidate have no value (in {p95.candidate.never[0][0]} 6.0 % of 1,000"
        in p95.why
    )
    assert found.ruling.exit_code != Exit.PASS


def test_a_baseline_that_never_answered_is_named() -> None:
    found = compare(with_never("v1", 1), with_never("v2", 0))
    (p95,) = [row for row in found.rows if row.name == "turn.first_event.p95"]
    assert (p95.baseline.n, len(p95.baseline.never)) == (5, 1)
    assert "1 of 6 runs of the baseline have no value" in p95.why
    assert p95.as_dict()["baseline"]["never"][0]["id"] == p95.baseline.never[0][0]
    slower = compare(with_never("v1", 0), with_never("v2", 1, 2))
    assert slower.ruling.outcome == "slower"
