from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from sample import SampleRun

from loadtest import catalog
from loadtest.judge.live_thresholds import ThresholdSoFar, thresholds_so_far
from loadtest.judge.threshold_measurement import Measurement
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from loadtest.show.metric_families import (
    BOUNDS_NS,
    BOUNDS_S,
    MAX_LABELS,
    Buckets,
    ExportedRun,
    Family,
    buckets_of,
)
from loadtest.show.render.exposition import exposition

Sample = Callable[[str], SampleRun]


def exported(totals: Totals, manifest: dict[str, Any] | None = None, **more: Any) -> dict[str, Family]:
    return {each.name: each for each in ExportedRun(manifest or {}, totals, tuple, **more).families()}


def totals_of(*intervals: Interval) -> Totals:
    totals = Totals()
    for interval in intervals:
        totals.add(interval)
    return totals


@given(st.lists(st.integers(0, 70_000_000_000), min_size=1))
def test_every_value_is_in_the_bucket_that_holds_it(values: list[int]) -> None:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    found = buckets_of(histogram)
    assert found.cumulated[-1] == len(values)
    assert list(found.cumulated) == sorted(found.cumulated)
    for bound, n in zip(BOUNDS_NS, found.cumulated, strict=False):
        # A value counts as the highest equivalent one: up to a thousandth higher.
        assert sum(value * 1.001 + 1 <= bound for value in values) <= n <= sum(v <= bound for v in values)
    assert found.sum_s == pytest.approx(sum(values) / 1e9)
    assert (found.min_s, found.max_s) == (min(values) / 1e9, max(values) / 1e9)


def test_bounds_are_close_enough_to_tell_percentiles() -> None:
    assert all(1 < b / a <= 1.67 for a, b in pairwise(BOUNDS_NS))
    assert (BOUNDS_S[0], BOUNDS_S[-1]) == (0.0005, 50.0)


def test_the_numbers_are_those_of_the_run(sample: Sample) -> None:
    run = sample("failed")
    totals = Totals()
    for interval in run.intervals():
        totals.add(interval)
    found = exported(totals, run.manifest)
    assert found["loadtest_turns_complete"].samples == (({}, totals.count("turns.complete")),)
    refused = {labels["layer"]: n for labels, n in found["loadtest_connections_refused"].samples}
    assert refused["upgrade"] == 3
    assert refused["tcp"] == 0
    assert found["loadtest_connections_closed"].samples == (({"close_code": "1006"}, 2),)
    by_phase = {labels["phase"]: each for labels, each in found["loadtest_turn_completion_seconds"].samples}
    measured = by_phase["measured"]
    assert isinstance(measured, Buckets)
    metric = run.manifest["metrics"]["turn.completion"]
    assert measured.cumulated[-1] == metric["n"]
    rank = int(np.ceil(0.95 * metric["n"]))
    bucket = bisect_left(measured.cumulated, rank)
    assert bucket == bisect_left(BOUNDS_S, metric["p95"] / 1e3)


def test_names_are_declared_once_and_have_base_units() -> None:
    every = {each.name: 3 for each in catalog.COUNTERS if not each.by}
    split = {f"{each.name}.x": 1 for each in catalog.COUNTERS if each.by}
    histograms = {}
    for each in catalog.METRICS:
        histograms[each.name] = Histogram()
        histograms[each.name].record(np.array([1_000_000]))
    gauges = {each.name: 1.0 for each in catalog.GAUGES}
    totals = totals_of(
        Interval(0, counters={"measured": every | split}, gauges=gauges, histograms=histograms)
    )
    families = list(ExportedRun({}, totals, tuple).families())
    names = [each.name for each in families]
    assert len(names) == len(set(names))
    text = b"".join(exposition(each, {"run": "r"}) for each in families).decode()
    parsed = {each.name: each for each in text_string_to_metric_families(text)}
    assert set(parsed) == set(names)
    assert all(name.startswith("loadtest_") for name in names)
    assert all(each.documentation.endswith(".") for each in parsed.values())
    assert "loadtest_sent_bytes" in names
    assert not [name for name in names if "_ms" in name or "_ns" in name or "percent" in name]
    assert "loadtest_turn_first_event_seconds_bucket" in text


def test_what_was_not_measured_has_no_sample() -> None:
    found = exported(Totals(), {"unmeasured": {"lost": "no numbers"}})
    assert "loadtest_events_lost" not in found
    assert "loadtest_events_received" in found
    assert not [name for name in found if name.endswith("_seconds") and name != "loadtest_elapsed_seconds"]
    assert not [name for name in found if "target" in name or "cpu" in name or "threshold" in name]


def test_labels_of_the_target_are_bounded_redacted_and_printable() -> None:
    many = {f"turns.failed_by.reason {n}": 1 for n in range(50)} | {"turns.lost_by.sec\x1bret": 2}
    totals = totals_of(Interval(0, counters={"measured": many}))
    run = ExportedRun({}, totals, tuple, lambda text: text.replace("sec", "[redacted]"))
    by_name = {each.name: each for each in run.families()}
    failed = {labels["reason"]: n for labels, n in by_name["loadtest_turns_failed_by"].samples}
    assert len(failed) == MAX_LABELS + 1
    assert failed["other"] == 50 - MAX_LABELS
    assert by_name["loadtest_turns_lost_by"].samples == (({"reason": "[redacted]\\x1bret"}, 2),)
    totals.add(Interval(1, counters={"measured": {"turns.failed_by.a later one": 5}}))
    later = {each.name: each for each in run.families()}["loadtest_turns_failed_by"]
    again = {labels["reason"]: n for labels, n in later.samples}
    assert {name: n for name, n in again.items() if name != "other"} == {
        name: n for name, n in failed.items() if name != "other"
    }
    assert again["other"] == failed["other"] + 5


