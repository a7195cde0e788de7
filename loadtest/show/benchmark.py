"""benchmark.json and benchmark-rates.json: what continuous-benchmark actions read.

An entry is ``{name, unit, value, range}``. Durations are smaller-is-better, rates bigger-is-better, which
such actions want in two files. What was not measured has no entry: there, a zero would be the best result.
"""

from __future__ import annotations

from typing import Any

from loadtest.judge.manifest_access import Manifest, number, section
from loadtest.plan.threshold import split_kind
from loadtest.show.metric_table import interval_text
from loadtest.show.render.json import as_json
from loadtest.show.values import metric_values, rate_values
from loadtest.units import format_count, format_duration

DURATIONS = ("p50", "p95", "p99")

OWN = ("send.lateness", "receive.lag")
"""The generator's own delays say nothing about the target."""


def benchmark(manifest: Manifest) -> str:
    """Percentiles of every metric of the target; ``range`` is the 95 % interval, if there is one, and n."""
    entries = []
    for row in metric_values(manifest):
        if row.statistic in DURATIONS and row.value is not None and split_kind(row.name)[0] not in OWN:
            interval = interval_text(section(manifest, "metrics", row.name), row.statistic)
            told = [f"95 % CI {interval}" if interval else "", f"n={format_count(row.n or 0)}"]
            entries.append(_entry(manifest, f"{row.name} {row.statistic}", "ms", row.value, told))
    return as_json(entries)


def benchmark_rates(manifest: Manifest) -> str:
    """Every measured rate; ``range`` says what it was counted from."""
    entries = []
    for row in rate_values(manifest):
        if row.value is not None:
            over = number(section(manifest, "rates", row.name).get("over_s"))
            span = f" over {format_duration(over * 1e9)}" if over else ""
            told = [f"n={format_count(row.n or 0)}{span}"]
            entries.append(_entry(manifest, row.name, "1/s", row.value, told))
    return as_json(entries)


def _entry(manifest: Manifest, name: str, unit: str, value: float, told: list[str]) -> dict[str, Any]:
    simulated = " (SIMULATED)" if section(manifest, "target").get("simulated") else ""
    scenario = section(manifest, "scenario").get("name") or "unnamed scenario"
    shown = f"{scenario}: {name.replace('p99_9', 'p99.9')}{simulated}"
    return {"name": shown, "unit": unit, "value": value, "range": ", ".join(text for text in told if text)}
