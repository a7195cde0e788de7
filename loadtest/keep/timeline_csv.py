"""``timeline.csv``: one row per second, for spreadsheets and plots.

A field is empty where nothing was measured: a percentile of too few samples, a gauge that was not read.
Counts are never empty. Durations are milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, Interval

METRICS = ("turn.first_event", "turn.completion", "turn.first_audio", "chunk.lateness")
PERCENTILES = (50, 95, 99)

COLUMNS = (
    "second",
    "users",
    "connections_ready",
    "events_out",
    "events_in",
    *(f"turns_{outcome}" for outcome in OUTCOMES),
    *(f"{metric}.{column}" for metric in METRICS for column in ("n", *(f"p{q}_ms" for q in PERCENTILES))),
    "generator_cpu",
    "loop_lag_ms",
)
"""Of every run; what was sampled of the target stands behind them."""


def head(sampled: Sequence[str] = ()) -> bytes:
    """The line of column names; ``sampled`` of the target, in bytes, cores or its own unit."""
    return (",".join((*COLUMNS, *(f"target.{name}" for name in sampled))) + "\n").encode()


def line(interval: Interval, sampled: Sequence[str] = ()) -> bytes:
    """One second as a line; warm-up, measured part and drain are taken together."""
    fields = [
        str(interval.second),
        _gauge(interval, "users", 1, 0),
        _gauge(interval, "ready", 1, 0),
        str(_count(interval, "events.sent")),
        str(_count(interval, "events.received")),
        *(str(_count(interval, f"turns.{outcome}")) for outcome in OUTCOMES),
        *(field for metric in METRICS for field in _percentiles(interval, metric)),
        _gauge(interval, "cpu", 1, 4),
        _gauge(interval, "loop_lag_ns", 1e6, 3),
        *(_gauge(interval, f"target.{name}", 1, 4) for name in sampled),
    ]
    return (",".join(fields) + "\n").encode()


def _count(interval: Interval, name: str) -> int:
    return sum(counters.get(name, 0) for counters in interval.counters.values())


def _gauge(interval: Interval, name: str, unit: float, digits: int) -> str:
    value = interval.gauges.get(name)
    return "" if value is None or not math.isfinite(value) else f"{value / unit:.{digits}f}"


def _percentiles(interval: Interval, metric: str) -> list[str]:
    """The number of samples, then each percentile that so many support, in milliseconds."""
    together = Histogram()
    for tag in (metric, *(f"{phase}:{metric}" for phase in PHASES)):
        together.add(interval.histograms.get(tag, Histogram()))
    return [str(together.n), *(_percentile(together, q) for q in PERCENTILES)]


def _percentile(histogram: Histogram, q: int) -> str:
    value = histogram.percentile(q) if histogram.n * (100 - q) >= 100 else None
    return "" if value is None else f"{value / 1e6:.6f}"
