"""A run's folder, exit code and terminal hold what the contract says, each file against the others."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from junitparser import JUnitXml

from loadtest.catalog import PERCENTILES
from loadtest.measure.interval import OUTCOMES, PHASES
from tests.end_to_end.conftest import Awaited, Begin, Launch
from tests.end_to_end.running import DRAWN, Ended, quick

FILES = {
    "run.json",
    "intervals.hlog",
    "timeline.csv",
    "turns.npy",
    "slowest.jsonl",
    "report.html",
    "report.md",
    "junit.xml",
    "benchmark.json",
    "benchmark-rates.json",
    "run.log",
    "plots",
}
KEYS = {
    "": "schema id label scenario started ended duration_s interrupted target load metrics counts rates "
    "verdict notices generator fingerprint",
    "scenario": "name path sha256 settings",
    "target": "url address tls server simulated",
    "load": "model planned achieved",
    "metrics.turn.first_event": "unit n min p50 p90 p95 p99 p99_9 max max_exact mean ci95 unsupported",
    "metrics.turn.first_event.ci95": "p50 p95 p99",
    "counts": "connections events turns bytes measured",
    "counts.connections": "attempted established ready refused closed peak",
    "counts.events": "sent received matched lost duplicate out_of_order foreign unmatched malformed "
    "unmeasured",
    "counts.turns": "due begun complete failed timed_out lost refused abandoned not_attempted",
    "counts.bytes": "sent received",
    "rates": "connections_per_s events_received_per_s events_sent_per_s turns_per_s",
    "rates.turns_per_s": "value n over_s bound reason",
    "verdict": "outcome exit_code thresholds",
    "verdict.thresholds.0": "name expression measured n outcome reason",
    "notices.0": "code message remedy numbers",
    "generator": "cpu receive_lag lateness coalesced processes limits",
    "generator.cpu": "mean max",
    "generator.coalesced": "share",
}
MEASURED = {
    "connect.tcp",
    "connect.upgrade",
    "connect.ready",
    "connect.total",
    "turn.first_event",
    "turn.completion",
    "turn.first_event.service",
    "turn.completion.service",
    "send.lateness",
    "receive.lag",
}
HIGHEST_NS = 3_600_000_000_000


@pytest.fixture(scope="module")
def runs(begin: Begin) -> dict[str, Awaited]:
    """The shipped scenario, but for its length and pace as it is; one that fails; one that reaches nobody."""
    short = ["--duration", "2s", "--set", "load.warmup=1s", "--set", "target.faults=[]"]
    # Its thresholds are the shipped ones, so that it runs before the others and not beside them.
    passed = begin("run", "agent-burst", *short, "--label", "v1.4.0", "--verbose", environment=DRAWN)
    passed.end()
    return {
        "pass": passed,
        # Its plots and page would be drawn as those of the one that passes.
        "fail": begin("run", *quick(), "--set", "thresholds.turn.first_event.p95=< 1us"),
        "unreachable": begin(
            "run", "agent-burst", *short, "--target", "ws://127.0.0.1:1/ws", "--verbose", environment=DRAWN
        ),
    }


@pytest.fixture
def passed(runs: dict[str, Awaited]) -> Ended:
    return runs["pass"].end()


def at(manifest: dict[str, Any], path: str) -> Any:
    """What stands at a path; a metric's name has dots of its own."""
    node: Any = manifest
    if path.startswith("metrics."):
        node, path = manifest["metrics"]["turn.first_event"], path.removeprefix("metrics.turn.first_event")
    for key in path.split("."):
        if key:
            node = node[int(key)] if isinstance(node, list) else node[key]
    return node


# ------------------------------------------------------------------ exit codes


@pytest.mark.parametrize(
    ("name", "code", "outcome"), [("pass", 0, "pass"), ("fail", 1, "fail"), ("unreachable", 3, "unreachable")]
)
def test_the_exit_code_is_the_verdict(runs: dict[str, Awaited], name: str, code: int, outcome: str) -> None:
    ended = runs[name].end()
    assert ended.code == code, ended.screen
    assert ended.manifest["verdict"]["exit_code"] == code
    assert ended.manifest["verdict"]["outcome"] == outcome
    assert f"exit code {code}" in ended.out


