"""How a share of turns, events or connections is held against itself: by its failures, and their counts.

A share of success near 1 has no room above, and a few failures more are many times as many: its difference
says little, while that of the failures says much. The arcsine of the root of the failure share has one
variance, 1/(4n) for n counted, wherever it lies, so that levels of it can be weighed like any other number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.judge.effect_size import Better, Yardstick, better_of
from loadtest.judge.permutation import Array
from loadtest.plan.scenario import Compare

SMALLEST = 0.005
"""The smallest effect on a share of failures, in points of one, unless [compare] names another."""

LEAST_DOUBLED = 0.001
"""Twice as many failures are an effect too, but not below so large a rise: twice hardly any is hardly any."""


def is_share(name: str) -> bool:
    """Whether a metric counts how many of something became this or that."""
    return name.endswith(".ratio")


@dataclass(frozen=True, slots=True)
class ShareYardstick(Yardstick):
    """A share. ``base`` is the usual share of failures, ``doubling``: twice of it is an effect as well."""

    base: float = 0.0
    doubling: bool = True

    @property
    def bound(self) -> float:
        """The smallest rise of failures that counts as worse, in the units of ``turned``."""
        rise = min(self.smallest, max(self.base, LEAST_DOUBLED)) if self.doubling else self.smallest
        return self.units(rise)

    def units(self, change: float) -> float:
        """So many points more failures than usual, in the units of ``turned``."""
        return _arc(self.base + change) - _arc(self.base)

    def turned(self, values: Iterable[float | None]) -> Array:
        """The arcsine of the root of each share of failures; NaN where there is none."""
        known = np.array([np.nan if value is None else value for value in values], np.float64)
        failed = known if self.better == "lower" else 1 - known
        return np.arcsin(np.sqrt(np.clip(failed, 0.0, 1.0)))

    def value(self, turned: float) -> float:
        """Back to the share."""
        failed = math.sin(min(max(turned, 0.0), math.pi / 2)) ** 2
        return failed if self.better == "lower" else 1 - failed

    def change(self, turned: float) -> float:
        """A difference from the usual share, in points of one; negative where it is less."""
        usual = _arc(self.base)
        return self.value(usual + turned) - self.value(usual)


def share_yardstick(
    name: str, values: Sequence[float | None], rules: Compare, promised: Better | None
) -> ShareYardstick:
    """How a share of that name and these values is compared; ``promised``: what its threshold wants."""
    better = promised or better_of(name)
    known = [value if better == "lower" else 1 - value for value in values if value is not None]
    base = float(np.median(known)) if known else 0.0
    smallest = rules.effects.get(name)
    return ShareYardstick(
        name, "ratio", better, "points", SMALLEST if smallest is None else smallest, base, smallest is None
    )


def own_variance(counted: Iterable[int]) -> float:
    """What counting alone makes shares of so many differ by: the mean of 1/(4n)."""
    known = [1 / (4 * n) for n in counted if n > 0]
    return sum(known) / len(known) if known else 0.0


def _arc(share: float) -> float:
    return math.asin(math.sqrt(min(max(share, 0.0), 1.0)))
