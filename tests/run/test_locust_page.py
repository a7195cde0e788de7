"""What stands on Locust's own page of a run: failures in words, thresholds, times, the report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flask import Flask, jsonify

from loadtest.judge.live_thresholds import ThresholdSoFar
from loadtest.judge.threshold_measurement import Measurement
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from loadtest.run.locust_page import MAX_ERRORS, LocustPage, failures_of
from loadtest.show.live_run import LiveRun


class StandIn:
    """Locust's record of one kind of failure: to import it would patch the standard library."""

    def __init__(self, method: str, name: str, error: str, occurrences: int, first_seen: float) -> None:
        self.method, self.name, self.error = method, name, error
        self.occurrences, self.first_seen, self.last_seen = occurrences, first_seen, first_seen


@pytest.fixture
def environment() -> Any:
    app = Flask("stand-in")
    app.add_url_rule("/stats/requests", "stats", lambda: jsonify({"stats": []}))
    app.add_url_rule("/exceptions", "exceptions", lambda: jsonify({"exceptions": []}))
    web = SimpleNamespace(app=app, template_args={"version": "1"}, auth_required_if_enabled=lambda view: view)
    return SimpleNamespace(web_ui=web, stats=SimpleNamespace(errors={}), host=None)


@pytest.fixture
def recording(tmp_path: Path) -> Any:
    totals = Totals()
    histogram = Histogram()
    histogram.record(np.arange(1, 51) * 1_000_000)
    totals.add(Interval(0, histograms={"turn.first_event": histogram}))
    missed = ThresholdSoFar(parse_threshold("turns.lost", "< 1"), Measurement(3.0, 9), "missed")
    unknown = ThresholdSoFar(
        parse_threshold("event.gap.p95", "< 1s"), Measurement(None, 0, "no gap"), "not_measured"
    )
    return SimpleNamespace(
        folder=SimpleNamespace(path=tmp_path),
        redactor=SimpleNamespace(text=lambda text: text.replace("hush", "[redacted]")),
        thresholds_so_far=lambda: (missed, unknown),
        totals=totals,
        watchers=[],
    )


def test_failures_are_told_in_words_with_what_they_are_of() -> None:
    counters = {
        "warmup": {"turns.lost": 2, "turns.lost_by.code 1006": 1},
        "measured": {
            "turns.lost": 1,
            "turns.timed_out": 4,
            "turns.failed_by.agent_failed": 2,
            "turns.failed": 2,
        },
        "drain": {"connections.refused.tcp": 3, "connections.closed.1006": 1, "connections.ready": 9},
    }
    assert sorted(failures_of(Interval(0, counters=counters))) == [
        ("connection", "closed by the target with 1006", 1),
        ("connection", "refused at tcp", 3),
        ("turn", "failed: agent failed", 2),
        ("turn", "lost", 2),
        ("turn", "lost: code 1006", 1),
        ("turn", "timed out", 4),
    ]


def test_a_run_is_shown_with_failures_thresholds_and_times(
    environment: Any, recording: Any, tmp_path: Path
) -> None:
    page = LocustPage(environment, StandIn)
    assert environment.web_ui.template_args["version"] == "1"
    assert len(environment.web_ui.template_args["extended_tabs"]) == 2
    client = environment.web_ui.app.test_client()
    assert client.get("/stats/requests").json == {"stats": []}
    assert client.get("/loadtest/report").status_code == 404
    page.show(recording, "ws://user:hush@h/ws", LiveRun({}, Totals(), tuple))
    assert "hush" not in environment.host
    (take,) = recording.watchers
    many = {f"turns.failed_by.reason {n}": 1 for n in range(MAX_ERRORS + 50)}
    take(Interval(0, counters={"measured": {"turns.lost_by.hush": 1}}))
    for second in (1, 2):
        take(Interval(second, counters={"measured": {"turns.lost_by.hush": 2} | many}))
    told = {each.error: each.occurrences for each in environment.stats.errors.values()}
    assert told["lost: [redacted]"] == 5
    assert len(told) == MAX_ERRORS
    thresholds, times = client.get("/stats/requests").json["extended_stats"]
    assert [(row["measured"], row["outcome"], row["reason"]) for row in thresholds["data"]] == [
        ("3", "missed", ""),
        ("–", "not measured", "no gap"),
    ]
    (row,) = times["data"]
    assert (row["name"], row["n"], row["p50"], row["p99"]) == ("turn.first_event", "50", "25 ms", "–")
    assert "extended_stats" not in client.get("/exceptions").json
    (tmp_path / "report.html").write_text("<p>the report</p>")
    assert client.get("/loadtest/report").data == b"<p>the report</p>"


def test_the_live_page_is_linked_and_served_below_locusts_page(
    environment: Any, recording: Any, tmp_path: Path
) -> None:
    page = LocustPage(environment, StandIn)
    page.over()
    page.reported()
    (link, _) = environment.web_ui.template_args["extended_csv_files"]
    assert link["href"] == "./loadtest/live/"
    client = environment.web_ui.app.test_client()
    assert client.get("/loadtest/live/").status_code == 404
    live = LiveRun({"id": "r1"}, Totals(), tuple)
    live.add(Interval(second=0, gauges={"ready": 3.0}))
    page.show(recording, "ws://h/ws", live)
    shown = client.get("/loadtest/live/")
    assert b'<script src="live.js">' in shown.data
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert b"api/live" in client.get("/loadtest/live/live.js").data
    assert client.get("/loadtest/live/api/live").json["columns"]["ready"] == [3.0]
    assert client.get("/loadtest/live/api/live?since=1").json["columns"]["ready"] == []
    assert client.get("/loadtest/live/elsewhere").status_code == 404
    stops: list[bool] = []
    environment.runner = SimpleNamespace(stop=lambda: stops.append(True))
    assert client.post("/loadtest/live/stop").json == {"stopping": True}
    assert stops == [True]
    page.over()
    assert client.get("/loadtest/live/api/live").json["state"] == "judging"
    page.reported()
    (tmp_path / "report.html").write_text("<p>the report</p>")
    assert client.get("/loadtest/live/api/live").json["state"] == "ended"
    assert client.get("/loadtest/live/report").data == b"<p>the report</p>"


def test_without_a_page_nothing_is_added(environment: Any, recording: Any) -> None:
    environment.web_ui = None
    LocustPage(environment, StandIn).show(recording, "ws://h/ws", LiveRun({}, Totals(), tuple))
    assert environment.host == "ws://h/ws"
