from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.censored_turns import times_of_due, without_answer
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import measured_for
from loadtest.judge.thresholds import decide
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import good_totals, histogram, manifest


def summed(totals: Totals | None = None, **changes: Any) -> dict[str, Any]:
    made = manifest(**changes)
    return {**made, **summarise(made, totals or good_totals())}


def lost(n: int, **counters: int) -> Totals:
    """``n`` of 40 turns timed out without any event."""
    times = {name: [20.0] * (40 - n) for name in ("turn.first_event", "turn.first_event.service")}
    times |= {name: [100.0] * (40 - n) for name in ("turn.completion", "turn.completion.service")}
    told = {"turns.complete": 40 - n, "turns.timed_out": n, "turns.no_first_event": n, **counters}
    return good_totals(told, times)


def judged(name: str, expression: str, run: dict[str, Any]) -> tuple[str, float | None, bool]:
    threshold = parse_threshold(name, expression)
    measured = measured_for(threshold, run)
    return decide(threshold, measured), measured.value, measured.unbounded


def test_a_run_without_failures_has_no_such_section() -> None:
    assert summed()["of_due"] == {}


@pytest.mark.parametrize(
    "name", ["turn.first_event.p95", "turn.completion.p95", "turn.completion.service.p95"]
)
def test_a_percentile_that_failed_turns_could_have_changed_is_missed(name: str) -> None:
    assert judged(name, "< 1s", summed(lost(5))) == ("missed", None, True)


def test_a_percentile_below_the_failed_turns_is_of_all_that_were_due() -> None:
    times = [*([20.0] * 35), *([300.0] * 3)]
    totals = good_totals(
        {"turns.complete": 38, "turns.lost": 2, "turns.no_first_event": 2},
        {"turn.first_event": times, "turn.first_event.service": times},
    )
    run = summed(totals)
    assert run["metrics"]["turn.first_event"]["p90"] < 21
    outcome, value, never = judged("turn.first_event.p90", "< 100ms", run)
    assert (outcome, never) == ("missed", False)
    assert value == pytest.approx(300, rel=0.01)
    reason = measured_for(parse_threshold("turn.first_event.p90", "< 100ms"), run).reason
    assert reason is not None
    assert reason.startswith("5.0 % of 40 turns due had no first event; of the others: 2")


def test_what_is_limited_from_below_is_of_the_answered_turns() -> None:
    assert judged("turn.first_event.p95", "> 1ms", summed(lost(5)))[0] == "held"
    assert judged("turn.first_event.n", "< 36", summed(lost(5)))[0] == "held"
    assert judged("turn.first_event.min", "< 1s", summed(lost(5)))[0] == "held"


def test_the_largest_of_all_is_that_of_a_turn_that_never_answered() -> None:
    assert judged("turn.completion.max", "< 1h", summed(lost(1))) == ("missed", None, True)


def test_the_mean_counts_an_unanswered_turn_with_its_timeout() -> None:
    run = summed(lost(4))
    assert run["of_due"]["turn.completion"]["mean"] == pytest.approx((36 * 100 + 4 * 5000) / 40)
    assert judged("turn.completion.mean", "< 200ms", run)[0] == "missed"
    without = summed(lost(4), load__planned__timeout_s=None)
    assert judged("turn.completion.mean", "< 200ms", without)[0] == "not_measured"


def test_where_none_answered_every_percentile_is_missed() -> None:
    times = dict.fromkeys(
        ("turn.first_event", "turn.first_event.service", "turn.completion", "turn.completion.service")
    )
    totals = good_totals({"turns.complete": 0, "turns.timed_out": 40, "turns.no_first_event": 40}, times)
    run = summed(totals)
    assert "turn.first_event" not in run["metrics"]
    assert judged("turn.first_event.p50", "< 1h", run) == ("missed", None, True)


def test_a_percentile_finer_than_the_turns_due_allow_is_not_measured() -> None:
    assert judged("turn.first_event.p99", "< 1h", summed(lost(1)))[0] == "not_measured"


def test_under_a_coarse_clock_the_value_has_its_bounds() -> None:
    run = summed(lost(1), clock__resolution_ns=15_600_000)
    measured = measured_for(parse_threshold("turn.completion.p50", "< 1s"), run)
    assert measured.bound is not None
    assert measured.bound[0] < 100 < (measured.bound[1] or 0)


def test_failed_turns_that_had_a_first_event_have_its_time() -> None:
    counts = {"turns": {"failed": 5, "complete": 35, "no_first_event": 0, "not_attempted": 2}}
    assert without_answer(counts, {}) == {
        "turn.first_event": 2,
        "turn.first_event.service": 0,
        "turn.completion": 7,
        "turn.completion.service": 5,
    }


def test_a_run_of_an_earlier_version_did_not_count_silent_turns() -> None:
    counts = {"turns": {"failed": 5, "complete": 35}}
    assert without_answer(counts, {"turn.first_event": 37})["turn.first_event"] == 3
    assert without_answer(counts, {"turn.first_event": 50})["turn.first_event"] == 0
    assert without_answer(counts, {"turn.first_event": 0})["turn.first_event"] == 5


def test_users_who_read_slowly_are_left_out_as_their_times_are() -> None:
    slow = {"slow.turns.timed_out": 4, "slow.turns.no_first_event": 3}
    counts = {"turns": {"timed_out": 5, "no_first_event": 4}, "chaos": slow}
    assert without_answer(counts, {})["turn.completion"] == 1
    assert without_answer(counts, {})["turn.first_event"] == 1


def test_percentiles_that_a_threshold_names_are_there_too() -> None:
    counts = {"counts": {"measured": {"turns": {"lost": 1, "no_first_event": 1}}}}
    answered = {"turn.completion": histogram([100.0] * 9)}
    found = times_of_due(counts, answered, {"turn.completion": ("p75",)})["turn.completion"]
    assert found["n"] == 10
    assert found["answered"] == 9
    assert found["p75"] == pytest.approx(100, rel=0.01)
    assert found["unbounded"] == ["max"]
    assert found["mean"] is None
