"""The ways to weigh one set of runs against another: by permutation, against a history, in pairs.

Arrays are of shape (..., runs, metrics), in units in which differences add up, turned so that more is worse.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.paired import paired_difference, paired_evidence
from loadtest.judge.permutation import Array, Difference, Evidence, difference, evidence
from loadtest.judge.spread import LEAST, LEAST_HISTORY, LEAST_PAIRS, LEVEL, NEGLIGIBLE, beyond, quantiles

Method = Literal["permutation", "prediction", "pairs"]


def method_for(baseline: int, candidate: int, *, paired: bool = False) -> Method | None:
    """How so many runs against so many are weighed; None: too few for any verdict."""
    if paired:
        return "pairs" if min(baseline, candidate) >= LEAST_PAIRS else None
    if min(baseline, candidate) >= LEAST:
        return "permutation"
    return "prediction" if baseline >= LEAST_HISTORY and candidate else None


class Weighed(NamedTuple):
    """Per metric: the difference, its 95 % interval, corrected p that it is worse and that it is better."""

    estimate: Array
    low: Array
    high: Array
    worse: Array
    better: Array


Flags = npt.NDArray[np.bool_]


class Words(NamedTuple):
    """Per metric, which of them it is; none: one cannot tell."""

    slower: Flags
    faster: Flags
    same: Flags


def weigh(method: Method, before: Array, after: Array, bounds: Array) -> Weighed:
    """The runs of both sides; ``bounds`` is the smallest effect of each metric."""
    if method == "prediction":
        return _foresee(before, after, bounds)
    if method == "pairs":
        found = paired_evidence(before, after, NEGLIGIBLE * bounds)
        return _weighed(paired_difference(before, after), found)
    return _weighed(difference(before, after), evidence(before, after, NEGLIGIBLE * bounds))


def words(found: Weighed, bounds: Array) -> Words:
    """Slower or faster: surely so, and by as much as matters. Same: surely by less than that."""
    slower = (found.worse <= LEVEL) & (found.estimate >= bounds)
    faster = (found.better <= LEVEL) & (found.estimate <= -bounds)
    same = (found.low >= -bounds) & (found.high <= bounds) & ~slower & ~faster
    return Words(slower, faster, same)


def _weighed(differing: Difference, found: Evidence) -> Weighed:
    """By permutation; the interval is Student's, over runs or over pairs."""
    estimate, error, freedom = differing
    reach = quantiles(1 - LEVEL / 2, freedom) * error
    return Weighed(estimate, estimate - reach, estimate + reach, found.worse, found.better)


def _foresee(before: Array, after: Array, bounds: Array) -> Weighed:
    """Where would these few runs lie by the history's spread, if nothing had changed?

    A prediction interval; p by Bonferroni, since of one run nothing can be permuted.
    """
    n, k = ((~np.isnan(side)).sum(axis=-2) for side in (before, after))
    estimate = np.nanmean(after, axis=-2) - np.nanmean(before, axis=-2)
    error = np.nanstd(before, axis=-2, ddof=1) * np.sqrt(1 / n + 1 / k)
    worse, better = (
        np.minimum(estimate.shape[-1] * _chance(excess, error, n - 1.0), 1.0)
        for excess in (estimate - NEGLIGIBLE * bounds, -estimate - NEGLIGIBLE * bounds)
    )
    reach = quantiles(1 - LEVEL / 2, n - 1.0) * error
    return Weighed(estimate, estimate - reach, estimate + reach, worse, better)


def _chance(excess: Array, error: Array, freedom: Array) -> Array:
    """Of so large an excess or a larger one; without any spread it is certain, or impossible."""
    known = error > 0
    return np.where(known, beyond(excess / np.where(known, error, 1.0), freedom), excess <= 0)
