"""Why a miss counts though the generator was itself in need; what it may explain is in test_verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadtest.judge.generator_delay import COUNTS, counts_anyway
from loadtest.judge.summary import summarise
from loadtest.judge.verdict import judge
from loadtest.judge.warnings import RunWarning
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import good_totals, manifest

RESPONSE = parse_threshold("turn.first_event.p95", "< 100ms")
SERVICE = parse_threshold("turn.first_event.service.p95", "< 100ms")
RATIO = parse_threshold("turns.complete.ratio", "< 50%")
LAGGING = {"cpu": 0.5, "loop_lag_ns": 200e6}
STARVED = RunWarning("generator_starved", "It waited.", "", {"mean": 0.36}, spoils=False)
LATE = RunWarning("generator_late", "It was late.", "", {}, spoils=False)


def reason(
    *thresholds: Any, warnings: tuple[RunWarning, ...] = (STARVED,), response: float = 150.0,
    service: float = 120.0, lateness: float = 60.0,
) -> str:  # fmt: skip
    values = {
        "turn.first_event": [response] * 40,
        "turn.first_event.service": [service] * 40,
        "send.lateness": [lateness] * 40,
    }
    made = manifest()
    summed = {**made, **summarise(made, good_totals(None, values, gauges=LAGGING))}
    return str(judge(summed, warnings, thresholds)["reason"])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "service time, which does not include this delay, missed too"),
        ({"lateness": 2.0}, "this delay was less than a tenth of the limit"),
        ({"response": 900.0}, "the time exceeds the limit by more than the longest such delay"),
    ],
)
def test_the_reason_says_that_the_generator_was_starved_and_why_the_miss_counts(
    values: dict[str, float], why: str
) -> None:
    clause = f"The generator itself waited for a core for 36.0 % of the time, {COUNTS}{why}."
    assert clause in reason(RESPONSE, RATIO, **values)


def test_two_ailments_and_two_reasons_are_one_sentence() -> None:
    told = reason(RESPONSE, SERVICE, warnings=(LATE, STARVED))
    assert (
        "waited for a core for 36.0 % of the time and was late with its messages, but the miss counts,"
        " because service time, which does not include this delay, missed too; service time, which does not"
        " include this delay, missed." in told
    )


def test_without_a_warning_or_without_a_missed_time_nothing_is_added() -> None:
    assert COUNTS not in reason(RESPONSE, warnings=())
    assert COUNTS not in reason(RATIO)


def test_turns_that_were_never_answered_are_not_our_delay() -> None:
    made = manifest()
    values = {"turn.first_event": [50.0] * 20, "send.lateness": [60.0] * 40}
    lost = good_totals({"turns.complete": 20, "turns.timed_out": 20}, values, gauges=LAGGING)
    summed = {**made, **summarise(made, lost)}
    assert (
        "some turns never received the event that ends this time"
        in judge(summed, (STARVED,), (RESPONSE,))["reason"]
    )


def test_turns_that_an_error_answered_are_not_called_unanswered() -> None:
    made = manifest()
    values = {"turn.completion": [50.0] * 20, "send.lateness": [60.0] * 40}
    failed = {"turns.complete": 20, "turns.failed": 19, "turns.timed_out": 1}
    summed = {**made, **summarise(made, good_totals(failed, values, gauges=LAGGING))}
    told = judge(summed, (STARVED,), (parse_threshold("turn.completion.p95", "< 100ms"),))["reason"]
    assert "the miss counts, because turns did not complete (19 failed, 1 timed out)" in told


def test_where_nobody_knows_how_late_it_was_nothing_is_claimed() -> None:
    assert counts_anyway({}, (STARVED,), [(RESPONSE, {"outcome": "missed"})]) == []


def test_a_threshold_of_a_population_is_told_by_that_one_alone() -> None:
    own = {"metrics": {}}
    made = {
        "generator": {"lateness": {"p99": 1.0}, "loop_lag": {"max": 1.0}},
        "populations": {"readers": own},
        "scenario": {"settings": {"population": [{"name": "readers"}]}},
    }
    named = replace(RESPONSE, name="turn.first_event[readers].p95")
    (told,) = counts_anyway(made, (STARVED,), [(named, {"outcome": "missed"})])
    assert told.endswith(f"{COUNTS}this delay was less than a tenth of the limit.")
