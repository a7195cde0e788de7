"""The ways to test one set of runs against another: by permutation, against a history, in pairs.

Arrays are of shape (..., runs, metrics), in units in which differences add up, turned so that more is worse.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.failure_share import (
    arcsine,
    arcsine_variance,
    pooled,
    share_variance,
    smallest_change,
    smallest_on_arcsine,
)
from loadtest.judge.outliers import history_outliers, outliers, paired_outliers
from loadtest.judge.paired import paired_difference, paired_p_values
from loadtest.judge.permutation import Array, Counting, Difference, PValues, difference, p_values
from loadtest.judge.power import (
    LEVEL,
    MIN_HISTORY,
    MIN_PAIRS,
    MIN_RUNS,
    NEGLIGIBLE,
    SAME_LEVEL,
    beyond,
    quantiles,
)

Method = Literal["permutation", "prediction", "pairs"]


def method_for(baseline: int, candidate: int, *, paired: bool = False) -> Method | None:
    """How so many runs against so many are tested; None: too few for any verdict."""
    if paired:
        return "pairs" if min(baseline, candidate) >= MIN_PAIRS else None
    if min(baseline, candidate) >= MIN_RUNS:
        return "permutation"
    return "prediction" if baseline >= MIN_HISTORY and candidate else None


class EffectEstimates(NamedTuple):
    """Per metric: the difference, its 95 % interval, corrected p that it is worse and that it is better.

    ``upper``: the difference lies above it in at most 10 of 100 cases (``SAME_LEVEL``).
    """

    estimate: Array
    low: Array
    high: Array
    worse: Array
    better: Array
    upper: Array


Flags = npt.NDArray[np.bool_]


class Words(NamedTuple):
    """Per metric, which of them holds; none: one cannot tell. ``slower`` means worse, ``faster`` better."""

    slower: Flags
    faster: Flags
    same: Flags


class Scales(NamedTuple):
    """Per metric: its smallest effect, whether it is a share of failures, and whether a doubling matters."""

    bounds: Array
    shares: Flags
    doubling: Flags


class Sample(NamedTuple):
    """The runs of one side: what they measured, and of how many each value is a share."""

    values: Array
    sizes: Array


class HypothesisResults(NamedTuple):
    """What the tests say. ``outliers`` are flags per run and metric of either sample.

    ``bounds`` are the rises that matter; ``hiding``: more of the candidate's runs than of the baseline's
    are outliers for the worse, so that nobody may call the metric the same or better.
    """

    found: EffectEstimates
    words: Words
    bounds: Array
    outliers: tuple[Flags, Flags]
    hiding: Flags


def judge_samples(method: Method, baseline: Sample, candidate: Sample, scales: Scales) -> HypothesisResults:
    """The tests of a family of metrics: without outliers; shares are tested by their counts."""
    before, after = baseline.values, candidate.values
    flags = _outliers(method, before, after, np.where(scales.shares, np.inf, scales.bounds))
    rest = (np.where(flags[0], np.nan, before), np.where(flags[1], np.nan, after))
    found, rise, fall = (
        _estimate_with_shares(method, rest, (baseline.sizes, candidate.sizes), scales)
        if scales.shares.any()
        else (estimate_effects(method, *rest, scales.bounds), scales.bounds, scales.bounds)
    )
    told = words(found, rise, fall=fall, margin=scales.bounds)
    hiding = _worse_share(after, rest[1]) > _worse_share(before, rest[0])
    return HypothesisResults(
        found, Words(told.slower, told.faster & ~hiding, told.same & ~hiding), rise, flags, hiding
    )


def _outliers(method: Method, before: Array, after: Array, bounds: Array) -> tuple[Flags, Flags]:
    if method == "pairs":
        flags = paired_outliers(after - before, bounds)
        return flags, flags
    if method == "prediction":
        return history_outliers(before, bounds), np.zeros(after.shape, np.bool_)
    return outliers(before, after, bounds)


def _worse_share(values: Array, rest: Array) -> Array:
    """The part of the runs that are outliers for the worse; ``rest`` are the values without any."""
    n = np.maximum((~np.isnan(values)).sum(axis=-2), 1)
    kept = np.maximum((~np.isnan(rest)).sum(axis=-2), 1)
    middle = np.nansum(rest, axis=-2) / kept
    worse = np.isnan(rest) & (values > middle[..., None, :])
    share: Array = worse.sum(axis=-2) / n
    return share


def _estimate_with_shares(
    method: Method, values: tuple[Array, Array], sizes: tuple[Array, Array], scales: Scales
) -> tuple[EffectEstimates, Array, Array]:
    """As ``estimate_effects``, with the rise and the fall that matter, where some metrics are shares.

    These are tested as arcsines; differences and intervals are those of the shares themselves.
    """
    shares = scales.shares
    before, after = values
    reference, other = pooled(before, sizes[0]), pooled(after, sizes[1])
    rise, fall = (
        np.where(scales.doubling, smallest_change(of, scales.bounds), scales.bounds)
        for of in (reference, other)
    )
    typical = np.where(np.isnan(before), 0.0, sizes[0]).max(axis=-2)
    tested = tuple(
        np.where(shares, arcsine(each, size), each) for each, size in zip(values, sizes, strict=True)
    )
    counting = tuple(np.where(shares, arcsine_variance(size), 0.0) for size in sizes)
    bounds = np.where(shares, smallest_on_arcsine(reference, rise, np.maximum(typical, 1.0)), scales.bounds)
    found = estimate_effects(method, tested[0], tested[1], bounds, (counting[0], counting[1]))
    chance = tuple(
        np.where(shares, share_variance(each, size), 0.0) for each, size in zip(values, sizes, strict=True)
    )
    plain = estimated(method, before, after, (chance[0], chance[1]))
    if method != "pairs":
        plain = plain._replace(estimate=np.where(shares, other - reference, plain.estimate))
    told = _interval(plain)
    merged = {name: np.where(shares, told[name], getattr(found, name)) for name in told}
    return (
        found._replace(**merged),
        np.where(shares, rise, scales.bounds),
        np.where(shares, fall, scales.bounds),
    )


def estimate_effects(
    method: Method, before: Array, after: Array, bounds: Array, counting: Counting | None = None
) -> EffectEstimates:
    """The runs of both sides; ``bounds`` is the smallest effect of each metric."""
    differing = estimated(method, before, after, counting)
    negligible = NEGLIGIBLE * bounds
    if method == "prediction":
        found = _by_students_t(differing, negligible)
    elif method == "pairs":
        found = paired_p_values(before, after, negligible, counting)
    else:
        found = p_values(before, after, negligible, counting)
    return EffectEstimates(worse=found.worse, better=found.better, **_interval(differing))


def estimated(method: Method, before: Array, after: Array, counting: Counting | None = None) -> Difference:
    """The difference, its error and degrees of freedom, over runs or over pairs."""
    if method == "prediction":
        return _predicted_difference(before, after, counting)
    if method == "pairs":
        return paired_difference(before, after, counting)
    return difference(before, after, counting)


def words(
    found: EffectEstimates, bounds: Array, *, fall: Array | None = None, margin: Array | None = None
) -> Words:
    """Slower or faster: surely so, and by as much as matters.

    Same: surely not worse by as much as matters, and not better by it as far as one sees. ``bounds`` is the
    rise that matters; ``fall`` and ``margin``, of better and of same, are as much where they are not given.
    """
    fall = bounds if fall is None else fall
    margin = bounds if margin is None else margin
    slower = (found.worse <= LEVEL) & (found.estimate >= bounds)
    faster = (found.better <= LEVEL) & (found.estimate <= -fall)
    same = (found.upper <= margin) & (found.estimate > -margin) & ~slower & ~faster
    return Words(slower, faster, same)


def _interval(differing: Difference) -> dict[str, Array]:
    """Student's, over runs or over pairs."""
    estimate, error, freedom = differing
    reach = quantiles(1 - LEVEL / 2, freedom) * error
    return {
        "estimate": estimate,
        "low": estimate - reach,
        "high": estimate + reach,
        "upper": estimate + quantiles(1 - SAME_LEVEL, freedom) * error,
    }


