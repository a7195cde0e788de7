"""One metric compared: what each side measured, how far apart that is, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadtest.judge.course import Word
from loadtest.judge.effect_size import Yardstick
from loadtest.judge.hypothesis_tests import Method


@dataclass(frozen=True, slots=True)
class Level:
    """A metric on one side: what each run measured, and the mean of those that did, in its own unit.

    The mean is that of the runs that are no outliers; of a share it is that of all runs together.
    ``samples`` is how many samples stand behind it in all runs together; ``reason`` says why a run has none.
    """

    values: tuple[float | None, ...]
    value: float | None
    samples: int
    reason: str = ""

    @property
    def n(self) -> int:
        """How many runs measured it."""
        return sum(value is not None for value in self.values)

    def as_dict(self) -> dict[str, Any]:
        """As in the comparison's JSON."""
        return {"value": self.value, "runs": self.n, "samples": self.samples, "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric compared.

    ``change``, ``interval`` (95 %, of this metric alone) and ``visible`` are parts of the baseline, or of
    one where the yardstick's scale is points. ``p`` is of the direction in which the change lies,
    corrected over the metrics that were judged together.
    ``outliers`` are the ids of runs that lie far from all others and are not weighed with them.
    ``spread`` is how far runs of one side differ (standard deviation, as a part; of pairs, how far their
    differences do), ``visible`` the change that these runs find in 95 of 100 comparisons, ``repeats`` the
    runs a side (or pairs) that would tell the smallest effect from nothing, ``enough`` those that would
    decide if the difference stays as it is; None: over 200, or the spread is not known.
    """

    yardstick: Yardstick
    primary: bool
    baseline: Level
    candidate: Level
    word: Word
    why: str
    method: Method | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    spread: float | None = None
    visible: float | None = None
    repeats: int | None = None
    enough: int | None = None
    outliers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The metric's."""
        return self.yardstick.name

    def as_dict(self) -> dict[str, Any]:
        """As in the comparison's JSON."""
        return {
            **self.yardstick.as_dict(),
            "primary": self.primary,
            "smallest_effect": self.yardstick.smallest,
            "verdict": self.word,
            "reason": self.why,
            "method": self.method,
            "baseline": self.baseline.as_dict(),
            "candidate": self.candidate.as_dict(),
            "change": self.change,
            "ci95": None if self.interval is None else list(self.interval),
            "p": self.p,
            "spread": self.spread,
            "visible": self.visible,
            "repeats": self.repeats,
            "enough_runs": self.enough,
            "outliers": list(self.outliers),
        }