def test_a_missed_threshold_is_named(runs: dict[str, Awaited]) -> None:
    ended = runs["fail"].end()
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert rows.pop("turn.first_event.p95") == "missed"
    assert set(rows.values()) == {"held"}
    assert re.search(r"turn\.first_event\.p95 .* < 1us", ended.out)


# ------------------------------------------------------------------ the folder


@pytest.mark.parametrize("name", ["pass", "fail", "unreachable"])
def test_the_folder_has_every_file(runs: dict[str, Awaited], name: str) -> None:
    folder = runs[name].end().folder
    assert {path.name for path in folder.iterdir()} >= FILES
    assert len(list((folder / "plots").glob("*.svg"))) >= 4
    for plot in (folder / "plots").glob("*.svg"):
        ET.parse(plot)


@pytest.mark.parametrize("name", ["pass", "unreachable"])
def test_the_run_stands_in_the_index(runs: dict[str, Awaited], name: str) -> None:
    folder = runs[name].end().folder
    index = (folder.parent / "index.html").read_text("utf-8")
    assert f'href="./{folder.name}/report.html"' in index


def test_the_folder_is_named_by_time_scenario_and_label(passed: Ended) -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z-agent-burst-v1\.4\.0", passed.folder.name)
    assert passed.manifest["id"] == passed.folder.name
    assert passed.manifest["label"] == "v1.4.0"


@pytest.mark.parametrize("section", KEYS)
def test_run_json_has_every_key(passed: Ended, section: str) -> None:
    assert set(at(passed.manifest, section)) >= set(KEYS[section].split())


def test_run_json_says_what_was_run(passed: Ended) -> None:
    manifest = passed.manifest
    assert manifest["schema"] == "loadtest.run/1"
    assert manifest["interrupted"] is False
    assert manifest["started"] < manifest["ended"]
    assert 3 < manifest["duration_s"] < 30
    assert manifest["target"]["simulated"] is True
    assert "SIMULATED" in passed.out
    assert manifest["load"]["planned"]["turns_due"] == manifest["counts"]["turns"]["due"]


def test_the_counts_obey_their_laws(passed: Ended) -> None:
    whole = passed.manifest["counts"]
    for counts in (whole, whole["measured"]):
        turns = counts["turns"]
        ended = ("complete", "failed", "timed_out", "lost", "refused", "abandoned")
        assert turns["due"] == turns["begun"] + turns["not_attempted"]
        assert turns["begun"] == sum(turns[outcome] for outcome in ended)
    assert whole["measured"]["turns"]["due"] == 200
    assert whole["turns"]["due"] > 200
    assert whole["events"]["received"] == whole["events"]["matched"] == 7 * whole["turns"]["complete"]


def test_every_metric_was_measured_or_has_a_reason(passed: Ended) -> None:
    metrics = passed.manifest["metrics"]
    assert metrics.keys() >= MEASURED
    for metric in metrics.values():
        assert metric["unit"] == "ms"
        assert metric["n"] > 0
        # How many there are depends on the machine: of a single one there is no p50.
        given = {key: metric[key] for key in ("min", *PERCENTILES, "max")}
        known = [value for value in given.values() if value is not None]
        assert known == sorted(known)
        assert all(value > 0 for value in known)
        assert metric["max"] is not None
        absent = {key for key, value in given.items() if value is None}
        assert absent == {key for key, reason in metric["reasons"].items() if reason and key in given}
        assert absent >= set(metric["unsupported"])


# ------------------------------------------------------------------ the files agree


def summed(folder: Path) -> dict[str, HdrHistogram]:
    """The sum of the lines of each tag, by the reference implementation."""
    sums: dict[str, HdrHistogram] = defaultdict(lambda: HdrHistogram(1, HIGHEST_NS, 3))
    reader = HistogramLogReader(str(folder / "intervals.hlog"), HdrHistogram(1, HIGHEST_NS, 3))
    while (one := reader.get_next_interval_histogram()) is not None:
        sums[one.get_tag()].add(one)
    reader.close()
    return sums


