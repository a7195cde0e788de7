"""The course of one metric over a history: its values, its levels, where they changed, and the newest run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from loadtest.judge.effect_size import Yardstick
from loadtest.judge.power import LEAST_HISTORY

Word = Literal["worse", "slower", "better", "faster", "same", "cannot tell"]
"""Times are slower or faster, everything else worse or better."""

Moved = Literal["worse", "slower", "better", "faster"]
"""Those that say that something changed."""

WORSE: tuple[Moved, Moved] = ("worse", "slower")
BETTER: tuple[Moved, Moved] = ("better", "faster")


def word_for(rule: Yardstick, *, worse: bool) -> Moved:
    """What a metric is that moved for the worse, or for the better."""
    return (WORSE if worse else BETTER)[rule.unit == "ms"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A level: the runs from ``first`` up to but not including ``last``, of which ``n`` make its mean.

    ``low`` and ``high`` are where 95 of 100 further runs lie if nothing changes, by the runs before the
    newest; None: too few to say.
    """

    first: int
    last: int
    n: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """From one level to another: by how much, as a part, its 95 % interval, and what that means."""

    word: Word
    change: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True, slots=True)
class Change(Step):
    """A change of level at position ``at``, the first run after it, and what else changed with that run."""

    at: int
    run: str
    label: str | None
    started: str
    commit: str | None
    with_it: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest run, held against what the runs of its level foretell; None where that cannot be said."""

    word: Word
    why: str
    value: float | None
    n: int
    before: int
    change: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One metric over all runs. ``odd`` are positions of runs that did not fit what their level foretold.

    ``missed``: the newest run misses a threshold on it, in the words of that threshold. ``standing`` is the
    newest level against the accepted one, or the one before; None where it is the same.
    """

    yardstick: Yardstick
    primary: bool
    values: tuple[float | None, ...]
    samples: int
    stretches: tuple[Stretch, ...]
    changes: tuple[Change, ...]
    odd: tuple[int, ...]
    newest: Newest
    standing: Step | None
    missed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The metric's."""
        return self.yardstick.name

    @property
    def n(self) -> int:
        """How many runs measured it."""
        return sum(value is not None for value in self.values)

    @property
    def newest_from(self) -> int:
        """The position at which the newest level begins."""
        return self.changes[-1].at if self.changes else 0

    @property
    def judged(self) -> bool:
        """Whether there is history enough for a verdict on the newest run or its level."""
        return self.newest.change is not None or self.standing is not None

    @property
    def vanished(self) -> bool:
        """Whether the newest run did not measure what its level did."""
        return self.newest.value is None and self.newest.before >= LEAST_HISTORY

    def as_dict(self) -> dict[str, Any]:
        """As in the trend's JSON."""
        return {
            **self.yardstick.as_dict(),
            "primary": self.primary,
            "smallest_effect": self.yardstick.smallest,
            "samples": self.samples,
            "values": list(self.values),
            "newest": _plain(self.newest),
            "missed": list(self.missed),
            "level": None if self.standing is None else _plain(self.standing),
            "levels": [_plain(each) for each in self.stretches],
            "changes": [_plain(each) for each in self.changes],
            "odd": list(self.odd),
        }


def _plain(part: Newest | Stretch | Step) -> dict[str, Any]:
    """The fields of a part, in the words of the JSON."""
    names = {"interval": "ci95", "word": "verdict", "why": "reason", "with_it": "changed_with_it"}
    return {
        names.get(name, name): list(value) if isinstance(value, tuple) else value
        for name, value in asdict(part).items()
    }
