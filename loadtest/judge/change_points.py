"""Where in a row of runs the level of a metric changed, and whether a run fits what its level predicts.

Values are of shape (runs,) or (runs, metrics), oldest first, in units in which differences add up, turned so
that more is worse; NaN: not measured in that run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.permutation import TINY, Array
from loadtest.judge.power import LEVEL, MIN_HISTORY, NEGLIGIBLE, SAME_LEVEL, beyond, quantile, quantiles

FOLLOWING = 5
"""So many runs must follow a change, and stand before it, so that it is told from a few odd runs."""

AROUND = 2 * FOLLOWING - 1
"""The median of so many neighbours: fewer than 5 odd runs do not move it, 5 in a row do."""

STRAY = 4.0
"""Spreads; a run further from its neighbours' median is drawn in to that, so that it makes no level alone."""

PRICE = 3.0
"""What a further level must explain, in variances times the logarithm of the number of runs.

Too many candidates are found rather than too few; each is then tested.
"""

NORMAL_MEDIAN = 0.6745
"""The median of the absolute value of a standard normal variable."""


class LevelDifference(NamedTuple):
    """How far two levels lie apart: the difference, its 95 % interval, p that it is worse and better."""

    estimate: float
    low: float
    high: float
    worse: float
    better: float

    @property
    def chance(self) -> float:
        """The p of the direction in which they lie apart."""
        return self.worse if self.estimate > 0 else self.better


def level_difference(
    before: Array, after: Array, bound: float, tests: float = 1, own: float = 0.0
) -> LevelDifference:
    """Two levels of one spread, by Student's t; p is multiplied by ``tests``, by Bonferroni.

    As in a comparison p is of more than the negligible part of ``bound``, the smallest effect. Either side
    has at least one value, both together three. ``own`` is the variance that counting alone gives a value:
    runs that agree more closely do so by chance.
    """
    estimate = float(after.mean() - before.mean())
    freedom = len(before) + len(after) - 2
    squares = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
    error = math.sqrt(max(squares / freedom, own) * (1 / len(before) + 1 / len(after)))
    reach = quantile(1 - LEVEL / 2, freedom) * error
    worse, better = (
        min(1.0, tests * _chance(excess - NEGLIGIBLE * bound, error, freedom))
        for excess in (estimate, -estimate)
    )
    return LevelDifference(estimate, estimate - reach, estimate + reach, worse, better)


def _chance(excess: float, error: float, freedom: int) -> float:
    if error <= TINY:
        return float(excess <= TINY)
    return float(beyond(np.array(excess / error), np.array(float(freedom))))


