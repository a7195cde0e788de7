"""One run of two workers, seen from outside: by a real Prometheus, and by a collector of OpenTelemetry."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtest.plan.trace_parent import trace_ids
from loadtest.show.metric_families import BOUNDS_S
from tests.end_to_end.collector import Collector, collector
from tests.end_to_end.conftest import launcher
from tests.end_to_end.parts import free_port
from tests.end_to_end.prometheus import PROMETHEUS, PROMTOOL, Prometheus, scraping
from tests.end_to_end.running import Ended

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        PROMETHEUS is None, reason="no prometheus is installed (Debian's package of that name)"
    ),
]

SCENARIO = """
# Is the same told to everybody?
name = "exported"
protocol = "agent-events"
[target]
url = "simulator"
faults = ["stream=60ms", "cut=0.01", "refuse=503,0.2"]
headers = { traceparent = "{trace.parent}" }
[target.health]
pid = "simulator"
[[target.health.metrics]]
name = "due"
url = "http://127.0.0.1:PORT/metrics"
series = "loadtest_turns_due_total"
rate = true
[load]
connections = 20
warmup = "2s"
duration = "10s"
[load.reconnect]
initial_delay = "100ms"
[traffic]
every = "250ms"
timeout = "5s"
[thresholds]
"turn.completion.p95" = "< 2s"
"turns.complete.ratio" = ">= 50%"
"connections.ready.ratio" = ">= 50%"
"target.cpu.max" = "< 0.1%"
"target.due.max" = "> 1"
"""

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy/grafana/dashboards/loadtest.json"


@dataclass
class Seen:
    ended: Ended
    prometheus: Prometheus
    collector: Collector
    empty: list[str]
    exposition: str


def queries() -> Iterator[str]:
    """Every query of the dashboard, with what Grafana would fill in."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$run", ".*").replace("$__rate_interval", "10s")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder, port = tmp_path_factory.mktemp("exported"), free_port()
    scenario = folder / "exported.toml"
    scenario.write_text(SCENARIO.replace("PORT", str(port)))
    with scraping(port, folder) as prometheus, collector() as otel:
        runs = launcher(folder / "runs")
        launch = next(runs)
        run = launch(
            "run", scenario, "--processes", "2", "--prometheus", f"127.0.0.1:{port}", f"--otel={otel.url}"
        )
        run.until(lambda: run.written_seconds() >= 11)
        empty = [expression for expression in queries() if not prometheus.query(expression)]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            exposition = answer.read().decode()
        yield Seen(run.end(), prometheus, otel, empty, exposition)
        runs.close()


def test_every_query_of_the_dashboard_has_data(seen: Seen) -> None:
    assert seen.empty == []


def test_the_exposition_is_as_promtool_wants_it(seen: Seen) -> None:
    assert PROMTOOL
    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=seen.exposition, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def bucket(seconds: float) -> int:
    return bisect_left(BOUNDS_S, seconds)


def test_percentiles_of_prometheus_lie_in_the_bucket_of_run_json(seen: Seen) -> None:
    metrics = seen.ended.manifest["metrics"]
    for metric in ("turn.first_event", "turn.completion", "event.gap", "turn.completion.service"):
        name = f"loadtest_{metric.replace('.', '_')}_seconds_bucket"
        for key, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            of_all = f'max_over_time({name}{{phase="measured"}}[5m])'
            found = seen.prometheus.value(f"histogram_quantile({part}, sum by (le) ({of_all}))")
            assert abs(bucket(found) - bucket(metrics[metric][key] / 1e3)) <= 1, (metric, key)
        counted = f'max_over_time({name}{{phase="measured",le="+Inf"}}[5m])'
        assert seen.prometheus.value(counted) == metrics[metric]["n"]


def test_the_last_scrape_has_the_counts_of_run_json(seen: Seen) -> None:
    counts = seen.ended.manifest["counts"]
    for group, key in (("turns", "due"), ("turns", "complete"), ("events", "received"), ("turns", "lost")):
        found = seen.prometheus.value(f"max_over_time(loadtest_{group}_{key}_total[5m])")
        assert found == counts[group][key], (group, key)
    assert seen.ended.manifest["generator"]["processes"] == 2


def test_the_collector_has_the_same_numbers(seen: Seen) -> None:
    manifest, told = seen.ended.manifest, seen.collector.metrics
    assert seen.collector.exports >= 2
    assert seen.collector.resource["service.name"] == "loadtest"
    assert seen.collector.resource["loadtest.run"] == manifest["id"]
    (due,) = told["loadtest_turns_due"].sum.data_points
    assert (due.as_double or due.as_int) == manifest["counts"]["turns"]["due"]
    points = told["loadtest_turn_completion_seconds"].histogram.data_points
    (measured,) = [
        each for each in points if any(one.value.string_value == "measured" for one in each.attributes)
    ]
    assert measured.count == sum(measured.bucket_counts) == manifest["metrics"]["turn.completion"]["n"]
    assert list(measured.explicit_bounds) == list(BOUNDS_S)


def test_slow_and_broken_turns_are_spans_under_the_ids_that_the_target_was_told(seen: Seen) -> None:
    run, spans = seen.ended.manifest["id"], seen.collector.spans
    assert spans
    for span in spans:
        told: dict[str, Any] = {one.key: one.value for one in span.attributes}
        ids = trace_ids(run, told["loadtest.turn"].string_value)
        assert int.from_bytes(span.trace_id) == ids.trace
        assert int.from_bytes(span.span_id) == ids.span
        assert span.end_time_unix_nano >= span.start_time_unix_nano
        user = trace_ids(run, f"user {told['loadtest.user'].int_value}")
        assert int.from_bytes(span.links[0].trace_id) == user.trace
    assert {one.status.code for one in spans} == {1, 2}


def test_the_targets_cpu_is_shown_and_a_threshold_on_it_missed(seen: Seen) -> None:
    manifest = seen.ended.manifest
    outcomes = {each["name"]: each for each in manifest["verdict"]["thresholds"]}
    assert outcomes["target.cpu.max"]["outcome"] == "missed"
    assert outcomes["target.cpu.max"]["measured"] > 0
    assert outcomes["target.due.max"]["outcome"] == "held"
    assert seen.ended.code == 1
    health = manifest["health"]
    assert health["cpu"]["n"] >= 9
    assert health["memory"]["mean"] > 1e6
    head, *rows = (seen.ended.folder / "timeline.csv").read_text().splitlines()
    cpu = head.split(",").index("target.cpu")
    assert sum(bool(re.fullmatch(r"\d+\.\d+", row.split(",")[cpu])) for row in rows) >= 9
