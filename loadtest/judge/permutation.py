"""Is a group of metrics worse or better in one set of runs than in another? By permutation over runs.

The replicate is the run: samples of one run resemble each other, so only runs are exchanged. All metrics of
a family are exchanged together and each is held against the largest statistic of any of them, so that the
chance of one false finding in the whole family is what is stated (max-statistic, Westfall and Young).
Statistics are Welch's t, so that a metric of wide spread does not drown one of narrow spread.

Arrays are of shape (..., runs, metrics), in units in which a difference means something (logarithms of
durations), turned so that more is worse. NaN: not measured in that run.

``counting`` is, for either set, the variance that a value has because it is made of a limited number of
counts (0 for values that are not). No set is taken to vary less than that: runs of which none lost a turn
are alike, but not because none ever will.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MAX_SPLITS = 13_000
"""All ways to split the runs are tried up to this number (8 against 8: 12,870), beyond it a random part."""

SEED = 20_261_122

TINY = 1e-12
"""Differences below this are rounding; logarithms of what was measured are exact to about 1e-3."""


Counting = tuple[Array, Array]
"""What chance alone gives the values of either set: variances, in the shape of the values."""


class PValues(NamedTuple):
    """Corrected p per metric: that it is worse, that it is better, by no more than what is negligible."""

    worse: Array
    better: Array


class Difference(NamedTuple):
    """Per metric: candidate's mean less baseline's, its standard error, and Welch's degrees of freedom."""

    estimate: Array
    error: Array
    freedom: Array


def p_values(
    baseline: Array, candidate: Array, negligible: Array, counting: Counting | None = None
) -> PValues:
    """How likely so large a difference is in any metric of the family, if none differs by more than that.

    ``negligible`` is a half-width per metric. Each metric is first moved back by its own difference, at most
    by what is negligible: that is how the runs would lie if the hypothesis held. Worse and better are two
    claims, each with a p of its own, of one side: 4 against 4 reach 0.014, 5 against 5 reach 0.004.
    """
    estimate, error, _ = difference(baseline, candidate, counting)
    shift = np.clip(np.nan_to_num(estimate), -negligible, negligible)
    aligned = np.concatenate([baseline, candidate - shift[..., None, :]], axis=-2)
    counted = None if counting is None else np.concatenate(counting, axis=-2)
    permuted = _permuted(aligned, baseline.shape[-2], counted)
    return PValues(
        corrected(permuted, ratio(estimate - negligible, error)),
        corrected(-permuted, ratio(-estimate - negligible, error)),
    )


def difference(baseline: Array, candidate: Array, counting: Counting | None = None) -> Difference:
    """Of means, over the runs that measured; NaN where a side has none, infinite error where it has one."""
    n_b, n_c = _counted(baseline), _counted(candidate)
    part_b, part_c = _variance(baseline, n_b), _variance(candidate, n_c)
    if counting is not None:
        part_b = np.maximum(part_b, _mean(np.where(np.isnan(baseline), np.nan, counting[0]), n_b))
        part_c = np.maximum(part_c, _mean(np.where(np.isnan(candidate), np.nan, counting[1]), n_c))
    part_b, part_c = part_b / np.maximum(n_b, 1), part_c / np.maximum(n_c, 1)
    total = part_b + part_c
    with np.errstate(divide="ignore", invalid="ignore"):
        split = part_b**2 / (n_b - 1) + part_c**2 / (n_c - 1)
        freedom = np.where(split > 0, total**2 / split, n_b + n_c - 2)
    known = (n_b > 1) & (n_c > 1)
    error = np.where(known, np.sqrt(total), np.inf)
    return Difference(
        _mean(candidate, n_c) - _mean(baseline, n_b), error, np.where(known, np.maximum(freedom, 1), np.nan)
    )


@functools.lru_cache(maxsize=16)
def splits(baseline: int, runs: int) -> Array:
    """Rows of 0 and 1: which of ``runs`` runs are called the baseline. The first row is as it was."""
    if math.comb(runs, baseline) <= MAX_SPLITS:
        chosen = np.array(list(itertools.combinations(range(runs), baseline)))
    else:
        rng = np.random.default_rng(SEED)
        chosen = np.argsort(rng.random((MAX_SPLITS, runs)), axis=1)[:, :baseline]
        chosen[0] = np.arange(baseline)
    rows = np.zeros((len(chosen), runs))
    np.put_along_axis(rows, chosen, 1.0, axis=1)
    return rows


def _permuted(runs: Array, baseline: int, counting: Array | None) -> Array:
    """The statistic of every metric under every split: (..., splits, metrics); NaN where it has none."""
    chosen = splits(baseline, runs.shape[-2])
    known = ~np.isnan(runs)
    middle = _mean(runs, _counted(runs))[..., None, :]
    values = np.where(known, runs - middle, 0.0)
    n = chosen @ known.astype(np.float64)
    m = known.sum(axis=-2, keepdims=True) - n
    total = chosen @ values
    squares = chosen @ values**2
    rest, rest_squares = values.sum(-2, keepdims=True) - total, (values**2).sum(-2, keepdims=True) - squares
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = total / n, rest / m
        first, second = (squares / n - one**2) / (n - 1), (rest_squares / m - other**2) / (m - 1)
        if counting is not None:
            noise = np.where(known, counting, 0.0)
            part = chosen @ noise
            first = np.maximum(first, part / n**2)
            second = np.maximum(second, (noise.sum(-2, keepdims=True) - part) / m**2)
        error = first + second
        found = ratio(other - one, np.sqrt(np.maximum(error, 0.0)))
    return np.where((n > 1) & (m > 1), found, np.nan)


def corrected(permuted: Array, observed: Array) -> Array:
    """The share of splits in which any metric reaches what was observed of this one; 1 where that is NaN."""
    most = np.fmax.reduce(permuted, axis=-1, initial=-np.inf)
    # The first split is what was observed, against the negligible difference like all the others.
    most[..., 0] = np.fmax.reduce(observed, axis=-1, initial=-np.inf)
    slack = TINY * np.maximum(1.0, np.abs(np.where(np.isfinite(observed), observed, 0.0)))
    reached = most[..., :, None] >= (observed - slack)[..., None, :]
    share: Array = np.where(np.isnan(observed), 1.0, reached.mean(axis=-2))
    return share


def ratio(difference: Array, error: Array) -> Array:
    """Difference in units of its error; without any spread, nothing is 0 and anything else infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = difference / np.where(error > TINY, error, np.nan)
    certain = np.where(np.abs(difference) <= TINY, 0.0, np.copysign(np.inf, difference))
    told: Array = np.where(error > TINY, found, certain)
    return told


def _counted(runs: Array) -> Array:
    known: Array = (~np.isnan(runs)).sum(axis=-2).astype(np.float64)
    return known


def _mean(runs: Array, n: Array) -> Array:
    mean: Array = np.where(n > 0, np.nansum(runs, axis=-2) / np.maximum(n, 1), np.nan)
    return mean


def _variance(runs: Array, n: Array) -> Array:
    """Unbiased; of one run or none it is 0, and nobody should use it."""
    away = runs - _mean(runs, n)[..., None, :]
    variance: Array = np.nansum(away**2, axis=-2) / np.maximum(n - 1, 1)
    return variance
