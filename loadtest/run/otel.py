"""A run told to an OpenTelemetry collector by OTLP: metrics every few seconds, and slow turns as spans.

The SDK's own instruments count one event after the other; ours are sums already, so its data points are made
of them directly, and its exporters send them.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gevent

from loadtest.measure.interval import Interval
from loadtest.plan.trace_parent import of_user, trace_ids
from loadtest.show.metric_families import BOUNDS_S, Buckets, ExportedRun, Family

if TYPE_CHECKING:
    import requests
    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

EVERY_S = 5.0
"""Seconds between two exports."""

TIMEOUT_S = 4.0
"""A collector that takes longer has failed to take one export."""

MAX_SPANS = 500
"""Turns that wait to be exported; of more the oldest are left out, and told."""

NAME = "loadtest"

SPAN_TEXTS = ("reason", "turn_kind")
"""What of a frame log its span tells beside ids and outcome; never what was sent or received."""


class OtelExport:
    """Exports a run until it is over. A collector that fails costs nothing but its own numbers."""

    def __init__(
        self,
        exported: ExportedRun,
        collector: str,
        start_wall_ns: Callable[[], int | None],
        redacted: Callable[[str], str] = str,
    ) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # Its warnings would stand between the lines of the progress; what failed is told once, at the end.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exported = exported
        self._collector = collector
        self._start_wall_ns = start_wall_ns
        self._redacted = redacted
        self._metrics = OTLPMetricExporter(
            endpoint=f"{collector}/v1/metrics", timeout=TIMEOUT_S, session=exporter_session()
        )
        self._traces = OTLPSpanExporter(
            endpoint=f"{collector}/v1/traces", timeout=TIMEOUT_S, session=exporter_session()
        )
        self._turns: deque[Mapping[str, Any]] = deque(maxlen=MAX_SPANS)
        self._left_out = 0
        self.exports = self.failed = 0
        self._loop: Any = None

    def start(self) -> None:
        """Begin to export."""
        sys.stderr.write(f"metrics and slow turns for OpenTelemetry: {self._collector}\n")
        self._loop = gevent.spawn(self._export_often)

    def take(self, interval: Interval) -> None:
        """Remember the slowest and the broken turns of a second; a watcher of the recording."""
        turns = [log for log in interval.frames if log.get("sent_ns") is not None and log.get("turn")]
        self._left_out += max(0, len(self._turns) + len(turns) - MAX_SPANS)
        self._turns.extend(turns)

    def over(self) -> None:
        """The load is over: the last numbers are exported, and nothing after them."""
        if self._loop is not None:
            self._loop.kill()
            self._loop = None
            self._export()
        self._tell()

    def _export_often(self) -> None:
        while True:
            gevent.sleep(EVERY_S)
            self._export()

    def _export(self) -> None:
        start_ns = self._start_wall_ns()
        if start_ns is None or not self._exported.seconds:
            return
        self.exports += 1
        # Until it was taken: the end of the run may come in the middle of it.
        self.failed += 1
        turns = [self._turns.popleft() for _ in range(len(self._turns))]
        spans = [_span(log, start_ns, self._exported.labels, self._redacted) for log in turns]
        data = metrics_data(self._exported.families(), self._exported.labels, start_ns, time.time_ns())
        sent = self._sent(self._metrics, data)
        if sent and (not spans or self._sent(self._traces, spans)):
            self.failed -= 1

    @staticmethod
    def _sent(exporter: Any, what: MetricsData | list[ReadableSpan]) -> bool:
        """Whether the collector took it; requests knows more errors than its exporter catches."""
        try:
            return bool(exporter.export(what).name == "SUCCESS")
        except Exception:
            logging.getLogger(__name__).exception("an export to %s failed", type(exporter).__name__)
            return False

    def _tell(self) -> None:
        if self.failed:
            sys.stderr.write(
                f"--otel: the collector {self._collector} did not accept {self.failed} of {self.exports}"
                " exports; the run and its report do not need them\n"
            )
        if self._left_out:
            sys.stderr.write(
                f"--otel: {self._left_out} slow turns were not exported, because there were too many\n",
            )


def exporter_session() -> requests.Session:
    """Of the exporters, which count a redirect as success, though nothing was taken."""
    import requests

    def refuse_redirect(answer: requests.Response, **_: Any) -> None:
        if 300 <= answer.status_code <= 399:
            raise requests.HTTPError(f"HTTP {answer.status_code}", response=answer)

    session = requests.Session()
    session.hooks["response"].append(refuse_redirect)
    return session


def metrics_data(
    families: Iterator[Family], labels: Mapping[str, str], start_ns: int, now_ns: int
) -> MetricsData:
    """Families as the SDK has them: cumulative since ``start_ns``, both instants in Unix time."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = [_metric(family, labels, start_ns, now_ns) for family in families]
    scope = ScopeMetrics(InstrumentationScope(NAME), metrics, "")
    return MetricsData([ResourceMetrics(_resource(labels), [scope], "")])