@pytest.mark.parametrize("name", ["pass", "fail"])
def test_the_sum_of_the_lines_is_what_run_json_says(runs: dict[str, Awaited], name: str) -> None:
    ended = runs[name].end()
    sums = summed(ended.folder)
    metrics = ended.manifest["metrics"]
    assert {tag for tag in sums if ":" not in tag} == metrics.keys()
    for tag, metric in metrics.items():
        assert sums[tag].get_total_count() == metric["n"], tag
        assert sums[tag].get_value_at_percentile(100) / 1e6 == metric["max"], tag
        for key, q in (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99)):
            # Where the rank is a whole number, all ways to choose it agree.
            if metric[key] is not None and metric["n"] * q % 100 == 0:
                assert sums[tag].get_value_at_percentile(q) / 1e6 == metric[key], (tag, key)


def test_the_warm_up_is_kept_apart(passed: Ended) -> None:
    sums = summed(passed.folder)
    measured, warmup = passed.manifest["counts"]["measured"]["turns"], passed.manifest["counts"]["turns"]
    assert sums["turn.completion"].get_total_count() == measured["complete"] == 200
    assert sums["warmup:turn.completion"].get_total_count() == warmup["complete"] - 200


def test_the_turn_table_gives_the_same_percentiles(passed: Ended) -> None:
    turns = passed.turns
    measured, complete = PHASES.index("measured"), OUTCOMES.index("complete")
    counted = turns[(turns["phase"] == measured) & (turns["outcome"] == complete)]
    for name, start, end in (
        ("turn.completion", "intended_ns", "done_ns"),
        ("turn.completion.service", "sent_ns", "done_ns"),
        ("turn.first_event", "intended_ns", "first_ns"),
    ):
        metric = passed.manifest["metrics"][name]
        exact = np.sort(counted[end] - counted[start]) / 1e6
        assert len(exact) == metric["n"]
        for key, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            assert metric[key] == pytest.approx(exact[math.ceil(q * len(exact)) - 1], rel=1e-3)
        assert metric["max_exact"] == pytest.approx(exact[-1])
        assert metric["mean"] == pytest.approx(exact.mean())


def test_the_turn_table_is_complete_and_sorted(passed: Ended) -> None:
    turns, counts = passed.turns, passed.manifest["counts"]
    assert turns["seq"].tolist() == list(range(counts["turns"]["due"]))
    assert turns["events"].sum() == counts["events"]["matched"]
    begun = turns[turns["sent_ns"] >= 0]
    assert (begun["intended_ns"] <= begun["sent_ns"]).all()
    assert (begun["sent_ns"] <= begun["first_ns"]).all()
    assert (begun["first_ns"] <= begun["done_ns"]).all()


def test_the_timeline_adds_up(passed: Ended) -> None:
    rows = list(csv.DictReader(io.StringIO((passed.folder / "timeline.csv").read_text())))
    counts = passed.manifest["counts"]
    assert [int(row["second"]) for row in rows] == list(range(len(rows)))
    assert len(rows) >= 3
    for column, expected in (
        ("events_out", counts["events"]["sent"]),
        ("events_in", counts["events"]["received"]),
        ("turns_complete", counts["turns"]["complete"]),
        ("turn.completion.n", counts["turns"]["complete"]),
    ):
        assert sum(int(row[column]) for row in rows) == expected, column
    for row in rows:
        empty = row["turn.completion.n"] == "0"
        assert (row["turn.completion.p50_ms"] == "") is empty
    assert max(int(row["connections_ready"]) for row in rows) == 20


@pytest.mark.parametrize(
    ("name", "failures", "errors"), [("pass", 0, 0), ("fail", 1, 0), ("unreachable", 2, 4)]
)
def test_junit_parses(runs: dict[str, Awaited], name: str, failures: int, errors: int) -> None:
    (suite,) = JUnitXml.fromfile(str(runs[name].end().folder / "junit.xml"))
    assert (suite.failures, suite.errors, suite.skipped) == (failures, errors, 0)
    assert suite.tests == 6


def test_the_benchmark_files_repeat_run_json(passed: Ended) -> None:
    durations, rates = (
        json.loads((passed.folder / name).read_text()) for name in ("benchmark.json", "benchmark-rates.json")
    )
    assert all(entry.keys() == {"name", "unit", "value", "range"} for entry in [*durations, *rates])
    (p95,) = [entry for entry in durations if "turn.first_event p95" in entry["name"]]
    assert (p95["unit"], p95["value"]) == ("ms", passed.manifest["metrics"]["turn.first_event"]["p95"])
    (turns,) = [entry for entry in rates if "turns_per_s" in entry["name"]]
    assert turns["value"] == passed.manifest["rates"]["turns_per_s"]["value"] == pytest.approx(100)


