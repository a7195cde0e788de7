from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from loadtest.judge.judging import judge_part, judge_run, recut
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
    with pytest.raises(ValueError, match="names nothing that is measured"):
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


def test_recut_is_offered_here() -> None:
    assert recut(seconds(), 0, 1).measured("turns.due") == 4


def test_an_unreachable_target_leaves_no_number_of_nothing() -> None:
    refused = {"connections.attempted": 12, "connections.refused.tcp": 12}
    sums = Totals()
    sums.add(Interval(0, counters={"measured": refused}, instants={"first_attempt": 0}))
    run = judge_run(
        manifest({"turn.first_event.p95": "< 100ms", "rates.events_received_per_s": "> 20"}), sums, table([])
    )
    assert run["verdict"]["exit_code"] == 3
    assert run["metrics"] == {}
    assert all(rate["value"] is None and rate["reason"] for rate in run["rates"].values())
    measured = {each["name"]: each["measured"] for each in run["verdict"]["thresholds"]}
    assert measured.pop("connections.ready.ratio") == 0
    assert set(measured.values()) == {None}


def test_acks_that_never_run_a_turn_are_a_fail_with_evidence() -> None:
    acked: dict[str, Any] = {
        "turns.complete": 0,
        "turns.numbered": 0,
        "turns.timed_out": 40,
        "events.matched": 0,
        "events.expected": 0,
        "events.received": 40,
    }
    metrics = dict.fromkeys(("turn.first_event", "turn.first_event.service", "turn.completion", "event.gap"))
    wanted = {
        "connections.ready.peak": "> 3",
        "rates.events_received_per_s": "> 20/s",
        "turn.first_event.p95": "< 100ms",
        "turns.complete.ratio": ">= 99%",
        "events.lost": "== 0",
    }
    run = judge_run(
        manifest(wanted),
        good_totals(acked, {**metrics, "turn.completion.service": None}, instants={"first_attempt": 0}),
    )
    assert [row_["outcome"] for row_ in run["verdict"]["thresholds"]] == [
        "held",
        "missed",
        "missed",
        "missed",
        "not_measured",
        "held",
    ]
    never = run["verdict"]["thresholds"][2]
    assert never["measured"] is None
    assert never["unbounded"]
    assert never["reason"] == "100 % of 40 turns due had no first event"
    assert run["verdict"]["exit_code"] == 1


def test_an_instant_echo_under_a_coarse_clock_is_held_by_its_bound_and_never_zero() -> None:
    instant = dict.fromkeys(
        ("turn.first_event", "turn.first_event.service", "turn.completion", "turn.completion.service"),
        [0.0] * 40,
    )
    sums = good_totals(
        None,
        {**instant, "send.lateness": [0.0] * 40, "event.gap": None},
        instants={"first_attempt": 0, "last_ready": 0},
    )
    made = manifest({"turn.first_event.p95": ["< 100ms", "< 10ms"]}, clock__step_ns=15_600_000)
    run = judge_run(made, sums)
    assert [row_["outcome"] for row_ in run["verdict"]["thresholds"]] == ["held", "not_measured", "held"]
    assert run["metrics"]["turn.first_event"]["p95"] is None
    assert run["metrics"]["turn.first_event"]["below_resolution"]["p95"] == 15.6
    assert run["rates"]["connections_per_s"]["value"] is None
    assert "clock_step_injected" in codes(run)


@pytest.mark.parametrize("name", ["lost", "duplicate", "out_of_order", "malformed"])
def test_events_not_delivered_as_promised_fail_a_run_that_says_nothing_of_them(name: str) -> None:
    few, many = good_totals({f"events.{name}": 2}), good_totals({f"events.{name}": 3})
    assert judged(manifest(), few)["verdict"]["outcome"] == "pass"
    found = judged(manifest(), many)["verdict"]
    assert found["outcome"] == "fail"
    assert [row_["name"] for row_ in found["thresholds"] if row_["outcome"] == "missed"] == [
        f"events.{name}.ratio"
    ]
    allowed = {f"events.{name}": "< 50"}
    assert judged(manifest(allowed), many)["verdict"]["outcome"] == "pass"
    off = judged(manifest({f"events.{name}.ratio": "none"}), many)["verdict"]
    assert off["outcome"] == "pass"
    assert len(off["thresholds"]) == 1


def test_users_whose_tasks_sent_no_turn_need_none_complete() -> None:
    ends = {"scenario__settings__protocol": {"events": {"end": ["done"]}}}
    sent_none = {"turns.due": 0, "turns.begun": 0, "turns.complete": 0, "events.matched": 0}
    by_tasks = manifest(load__planned__by_tasks=True, load__planned__turns_due=None, **ends)
    found = judged(by_tasks, good_totals(sent_none))["verdict"]
    assert [row_["name"] for row_ in found["thresholds"]] == ["connections.ready.ratio"]
    found = judged(by_tasks, good_totals({"turns.complete": 30, "turns.failed": 10}))["verdict"]
    assert found["exit_code"] == 1


def test_a_default_on_delivery_judges_what_was_seen() -> None:
    cut = {"turns.complete": 30, "turns.timed_out": 10, "events.lost": 1}
    found = judged(manifest({"turns.complete.ratio": ">= 70%"}), good_totals(cut))["verdict"]
    assert found["outcome"] == "pass"
    wild = {"turns.misnumbered_by.gap_too_wide": 1, "events.duplicate": 90}
    assert judged(manifest(), good_totals(wild))["verdict"]["outcome"] == "fail"
