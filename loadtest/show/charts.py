"""The interactive charts of a page as plain data: columns, series, limits, the histograms of every second.

``static/charts.js`` draws them. Colours are names of the page's variables, so that it can be light or dark.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from loadtest.catalog import PERCENTILES
from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import SUB_BITS, Histogram
from loadtest.show.counter_table import OUTCOMES
from loadtest.show.document import Chart
from loadtest.show.light_and_dark import PLOT_NAMES
from loadtest.show.plot import connections, spectrum, style, timeline
from loadtest.show.sanitize import printable
from loadtest.show.series import LINES, TIMED, BinSamples, Column, Series
from loadtest.show.threshold_limits import DRAWN_RATES, Limit, of_rates, of_times

SPAN_BYTES = 480_000
"""What the histograms of all spans may take on a page, before base64 makes a third more of it."""

LONGEST = 5
"""Bytes of the largest number: 35 bits, more than a bin has samples."""

FEWEST_BITS = 6
"""They are at least this fine: within 2 ** -5 of a value."""

STEPS_PER_DECADE = 24
"""Points of a spectrum; between two of them nothing is seen on a page."""

DIGITS = 4

Ints = npt.NDArray[np.int64]

WIDTHS = {"turn.first_event": 3.2, "turn.completion": 1.6}
"""In pixels: both show where they lie on one another."""

NAMES = {"turn.first_event": "first event", "turn.completion": "completion"}


def colour(look: style.Style) -> str:
    """The page's variable for the colour of a style."""
    return f"--plot-{PLOT_NAMES[look.colour]}"


def dash(look: style.Style) -> list[float]:
    """The dash of a style in pixels; none where it is a solid line."""
    return [] if isinstance(look.dash, str) else [round(part * 2, 1) for part in look.dash[1]]


def numbers(column: Iterable[float]) -> list[float | int | None]:
    """Short numbers; None where there is none."""
    return [_short(float(value)) for value in column]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def line(
    label: str, values: Iterable[float], look: style.Style, *, n: Iterable[float] | None = None, **more: Any
) -> Chart:
    """One series of a chart; ``n`` says for each value how many samples it is of."""
    counted = {"n": numbers(n)} if n is not None else {}
    shown = {"label": label, "values": numbers(values), "colour": colour(look), "dash": dash(look)}
    return {**shown, **counted, "on": True, **more}


def limit_lines(limits: Iterable[Limit], names: Mapping[str, str]) -> list[Chart]:
    """The limits of thresholds."""
    return [
        {
            "label": f"{names.get(each.of, '')} {each.label}".strip(),
            "value": each.value,
            "missed": each.missed,
        }
        for each in limits
    ]


def run_charts(
    series: Series,
    histograms: Mapping[str, Histogram],
    phases: timeline.Phases,
    limits: Sequence[Limit],
    bounded: Collection[str] = (),
) -> dict[str, list[Chart]]:
    """The charts of a run, by the name of the plot that they replace; those without data are left out.

    ``bounded`` are the metrics whose times are only bounded from above.
    """
    time = _time_axis(series, phases)
    made = {
        "timeline": [
            {**time, **each}
            for each in (
                _times(series, limits, bounded),
                _rates(series, limits),
                _not_complete(series),
                *_generator(series),
                *_target(series),
            )
            if each["series"]
        ],
        "spectrum": [_spectrum(histograms, limits)],
        "connections": [{**time, **each} for each in _connections(series, limits)],
    }
    return {name: [each for each in charts if each["series"]] for name, charts in made.items()}


def _time_axis(series: Series, phases: timeline.Phases) -> dict[str, object]:
    bands = [
        [name, start, end]
        for name, start, end in (
            ("warm-up", float(series.start_s), phases.from_s),
            ("drain", phases.to_s, float(series.end_s)),
        )
        if end > start
    ]
    return {
        "kind": "time",
        "x": numbers(series.middles_s),
        "step": series.step_s,
        "from": series.start_s,
        "to": series.end_s,
        "bands": bands,
        "zero": True,
    }


def _times(series: Series, limits: Sequence[Limit], bounded: Collection[str]) -> dict[str, object]:
    """Percentiles of response times; of each second with its n, and the histograms behind them."""
    shown = of_times(limits, TIMED)
    judged = {(each.of, each.statistic) for each in shown}
    lines, seen = [], []
    for metric in TIMED:
        n = series.samples(metric)
        for statistic in LINES:
            column = series.percentile_ms(metric, statistic)
            if np.isnan(column).all():
                continue
            seen += [float(np.nanmin(column)), float(np.nanmax(column))]
            look = style.METRICS[metric]._replace(dash=style.PERCENTILES[statistic].dash)
            label = f"{NAMES[metric]} {statistic}"
            on = statistic != "p99" or (metric, statistic) in judged
            lines.append(line(label, column, look, n=n, on=on, width=WIDTHS[metric]))
    log = bool(seen) and timeline.is_wide(min(seen), max(seen), shown)
    return {
        "title": "Response time",
        "about": "of the turns that ended in each second",
        "unit": "ms",
        "log": log,
        "series": lines,
        "limits": limit_lines(shown, NAMES),
        "spans": spans(series, bounded),
    }


