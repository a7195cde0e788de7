"""The search for the highest load that still holds: which load to try next, and what was found.

Pure: a probe is what one run at one load said. Loads grow by a factor until one misses, then halve the
bracket between the highest that held and the lowest that missed, then both ends are tried again, because a
single run may hold or miss by chance. What most probes of a load say is what the load does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.errors import Exit

Answer = Literal["held", "missed", "invalid", "ended"]
"""Of one probe. "invalid": generator or measurement was the limit; "ended": there is no use to go on."""

SearchOutcome = Literal["found", "above", "below", "invalid", "unreachable", "interrupted", "error"]

TRIES = 2
"""A load that was invalid as often ends the search: once may be a disturbance, twice is the limit."""

DIGITS = 4
"""Significant digits of a rate that is tried."""


@dataclass(frozen=True, slots=True)
class SearchRange:
    """Where the search begins, and between what it stays.

    ``step`` is the factor by which loads grow, ``precision`` the part of a load that the bracket may be
    wide at the end, ``repeat`` how often its ends are tried. ``whole``: loads are whole numbers.
    """

    start: float
    least: float
    most: float
    step: float = 2.0
    precision: float = 0.05
    repeat: int = 3
    whole: bool = True


@dataclass(frozen=True, slots=True)
class SearchProbe:
    """What one run at one load said."""

    load: float
    exit_code: Exit

    @property
    def answer(self) -> Answer:
        """What its exit code means for the search."""
        known: dict[Exit, Answer] = {Exit.PASS: "held", Exit.FAIL: "missed", Exit.INVALID: "invalid"}
        return known.get(self.exit_code, "ended")


@dataclass(frozen=True, slots=True)
class Finding:
    """``load`` is the highest that most of its probes held, ``missed`` the lowest that most missed.

    ``interval``: up to its lower end every probe held, from its upper end on every probe missed; an end is
    None where there is none. ``load_at_end`` is where the search stopped, if it did not come to its own end.
    """

    outcome: SearchOutcome
    exit_code: Exit
    load: float | None
    missed: float | None
    interval: tuple[float | None, float | None]
    load_at_end: float | None = None


def next_load(probes: Sequence[SearchProbe], bounds: SearchRange) -> float | None:
    """The load to try next; None where the search is over."""
    if not probes:
        return bounds.start
    last = probes[-1]
    if _stopped(probes):
        return None
    if last.answer == "invalid":
        return last.load
    low, high = bracket(probes)
    another = _another(low, high, bounds)
    if another is not None:
        return another
    return next((end for end in (low, high) if end is not None and _n(probes, end) < bounds.repeat), None)


def _another(low: float | None, high: float | None, bounds: SearchRange) -> float | None:
    """A load not tried yet, beyond the only end that is known or between both; None: none is left."""
    if low is not None and high is not None:
        return _between(low, high, bounds)
    if low is not None and low < bounds.most:
        return min(max(_rounded(low * bounds.step, bounds), low + bounds.whole), bounds.most)
    if high is not None and high > bounds.least:
        return max(min(_rounded(high / bounds.step, bounds), high - bounds.whole), bounds.least)
    return None


def bracket(probes: Sequence[SearchProbe]) -> tuple[float | None, float | None]:
    """The highest load that holds below all that miss, and the lowest that misses."""
    holds = {load: _holds(probes, load) for load in _valid(probes)}
    high = min((load for load, held in holds.items() if not held), default=None)
    low = max((load for load, held in holds.items() if held and (high is None or load < high)), default=None)
    return low, high


def find(probes: Sequence[SearchProbe], *, cut: bool = False) -> Finding:
    """What the probes say, once there is no next load; ``cut``: there is one, but somebody interrupted."""
    low, high = bracket(probes)
    outcome, code = _outcome([] if cut else probes, low, high)
    at_end = probes[-1].load if probes and outcome not in {"found", "above", "below"} else None
    return Finding(outcome, code, low, high, _interval(probes), at_end)


def _outcome(
    probes: Sequence[SearchProbe], low: float | None, high: float | None
) -> tuple[SearchOutcome, Exit]:
    if not probes or probes[-1].exit_code is Exit.INTERRUPTED:
        return "interrupted", Exit.INTERRUPTED
    last = probes[-1]
    if last.answer == "ended":
        return ("unreachable" if last.exit_code is Exit.UNREACHABLE else "error"), last.exit_code
    if last.answer == "invalid":
        return "invalid", Exit.INVALID
    if high is None:
        return "above", Exit.PASS
    return ("below", Exit.FAIL) if low is None else ("found", Exit.PASS)


def _stopped(probes: Sequence[SearchProbe]) -> bool:
    last = probes[-1]
    spoilt = [probe for probe in probes if probe.load == last.load and probe.answer == "invalid"]
    return last.answer == "ended" or (last.answer == "invalid" and len(spoilt) >= TRIES)


def _valid(probes: Sequence[SearchProbe]) -> list[float]:
    return sorted({probe.load for probe in probes if probe.answer in {"held", "missed"}})


def _answers(probes: Sequence[SearchProbe], load: float) -> list[bool]:
    """Of the valid probes of a load, whether it held."""
    valid = [probe for probe in probes if probe.load == load and probe.answer in {"held", "missed"}]
    return [probe.answer == "held" for probe in valid]


def _n(probes: Sequence[SearchProbe], load: float) -> int:
    return len(_answers(probes, load))


def _holds(probes: Sequence[SearchProbe], load: float) -> bool:
    """What most of its probes say; at a draw it does not hold."""
    answers = _answers(probes, load)
    return sum(answers) * 2 > len(answers)


def _interval(probes: Sequence[SearchProbe]) -> tuple[float | None, float | None]:
    sure_low = sure_high = None
    for load in _valid(probes):
        if not all(_answers(probes, load)):
            break
        sure_low = load
    for load in reversed(_valid(probes)):
        if any(_answers(probes, load)):
            break
        sure_high = load
    return sure_low, sure_high


def _between(low: float, high: float, bounds: SearchRange) -> float | None:
    """The geometric middle of the bracket; None where it is narrow enough."""
    middle = _rounded(math.sqrt(low * high), bounds)
    if high - low <= bounds.precision * low or not low < middle < high:
        return None
    return middle


def _rounded(load: float, bounds: SearchRange) -> float:
    if bounds.whole:
        return float(round(load))
    return float(f"{load:.{DIGITS}g}")
