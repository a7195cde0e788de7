"""How the target itself did while it was loaded: what was sampled of it, over the measured part."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from loadtest.catalog import PERCENTILES
from loadtest.judge.manifest_access import Manifest, section
from loadtest.judge.measurement_window import Span, seconds_within
from loadtest.judge.ranks import nearest_rank, needed, part_of
from loadtest.judge.thresholds import rule_names
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import TARGET_UNITS, percentile, split_target

PREFIX = "target."
"""Before the name of a gauge that is of the target."""

MISSING = 0.1
"""The part of the seconds that may be without a sample before statistics say nothing of the whole."""


def target_health(manifest: Manifest, totals: Totals, span: Span) -> dict[str, Any]:
    """The section ``health``: statistics over seconds of everything that was to be sampled, by name.

    ``n`` of ``seconds`` have a sample; ``partial``: too few have, and what is told is of these alone.
    Statistics that n does not support are null; ``reason`` says why where any is, or where samples lack.
    Empty where nothing was to be sampled.
    """
    asked = section(manifest, "target", "health").get("sampled")
    rows = seconds_within(totals, span) if asked else []
    known = {row.second: row.gauges for row in rows}
    extra = _extra_percentiles(manifest)
    return {
        str(name): _described(
            sorted(gauges[PREFIX + name] for gauges in known.values() if PREFIX + name in gauges),
            len(known),
            (*PERCENTILES, *extra.get(name, ())),
            TARGET_UNITS.get(name, "number"),
            str(section(manifest, "target", "health", "reasons").get(name) or "it was not sampled"),
        )
        for name in asked or ()
    }


def _described(
    values: list[float], seconds: int, percentiles: Collection[str], unit: str, why: str
) -> dict[str, Any]:
    n = len(values)
    partial = seconds - n > seconds * MISSING
    found: dict[str, Any] = {"unit": unit, "n": n, "seconds": seconds, "partial": partial}
    if not n:
        return {**found, "reason": why}
    if partial:
        found["reason"] = f"sampled in {n} of {seconds} seconds: {why}"
    for key in dict.fromkeys(percentiles):
        part = part_of(key)
        found[key] = values[nearest_rank(part, n) - 1] if n >= needed(part) else None
    return {**found, "min": values[0], "max": values[-1], "mean": math.fsum(values) / n}


def _extra_percentiles(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Percentiles that rules ask for, by what was sampled."""
    found: dict[str, tuple[str, ...]] = {}
    for name in rule_names(manifest):
        if (split := split_target(name)) and percentile(split[1]) is not None:
            found[split[0]] = (*found.get(split[0], ()), split[1])
    return found
