"""Shares of failures, compared by their counts: 0 % to 2 % matters, and not only runs differ by chance.

A share of success near 1 has no room above, and a few failures more are many times as many: its difference
says little, while that of the failures says much. A share of failures is k of n in each run. The arcsine of
its root has one variance by chance alone, 1/4n, whatever the share, so that it can be compared like any other
number; what runs differ by beyond that (over-dispersion) is seen in their values. Samples are exchanged run
by run as for all other metrics, and no sample is taken to vary less than its counts make it, see
``permutation``. Changes and intervals are told in points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from loadtest.judge.effect_size import Better, EffectMeasure, better_of, effect_measure
from loadtest.judge.permutation import Array
from loadtest.plan.scenario import Compare

ANSCOMBE = 3 / 8
"""Added to k, and twice to n, before the arcsine: it evens the variance out where k is small."""

SMALLEST = 0.005
"""The smallest effect on a share of failures, in points of one, unless [compare] names another."""

MIN_DOUBLED = 0.001
"""Twice as many failures are an effect too, but not below this rise: twice nearly none is nearly none."""


def is_share(name: str) -> bool:
    """Whether a metric is a share: how many of something ended in some way."""
    return name.endswith(".ratio")


@dataclass(frozen=True, slots=True)
class ShareMeasure(EffectMeasure):
    """A share. ``base`` is the usual share of failures, ``doubling``: twice of it is an effect as well."""

    base: float = 0.0
    doubling: bool = True

    @property
    def bound(self) -> float:
        """The smallest rise of failures that counts as worse, in the units of ``turned``."""
        rise = min(self.smallest, max(self.base, MIN_DOUBLED)) if self.doubling else self.smallest
        return self.units(rise)

    def units(self, change: float) -> float:
        """So many points more failures than usual, in the units of ``turned``."""
        return float(arcsine(self.base + change) - arcsine(self.base))

    def turned(self, values: Iterable[float | None]) -> Array:
        """The arcsine of the root of each share of failures; NaN where there is none."""
        known = np.array([np.nan if value is None else value for value in values], np.float64)
        failed = known if self.better == "lower" else 1 - known
        return arcsine(failed)

    def value(self, turned: float) -> float:
        """Back to the share."""
        failed = math.sin(min(max(turned, 0.0), math.pi / 2)) ** 2
        return failed if self.better == "lower" else 1 - failed

    def change(self, turned: float) -> float:
        """A difference from the usual share, in points of one; negative where it is less."""
        usual = float(arcsine(self.base))
        return self.value(usual + turned) - self.value(usual)


def share_measure(
    name: str, values: Sequence[float | None], rules: Compare, promised: Better | None
) -> ShareMeasure:
    """How a share of that name and these values is compared; ``promised``: what its threshold wants."""
    better = promised or better_of(name)
    known = [value if better == "lower" else 1 - value for value in values if value is not None]
    base = float(np.median(known)) if known else 0.0
    smallest = rules.effects.get(name)
    return ShareMeasure(
        name, "ratio", better, "points", SMALLEST if smallest is None else smallest, base, smallest is None
    )


def own_variance(counted: Iterable[int]) -> float:
    """The variance of shares of so many by chance alone, on the scale of ``arcsine``: the mean of 1/(4n)."""
    known = [1 / (4 * n) for n in counted if n > 0]
    return sum(known) / len(known) if known else 0.0


def points_measure(
    name: str, values: Sequence[float | None], rules: Compare, promised: Better | None
) -> EffectMeasure:
    """The measure of any metric; a share is in points and has its own default of the smallest effect."""
    found = effect_measure(name, values, rules, promised)
    return replace(found, smallest=rules.effects.get(name, SMALLEST)) if is_share(name) else found


def arcsine(shares: npt.ArrayLike, sizes: Array | None = None) -> Array:
    """Shares of failures on the scale on which chance does not depend on the share: arcsine of the root.

    ``sizes`` are of how many each is a share; with them it is Anscombe's, for small numbers of failures.
    """
    failed = np.clip(shares, 0.0, 1.0)
    if sizes is not None:
        failed = (failed * sizes + ANSCOMBE) / (sizes + 2 * ANSCOMBE)
    found: Array = np.arcsin(np.sqrt(failed))
    return found


def arcsine_variance(sizes: Array) -> Array:
    """The variance of a value of ``arcsine`` by chance alone."""
    found: Array = 1 / (4 * sizes + 2)
    return found


def share_variance(shares: Array, sizes: Array) -> Array:
    """The variance of a share by chance alone, also where no failure was seen (Agresti and Coull)."""
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
    found: Array = np.minimum(smallest, np.maximum(np.nan_to_num(reference), MIN_DOUBLED))
    return found


def smallest_on_arcsine(reference: Array, change: Array, size: Array) -> Array:
    """A rise of the share by ``change`` on the scale of ``arcsine``, in runs of about ``size``."""
    start = np.clip(np.nan_to_num(reference), 0.0, 1.0)
    found: Array = arcsine(np.minimum(start + change, 1.0), size) - arcsine(start, size)
    return found