def test_slowest_jsonl_holds_frames_of_turns_of_the_run(passed: Ended) -> None:
    lines = [json.loads(line) for line in (passed.folder / "slowest.jsonl").read_text().splitlines()]
    assert lines
    assert all("agent_completed" in json.dumps(line) for line in lines)


def test_the_stored_run_is_shown_as_it_was(passed: Ended, launch: Launch) -> None:
    again = launch("report", passed.folder).end()
    assert again.code == 0, again.screen

    def essence(text: str) -> list[str]:
        return text.partition("\n  Report ")[0].splitlines()

    assert essence(again.out) == essence(passed.out)


# ------------------------------------------------------------------ nothing measured, nothing printed


ZERO = re.compile(
    r"(?<![\d.,:_-])0(?:\.0+)?\s*(?:[nµum]?s|seconds?|/s|/min|per second|(?:connections|events|turns)/sec)\b"
)


class Words(HTMLParser):
    """The words of a page that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.seen.append(data.strip())


def texts(ended: Ended) -> Iterator[tuple[str, str]]:
    yield "terminal", ended.screen
    for path in ended.folder.rglob("*"):
        if path.suffix in {".md", ".xml", ".json", ".log", ".jsonl"}:
            yield path.name, path.read_text("utf-8")
        elif path.suffix in {".html", ".svg"}:
            words = Words()
            words.feed(path.read_text("utf-8"))
            yield path.name, " ".join(words.seen)


def test_where_nothing_was_measured_no_view_shows_a_nought(runs: dict[str, Awaited]) -> None:
    ended = runs["unreachable"].end()
    for name, text in texts(ended):
        assert not ZERO.search(text), (name, ZERO.search(text))
        assert not re.search(r"\b(?:inf|nan|Infinity|NaN)\b", text), name
    assert ended.out.count("not measured") >= 3
    assert "Not measured\n  everything else  no connection was ever ready\n" in ended.out


def test_where_nothing_was_measured_no_number_stands_in_run_json(runs: dict[str, Awaited]) -> None:
    ended = runs["unreachable"].end()
    manifest = ended.manifest
    assert all(rate["value"] is None and rate["reason"] for rate in manifest["rates"].values())
    assert all(metric["n"] and metric["p50"] != 0 for metric in manifest["metrics"].values())
    assert not any(name.startswith(("turn.", "event.")) for name in manifest["metrics"])
    assert manifest["load"]["achieved"]["turns_per_s"] is None
    for row in manifest["verdict"]["thresholds"]:
        # What is known is that nobody was let in: a count, and the share of those who were due.
        known = row["unit"] == "count" or row["name"] == "connections.ready.ratio"
        assert row["outcome"] == "not_measured" or known
        assert (row["measured"] is None) is (row["outcome"] == "not_measured")


def test_where_nothing_was_measured_the_tables_are_empty(runs: dict[str, Awaited]) -> None:
    ended = runs["unreachable"].end()
    assert summed(ended.folder).keys() <= {"connect.resolve"}
    assert json.loads((ended.folder / "benchmark.json").read_text()) == []
    assert json.loads((ended.folder / "benchmark-rates.json").read_text()) == []
    for row in csv.DictReader(io.StringIO((ended.folder / "timeline.csv").read_text())):
        assert not any(value for column, value in row.items() if re.search(r"\.p\d+_ms$", column))


def test_a_nought_would_be_found() -> None:
    assert ZERO.search("0.00 connections/sec")
    assert ZERO.search("p95 0 ms")
    assert ZERO.search("rate 0/s")
    assert not ZERO.search("10 ms, 20/s, 0 ready, 1.0 s, 100 ms")


def test_the_user_is_told_who_refused_and_why(runs: dict[str, Awaited]) -> None:
    ended = runs["unreachable"].end()
    assert "Connection refused" in ended.out
    assert "tcp" in ended.out
    assert "Connection refused" in (ended.folder / "run.log").read_text()
