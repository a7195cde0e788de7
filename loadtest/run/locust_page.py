"""What Locust's own page shows of a run beside its usual rows: failures in words, thresholds, the report.

Its charts are of all requests together and cannot be told of a second metric; first events, gaps and the
generator's delays stand in a tab of their own. Its tabs hold tables only, so that our own live page, which
has charts of all that, is linked among its downloads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from loadtest.catalog import FAILURES
from loadtest.judge.ranks import needed, part_of
from loadtest.keep.folder import REPORT
from loadtest.measure.interval import Interval
from loadtest.plan.settings import public_url
from loadtest.run.live_answers import LiveAnswers, headers_of
from loadtest.show.build_report import measured_text
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_duration

if TYPE_CHECKING:
    from loadtest.run.run_recorder import RunRecorder
    from loadtest.show.live_run import LiveRun

TIMES = ("turn.first_event", "event.gap", "turn.completion", "send.lateness", "receive.lag")
PERCENTILES = ("p50", "p95", "p99")

REPORT_AT = "/loadtest/report"
LIVE_AT = "/loadtest/live/"

THRESHOLDS, MEASURED = "loadtest-thresholds", "loadtest-times"

TABLES = [
    {
        "key": THRESHOLDS,
        "structure": [
            {"key": "name", "title": "threshold"},
            {"key": "promise", "title": "promise"},
            {"key": "measured", "title": "measured so far"},
            {"key": "outcome", "title": "so far"},
            {"key": "reason", "title": "why"},
        ],
    },
    {
        "key": MEASURED,
        "structure": [
            {"key": "name", "title": "measured part"},
            {"key": "n", "title": "n"},
            *({"key": each, "title": each} for each in PERCENTILES),
            {"key": "max", "title": "max"},
        ],
    },
]

MAX_ERRORS = 200
"""Failures of different words that are told; of more only the number is known, as Locust counts it."""


class LocustPage:
    """Adds to the page of one Locust environment; the recording of the run that goes on is what it shows.

    ``new_error`` is Locust's own ``StatsError``.
    """

    def __init__(self, environment: Any, new_error: Callable[..., Any]) -> None:
        self._environment = environment
        self._new_error = new_error
        self._recording: RunRecorder | None = None
        self._live: LiveAnswers | None = None
        web = environment.web_ui
        if web is None:
            return
        web.template_args |= {
            "extended_tabs": [
                {"title": "Thresholds", "key": THRESHOLDS},
                {"title": "First event and more", "key": MEASURED},
            ],
            "extended_tables": TABLES,
            "extended_csv_files": [
                {"href": f".{LIVE_AT}", "title": "Live page of loadtest"},
                {"href": f".{REPORT_AT}", "title": "Report of loadtest"},
            ],
        }
        _wrap(web.app, "/stats/requests", self._extended)
        allowed = web.auth_required_if_enabled
        web.app.add_url_rule(REPORT_AT, "loadtest_report", allowed(self._report))
        web.app.add_url_rule(f"{LIVE_AT}stop", "loadtest_stop", allowed(self._stop), methods=["POST"])
        for rule, name in ((LIVE_AT, "loadtest_live"), (f"{LIVE_AT}<path:path>", "loadtest_live_part")):
            web.app.add_url_rule(rule, name, allowed(self._live_page))

    def show(self, recording: RunRecorder, url: str, live: LiveRun) -> None:
        """A run begins: from now on it is the one that is shown."""
        self._recording = recording
        self._live = LiveAnswers(live, recording.folder.path)
        self._environment.host = recording.redactor.text(public_url(url))
        recording.watchers.append(self._take)

    def over(self) -> None:
        """The load is over; what comes now is the verdict and the report."""
        if self._live is not None:
            self._live.live.state = "judging"

    def reported(self) -> None:
        """The report is written: the live page becomes the report."""
        if self._live is not None:
            self._live.live.state = "ended"

    def _take(self, interval: Interval) -> None:
        """Enter what failed in a second into Locust's table of failures, in words."""
        if self._recording is None:
            return
        errors = self._environment.stats.errors
        for name, words, n in failures_of(interval):
            text = printable(self._recording.redactor.text(words), 200)
            key = f"loadtest {name} {text}"
            if key not in errors:
                if len(errors) >= MAX_ERRORS:
                    continue
                errors[key] = self._new_error("WS", name, text, 0, time.time())
            errors[key].occurrences += n
            errors[key].last_seen = time.time()

    def _extended(self, response: Any) -> Any:
        """Locust's page asks for its rows every two seconds: ours go with them."""
        if response.is_json and self._recording is not None:
            tables = [
                {"key": THRESHOLDS, "data": list(self._thresholds(self._recording))},
                {"key": MEASURED, "data": list(_times(self._recording))},
            ]
            response.set_data(json.dumps({**response.json, "extended_stats": tables}))
        return response

    def _thresholds(self, recording: RunRecorder) -> Iterator[dict[str, str]]:
        for each in recording.thresholds_so_far():
            rule, measured = each.threshold, each.measured
            value = "–" if measured.value is None else measured_text(rule.unit, measured.value)
            yield {
                "name": rule.name,
                "promise": rule.expression,
                "measured": value,
                "outcome": each.outcome.replace("_", " "),
                "reason": printable(measured.reason or "", 200),
            }

    def _live_page(self, path: str = "") -> Any:
        """A part of the page that ``loadtest run --ui`` has."""
        # Flask is what Locust makes its page with.
        from locust.web import request  # type: ignore[attr-defined]  # it is imported there, and not declared

        if self._live is None:
            return "No run has begun: start it on Locust's page.\n", 404, {"Content-Type": "text/plain"}
        status, kind, body = self._live.answer(path, request.query_string.decode("ascii", "replace"))
        return body, status, headers_of(path, kind)

    def _stop(self) -> Any:
        """The live page's button; it does what Locust's own does."""
        self._environment.runner.stop()
        return {"stopping": True}

    def _report(self) -> Any:
        path = None if self._recording is None else self._recording.folder.path / REPORT
        if path is None or not path.is_file():
            return "The report is written when the run is over.\n", 404, {"Content-Type": "text/plain"}
        return path.read_bytes(), 200, {"Content-Type": "text/html; charset=utf-8"}


