"""How a metric is compared between runs: which direction is worse, the units, the smallest effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loadtest import catalog
from loadtest.judge.permutation import Array
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import Threshold, Unit, resolve, split_metric

Better = Literal["lower", "higher"]
Scale = Literal["ratio", "points", "count"]
"""The unit of a difference: part of the baseline; points of a share; part of the count plus one."""

Word = Literal["worse", "slower", "better", "faster", "same", "cannot tell"]
"""Times are slower or faster, everything else worse or better."""

Moved = Literal["worse", "slower", "better", "faster"]
"""Those that say that something changed."""

WORSE: tuple[Moved, Moved] = ("worse", "slower")
BETTER: tuple[Moved, Moved] = ("better", "faster")

HIGHER = {"rates", *(each.name for each in catalog.COUNTERS if each.higher_is_better)}
"""Names, or their first words, of which higher is better; of all others lower is."""


@dataclass(frozen=True, slots=True)
class EffectMeasure:
    """One metric; ``smallest`` is the smallest effect as a part of one."""

    name: str
    unit: Unit
    better: Better
    scale: Scale
    smallest: float

    def as_dict(self) -> dict[str, str]:
        """As in the JSON of a comparison and of a trend."""
        return {"name": self.name, "unit": self.unit, "better": self.better, "scale": self.scale}

    @property
    def bound(self) -> float:
        """The smallest effect in the units of ``turned``."""
        return self.units(self.smallest)

    def units(self, change: float) -> float:
        """A change for the worse, as a part of one, in the units of ``turned``."""
        return change if self.scale == "points" else float(np.log1p(change))

    def turned(self, values: Iterable[float | None]) -> Array:
        """Values of runs in units in which differences add up, turned so that more is worse.

        NaN where there is none, or where it is 0 and has no logarithm.
        """
        known = np.array([np.nan if value is None else value for value in values], np.float64)
        if self.scale != "points":
            known = known + 1 if self.scale == "count" else np.where(known > 0, known, np.nan)
            known = np.log(known)
        return known if self.better == "lower" else -known

    def value(self, turned: float) -> float:
        """Back to the unit of ``run.json``: of a mean, the geometric one where the scale is a ratio."""
        plain = turned if self.better == "lower" else -turned
        if self.scale == "points":
            return plain
        return float(np.exp(plain)) - (1 if self.scale == "count" else 0)

    def change(self, turned: float) -> float:
        """A difference as shown: a part of the baseline, or points of one; negative where it is less."""
        plain = turned if self.better == "lower" else -turned
        return plain if self.scale == "points" else float(np.expm1(plain))

    def changes(self, low: float, high: float) -> tuple[float, float]:
        """An interval of differences, lower end first."""
        one, other = self.change(low), self.change(high)
        return min(one, other), max(one, other)


def effect_measure(
    name: str, values: Sequence[float | None], rules: Compare, promised: Better | None
) -> EffectMeasure:
    """How a metric of that name and these values is compared; ``promised``: what its threshold wants."""
    _, unit = resolve(name)
    scale: Scale = "points" if unit == "ratio" else "ratio"
    if unit == "count" and any(value == 0 for value in values):
        scale = "count"
    smallest = rules.effects.get(name, rules.smallest_effect)
    return EffectMeasure(name, unit, promised or better_of(name), scale, smallest)


def better_of(name: str) -> Better:
    """Whether lower or higher values of a metric are better, by its name."""
    if split_metric(name):
        return "higher" if name.endswith(".n") else "lower"
    known = name.removesuffix(".ratio").removesuffix(".peak")
    return "higher" if known in HIGHER or known.partition(".")[0] in HIGHER else "lower"


def wanted(thresholds: Iterable[Threshold]) -> dict[str, Better]:
    """Which direction is better by the thresholds; nothing where they contradict each other."""
    found: dict[str, set[Better]] = {}
    for each in thresholds:
        if each.operator in {"<", "<="}:
            found.setdefault(each.name, set()).add("lower")
        if each.operator in {">", ">="}:
            found.setdefault(each.name, set()).add("higher")
    return {name: ways.pop() for name, ways in found.items() if len(ways) == 1}


def word_for(rule: EffectMeasure, *, worse: bool) -> Moved:
    """The word for a metric that got worse, or better."""
    return (WORSE if worse else BETTER)[rule.unit == "ms"]
