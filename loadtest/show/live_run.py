"""What is known of a run while it goes on, as the JSON document ``/api/live`` of its live page.

Fed with intervals; it reads no clock. The document is public: other programs may poll it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from loadtest.catalog import FAILURES
from loadtest.judge.judge_run import find_warnings
from loadtest.judge.live_thresholds import ThresholdSoFar
from loadtest.judge.manifest_access import Manifest, planned, section
from loadtest.judge.ranks import needed, part_of
from loadtest.judge.summary import summarise
from loadtest.judge.target_health import PREFIX
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import TARGET_UNITS
from loadtest.show.build_report import measured_text
from loadtest.show.metric_table import NEVER
from loadtest.show.sanitize import printable

SCHEMA = "loadtest.live/1"

TIMES = {"first_event": "turn.first_event", "gap": "event.gap", "completion": "turn.completion"}
PERCENTILES = ("p50", "p95", "p99")

LAST_ERRORS = 12
"""Broken turns that are kept with what they received."""

WARNINGS_EVERY = 20
"""Seconds between two looks for warnings, which read every metric."""

MEANT_SO_FAR = frozenset(
    {
        "connections_not_opened",
        "delivery_faults",
        "foreign_events",
        "generator_late",
        "generator_saturated",
        "generator_starved",
        "generator_stood_still",
        "malformed_events",
        "pings_unanswered",
        "refused_connections",
        "tasks_failed",
        "tasks_raised",
        "turn_path_never_matched",
        "turns_timed_out",
        "type_path_never_matched",
        "unexpected_closes",
    }
)
"""Warnings that are true of a part of a run; the others speak of a whole one."""

REFUSED, CLOSED = "connections.refused.", "connections.closed."

COUNTED = {
    "sent": "events.sent",
    "events": "events.received",
    "complete": "turns.complete",
    **{outcome: f"turns.{outcome}" for outcome in FAILURES},
}
"""Columns of counters, each so much a second."""


class LiveRun:
    """The columns of a run, a value a second, and what was said last.

    ``manifest`` and ``totals`` are those of the recording, which goes on while this is read.
    ``thresholds`` says where they stand, ``reasons`` why connections were refused and closed, by kind, as
    far as that is known by now; ``redacted`` hides secrets in it and in what the target sent.
    """

    def __init__(
        self,
        manifest: Manifest,
        totals: Totals,
        thresholds: Callable[[], Sequence[ThresholdSoFar]],
        reasons: Callable[[], Mapping[str, Any]] = dict,
        redacted: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        self.state = "running"
        self._manifest = manifest
        self._totals = totals
        self._thresholds = thresholds
        self._reasons = reasons
        self._redacted = redacted
        self._columns: dict[str, list[float | int | None]] = {"second": []}
        self._errors: deque[dict[str, str]] = deque(maxlen=LAST_ERRORS)
        self._warnings: list[dict[str, str]] = []
        self._looked_at = -WARNINGS_EVERY

    @property
    def seconds(self) -> int:
        """Seconds that are known."""
        return len(self._columns["second"])

    def add(self, interval: Interval) -> None:
        """Take in one second of the whole run, all processes merged."""
        seconds = self._columns["second"]
        last = int(seconds[-1] or 0) if seconds else interval.second - 1
        for missing in range(last + 1, interval.second):
            self._append({"second": missing})
        # A generator that stood still gives what it counted meanwhile with the next second.
        self._append(dict(_row(interval, max(1, interval.second - last))))
        for log in interval.frames:
            if str(log.get("outcome") or "complete") != "complete":
                self._errors.append(_error(interval.second, self._redacted(log)))

    def _append(self, row: Mapping[str, float | int | None]) -> None:
        """One more value in every column; None where the row has none."""
        known = self.seconds
        for name in {*self._columns, *row}:
            self._columns.setdefault(name, [None] * known).append(row.get(name))

    def document(self, since: int = 0) -> dict[str, Any]:
        """The run so far; of the columns what comes after their first ``since`` values."""
        stand = self._thresholds()
        elapsed = (self._columns["second"] or [-1])[-1]
        return {
            "schema": SCHEMA,
            "state": self.state,
            **self._about(),
            "elapsed_s": (elapsed or 0) + 1,
            "verdict": _verdict(stand),
            "thresholds": [_threshold(each) for each in stand],
            "counts": self._counts(),
            "health": self._health(),
            "warnings": self._warned(),
            "reasons": {kind: self._without_secrets(found) for kind, found in self._reasons().items()},
            "errors": list(self._errors),
            "since": since,
            "columns": {name: values[since:] for name, values in self._columns.items()},
        }

    def _without_secrets(self, counted: Mapping[str, int]) -> dict[str, int]:
        """Reasons with how often each was seen: a reason is text, and no key that could name a secret."""
        return {str(self._redacted(reason)): n for reason, n in counted.items()}

    def _about(self) -> dict[str, Any]:
        manifest = self._manifest
        url = section(manifest, "target").get("url")
        warmup, duration = planned(manifest, "warmup_s") or 0.0, planned(manifest, "duration_s") or 0.0
        return {
            "id": manifest.get("id"),
            "scenario": section(manifest, "scenario").get("name"),
            "label": manifest.get("label"),
            "target": None if url is None else self._redacted(url),
            "simulated": bool(section(manifest, "target").get("simulated")),
            "planned_s": warmup + duration,
            "warmup_s": warmup,
            "planned_turns_per_s": planned(manifest, "turns_per_s"),
        }

    def _health(self) -> dict[str, Any]:
        """What is sampled of the target: its unit, its column, the last sample, why there was none."""
        health = section(self._manifest, "target", "health")
        reasons = {name: self._redacted(why) for name, why in section(health, "reasons").items()}
        found = {}
        for name in health.get("sampled") or ():
            samples = [each for each in self._columns.get(f"{PREFIX}{name}", ()) if each is not None]
            found[name] = {
                "unit": TARGET_UNITS.get(name, "number"),
                "column": f"{PREFIX}{name}",
                "last": samples[-1] if samples else None,
                "n": len(samples),
                "reason": printable(str(reasons.get(name) or ""), 300),
            }
        return found

    def _counts(self) -> dict[str, Any]:
        totals = self._totals
        return {
            "turns": {outcome: totals.count(f"turns.{outcome}") for outcome in OUTCOMES},
            "connections": {
                "ready": totals.count("connections.ready"),
                "refused": _by(totals, REFUSED),
                "closed": _by(totals, CLOSED),
            },
            "events": {name: totals.count(f"events.{name}") for name in ("sent", "received", "matched")},
        }

    def _warned(self) -> list[dict[str, str]]:
        """The warnings so far; looked for every few seconds."""
        if self.seconds - self._looked_at >= WARNINGS_EVERY:
            self._looked_at = self.seconds
            known = {**self._manifest, **summarise(self._manifest, self._totals)}
            found = (each.as_dict() for each in find_warnings(known, self._totals))
            self._warnings = [
                {key: printable(str(self._redacted(each[key])), 500) for key in ("code", "message", "remedy")}
                for each in found
                if each["code"] in MEANT_SO_FAR
            ]
        return self._warnings


def _row(interval: Interval, seconds: int) -> Iterable[tuple[str, float | int | None]]:
    """The columns of an interval; None where nothing was measured, or not often enough for a percentile.

    Counters are divided by the ``seconds`` that it is of.
    """
    counters = interval.counters.values()
    yield "second", interval.second
    yield "ready", interval.gauges.get("ready")
    yield "in_flight", interval.gauges.get("in_flight")
    cpu = interval.gauges.get("cpu")
    yield "cpu", None if cpu is None else round(cpu, 4)
    yield from ((name, value) for name, value in interval.gauges.items() if name.startswith(PREFIX))
    for column, name in COUNTED.items():
        yield column, sum(each.get(name, 0) for each in counters) / seconds
    for column, prefix in (("connections_refused", REFUSED), ("connections_closed", CLOSED)):
        found = (n for each in counters for name, n in each.items() if name.startswith(prefix))
        yield column, sum(found) / seconds
    for column, metric in TIMES.items():
        histogram = _of_all_phases(interval, metric)
        for key in PERCENTILES:
            yield f"{column}_{key}", _percentile_ms(histogram, key)
    for column, metric in (("lateness", "send.lateness"), ("lag", "receive.lag")):
        yield f"{column}_p99", _percentile_ms(_of_all_phases(interval, metric), "p99")


def _of_all_phases(interval: Interval, metric: str) -> Histogram:
    whole = Histogram()
    for prefix in ("", *(f"{phase}:" for phase in PHASES)):
        if (found := interval.histograms.get(f"{prefix}{metric}")) is not None:
            whole.add(found)
    return whole


def _percentile_ms(histogram: Histogram, key: str) -> float | None:
    part = part_of(key)
    if histogram.n < needed(part):
        return None
    value = histogram.percentile(float(key[1:]))
    return None if value is None else round(value / 1e6, 4)


def _by(totals: Totals, prefix: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for counters in totals.counters.values():
        for name, n in counters.items():
            if name.startswith(prefix) and n:
                found[name.removeprefix(prefix)] += n
    return dict(found.most_common())


def _verdict(stand: Sequence[ThresholdSoFar]) -> dict[str, Any]:
    """The verdict if the run ended now, as far as thresholds decide it."""
    counted = Counter(each.outcome for each in stand)
    missed, waiting = counted["missed"], counted["not_measured"]
    word = "MISSED" if missed else "NOT MEASURED" if waiting or not stand else "HELD"
    return {"word": word, "missed": missed, "held": counted["held"], "not_measured": waiting}


def _threshold(each: ThresholdSoFar) -> dict[str, Any]:
    rule, measured = each.threshold, each.measured
    text = NEVER if measured.unbounded else "–"
    if measured.value is not None:
        text = measured_text(rule.unit, measured.value)
    return {
        "name": rule.name,
        "expression": rule.expression,
        "default": rule.default,
        "limit": rule.limit,
        "unit": rule.unit,
        "measured": measured.value,
        "text": text,
        "n": measured.n,
        "outcome": each.outcome,
        "reason": printable(measured.reason or "", 300),
    }


def _error(second: int, log: Mapping[str, Any]) -> dict[str, str]:
    """A broken turn in few words, with the last that it received."""
    frames: Sequence[Any] = log.get("frames") or ()
    last = frames[-1][-1] if len(frames) > 1 else ""
    return {
        "second": str(second + 1),
        "outcome": printable(str(log.get("outcome") or log.get("kind")).replace("_", " "), 40),
        "reason": printable(str(log.get("reason") or "").replace("_", " "), 120),
        "turn": printable(log.get("turn") or "", 60),
        "last": printable(last, 200),
    }
