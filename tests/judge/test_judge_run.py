from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from loadtest.judge.judge_run import judge_part, judge_run
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from tests.judge.made import MS, S, codes, good_totals, good_turns, histogram, judged, manifest, row, table


def seconds() -> list[Interval]:
    """Ten seconds of four turns each; those of the second half take 200 ms instead of 100."""
    made = []
    for second in range(10):
        took = 100.0 if second < 5 else 200.0
        counters = {
            "turns.due": 4,
            "turns.begun": 4,
            "turns.complete": 4,
            "turns.numbered": 4,
            "events.sent": 4,
            "events.received": 20,
            "events.matched": 20,
            "events.expected": 20,
        }
        if second == 0:
            counters |= {"connections.attempted": 4, "connections.established": 4, "connections.ready": 4}
        made.append(
            Interval(
                second,
                histograms={
                    "turn.completion": histogram([took] * 4),
                    "event.gap": histogram([took / 5] * 16),
                },
                counters={"measured": counters},
                gauges={"cpu": 0.1, "loop_lag_ns": 1.0 * MS},
                instants={"first_attempt": 0, "last_ready": 4},
                moves=np.array([[i + 1, 1] for i in range(4)] if second == 0 else [], np.int64).reshape(
                    -1, 2
                ),
            )
        )
    return made


def turns() -> np.ndarray:
    rows = []
    for i in range(40):
        at, took = i * S // 4, (100 if i < 20 else 200) * MS
        rows.append(row(i, intended_ns=at, sent_ns=at, first_ns=at + took // 2, done_ns=at + took))
    return table(rows)


def summed(intervals: list[Interval]) -> Totals:
    made = Totals()
    for interval in intervals:
        made.add(interval)
    return made


STAGES = [
    {"for": "5s", "connections": 4, "thresholds": {"turn.completion.p95": "< 150ms"}},
    {
        "for": "5s",
        "connections": 4,
        "thresholds": {"turn.completion.p95": "< 150ms", "turns.complete": "== 20"},
    },
]


def test_a_good_run_is_judged_whole() -> None:
    run = judged(manifest({"turns.complete.ratio": ">= 99%"}), turns=good_turns())
    assert run["verdict"]["exit_code"] == 0
    assert run["notices"] == []
    assert {"metrics", "counts", "rates", "load", "generator", "burst_positions", "unmeasured"} <= set(run)
    json.dumps(run, allow_nan=False)


def test_what_was_given_is_left_as_it_is_and_judging_again_gives_the_same() -> None:
    made, sums = (
        manifest({"turn.completion.p99": "< 1s"}, unmeasured={"foreign": "no user path"}),
        good_totals(),
    )
    before = copy.deepcopy(made)
    run = judge_run(made, sums, good_turns())
    assert made == before
    assert judge_run(run, sums, good_turns()) == run
    assert codes(run) == ["too_few_samples"]


def test_a_threshold_that_cannot_be_read_is_said() -> None:
    with pytest.raises(ValueError, match="is not a metric"):
        judged(manifest({"turn.speed": "< 1s"}))


def test_thresholds_of_a_stage_are_judged_on_its_seconds() -> None:
    made = manifest(scenario__settings__load__stages=STAGES)
    verdict = judge_run(made, summed(seconds()), turns(), seconds())["verdict"]
    assert [row_["outcome"] for row_ in verdict["thresholds"]] == ["held", "missed", "held", "held"]
    assert [row_.get("stage") for row_ in verdict["thresholds"]] == [0, 1, 1, None]
    assert verdict["exit_code"] == 1


def test_a_sampled_turn_table_leaves_counts_of_turns_in_a_stage_unmeasured() -> None:
    made = manifest(scenario__settings__load__stages=STAGES, observed=[{"code": "turns_sampled"}])
    verdict = judge_run(made, summed(seconds()), turns()[::2], seconds())["verdict"]
    assert [row_["outcome"] for row_ in verdict["thresholds"]] == [
        "held",
        "missed",
        "not_measured",
        "held",
    ]


def test_without_the_seconds_stages_are_not_measured() -> None:
    made = manifest(scenario__settings__load__stages=STAGES)
    verdict = judge_run(made, summed(seconds()), turns())["verdict"]
    assert {row_["outcome"] for row_ in verdict["thresholds"] if "stage" in row_} == {"not_measured"}
    assert verdict["exit_code"] == 4


def test_a_part_is_judged_as_if_it_had_been_the_run() -> None:
    made = manifest(
        {"turn.completion.p95": "< 150ms", "turns.complete": "== 20"}, scenario__settings__load__stages=STAGES
    )
    calm = judge_part(made, seconds(), turns(), 0, 5)
    assert calm["part"] == {"from_s": 0, "to_s": 5, "turns_by": "intended"}
    assert calm["verdict"]["exit_code"] == 0
    assert len(calm["verdict"]["thresholds"]) == 2
    assert calm["counts"]["turns"]["due"] == 20
    assert calm["rates"]["turns_per_s"]["value"] == pytest.approx(4.0)
    slow = judge_part(made, seconds(), turns(), 5, 10)
    assert slow["verdict"]["exit_code"] == 1
    assert slow["counts"]["connections"]["peak"] == 4
    assert codes(slow) == []


def test_a_part_without_a_turn_table_is_of_the_turns_that_ended_in_it() -> None:
    part = judge_part(manifest(), seconds(), None, 5, 10)
    assert part["part"]["turns_by"] == "second"
    assert part["metrics"]["turn.completion"]["n"] == 20
