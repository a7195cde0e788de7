"""Every measured number of a manifest as a flat list, for formats that machines read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loadtest import catalog
from loadtest.judge.manifest_access import Manifest, number, section
from loadtest.show.build_report import build_report
from loadtest.show.manifest import as_integer
from loadtest.show.metric_table import rate_of
from loadtest.show.render.csv import csv_text

COLUMNS = (
    "run",
    "scenario",
    "label",
    "simulated",
    "group",
    "name",
    "statistic",
    "value",
    "unit",
    "n",
    "reason",
)
"""Of a run as CSV."""

STATISTICS = tuple(each for each in catalog.STATISTICS if each != "n")


def amount(value: float) -> str:
    """A number with four significant digits, thousands apart, never in powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


class Value(NamedTuple):
    """One number, or None with the reason. ``group`` is a section of ``run.json``."""

    group: str
    name: str
    statistic: str
    value: float | int | None
    unit: str
    n: int | None
    reason: str = ""


def as_csv(manifest: Manifest) -> str:
    """Rows of ``COLUMNS``; ``value`` is empty where nothing was measured, and ``reason`` says why."""
    report = build_report(manifest)
    of_run = (report.id, report.scenario, report.label, "yes" if report.simulated else "no")
    rows = (
        (*of_run, row.group, row.name, row.statistic, row.value, row.unit, row.n, row.reason)
        for row in values(manifest)
    )
    return csv_text(COLUMNS, rows)


def values(manifest: Manifest) -> Iterator[Value]:
    """Metrics, then rates, then counters; what was not measured comes with None and why."""
    yield from metric_values(manifest)
    for name, reason in section(manifest, "unmeasured").items():
        if "." in name:
            yield Value("metrics", name, "", None, "ms", None, str(reason))
    yield from rate_values(manifest)
    yield from count_values(manifest)


def metric_values(manifest: Manifest) -> Iterator[Value]:
    """The statistics of every metric, in milliseconds."""
    metrics = section(manifest, "metrics")
    for name in metrics:
        metric = section(metrics, name)
        reasons, n = section(metric, "reasons"), as_integer(metric.get("n"))
        extra = sorted(key for key in metric if key.startswith("p") and key not in STATISTICS)
        for statistic in (*STATISTICS, *extra):
            value = number(metric.get(statistic))
            reason = "" if value is not None else str(reasons.get(statistic) or "not measured")
            yield Value("metrics", name, statistic, value, "ms", n, reason)


def rate_values(manifest: Manifest) -> Iterator[Value]:
    """Every rate, per second."""
    rates = section(manifest, "rates")
    for name in rates:
        rate = section(rates, name)
        value = rate_of(rate)
        reason = "" if value is not None else str(rate.get("reason") or "not measured")
        yield Value("rates", name, "value", value, "1/s", as_integer(rate.get("n")), reason)


def count_values(manifest: Manifest) -> Iterator[Value]:
    """Every counter over the whole run, then of the measured part; layers and codes follow a dot."""
    counts = section(manifest, "counts")
    for part, of in (("counts", counts), ("counts.measured", section(counts, "measured"))):
        for group in ("connections", "turns", "events", "bytes", "pings"):
            unmeasured = section(of, group, "unmeasured")
            for name, n in _flat(section(of, group)):
                reason = "" if n is not None else str(unmeasured.get(name) or "not measured")
                yield Value(
                    part, f"{group}.{name}", "count", n, "B" if group == "bytes" else "1", None, reason
                )


def _flat(counts: Manifest) -> Iterator[tuple[str, int | None]]:
    for name, value in counts.items():
        if name == "unmeasured":
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", as_integer(n)) for key, n in value.items())
        else:
            yield name, as_integer(value)
