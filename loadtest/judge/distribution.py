"""From a histogram to the statistics of a metric, and the words for those it cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from loadtest.catalog import PERCENTILES
from loadtest.judge.manifest_access import NS_PER_MS
from loadtest.judge.ranks import confidence_ranks, nearest_rank, needed, part_of
from loadtest.measure.histogram import Histogram, Spectrum
from loadtest.units import format_count, format_duration

INTERVALS = ("p50", "p95", "p99")
"""The percentiles that are given a confidence interval."""

SCOPE = "within run"
"""What the intervals speak of. Samples of one run resemble their neighbours, so that another run may
well lie outside; only repeats tell how far runs differ."""


def describe(histogram: Histogram, tick_ns: int = 1, extra: Sequence[str] = ()) -> dict[str, Any] | None:
    """One metric of ``run.json``, durations in milliseconds; None of a histogram without samples.

    Percentiles (``extra`` ones too, by key: "p75", "p99_99") are nearest rank, given as the highest
    equivalent value of their bucket, as is ``max``; ``min``, ``mean`` and ``max_exact`` are exact. What
    could not be measured is null and says why in ``reasons``: a percentile finer than n supports is listed
    in ``unsupported``, a statistic below ``tick_ns``, the clock's step, in ``below_resolution`` with that
    step in milliseconds.
    """
    if histogram.min_ns is None or histogram.max_ns is None or histogram.mean_ns is None:
        return None
    percentiles = tuple(dict.fromkeys((*PERCENTILES, *extra)))
    unsupported = [name for name in percentiles if histogram.n < needed(part_of(name))]
    known = {"min": float(histogram.min_ns), "mean": histogram.mean_ns, "max_exact": float(histogram.max_ns)}
    spectrum = histogram.spectrum()
    known |= _percentiles(spectrum, [name for name in percentiles if name not in unsupported])
    below = sorted(name for name, value in known.items() if value < tick_ns)
    shown = {name: _ms(value) for name, value in known.items() if value >= tick_ns}
    described: dict[str, Any] = {"unit": "ms", "n": histogram.n}
    described |= {name: shown.get(name) for name in ("min", *percentiles, "max", "max_exact", "mean")}
    described |= {
        "ci95": {name: _interval(spectrum, name, tick_ns) for name in INTERVALS},
        "ci95_scope": SCOPE,
        "unsupported": unsupported,
        "below_resolution": dict.fromkeys(below, _ms(tick_ns)),
        "reasons": {name: too_few(name, histogram.n) for name in unsupported}
        | {name: f"below the clock's step: < {format_duration(tick_ns)}" for name in below},
    }
    return described | ({"clamped": histogram.clamped} if histogram.clamped else {})


def too_few(percentile: str, n: int) -> str:
    """Why a percentile was not given: "not enough samples, n = 40; p99 needs 100"."""
    need = format_count(needed(part_of(percentile)))
    return f"not enough samples: n = {format_count(n)}, but {percentile.replace('_', '.')} needs {need}"


def _percentiles(spectrum: Spectrum, names: Sequence[str]) -> dict[str, float]:
    """Nanoseconds of each percentile and of ``max``."""
    n = int(spectrum[1][-1])
    ranks = [nearest_rank(part_of(name), n) for name in names]
    return dict(zip([*names, "max"], at_ranks(spectrum, [*ranks, n]), strict=True))


def _interval(spectrum: Spectrum, name: str, tick_ns: int) -> list[float] | None:
    """A two-sided 95 % interval from order statistics; None where n or the clock does not give both ends."""
    ranks = confidence_ranks(part_of(name), int(spectrum[1][-1]))
    if ranks is None:
        return None
    ends = at_ranks(spectrum, ranks)
    return [_ms(end) for end in ends] if ends[0] >= tick_ns else None


def at_ranks(spectrum: Spectrum, ranks: Sequence[int]) -> list[int]:
    """Highest equivalent values (ns) of the samples of these ranks, from the spectrum of a histogram."""
    values, cumulative = spectrum
    return [int(value) for value in values[np.searchsorted(cumulative, np.asarray(ranks, np.int64))]]


def _ms(ns: float) -> float:
    return ns / NS_PER_MS