def test_kinds_and_phases_are_labels_of_families_of_their_own() -> None:
    histograms = {}
    for tag in (
        "turn.completion",
        "turn.completion[ask]",
        "warmup:turn.completion",
        "drain:turn.completion[ask]",
    ):
        histograms[tag] = Histogram()
        histograms[tag].record(np.array([5_000_000]))
    counters = {"measured": {"turns.due": 3, "turns.due[ask]": 2}}
    found = exported(totals_of(Interval(0, histograms=histograms, counters=counters)))
    phases = [labels for labels, _ in found["loadtest_turn_completion_seconds"].samples]
    assert phases == [{"phase": "warmup"}, {"phase": "measured"}]
    of_kind = [labels for labels, _ in found["loadtest_turn_completion_by_kind_seconds"].samples]
    assert of_kind == [{"phase": "measured", "kind": "ask"}, {"phase": "drain", "kind": "ask"}]
    assert found["loadtest_turns_due"].samples == (({}, 3),)
    assert found["loadtest_turns_due_by_kind"].samples == (({"kind": "ask"}, 2),)


def test_populations_are_a_label_of_families_of_their_own_and_no_kind() -> None:
    histograms = {}
    for tag in (
        "turn.completion",
        "turn.completion[askers]",
        "warmup:turn.completion[askers]",
        "turn.completion[ask]",
        "turn.completion[askers/ask]",
        "prepare.time[login]",
        "conversation.time[support]",
    ):
        histograms[tag] = Histogram()
        histograms[tag].record(np.array([5_000_000]))
    counters = {"measured": {"turns.due": 3, "[askers]turns.due": 2, "[askers]turns.due[ask]": 2}}
    settings = {"population": [{"name": "askers"}, {"name": "listeners"}]}
    found = exported(
        totals_of(Interval(0, histograms=histograms, counters=counters)),
        {"scenario": {"settings": settings}},
    )
    kinds = [labels for labels, _ in found["loadtest_turn_completion_by_kind_seconds"].samples]
    assert kinds == [{"phase": "measured", "kind": "ask"}]
    of_all = [labels for labels, _ in found["loadtest_turn_completion_by_population_seconds"].samples]
    assert of_all == [
        {"phase": "warmup", "population": "askers"},
        {"phase": "measured", "population": "askers"},
    ]
    assert found["loadtest_turns_due_by_population"].samples == (({"population": "askers"}, 2),)
    assert found["loadtest_prepare_time_by_kind_seconds"].help.endswith("phase of the run and step")
    assert found["loadtest_conversation_time_by_kind_seconds"].help.endswith("and conversation")


def test_gauges_are_of_the_last_second_in_base_units() -> None:
    gauges = {"ready": 4.0, "loop_lag_ns": 2_500_000.0, "target.cpu": 0.5, "target.queue": 7.0}
    found = exported(totals_of(Interval(0, gauges={"ready": 1.0, "cpu": 0.5}), Interval(1, gauges=gauges)))
    assert found["loadtest_ready_connections"].samples == (({}, 4.0),)
    assert found["loadtest_generator_loop_lag_seconds"].samples == (({}, 0.0025),)
    assert found["loadtest_target_cpu_cores"].samples == (({}, 0.5),)
    assert found["loadtest_target_value"].samples == (({"name": "queue"}, 7.0),)
    assert "loadtest_generator_cpu_ratio" not in found


def test_a_threshold_that_is_not_measured_neither_holds_nor_misses(sample: Sample) -> None:
    run = sample("failed")
    totals = Totals()
    for interval in run.intervals():
        totals.add(interval)
    unknown = ThresholdSoFar(parse_threshold("turns.lost", "< 9"), Measurement(None, 0), "not_measured")
    stand = (*thresholds_so_far(run.manifest, totals), unknown)
    found = {each.name: each for each in ExportedRun(run.manifest, totals, lambda: stand).families()}
    held = {labels["threshold"]: value for labels, value in found["loadtest_threshold_held"].samples}
    measured = {labels["threshold"]: value for labels, value in found["loadtest_threshold_measured"].samples}
    assert held["turn.first_event.p95"] == 0
    assert held["connections.ready.peak"] == 1
    assert "turns.lost" not in held
    assert measured["turns.lost"] == 0


def test_the_exposition_escapes_and_leaves_empty_labels_out() -> None:
    family = Family("loadtest_odd", "what is odd", "counter", "", (({"reason": 'a "b"\\\nc'}, 2),))
    assert exposition(family, {"run": "r", "label": ""}).decode() == (
        "# HELP loadtest_odd_total What is odd.\n# TYPE loadtest_odd_total counter\n"
        'loadtest_odd_total{reason="a \\"b\\"\\\\\\nc",run="r"} 2.0\n'
    )
