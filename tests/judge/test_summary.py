from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.distribution import describe
from loadtest.judge.summary import bounds, describe_all, summarise, unmeasured_metrics
from loadtest.judge.thresholds import thresholds_of
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import METRICS
from tests.judge.made import MS, S, good_totals, good_turns, manifest, totals


def test_the_sections_of_a_good_run() -> None:
    summed = summarise(manifest(), good_totals(), good_turns())
    assert set(summed) == {
        "metrics",
        "counts",
        "rates",
        "load",
        "generator",
        "of_due",
        "burst_positions",
        "unmeasured",
    }
    assert summed["metrics"]["turn.completion"]["n"] == 40
    assert summed["load"]["planned"]["connections"] == 4
    assert summed["load"]["achieved"]["turns_per_s"] == 4.0
    assert summed["generator"]["lateness"] == summed["metrics"]["send.lateness"]
    assert summed["generator"]["cpu"]["max"] == 0.2


def test_metrics_are_of_the_measured_part_alone() -> None:
    made = totals(
        None,
        {"turn.completion": [5.0] * 10, "warmup:turn.completion": [900.0], "drain:turn.completion": [900.0]},
    )
    assert summarise(manifest(), made)["metrics"]["turn.completion"]["max"] < 6


def test_percentiles_that_thresholds_or_abort_rules_name_are_given() -> None:
    made = manifest(
        {"turn.completion.p75": "< 1s", "turns.complete": "> 1"},
        scenario__settings__abort={"turn.completion.p80": "> 9s", "after": "1s"},
    )
    metric = summarise(made, good_totals())["metrics"]["turn.completion"]
    assert metric["p75"] is not None
    assert metric["p80"] is not None


def test_only_the_metrics_asked_for_are_described() -> None:
    assert set(describe_all(manifest(), good_totals(), {"turn.completion"})) == {"turn.completion"}


def test_above_one_percent_coalesced_first_events_are_upper_bounds_and_gaps_approximate() -> None:
    some = summarise(manifest(), good_totals({"events.coalesced": 3}, {"event.gap": None}))["metrics"]
    gaps = {"event.gap": [2.0] * 40}
    assert summarise(manifest(), good_totals({"events.coalesced": 3}, gaps))["metrics"]["event.gap"][
        "approximate"
    ]
    assert {name for name in some if some[name].get("upper_bound")} == {
        "turn.first_event",
        "turn.first_event.service",
    }
    few = summarise(manifest(), good_totals({"events.coalesced": 2}))["metrics"]
    assert not any(metric.get("upper_bound") for metric in few.values())


def test_percentiles_beyond_which_less_lies_than_is_bounded_are_upper_bounds() -> None:
    sums = good_totals({"turns.first_coalesced": 1, "turns.end_coalesced": 3})
    metrics = summarise(manifest({"turn.completion.p97": "< 1s"}), sums)["metrics"]
    # Of 40 turns 1 is 2.5 %, and 3 are 7.5 %; p99 is not supported.
    assert metrics["turn.first_event"]["bounds"] == ["max", "max_exact"]
    assert metrics["turn.completion"]["bounds"] == ["p95", "p97", "max", "max_exact"]
    assert metrics["turn.completion.service"]["bounds"] == ["p95", "max", "max_exact"]
    assert metrics["event.gap"]["bounds"] == []


def test_exactly_as_many_bounded_as_lie_beyond_leave_a_percentile_alone() -> None:
    metrics = summarise(manifest(), good_totals({"turns.end_coalesced": 2}))["metrics"]
    assert metrics["turn.completion"]["bounds"] == ["max", "max_exact"]