def change_points(values: Array, bound: float, family: int, own: float = 0.0) -> list[int]:
    """Positions of the first run after each change of level; ``values`` of shape (runs,).

    A change is at least ``bound``, stands between at least 5 measured runs on either side, and is sure:
    p is corrected for every place at which it could be, and for the ``family`` metrics that are looked at.
    ``own`` is the variance that counting alone gives a value.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2 * FOLLOWING:
        return []
    drawn_in = without_strays(values[known], own)
    cuts = _candidates(drawn_in, own)
    tests = family * (len(known) - 2 * FOLLOWING + 1)
    while cuts:
        ends = [0, *cuts, len(drawn_in)]
        found = [
            level_difference(drawn_in[one:cut], drawn_in[cut:other], bound, tests, own)
            for one, cut, other in zip(ends, cuts, ends[2:], strict=False)
        ]
        doubtful = [
            (each.chance, -abs(each.estimate), at)
            for at, each in enumerate(found)
            if each.chance > LEVEL or abs(each.estimate) < bound
        ]
        if not doubtful:
            break
        cuts.pop(max(doubtful)[-1])
    return [int(known[cut]) for cut in cuts]


def without_strays(values: Array, own: float = 0.0) -> Array:
    """Values with every one that lies far from the median of nine neighbours drawn in to where far begins."""
    across = min(AROUND, len(values))
    windows = np.lib.stride_tricks.sliding_window_view(values, across)
    places = np.clip(np.arange(len(values)) - across // 2, 0, len(windows) - 1)
    middle = np.median(windows, axis=1)[places]
    reach = STRAY * max(_spread(values), math.sqrt(own))
    return np.clip(values, middle - reach, middle + reach) if reach > TINY else values


def _spread(values: Array) -> float:
    """The standard deviation by the steps from run to run, which a few changes of level do not widen.

    That of the values themselves where most steps are 0.
    """
    steps = np.abs(np.diff(values))
    return float(np.median(steps)) / (NORMAL_MEDIAN * math.sqrt(2)) or float(values.std())


def _candidates(values: Array, own: float) -> list[int]:
    """The places that an optimal partition has, each level of one mean and of at least 5 runs."""
    variance = max(_spread(values) ** 2, own)
    if variance <= TINY**2:
        return []
    import ruptures

    found = ruptures.KernelCPD(kernel="linear", min_size=FOLLOWING).fit(values.reshape(-1, 1))
    ends = found.predict(pen=PRICE * variance * math.log(len(values)))
    return [int(end) for end in ends[:-1]]


class EffectBounds(NamedTuple):
    """Per metric: the smallest change that counts, the largest that is none, and the variance of counting."""

    effect: Array
    same: Array
    own: Array

    def of(self, columns: npt.NDArray[np.intp]) -> EffectBounds:
        """Those of some metrics."""
        return EffectBounds(*(part[columns] for part in self))


class Prediction(NamedTuple):
    """Per metric: the difference of a run, its 95 % interval, corrected p, and which words hold of it."""

    estimate: Array
    low: Array
    high: Array
    p_worse: Array
    p_better: Array
    worse: npt.NDArray[np.bool_]
    better: npt.NDArray[np.bool_]
    same: npt.NDArray[np.bool_]


def predict(before: Array, after: Array, bounds: EffectBounds) -> Prediction:
    """One run against those before it, by their prediction interval, as ``estimate_effects`` does.

    ``before`` is of shape (runs, metrics), ``after`` (metrics,). p is corrected over the metrics, by
    Bonferroni.
    """
    n = (~np.isnan(before)).sum(axis=0)
    estimate = after - np.nanmean(before, axis=0)
    error = np.sqrt(np.maximum(np.nanvar(before, axis=0, ddof=1), bounds.own) * (1 + 1 / n))
    excess = NEGLIGIBLE * bounds.effect
    worse, better = (
        np.minimum(len(estimate) * _chances(side - excess, error, n - 1.0), 1.0)
        for side in (estimate, -estimate)
    )
    reach = quantiles(1 - LEVEL / 2, n - 1.0) * error
    low, high = estimate - reach, estimate + reach
    is_worse = (worse <= LEVEL) & (estimate >= bounds.effect)
    is_better = (better <= LEVEL) & (estimate <= -bounds.effect)
    upper = estimate + quantiles(1 - SAME_LEVEL, n - 1.0) * error
    same = (upper <= bounds.same) & (estimate > -bounds.same) & ~is_worse & ~is_better
    return Prediction(estimate, low, high, worse, better, is_worse, is_better, same)


def _chances(excess: Array, error: Array, freedom: Array) -> Array:
    known = error > 0
    return np.where(known, beyond(excess / np.where(known, error, 1.0), freedom), excess <= 0)


def outside_prediction(
    values: Array, starts: Sequence[Sequence[int]], bounds: EffectBounds
) -> npt.NDArray[np.bool_]:
    """Which runs lie outside what the runs before them predict, per run and metric; shape of ``values``.

    ``starts`` are each metric's changes of level: what was before does not speak of what comes after. Such
    a run does not count when the next ones are predicted, else a first bad night would hide the second.
    """
    told = values.copy()
    outside = np.zeros(values.shape, np.bool_)
    for at in range(len(values)):
        for metric, cuts in enumerate(starts):
            if at in cuts:
                told[:at, metric] = np.nan
        enough = (~np.isnan(told[:at])).sum(axis=0) >= MIN_HISTORY
        columns = np.flatnonzero(enough & ~np.isnan(values[at]))
        if len(columns):
            found = predict(told[:at, columns], values[at, columns], bounds.of(columns))
            odd = columns[found.worse | found.better]
            outside[at, odd] = True
            told[at, odd] = np.nan
    return outside