def _resource(labels: Mapping[str, str]) -> Any:
    from opentelemetry.sdk.resources import Resource

    return Resource({"service.name": NAME, **{f"{NAME}.{key}": text for key, text in labels.items() if text}})


def _metric(family: Family, labels: Mapping[str, str], start_ns: int, now_ns: int) -> Metric:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
        Sum,
    )

    common = {key: text for key, text in labels.items() if text}
    points: list[Any] = []
    for own, value in family.samples:
        known = {**common, **own}
        if isinstance(value, Buckets):
            counts = [b - a for a, b in zip((0, *value.cumulated), value.cumulated, strict=False)]
            points.append(
                HistogramDataPoint(
                    attributes=known,
                    start_time_unix_nano=start_ns,
                    time_unix_nano=now_ns,
                    count=value.cumulated[-1],
                    sum=value.sum_s,
                    bucket_counts=counts,
                    explicit_bounds=BOUNDS_S,
                    min=value.min_s,
                    max=value.max_s,
                )
            )
        else:
            points.append(NumberDataPoint(known, start_ns, now_ns, value))
    cumulative = AggregationTemporality.CUMULATIVE
    data: Any = Gauge(points)
    if family.kind == "histogram":
        data = Histogram(points, cumulative)
    elif family.kind == "counter":
        data = Sum(points, cumulative, is_monotonic=True)
    return Metric(family.name, family.help, family.unit, data)


def _span(
    log: Mapping[str, Any], start_ns: int, labels: Mapping[str, str], redacted: Callable[[str], str]
) -> ReadableSpan:
    """A turn from the instant it was due to its end, under the ids that its message may have carried.

    It is linked to the trace of its user, which the headers of a connection may have carried.
    """
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode

    run, complete = labels["run"], log.get("outcome") == "complete"
    attributes: dict[str, Any] = {
        **{f"{NAME}.{key}": text for key, text in labels.items() if text},
        f"{NAME}.turn": redacted(str(log["turn"])),
        f"{NAME}.user": int(log["user"]),
        f"{NAME}.outcome": str(log.get("outcome")),
        **{f"{NAME}.{key}": redacted(str(log[key])) for key in SPAN_TEXTS if log.get(key)},
    }
    events = [
        Event(name, {}, start_ns + log[key])
        for key, name in (("sent_ns", "sent"), ("first_ns", "first event"))
        if log.get(key) is not None
    ]
    done_ns = log["done_ns"] if log.get("done_ns") is not None else log["sent_ns"]
    return ReadableSpan(
        name=f"turn {log['turn_kind']}" if log.get("turn_kind") else "turn",
        context=_context(run, str(log["turn"])),
        resource=_resource(labels),
        attributes=attributes,
        events=events,
        links=[Link(_context(run, of_user(log["user"])))],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.OK if complete else StatusCode.ERROR),
        start_time=start_ns + min(log["intended_ns"], done_ns),
        end_time=start_ns + done_ns,
        instrumentation_scope=InstrumentationScope(NAME),
    )


def _context(run: str, what: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    ids = trace_ids(run, what)
    return SpanContext(ids.trace, ids.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
