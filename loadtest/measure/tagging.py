"""What one population measured under names of its own, beside the names of the whole run."""

from __future__ import annotations

from loadtest.measure.interval import Interval

POPULATION_PREFIX = "["
"""Begins the name of every counter of one population, and of no other."""


def tag_interval(interval: Interval, population: str) -> None:
    """Add to an interval all that it holds again, under the name of its population.

    ``turn.completion`` is there as ``turn.completion[askers]`` as well, ``turn.completion[ask]`` as
    ``turn.completion[askers/ask]``. Merged with those of other populations, the names without one hold sums.
    Counters have the population before them (``[askers]turns.due``): many are found by how their name begins.
    """
    interval.histograms |= {
        with_population(tag, population): each for tag, each in interval.histograms.items()
    }
    interval.instants |= {with_population(name, population): each for name, each in interval.instants.items()}
    for counted in interval.counters.values():
        counted.update({counter_of(name, population): n for name, n in counted.items()})


def counter_of(name: str, population: str) -> str:
    """The name of a counter of one population."""
    return f"{POPULATION_PREFIX}{population}]{name}"


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
