"""What one population measured under names of its own, beside the names of the whole run."""

from __future__ import annotations

from typing import TypeVar

from loadtest.measure.interval import Interval

T = TypeVar("T")

PHASE = ":"
"""Ends the part of a tag that names a phase: "warmup:turn.completion"."""


def tag_interval(interval: Interval, population: str) -> None:
    """Add to an interval all that it holds again, under the name of its population.

    ``turn.completion`` is there as ``turn.completion[askers]`` as well, ``turn.completion[ask]`` as
    ``turn.completion[askers/ask]``. Merged with those of other populations, the names without one hold sums.
    """
    interval.histograms |= _again(interval.histograms, population)
    interval.instants |= _again(interval.instants, population)
    for counted in interval.counters.values():
        counted.update(_again(counted, population))


def _again(found: dict[str, T], population: str) -> dict[str, T]:
    return {with_population(name, population): each for name, each in found.items()}


def with_population(name: str, population: str) -> str:
    """The name of what is of one population: it stands before a kind of turn."""
    base, bracket, kind = name.partition("[")
    return f"{base}[{population}/{kind}" if bracket else f"{name}[{population}]"


def without_population(name: str, population: str) -> str | None:
    """What ``with_population`` made a name of; None where it is of another population, or of none."""
    base, _, tag = name.partition("[")
    if tag == f"{population}]":
        return base
    return f"{base}[{tag.removeprefix(f'{population}/')}" if tag.startswith(f"{population}/") else None
