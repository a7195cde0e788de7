"""What a spread between runs lets one see: intervals, the smallest difference, the repeats it takes.

All in the units of the runs (logarithms of durations), so that a difference of 0.0488 is 5 %.
"""

from __future__ import annotations

import math

import numpy as np

from loadtest.judge.permutation import Array

LEVEL = 0.05
"""The chance that an interval misses the truth, and that any metric of a family is falsely called slower.

As much again that any is falsely called faster: they are two claims.
"""

SAME_LEVEL = 0.10
"""The chance that a metric is called the same though it is worse by just the smallest effect.

With 5 of 100, as for slower, six metrics of one build that spread by 3 % are all called the same in about 50
of 100 comparisons of 8 against 8; with 10 in over 80, and what is worse by twice the smallest effect in none.
"""

POWER = 0.95
"""How often a difference is found that is called one that could be seen."""

NEGLIGIBLE = 0.64
"""The part of the smallest effect that counts as no difference at all.

A test against no difference at all would call a true 3 % slower in up to 43 of 100 comparisons where 5 % is
the smallest effect, since noise carries the estimate over 5 %. Of 0.64 of it 3 % are a part, so that what p
promises holds of them too.
"""

MIN_RUNS = 4
"""Of fewer runs a side p is 0.05 at best, and that only if they do not overlap in any metric."""

MIN_PAIRS = 6
"""Of 5 pairs of blocks, turning the signs gives 0.031 at best, and 0.063 next: one block would decide."""

MIN_HISTORY = 8
"""So many stored runs give a spread that one further run can be held against."""

MAX_REPEATS = 200


def quantile(part: float, freedom: float) -> float:
    """Student's t: the value that ``part`` of it lies below."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, part))


def quantiles(part: float, freedom: Array) -> Array:
    """The same for many degrees of freedom; NaN stays NaN."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(freedom, part), np.float64)


def beyond(statistic: Array, freedom: Array) -> Array:
    """The chance that Student's t lies above the statistic."""
    from scipy.special import stdtr

    return np.asarray(stdtr(freedom, -statistic), np.float64)


def visible(
    spread: float, runs: tuple[int, int], smallest: float, family: int, *, paired: bool = False
) -> float:
    """The true difference that is found in 95 of 100 comparisons, by runs of that spread.

    ``runs`` are those of either side, ``smallest`` is the smallest effect, ``family`` the number of metrics
    that decide together. ``paired``: the spread is that of differences within pairs. An approximation by
    Bonferroni and Student's t, on the safe side.
    """
    error, freedom = _error(spread, runs, paired=paired)
    sure = quantile(POWER, freedom) * error
    found = NEGLIGIBLE * smallest + quantile(1 - LEVEL / family, freedom) * error
    return max(found, smallest) + sure


def repeats(spread: float, smallest: float, twice: float, family: int, *, paired: bool = False) -> int | None:
    """Runs a side that find a difference of ``twice`` the smallest effect, and call no difference the same.

    Either in 95 of 100 comparisons. None: more than 200. ``paired`` as for ``visible``; then they are pairs.
    """
    for runs in range(MIN_PAIRS if paired else MIN_RUNS, MAX_REPEATS + 1):
        error, freedom = _error(spread, (runs, runs), paired=paired)
        same = (quantile(1 - SAME_LEVEL, freedom) + quantile(POWER, freedom)) * error
        if same <= smallest and visible(spread, (runs, runs), smallest, family, paired=paired) <= twice:
            return runs
    return None


def enough_runs(
    estimate: float,
    spread: float,
    runs: tuple[int, int],
    smallest: float,
    family: int,
    *,
    paired: bool = False,
) -> int | None:
    """Runs a side that decide it, if the difference and the spread stay as they are; pairs where ``paired``.

    More than the smaller side has now. None: over 200 more.
    """
    now = min(runs)
    for each in range(max(now + 1, MIN_PAIRS if paired else MIN_RUNS), now + MAX_REPEATS + 1):
        error, freedom = _error(spread, (max(runs[0], each), max(runs[1], each)), paired=paired)
        sure = abs(estimate) - NEGLIGIBLE * smallest >= quantile(1 - LEVEL / family, freedom) * error
        same = estimate + quantile(1 - SAME_LEVEL, freedom) * error <= smallest
        if (same and estimate > -smallest) or (sure and abs(estimate) >= smallest):
            return each
    return None


def _error(spread: float, runs: tuple[int, int], *, paired: bool) -> tuple[float, int]:
    """The standard error of a difference, and its degrees of freedom."""
    if paired:
        return spread / math.sqrt(runs[0]), runs[0] - 1
    return spread * math.sqrt(1 / runs[0] + 1 / runs[1]), sum(runs) - 2