def _wrap(app: Any, path: str, change: Callable[[Any], Any]) -> None:
    """Let an answer of Locust's page pass through ``change``."""
    (endpoint,) = [rule.endpoint for rule in app.url_map.iter_rules() if rule.rule == path]
    view = app.view_functions[endpoint]
    app.view_functions[endpoint] = lambda: change(app.make_response(view()))


def failures_of(interval: Interval) -> Iterator[tuple[str, str, int]]:
    """What failed in a second: what of, in words, how often."""
    counted: dict[str, int] = {}
    for counters in interval.counters.values():
        for name, n in counters.items():
            counted[name] = counted.get(name, 0) + n
    for outcome in FAILURES:
        words, told = outcome.replace("_", " "), 0
        for name, n in counted.items():
            if name.startswith(prefix := f"turns.{outcome}_by."):
                told += n
                yield "turn", f"{words}: {name.removeprefix(prefix).replace('_', ' ')}", n
        if (rest := counted.get(f"turns.{outcome}", 0) - told) > 0:
            yield "turn", words, rest
    for name, n in counted.items():
        for prefix, words in (
            ("connections.refused.", "refused at"),
            ("connections.closed.", "closed by the target with"),
        ):
            if name.startswith(prefix) and n:
                yield "connection", f"{words} {name.removeprefix(prefix)}", n


def _times(recording: RunRecorder) -> Iterator[dict[str, str]]:
    """The percentiles of the measured part so far, where there are samples enough."""
    for metric in TIMES:
        histogram = recording.totals.histograms.get(metric)
        if histogram is None or histogram.max_ns is None:
            continue
        row = {"name": metric, "n": format_count(histogram.n), "max": format_duration(histogram.max_ns)}
        for each in PERCENTILES:
            value = histogram.percentile(float(each[1:])) if histogram.n >= needed(part_of(each)) else None
            row[each] = "–" if value is None else format_duration(value)
        yield row
