"""What reports say of a run of several populations: each of them alone, beside the whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.judge.judge_run import judge_run
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.benchmark import benchmark
from loadtest.show.build_report import load_text
from loadtest.show.counter_table import ledgers
from loadtest.show.metric_table import Footnotes, metric_groups
from loadtest.show.short_run import short_document
from tests.judge.made import good_turns
from tests.judge.test_populations import ASKERS, asking, listening, totals, two


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    return judge_run(two(), totals(), good_turns(), None)


def rows(manifest: dict[str, Any]) -> dict[str, str]:
    groups = metric_groups(manifest, Footnotes())
    return {row.name: row.label for group in groups for row in group.metrics}


def test_where_all_samples_are_of_one_population_its_row_says_it_all(run: dict[str, Any]) -> None:
    found = rows(run)
    assert found["turn.completion[askers]"] == "completion, askers"
    assert "turn.completion" not in found
    assert found["ping.rtt[listeners]"] == "ping, listeners"


def test_counters_are_told_by_population_but_for_parts_of_a_run(run: dict[str, Any]) -> None:
    by_title = {each.title: {row.label: row.value for row in each.counts} for each in ledgers(run)}
    assert by_title["Population listeners"]["ready"] == "100"
    assert by_title["Population askers"]["complete"] == "40"
    assert "due" not in by_title["Population listeners"], "they send nothing"
    part = {**run, "part": {"from_s": 0, "to_s": 2}}
    assert not [each for each in ledgers(part) if each.title.startswith("Population")]


def test_the_load_is_told_of_all_and_of_each(run: dict[str, Any]) -> None:
    told = load_text(run)
    assert told.startswith("open model, 104 connections, 10 s measured; askers: open model, 4 connections")
    assert "listeners: open model, 100 connections" in told


def test_our_own_delays_are_no_benchmark_of_a_population_either(run: dict[str, Any]) -> None:
    names = [row["name"] for row in json.loads(benchmark(run))]
    assert any("turn.completion[askers] p50" in name for name in names)
    assert not [name for name in names if "lateness" in name or "receive.lag" in name]


def test_the_screen_has_the_times_of_each_population_that_sends() -> None:
    others = listening()
    times = Histogram()
    times.record([5_000_000] * 30)
    others.histograms |= {"turn.completion": times, "turn.first_event": times}
    machines = {**ASKERS, "name": "listeners"}
    made = judge_run(
        two(scenario__settings__population=[ASKERS, machines]), totals(asking(), others), good_turns(), None
    )
    document = short_document(made, {})
    labels = [row.cells[0] for part in document.sections for table in part.tables for row in table.rows]
    assert "completion, askers" in labels
    assert "completion, listeners" in labels
    assert "completion" not in labels


def test_how_well_clocks_agree_stands_beside_deliveries(run: dict[str, Any]) -> None:
    assert Interval(0).copies.shape == (0, 5)
    trips = {f"worker {n}": {"round_trip_ms": trip} for n, trip in enumerate((0.5, 3.0, None))}
    metric = run["metrics"]["turn.completion"]
    made = {**run, "metrics": {"delivery.time": metric}, "observed": [{"code": "workers", "numbers": trips}]}
    (group,) = metric_groups(made, Footnotes())
    assert "measured across 3 processes, whose clocks differ by at most 1.5 ms" in group.meaning
    (alone,) = metric_groups({**made, "observed": []}, Footnotes())
    assert "clocks" not in alone.meaning
