"""Shares of failures, as counts deserve: a change from 0 % to 2 % matters, and chance is not only the runs'.

A share of failures is k of n in each run. On the scale of the arcsine of its root, chance alone gives it the
variance 1/4n, whatever the share; what runs differ by beyond that (over-dispersion) is seen in their values.
Samples are exchanged run by run as for all other metrics, and no sample is taken to vary less than its counts
make it, see ``permutation``. Changes and intervals are told in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loadtest.judge.effect_size import Better, Yardstick, yardstick
from loadtest.judge.permutation import Array
from loadtest.judge.share_effect import LEAST_DOUBLED, SMALLEST, is_share
from loadtest.plan.scenario import Compare

ANSCOMBE = 3 / 8
"""Added to k, and twice to n, before the arcsine: it evens the variance out where k is small."""


def points_yardstick(
    name: str, values: Sequence[float | None], rules: Compare, promised: Better | None
) -> Yardstick:
    """The yardstick of any metric; of a share in points, with its own default of the smallest effect."""
    found = yardstick(name, values, rules, promised)
    return replace(found, smallest=rules.effects.get(name, SMALLEST)) if is_share(name) else found


def arcsine(shares: Array, sizes: Array) -> Array:
    """Shares of failures, each of so many, on the scale on which chance does not depend on the share."""
    k = np.clip(shares, 0.0, 1.0) * sizes
    found: Array = np.arcsin(np.sqrt((k + ANSCOMBE) / (sizes + 2 * ANSCOMBE)))
    return found


def arcsine_variance(sizes: Array) -> Array:
    """What chance alone gives a value of ``arcsine``."""
    found: Array = 1 / (4 * sizes + 2)
    return found


def share_variance(shares: Array, sizes: Array) -> Array:
    """What chance alone gives a share, also where no failure was seen (Agresti and Coull's)."""
    inner = (np.clip(shares, 0.0, 1.0) * sizes + 1 / 2) / (sizes + 1)
    found: Array = inner * (1 - inner) / sizes
    return found


def pooled(shares: Array, sizes: Array) -> Array:
    """The share of failures in all runs together: (..., metrics); NaN where none measured it."""
    known = ~np.isnan(shares)
    total = np.where(known, sizes, 0.0).sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = np.where(known, shares * sizes, 0.0).sum(axis=-2) / total
    return found


def smallest_change(reference: Array, smallest: Array) -> Array:
    """The rise that matters: so many points, or a doubling of the baseline's share if that is less."""
    found: Array = np.minimum(smallest, np.maximum(np.nan_to_num(reference), LEAST_DOUBLED))
    return found


def smallest_on_arcsine(reference: Array, change: Array, size: Array) -> Array:
    """A rise of the share by ``change`` on the scale of ``arcsine``, in runs of about ``size``."""
    start = np.clip(np.nan_to_num(reference), 0.0, 1.0)
    found: Array = arcsine(np.minimum(start + change, 1.0), size) - arcsine(start, size)
    return found
