"""A run over time: per-second columns for plots, read from its intervals in one pass."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from loadtest.judge.ranks import nearest_rank, needed, part_of
from loadtest.measure.histogram import Histogram, highest_of
from loadtest.measure.interval import PHASES, Interval, merge
from loadtest.measure.totals import Totals
from loadtest.show.manifest import ReadableRun

Column = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_BINS = 450
"""More points than this are not told apart on a page; longer runs are drawn in steps of several seconds."""

TIMED = ("turn.first_event", "turn.completion")
"""The metrics whose percentiles are drawn over time."""

LINES = ("p50", "p95", "p99")


class BinSamples(NamedTuple):
    """A metric's samples of one bin: the buckets in use, ascending, and their counts.

    A hundredth of what a histogram takes, which holds every bucket: a run of an hour has 900 of them.
    """

    indices: Integers
    counts: Integers

    @classmethod
    def of(cls, histogram: Histogram) -> Self:
        """Those of a histogram."""
        return cls(*histogram.counts_nonzero())

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    def counts_nonzero(self) -> tuple[Integers, Integers]:
        """As of a histogram."""
        return self.indices, self.counts

    def plus(self, other: BinSamples) -> BinSamples:
        """Both together."""
        indices, places = np.unique(np.concatenate((self.indices, other.indices)), return_inverse=True)
        counts = np.zeros(len(indices), np.int64)
        np.add.at(counts, places, np.concatenate((self.counts, other.counts)))
        return BinSamples(indices, counts)

    def at(self, part: Fraction) -> int:
        """The smallest value that this share of them does not exceed: the highest one of its bucket."""
        summed = np.cumsum(self.counts)
        place = np.searchsorted(summed, nearest_rank(part, int(summed[-1])))
        return int(highest_of(self.indices[place : place + 1])[0])


@dataclass(slots=True)
class _Bin:
    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    samples: dict[str, BinSamples] = field(default_factory=dict)

    def of_all_phases(self, metric: str) -> BinSamples | None:
        found = [self.samples[tag] for tag in _tags(metric) if tag in self.samples]
        return functools.reduce(BinSamples.plus, found) if found else None


def _tags(metric: str) -> tuple[str, ...]:
    """A metric's name in each phase."""
    return tuple(f"{phase}{metric}" for phase in ("", "warmup:", "drain:"))


TAGS = tuple(tag for name in TIMED for tag in _tags(name))