def test_the_longest_service_time_is_an_upper_bound_where_turns_were_sent_slowly() -> None:
    made = summarise(manifest(), good_totals({"turns.slow_send": 3, "turns.end_coalesced": 3}))
    metrics = made["metrics"]
    assert made["generator"]["slow_sends"] == {"turns": 3}
    assert metrics["turn.first_event.service"]["bounds"] == ["max", "max_exact"]
    assert metrics["turn.completion.service"]["bounds"] == ["p95", "max", "max_exact"]
    assert metrics["turn.first_event"]["bounds"] == []
    assert "slow_sends" not in summarise(manifest(), good_totals())["generator"]


def test_a_percentile_that_bounded_samples_may_have_moved_is_an_upper_bound() -> None:
    histogram = Histogram()
    histogram.record(np.r_[np.full(9_850, 2 * MS), np.full(150, 4 * MS)])
    metric, spectrum = describe(histogram), histogram.spectrum()
    assert metric is not None
    # p99 is sample 9,900; the 50th before it is the last of 2 ms.
    assert bounds(metric, 49, spectrum) == ["p99_9", "max", "max_exact"]
    assert bounds(metric, 50, spectrum) == ["p99", "p99_9", "max", "max_exact"]
    # Without the samples themselves only their number counts.
    assert bounds(metric, 50) == ["p99_9", "max", "max_exact"]


def test_what_chance_alone_may_move_leaves_a_percentile_exact() -> None:
    histogram = Histogram()
    histogram.record(np.arange(1, 1_001) * MS)
    metric, spectrum = describe(histogram), histogram.spectrum()
    assert metric is not None
    # The standard error of p50 is 15.8 samples; 20 of them are 4 % of its 500 ms.
    assert "p50" not in bounds(metric, 15, spectrum)
    assert "p50" in bounds(metric, 20, spectrum)
    # p95: 6.9 samples; 8 of them are less than 1 % of its 950 ms.
    assert "p95" not in bounds(metric, 8, spectrum)
    assert bounds(metric, 0, spectrum) == []


def test_places_in_the_burst_are_upper_bounds_as_far_as_their_turns_may_have_shared_a_read() -> None:
    turns = good_turns()
    turns["position"] = np.arange(40) % 2
    sums = good_totals({"turns.end_coalesced": 2, "turns.first_coalesced": 30})
    for place in summarise(manifest(), sums, turns)["burst_positions"]:
        assert place["completion"]["bounds"] == ["p95", "max"]
        assert place["first_event"]["bounds"] == ["p50", "p95", "max"]
    turns["first_ns"] = -1
    place = summarise(manifest(), good_totals(), turns)["burst_positions"][0]
    assert place["completion"]["bounds"] == []
    assert place["first_event"]["bounds"] == []


def test_thresholds_are_read_back_from_the_settings() -> None:
    made = manifest(
        {"turn.completion.p95": ["< 1s", "> 1ms"]},
        scenario__settings__load__stages=[
            {"for": "5s", "connections": 1},
            {"for": "5s", "connections": 2, "thresholds": {"turns.complete.ratio": ">= 99%"}},
        ],
    )
    assert [(each.name, each.limit, each.stage) for each in thresholds_of(made)] == [
        ("turn.completion.p95", 1000.0, None),
        ("turn.completion.p95", 1.0, None),
        ("turns.complete.ratio", 0.99, 1),
    ]


counts = st.integers(0, 50)


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["running", "cut short", "complete"]),
    "clock__step_ns": st.just(15_600_000),
    "scenario__settings__traffic": st.none(),
    "load__planned__duration_s": st.none() | st.just(3.0),
    "load__planned__warmup_s": st.sampled_from([0.0, 2.0, 40.0]),
    "part": st.just({"from_s": 1.0, "to_s": 2.0, "turns_by": "intended"}),
    "interrupted": st.booleans(),
    "model": st.sampled_from(["open", "closed"]),
}