def _rates(series: Series, limits: Sequence[Limit]) -> dict[str, object]:
    lines = [
        line(label, series.per_second(name), style.RATES[name], n=series.counted(name))
        for name, label in timeline.RATES.items()
        if series.counted(name).any()
    ]
    names = {rate: timeline.RATES[counter] for rate, counter in DRAWN_RATES.items()}
    shown = limit_lines(of_rates(limits), names) if lines else []
    return {"title": "Rates", "unit": "/s", "series": lines, "limits": shown}


def _not_complete(series: Series) -> dict[str, object]:
    lines = [
        line(label, series.counted(f"turns.{key}"), style.OUTCOMES[key], points=True)
        for key, label in OUTCOMES.items()
        if key != "complete" and series.counted(f"turns.{key}").any()
    ]
    return {"title": "Turns that were not complete", "unit": "", "series": lines}


def _generator(series: Series) -> list[dict[str, object]]:
    cpu, lag = series.gauge("cpu") * 100, series.gauge("loop_lag_ns") / 1e6
    panels = (
        ("Load generator", "%", "CPU of one core", cpu, style.Style(style.GENERATOR)),
        ("Longest lag of its loop", "ms", "loop lag", lag, style.Style(style.MUTED)),
    )
    return [
        {"title": title, "unit": unit, "series": [line(label, column, look)]}
        for title, unit, label, column, look in panels
        if not np.isnan(column).all()
    ]


def _target(series: Series) -> list[dict[str, object]]:
    """What was sampled of the target itself."""
    look = style.Style(style.TARGET)
    return [
        {"title": printable(title, 80), "unit": "", "series": [line("sampled", column, look)]}
        for title, column in timeline.sampled(series)
    ]


def _connections(series: Series, limits: Sequence[Limit]) -> list[dict[str, object]]:
    at, count = series.ready()
    if not len(series) or not (series.counted("connections.attempted").any() or len(series.moves)):
        return []
    ends = series.starts_s + series.widths_s
    ready = count[np.searchsorted(at, ends, side="right") - 1]
    peaks = [each for each in limits if each.of == connections.PEAK]
    kinds = connections.kinds(series)
    return [
        {
            "title": "Connections ready",
            "unit": "",
            "about": "at the end of each second",
            "series": [line("ready", ready, style.CONNECTIONS["ready"])],
            "limits": limit_lines(peaks, {connections.PEAK: "peak"}),
        },
        {
            "title": "Refused, closed by the target or given up",
            "unit": "",
            "series": [line(name, column, look, points=True) for name, (column, look) in kinds.items()],
        },
    ]


# ---------------------------------------------------------------- spectra


def grid(most: float) -> Column:
    """The points of a spectrum up to ``most`` samples, as 1 / (1 - q)."""
    decades = math.log10(max(most, 2.0))
    return np.unique(np.append(10 ** np.arange(0, decades, 1 / STEPS_PER_DECADE), max(most, 2.0)))


def on_grid(histogram: Histogram, points: Column) -> Column:
    """The values in ms of a histogram at the points of a spectrum; NaN beyond what its n supports."""
    found, cumulative = histogram.spectrum()
    ranks = np.clip(np.ceil((1 - 1 / points) * histogram.n - 1e-9), 1, histogram.n)
    values = found[np.searchsorted(cumulative, ranks)] / 1e6
    return np.where(points <= histogram.n * (1 + 1e-9), values, math.nan)


def _spectrum(histograms: Mapping[str, Histogram], limits: Sequence[Limit]) -> dict[str, object]:
    drawn = {
        each: histograms[each.metric]
        for each in spectrum.DRAWN
        if each.metric in histograms and histograms[each.metric].n >= spectrum.MIN_SAMPLES
    }
    points = grid(max((histogram.n for histogram in drawn.values()), default=2))
    lines = [
        line(
            each.label,
            on_grid(histogram, points),
            each.style,
            total=histogram.n,
            span=each.metric if each.metric in TIMED else "",
            on=each.metric in TIMED,
        )
        for each, histogram in drawn.items()
    ]
    shown = of_times(limits, {each.metric for each in drawn})
    low = min((histogram.percentile(0) or 0 for histogram in drawn.values()), default=0) / 1e6
    high = max((histogram.percentile(100) or 0 for histogram in drawn.values()), default=0) / 1e6
    return {
        "kind": "percentile",
        "title": "Response and service time by percentile",
        "about": "each line ends where n supports no finer percentile",
        "unit": "ms",
        "x": numbers(points),
        "log": high > timeline.WIDE * max(low, 1e-6),
        "series": lines,
        "limits": limit_lines(shown, NAMES),
        "zero": True,
    }