def _predicted_difference(before: Array, after: Array, counting: Counting | None) -> Difference:
    """Where these few runs would lie by the spread of the history if nothing had changed."""
    n, k = ((~np.isnan(side)).sum(axis=-2) for side in (before, after))
    estimate = np.nanmean(after, axis=-2) - np.nanmean(before, axis=-2)
    variance = np.nanvar(before, axis=-2, ddof=1)
    parts = (variance, variance)
    if counting is not None:
        parts = (
            np.maximum(variance, np.where(np.isnan(before), 0.0, counting[0]).sum(axis=-2) / n),
            np.maximum(variance, np.where(np.isnan(after), 0.0, counting[1]).sum(axis=-2) / k),
        )
    return Difference(estimate, np.sqrt(parts[0] / n + parts[1] / k), n - 1.0)


def _by_students_t(differing: Difference, negligible: Array) -> PValues:
    """A prediction interval's p, by Bonferroni, since of one run nothing can be permuted."""
    estimate, error, freedom = differing
    worse, better = (
        np.minimum(estimate.shape[-1] * _chance(excess, error, freedom), 1.0)
        for excess in (estimate - negligible, -estimate - negligible)
    )
    return PValues(worse, better)


def _chance(excess: Array, error: Array, freedom: Array) -> Array:
    """Of so large an excess or a larger one; without any spread it is certain, or impossible."""
    known = error > 0
    return np.where(known, beyond(excess / np.where(known, error, 1.0), freedom), excess <= 0)
