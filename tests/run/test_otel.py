"""What is told to a collector, without one: the SDK's data, and what happens where it does not answer."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.trace_parent import trace_ids
from loadtest.run.otel import MAX_SPANS, OtelExport, exporter_session
from loadtest.show.metric_families import ExportedRun

START_NS = 1_700_000_000_000_000_000


def log(seq: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "kind": "slowest",
        "seq": seq,
        "user": 3,
        "turn": f"turn-{seq}",
        "outcome": "complete",
        "reason": "",
        "intended_ns": 1_000,
        "sent_ns": 2_000,
        "first_ns": 3_000,
        "done_ns": 9_000,
        "frames": [[1, "hush"]],
        **more,
    }


class Exporter:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.taken: list[Any] = []

    def export(self, what: Any) -> Any:
        if self.fails:
            raise ConnectionError("refused")
        self.taken.append(what)
        return type("Result", (), {"name": "SUCCESS"})


def made(*logs: dict[str, Any], fails: bool = False) -> tuple[OtelExport, Exporter, Exporter]:
    totals = Totals()
    interval = Interval(second=0, counters={"measured": {"turns.due": 5}}, frames=list(logs))
    totals.add(interval)
    exported = ExportedRun({"id": "r1", "label": "v1"}, totals, tuple)
    otel = OtelExport(
        exported, "http://127.0.0.1:1", lambda: START_NS, lambda text: text.replace("hush", "[redacted]")
    )
    otel._metrics, otel._traces = metrics, traces = Exporter(fails=fails), Exporter(fails=fails)  # type: ignore[assignment]  # stand-ins
    otel.take(interval)
    otel.start()
    otel.over()
    return otel, metrics, traces


def test_a_turn_is_a_span_under_its_own_ids_and_holds_nothing_of_what_was_said() -> None:
    broken = log(1, outcome="failed", reason="hush happened", turn_kind="ask", first_ns=None, done_ns=None)
    _, metrics, traces = made(
        log(), broken, {"kind": "foreign", "user": 1, "frames": []}, log(2, sent_ns=None)
    )
    (spans,) = traces.taken
    assert [span.name for span in spans] == ["turn", "turn ask"]
    first, second = spans
    ids = trace_ids("r1", "turn-0")
    assert (first.context.trace_id, first.context.span_id) == ids
    assert (first.start_time, first.end_time) == (START_NS + 1_000, START_NS + 9_000)
    assert [(event.name, event.timestamp - START_NS) for event in first.events] == [
        ("sent", 2_000),
        ("first event", 3_000),
    ]
    assert first.links[0].context.trace_id == trace_ids("r1", "user 3").trace
    assert first.status.is_ok
    assert not second.status.is_ok
    assert second.end_time == START_NS + 2_000
    assert second.attributes["loadtest.reason"] == "[redacted] happened"
    assert "hush" not in str([span.to_json() for span in spans])
    (data,) = metrics.taken
    (resource,) = data.resource_metrics
    assert resource.resource.attributes["loadtest.label"] == "v1"
    by_name = {each.name: each for each in resource.scope_metrics[0].metrics}
    (point,) = by_name["loadtest_turns_due"].data.data_points
    assert (point.value, point.attributes["run"], point.start_time_unix_nano) == (5, "r1", START_NS)
    assert by_name["loadtest_turns_due"].data.is_monotonic


def test_a_collector_that_is_down_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    otel, _, _ = made(log(), fails=True)
    assert (otel.exports, otel.failed) == (1, 1)
    assert "did not accept 1 of 1 exports" in capsys.readouterr().err


def test_more_turns_than_can_wait_are_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, traces = made(*(log(seq) for seq in range(MAX_SPANS + 7)))
    assert len(traces.taken[0]) == MAX_SPANS
    assert "7 slow turns were not exported, because there were too many" in capsys.readouterr().err


def test_before_the_start_nothing_is_exported() -> None:
    otel = OtelExport(ExportedRun({}, Totals(), tuple), "http://127.0.0.1:1", lambda: None)
    otel.start()
    otel.over()
    assert otel.exports == 0


@pytest.mark.parametrize(("status", "taken"), [(200, True), (202, True), (307, False), (404, False)])
def test_only_a_success_of_the_collector_counts_as_taken(*, status: int, taken: bool) -> None:
    class Collector(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # one of its uses
            answer = requests.Response()
            answer.status_code, answer.request, answer.url = status, request, str(request.url)
            answer.headers["Location"] = "http://127.0.0.1:1/elsewhere"
            answer.raw = io.BytesIO()
            return answer

        def close(self) -> None:
            pass

    session = exporter_session()
    session.mount("http://", Collector())
    exporter = OTLPMetricExporter(endpoint="http://127.0.0.1:1/v1/metrics", session=session, timeout=1)
    _, metrics, _ = made()
    assert OtelExport._sent(exporter, metrics.taken[0]) is taken