# ---------------------------------------------------------------- the histograms of spans


def spans(series: Series, bounded: Collection[str]) -> dict[str, object]:
    """The histograms of the measured part, bin by bin, as fine as a page has room for.

    ``missing`` are the turns of each bin that are in none, since they were not complete.
    """
    never = [f"turns.{key}" for key in OUTCOMES if key not in {"complete", "abandoned"}]
    found = {metric: series.measured_by_bin(metric) for metric in TIMED}
    kept = {metric: Bins.of(bins) for metric, bins in found.items() if any(bins)}
    bits = SUB_BITS
    while (size := sum(each.size for each in kept.values())) > SPAN_BYTES and bits > FEWEST_BITS:
        # A bit less halves it at best.
        bits = max(FEWEST_BITS, bits - max(1, int(math.log2(size / SPAN_BYTES))))
        kept = {metric: each.coarser(bits) for metric, each in kept.items()}
    parts = {key: part_of(key) for key in PERCENTILES}
    return {
        "bits": bits,
        "percentiles": [
            [key.replace("_", "."), part.numerator, part.denominator, needed(part)]
            for key, part in parts.items()
        ],
        "metrics": [
            [metric, NAMES[metric], base64.b64encode(each.packed()).decode(), metric in bounded]
            for metric, each in kept.items()
        ],
        "missing": numbers(series.counted(*never)),
    }


@dataclass(frozen=True, slots=True)
class Bins:
    """The histograms of ``n`` bins: of each bucket in use its bin, its index and its count, in order.

    A bucket is that of HdrHistogram with ``bits`` instead of 11: every power of two is cut into
    ``2 ** (bits - 1)`` steps.
    """

    n: int
    bits: int
    bins: Ints
    indices: Ints
    counts: Ints

    @classmethod
    def of(cls, bins: Sequence[BinSamples | None]) -> Self:
        """Those of a series, as fine as they are; None where a bin has none."""
        nothing = np.zeros(0, np.int64)
        found = [BinSamples(nothing, nothing) if each is None else each for each in bins]
        return cls(
            len(found),
            SUB_BITS,
            np.repeat(np.arange(len(found)), [len(indices) for indices, _ in found]),
            np.concatenate([nothing, *(indices for indices, _ in found)]),
            np.concatenate([nothing, *(counts for _, counts in found)]),
        )

    def coarser(self, bits: int) -> Bins:
        """The same counts in buckets of fewer ``bits``."""
        half = self.bits - 1
        shift = np.maximum((self.indices >> half) - 1, 0)
        values = (self.indices - (shift << half)) << shift
        length = np.frexp(values.astype(np.float64))[1].astype(np.int64)
        shift = np.maximum(length - bits, 0)
        wide = (shift << (bits - 1)) + (values >> shift)
        starts = np.flatnonzero(np.diff(self.bins, prepend=-1) | np.diff(wide, prepend=-1))
        return Bins(self.n, bits, self.bins[starts], wide[starts], np.add.reduceat(self.counts, starts))

    @property
    def _numbers(self) -> Ints:
        """Of each bin how many buckets; then of each its distance to the last one and its count."""
        sizes = np.bincount(self.bins, minlength=self.n)
        at = self.bins + 1 + 2 * np.arange(len(self.bins))
        found = np.zeros(self.n + 2 * len(self.bins), np.int64)
        found[np.arange(self.n) + 2 * (np.cumsum(sizes) - sizes)] = sizes
        found[at] = self._distances
        found[at + 1] = self.counts
        return found

    @property
    def _distances(self) -> Ints:
        """Of each bucket how far it lies from the one before it in its bin."""
        firsts = np.diff(self.bins, prepend=-1) != 0
        return np.where(firsts, self.indices, np.diff(self.indices, prepend=0))

    @property
    def size(self) -> int:
        """How many bytes they take."""
        sizes = np.bincount(self.bins, minlength=self.n)
        return sum(int(_lengths(each).sum()) for each in (sizes, self._distances, self.counts))

    def packed(self) -> bytes:
        """The numbers as bytes of 7 bits, the lowest first; a set eighth bit says that more follow."""
        numbers = self._numbers
        lengths, at = _lengths(numbers)[:, None], np.arange(LONGEST)
        pieces = ((numbers[:, None] >> (7 * at)) & 127) | np.where(at < lengths - 1, 128, 0)
        found: bytes = pieces[at < lengths].astype(np.uint8).tobytes()
        return found


def _lengths(numbers: Ints) -> Ints:
    """How many bytes of 7 bits each number takes."""
    lengths: Ints = 1 + sum((numbers >> (7 * at) != 0).astype(np.int64) for at in range(1, LONGEST))
    return lengths
