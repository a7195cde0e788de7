"""Is a group of metrics worse or better on one of two sides that took turns? By differences within pairs.

Whatever grows slowly, the machine's warmth or its neighbours, acts on both blocks of a pair alike and
cancels in their difference. If nothing differs, either block of a pair might as well have been the other, so
the signs of the differences are turned, all ways there are; the largest statistic of any metric corrects for
their number, as in ``permutation``, whose shapes and units these are: pair number k is the k-th run of
either side.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from loadtest.judge.permutation import SEED, Array, Counting, Difference, PValues, corrected, ratio

MAX_PAIRS = 13
"""All ways to turn the signs are tried up to so many pairs (8,192 ways), beyond it as many by chance."""


def paired_difference(baseline: Array, candidate: Array, counting: Counting | None = None) -> Difference:
    """The mean of the differences, over the pairs of which both blocks measured."""
    away = candidate - baseline
    n = (~np.isnan(away)).sum(axis=-2).astype(np.float64)
    mean = np.where(n > 0, np.nansum(away, axis=-2) / np.maximum(n, 1), np.nan)
    variance = np.nansum((away - mean[..., None, :]) ** 2, axis=-2) / np.maximum(n - 1, 1)
    if counting is not None:
        variance = np.maximum(variance, _counting(away, counting).sum(axis=-2) / np.maximum(n, 1))
    known = n > 1
    error = np.where(known, np.sqrt(variance / np.maximum(n, 1)), np.inf)
    return Difference(mean, error, np.where(known, n - 1, np.nan))


def paired_p_values(
    baseline: Array, candidate: Array, negligible: Array, counting: Counting | None = None
) -> PValues:
    """How likely so large a difference is in any metric of the family, if none differs by more than that.

    As ``permutation.p_values``: each metric is first moved back by its own difference, at most by what is
    negligible. Of one side: 6 pairs reach a p of 0.016.
    """
    estimate, error, _ = paired_difference(baseline, candidate, counting)
    shift = np.clip(np.nan_to_num(estimate), -negligible, negligible)
    away = candidate - baseline
    noise = None if counting is None else _counting(away, counting)
    turned = _turned(away - shift[..., None, :], noise)
    return PValues(
        corrected(turned, ratio(estimate - negligible, error)),
        corrected(-turned, ratio(-estimate - negligible, error)),
    )


@functools.lru_cache(maxsize=16)
def signs(pairs: int) -> Array:
    """Rows of 1 and -1, one for each pair. The first row is as it was."""
    if pairs <= MAX_PAIRS:
        return np.array(list(itertools.product([1.0, -1.0], repeat=pairs)))
    rng = np.random.default_rng(SEED)
    rows = rng.choice([1.0, -1.0], (2**MAX_PAIRS, pairs))
    rows[0] = 1.0
    return rows


def _counting(away: Array, counting: Counting) -> Array:
    """What chance alone gives each difference that was measured."""
    found: Array = np.where(np.isnan(away), 0.0, counting[0] + counting[1])
    return found


def _turned(away: Array, noise: Array | None) -> Array:
    """The statistic of every metric under every choice of signs: (..., choices, metrics)."""
    known = ~np.isnan(away)
    n = known.sum(axis=-2, keepdims=True)
    values = np.where(known, away, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = signs(away.shape[-2]) @ values / n
        variance = ((values**2).sum(axis=-2, keepdims=True) / n - mean**2) / (n - 1)
        if noise is not None:
            variance = np.maximum(variance, noise.sum(axis=-2, keepdims=True) / n**2)
        found = ratio(mean, np.sqrt(np.maximum(variance, 0.0)))
    return np.where(n > 1, found, np.nan)
