from __future__ import annotations

from loadtest.judge.threshold_measurement import measured_for
from loadtest.judge.thresholds import judged_thresholds
from tests.judge.made import good_totals, judged, manifest

LOST = "events.lost.ratio"


def test_lost_events_are_judged_by_default_where_there_were_any() -> None:
    found = judged(manifest(), good_totals({"events.lost": 4}))
    (lost,) = [each for each in judged_thresholds(found) if each.name == LOST]
    assert lost.default
    events = found["counts"]["measured"]["events"]
    measured = measured_for(lost, found)
    assert measured.n == max(events["expected"], events["received"])
    assert measured.value == 4 / measured.n
    assert LOST not in {each.name for each in judged_thresholds(judged(manifest()))}


def test_a_default_that_is_turned_off_is_not_judged() -> None:
    made = manifest({LOST: "none", "turns.complete.ratio": "none"})
    assert {each.name for each in judged_thresholds(made)} == {"connections.ready.ratio"}


def test_a_time_that_falls_on_a_turn_without_an_answer_says_so_in_the_verdict() -> None:
    totals = good_totals({"turns.complete": 30, "turns.timed_out": 10, "turns.abandoned": 0})
    found = judged(manifest({"turn.completion.p95": "< 100ms"}), totals)
    (row,) = [each for each in found["verdict"]["thresholds"] if each["name"] == "turn.completion.p95"]
    assert (row["outcome"], row["unbounded"]) == ("missed", True)


def test_turns_that_were_never_answered_are_a_miss_however_late_we_were() -> None:
    counts = {"turns.complete": 30, "turns.timed_out": 10, "turns.abandoned": 0}
    times = {
        "turn.completion": [50.0] * 30,
        "turn.completion.service": [20.0] * 30,
        "send.lateness": [60.0] * 40,
    }
    totals = good_totals(counts, times, gauges={"cpu": 0.5, "loop_lag_ns": 80e6})
    found = judged(manifest({"turn.completion.p95": "< 100ms"}), totals)
    (row,) = [each for each in found["verdict"]["thresholds"] if each["name"] == "turn.completion.p95"]
    assert (row["outcome"], row["unbounded"]) == ("missed", True)
