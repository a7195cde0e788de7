from __future__ import annotations

from typing import Any

import numpy as np

from loadtest.judge.live_thresholds import ThresholdSoFar, thresholds_so_far
from loadtest.measure.histogram import Histogram
from loadtest.measure.totals import Totals
from tests.judge.made import good_totals, manifest, totals

THRESHOLDS = {
    "turn.first_event.p95": "< 100ms",
    "turn.first_event.p99": "< 200ms",
    "rates.events_received_per_s": "> 1/s",
    "turns.complete.ratio": ">= 99%",
}


def stand(
    made: Totals, thresholds: dict[str, str] | None = None, **changed: Any
) -> dict[str, ThresholdSoFar]:
    running = manifest(
        status="running",
        scenario__settings__thresholds=THRESHOLDS if thresholds is None else thresholds,
        **changed,
    )
    return {each.threshold.name: each for each in thresholds_so_far(running, made)}


def test_each_threshold_has_what_was_measured_so_far_and_what_became_of_it() -> None:
    found = stand(good_totals())
    assert {*THRESHOLDS, "turns.complete.ratio", "connections.ready.ratio"} <= set(found)
    assert found["turn.first_event.p95"].outcome == "held"
    assert found["turn.first_event.p99"].outcome == "not_measured"
    assert found["turn.first_event.p95"].measured.n > 0


def test_before_anything_came_nothing_is_measured_and_nothing_missed() -> None:
    assert {each.outcome for each in stand(totals()).values()} == {"not_measured"}
    assert stand(totals())["connections.ready.ratio"].measured.reason == "no connection was opened yet"


def test_turns_in_flight_and_connections_being_opened_are_not_missing() -> None:
    made = good_totals({"turns.due": 400, "turns.begun": 400, "turns.complete": 30})
    assert stand(made)["turns.complete.ratio"].outcome == "held"
    made = good_totals({"connections.due": 50, "connections.attempted": 20, "connections.ready": 10})
    assert stand(made)["connections.ready.ratio"].outcome == "held"


def test_turns_that_ended_without_an_answer_are_infinitely_late() -> None:
    made = good_totals({"turns.complete": 40, "turns.timed_out": 10})
    histogram = Histogram()
    histogram.record(np.full(40, 1_000_000))
    made.histograms["turn.first_event"] = histogram
    found = stand(made)["turn.first_event.p95"]
    assert found.outcome == "missed"
    assert found.measured.unbounded


def test_a_threshold_of_a_stage_waits_for_the_end() -> None:
    stages = [{"for": "10s", "connections": 10, "thresholds": {"turn.completion.p95": "< 1s"}}]
    assert "turn.completion.p95" not in stand(good_totals(), scenario__settings__load={"stages": stages})