@st.composite
def lawful(draw: st.DrawFn) -> dict[str, int]:
    """Counters that keep the laws of the ledger."""
    ended = {f"turns.{name}": draw(counts) for name in OUTCOMES}
    begun = sum(n for name, n in ended.items() if name != "turns.not_attempted")
    ready, refused, received = draw(counts), draw(counts), draw(counts)
    counters = {
        **ended,
        "turns.begun": begun,
        "turns.due": begun + ended["turns.not_attempted"],
        "turns.numbered": draw(st.integers(0, begun)),
        "connections.attempted": ready + refused,
        "connections.established": ready,
        "connections.ready": ready,
        "connections.refused.tcp": refused,
        "events.received": received,
        "events.matched": draw(st.integers(0, received)),
        "events.coalesced": draw(st.integers(0, received)),
        "events.lost": draw(counts),
        "events.expected": draw(counts),
    }
    return {name: n for name, n in counters.items() if n}


@st.composite
def consistent(draw: st.DrawFn) -> tuple[dict[str, Any], Totals]:
    """A manifest and totals of anything from nothing to plenty."""
    counters = draw(lawful())
    names = draw(st.lists(st.sampled_from(METRICS), unique=True))
    made = totals(
        counters,
        {name: draw(st.lists(st.floats(0, 1e5), max_size=5)) for name in names},
        seconds=draw(st.integers(1, 15)),
        gauges=draw(st.sampled_from([{}, {"cpu": 0.5}, {"cpu": 0.97, "loop_lag_ns": 3e6}])),
        instants=draw(st.sampled_from([{}, {"first_attempt": 0, "last_ready": 0}, {"last_matched": 3 * S}])),
        moves=[(i, 1) for i in range(counters.get("connections.ready", 0))],
    )
    return manifest(**draw(st.fixed_dictionaries({}, optional=CHANGES))), made


def numbers(found: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(found, dict):
        return [each for key, value in found.items() for each in numbers(value, f"{path}.{key}")]
    if isinstance(found, list):
        return [each for value in found for each in numbers(value, path)]
    return [(path, found)]


@given(consistent())
def test_a_summary_is_made_of_any_totals_and_holds_no_zero_for_nothing(
    case: tuple[dict[str, Any], Totals],
) -> None:
    made, sums = case
    summed = summarise(made, sums)
    json.dumps(summed, allow_nan=False)
    for path, value in numbers({name: summed[name] for name in ("metrics", "rates")}):
        if not path.endswith(".n"):
            assert value is None or not isinstance(value, int | float) or value is True or value > 0, path
    for path, value in numbers(summed):
        assert not isinstance(value, float) or math.isfinite(value), path
    assert all(metric["n"] for metric in summed["metrics"].values())


def test_users_who_were_made_slow_have_their_times_apart() -> None:
    sums = good_totals(
        histograms={"slow:turn.completion": [900.0] * 10, "slow:warmup:turn.completion": [1.0]}
    )
    found = summarise(manifest(), sums)
    assert set(found["slow_readers"]["metrics"]) == {"turn.completion"}
    slow = found["slow_readers"]["metrics"]["turn.completion"]
    assert (slow["n"], slow["max_exact"]) == (10, 900.0)
    assert found["metrics"]["turn.completion"]["n"] == 40
    assert "slow_readers" not in summarise(manifest(), good_totals())


def test_why_no_copy_was_measured() -> None:
    def why(**more: Any) -> str:
        return unmeasured_metrics(more, {})["delivery.time"]

    assert why() == "the protocol has no `audience`"
    of_room: dict[str, Any] = {"scenario": {"settings": {"protocol": {"events": {"audience": "everybody"}}}}}
    assert why(**of_room) == "no copy was due, or none arrived, in the measured part"
    several = {"generator": {"processes": 2}}
    assert why(**of_room, **several) == why(**of_room), "ids hold {uuid} where nothing else is said"
    of_room["scenario"]["settings"]["protocol"]["turn"] = {"id": "{turn.number}"}
    assert "without {uuid} in the turn ids" in why(**of_room, **several)
    lost = [{"code": "copies_not_followed", "numbers": {"reason": "a log never came"}}]
    assert why(**of_room, observed=lost) == "copies were not followed: a log never came"
