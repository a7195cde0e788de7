"""Which percentiles n samples support, and between which of them the true percentile lies."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np

CONFIDENCE = 0.95

ROUNDING = 1e-12


@functools.lru_cache(maxsize=256)
def part_of(percentile: str) -> Fraction:
    """The part of one that the percentile of key "p99_9" stands for."""
    return Fraction(percentile.removeprefix("p").replace("_", ".")) / 100


def needed(part: Fraction) -> int:
    """How many samples a percentile needs: so many that one of them lies beyond it, n >= 1 / (1 - part).

    Below the median, beyond means below it.
    """
    return math.ceil(1 / min(part, 1 - part))


def nearest_rank(part: Fraction, n: int) -> int:
    """The rank, from 1, of the smallest of ``n`` samples that ``part`` of them do not exceed."""
    return max(1, math.ceil(part * n))


@functools.lru_cache(maxsize=256)
def confidence_ranks(part: Fraction, n: int) -> tuple[int, int] | None:
    """The ranks of two samples between which the true percentile lies with 95 % confidence.

    Of n independent samples the number below the true percentile is binomial, whatever their
    distribution; the ranks are its 2.5 % quantile and the one after its 97.5 % quantile, as in
    ``scipy.stats.quantile_test``. None where one of them does not exist, since n is too small.
    """
    if n < 1:
        return None
    tail = (1 - CONFIDENCE) / 2
    low = binomial_quantile(tail, n, float(part))
    high = binomial_quantile(1 - tail, n, float(part)) + 1
    return (low, high) if low >= 1 and high <= n else None


def binomial_quantile(q: float, n: int, p: float) -> int:
    """The smallest k with P(X <= k) >= q, of X successes among ``n`` trials of chance ``p``.

    ``q`` and ``p`` lie strictly between 0 and 1. Exact to rounding: the ratio of neighbouring
    probabilities is known in closed form, and their sum is 1. Only the 13 standard deviations (and
    40 more, for skewed ones) around the mean are added up; beyond lies less than 1e-15.
    """
    reach = 13 * math.sqrt(n * p * (1 - p)) + 40
    first, last = max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach))
    k = np.arange(first, last, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((n - k) / (k + 1)) + math.log(p / (1 - p)))])
    weights = np.exp(logs - logs.max())
    cumulative = np.cumsum(weights)
    # A sum that equals q but for rounding is q, as where half of a symmetric distribution is asked for.
    return first + int(np.searchsorted(cumulative, q * (1 - ROUNDING) * cumulative[-1]))