class Series:
    """Columns of equal length over bins of ``step_s`` seconds; NaN where nothing was measured in a bin.

    ``moves`` are those of the run's totals: every connection that became ready or stopped being so.
    ``seconds`` are the first and the last one of ``intervals``, which may come in any order.
    """

    def __init__(
        self,
        intervals: Iterable[Interval],
        moves: npt.NDArray[np.int64],
        seconds: tuple[int, int] | None,
        step_s: int = 1,
    ) -> None:
        self.step_s = step_s
        self.moves = moves
        self.start_s, self.end_s = (seconds[0], seconds[1] + 1) if seconds else (0, 0)
        self._bins = [_Bin() for _ in range(math.ceil((self.end_s - self.start_s) / step_s))]
        # Picture and chart ask for the same.
        self._percentiles: dict[tuple[str, str], Column] = {}
        for _, same in itertools.groupby(intervals, key=lambda interval: interval.second):
            self._add(_one(list(same)))

    def __len__(self) -> int:
        return len(self._bins)

    def _add(self, interval: Interval) -> None:
        into = self._bins[(interval.second - self.start_s) // self.step_s]
        for phase in PHASES:
            for name, n in interval.counters.get(phase, {}).items():
                into.counters[name] = into.counters.get(name, 0) + n
        for name, value in interval.gauges.items():
            into.gauges[name] = max(value, into.gauges.get(name, value))
        for tag in TAGS:
            if tag in interval.histograms:
                found = BinSamples.of(interval.histograms[tag])
                into.samples[tag] = into.samples[tag].plus(found) if tag in into.samples else found

    @property
    def starts_s(self) -> Column:
        """When each bin begins, in seconds after the run's start."""
        return self.start_s + np.arange(len(self._bins), dtype=np.float64) * self.step_s

    @property
    def widths_s(self) -> Column:
        """How long each bin is: all the same, but the last may be shorter."""
        return np.minimum(self.step_s, self.end_s - self.starts_s)

    @property
    def middles_s(self) -> Column:
        """The middle of each bin."""
        return self.starts_s + self.widths_s / 2

    def counted(self, *names: str) -> Column:
        """How often the counters of these names rose in each bin, together."""
        return np.array(
            [sum(each.counters.get(name, 0) for name in names) for each in self._bins], np.float64
        )

    def per_second(self, *names: str) -> Column:
        """The same as a rate per second."""
        return self.counted(*names) / self.widths_s

    def counters_under(self, prefix: str) -> dict[str, Column]:
        """Columns of the counters whose name starts so, by the rest of the name, most frequent first."""
        names = {
            name for each in self._bins for name, n in each.counters.items() if name.startswith(prefix) and n
        }
        columns = {name.removeprefix(prefix): self.counted(name) for name in sorted(names)}
        return dict(sorted(columns.items(), key=lambda item: -item[1].sum()))

    def gauge(self, name: str) -> Column:
        """The highest value of a gauge in each bin."""
        return np.array([each.gauges.get(name, math.nan) for each in self._bins], np.float64)

    def gauges_under(self, prefix: str) -> set[str]:
        """The names of gauges that begin so and were read at all."""
        return {name for each in self._bins for name in each.gauges if name.startswith(prefix)}

    def percentile_ms(self, metric: str, percentile: str) -> Column:
        """A percentile of each bin in milliseconds; NaN where the bin has too few samples for it."""
        if (metric, percentile) not in self._percentiles:
            part = part_of(percentile)
            found = (_percentile(each.of_all_phases(metric), part) for each in self._bins)
            self._percentiles[metric, percentile] = np.array(list(found), np.float64)
        return self._percentiles[metric, percentile]

    def samples(self, metric: str) -> Column:
        """How many samples of a metric each bin has."""
        found = (each.of_all_phases(metric) for each in self._bins)
        return np.array([0 if each is None else each.n for each in found], np.float64)

    def measured_by_bin(self, metric: str) -> list[BinSamples | None]:
        """A metric of the measured part, bin by bin; None where nothing of it was measured."""
        return [each.samples.get(metric) for each in self._bins]

    def measured(self, metric: str) -> list[BinSamples]:
        """A metric of the measured part, bin by bin, without the bins in which nothing of it was."""
        return [each.samples[metric] for each in self._bins if metric in each.samples]

    def ready(self) -> tuple[Column, Column]:
        """Connections ready at each instant at which that changed: seconds, count; a step function."""
        at = np.concatenate([[float(self.start_s)], self.moves[:, 0] / 1e9])
        return at, np.concatenate([[0.0], np.cumsum(self.moves[:, 1], dtype=np.float64)])


def read_series(run: ReadableRun, totals: Totals) -> Series:
    """The series of the seconds of ``totals``, in at most ``MAX_BINS`` bins; the intervals are read once.

    A run that goes on may have written more of them since.
    """
    if not totals.seconds:
        return Series((), totals.moves, None)
    first, last = (end(row.second for row in totals.seconds) for end in (min, max))
    step_s = -(-(last + 1 - first) // MAX_BINS)
    intervals = run.intervals(first, last + 1, tags=TAGS, step=step_s)
    return Series(intervals, totals.moves, (first, last), step_s)


def _one(same: list[Interval]) -> Interval:
    return same[0] if len(same) == 1 else merge(same)


def _percentile(found: BinSamples | None, part: Fraction) -> float:
    return math.nan if found is None or found.n < needed(part) else found.at(part) / 1e6
