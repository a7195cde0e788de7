from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.compare import explored
from loadtest.judge.judge_run import judge_run
from loadtest.judge.live_thresholds import thresholds_so_far
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import Measurement, lookup
from loadtest.judge.thresholds import decide
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import deep, manifest

GONE = "process 7 is gone"


def summed(made: dict[str, Any], totals: Totals) -> dict[str, Any]:
    return {**made, **summarise(made, totals)}


def sampled(values: dict[int, float], name: str = "cpu", **rules: str) -> tuple[dict[str, Any], Totals]:
    """A run of 10 s in which these seconds have a sample."""
    totals = Totals()
    for second in range(10):
        gauges = {f"target.{name}": values[second]} if second in values else {}
        totals.add(Interval(second=second, gauges=gauges))
    health = {"sampled": [name], "reasons": {name: GONE}, "sampled_on": "here"}
    return manifest(rules, target={"url": "ws://h", "health": health}), totals


def judged(values: dict[int, float], name: str = "cpu", **rules: str) -> dict[str, Any]:
    made, totals = sampled(values, name, **rules)
    return summed(made, totals)


TEN = {second: float(second) for second in range(10)}


def test_statistics_are_of_the_seconds_of_the_measured_part() -> None:
    found = judged(TEN)["health"]["cpu"]
    assert (found["n"], found["seconds"], found["partial"]) == (10, 10, False)
    assert (found["min"], found["max"], found["mean"], found["p50"], found["p90"]) == (
        0.0,
        9.0,
        4.5,
        4.0,
        8.0,
    )
    assert found["p95"] is None
    assert found["unit"] == "cores"
    assert "reason" not in found


def test_a_run_that_samples_nothing_has_no_such_section() -> None:
    assert "health" not in summed(manifest(), Totals())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("target.cpu.max", 9.0, None),
        ("target.cpu.n", 10, None),
        ("target.cpu.p75", 7.0, None),
        ("target.cpu.p99", None, "not enough samples: n = 10, but p99 needs 100"),
    ],
)
def test_a_rule_finds_its_statistic(name: str, value: float | None, reason: str | None) -> None:
    known = judged(TEN, **{"target.cpu.p75": "< 1"})
    assert lookup(name, known) == Measurement(value, 10, reason)


def test_what_was_never_sampled_is_not_measured_and_says_why() -> None:
    assert lookup("target.cpu.max", judged({})) == Measurement(None, 0, GONE)
    assert (
        lookup("target.cpu.max", {}).reason == "[target.health] of the scenario does not sample this metric"
    )
    made, totals = sampled({})
    made["target"]["health"]["reasons"] = {}
    assert lookup("target.cpu.max", summed(made, totals)).reason == "it was not sampled"


def test_of_a_target_that_went_away_only_a_miss_is_sure() -> None:
    """The highest of some seconds is at least that of all: above a limit it is a miss, below it nothing."""
    part = judged({0: 0.5, 1: 0.7})
    highest = lookup("target.cpu.max", part)
    assert highest.value is None
    assert highest.reason == f"at least 0.7 cores: sampled in 2 of 10 seconds: {GONE}"
    assert decide(parse_threshold("target.cpu.max", "< 60%"), highest) == "missed"
    assert decide(parse_threshold("target.cpu.max", "< 80%"), highest) == "not_measured"
    for statistic in ("mean", "p50", "min"):
        found = lookup(f"target.cpu.{statistic}", part)
        assert (found.value, found.bound, found.n) == (None, None, 2)
        assert decide(parse_threshold(f"target.cpu.{statistic}", "< 90%"), found) == "not_measured"


def test_the_least_that_is_known_is_told_in_its_unit() -> None:
    for name, told in (("memory", "at least 3.0 MiB: "), ("queue", "at least 3,145,728: ")):
        reason = lookup(f"target.{name}.max", judged({0: 3.0 * 2**20}, name)).reason
        assert reason is not None
        assert reason.startswith(told)


def test_one_second_in_ten_may_be_without_a_sample() -> None:
    assert judged(dict.fromkeys(range(9), 1.0))["health"]["cpu"]["partial"] is False
    assert judged(dict.fromkeys(range(8), 1.0))["health"]["cpu"]["partial"] is True


def test_in_a_short_run_no_maximum_is_held_with_a_fifth_of_its_seconds_unseen() -> None:
    made, _ = sampled({}, **{"target.cpu.max": "< 5"})
    made = deep(made, {"load": {"planned": {"duration_s": 5.0}}})
    short = Totals()
    for second in range(5):
        short.add(Interval(second=second, gauges={"target.cpu": 1.0} if second else {}))
    (row,) = judge_run(made, short)["verdict"]["thresholds"][:1]
    assert (row["name"], row["outcome"]) == ("target.cpu.max", "not_measured")


def test_it_is_judged_so_far_as_well_and_compared() -> None:
    made, totals = sampled(TEN, "queue", **{"target.queue.max": "< 5"})
    stand = {each.threshold.name: each for each in thresholds_so_far(made, totals)}
    assert stand["target.queue.max"].outcome == "missed"
    assert stand["target.queue.max"].measured.value == 9.0
    assert {"target.queue.mean", "target.queue.max"} <= set(explored(summed(made, totals)))


@pytest.mark.parametrize("statistic", ["mean", "max"])
def test_a_statistic_that_a_damaged_run_does_not_say_was_not_measured(statistic: str) -> None:
    known = {"health": {"cpu": {"n": 6, statistic: None}}}
    found = lookup(f"target.cpu.{statistic}", known)
    assert (found.value, found.reason) == (None, f"the run does not say its {statistic}")
