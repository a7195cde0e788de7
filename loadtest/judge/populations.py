"""A run as one of its populations alone: its settings, what it counted, and its numbers as a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from loadtest.judge.manifest_access import Manifest, population_settings, populations, section, settings
from loadtest.measure.tagging import counter_of, with_population, without_population
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import split_population

T = TypeVar("T")


def population_manifest(manifest: Manifest, population: str) -> dict[str, Any]:
    """The manifest of a population: its sections stand in the place of those of the whole run."""
    scenario = section(manifest, "scenario")
    own = {"settings": {**population_settings(manifest, population), **_rules(manifest, population)}}
    # The same notes and facts as of the whole run: nobody knows which population they are of.
    return {
        **manifest,
        "metrics": {},
        "counts": {},
        "rates": {},
        "of_due": {},
        "unmeasured": {},
        **section(manifest, "populations", population),
        "scenario": {**scenario, **own},
    }


def _rules(manifest: Manifest, population: str) -> dict[str, dict[str, Any]]:
    """The thresholds and abort rules that speak of a population, by the names of a run of its own."""
    found: dict[str, dict[str, Any]] = {}
    for table in ("thresholds", "abort"):
        written = settings(manifest, table)
        named = ((split_population(name, (population,)), written[name]) for name in written)
        own = {plain: expression for (plain, of), expression in named if of is not None}
        found |= {table: own} if own else {}
    return found


def population_manifests(manifest: Manifest) -> dict[str, Manifest]:
    """The manifest of every population, by name; of the run itself, under no name, where it has none."""
    return {name: population_manifest(manifest, name) for name in populations(manifest)} or {"": manifest}


def totals_of(totals: Totals, population: str) -> Totals:
    """What a population recorded, under the names of a run of its own.

    Seconds, with the state of the generator, are those of all; which connections were ready at one instant
    is not kept by population.
    """
    found = Totals()
    found.histograms = _own(totals.histograms, population)
    found.instants = _own(totals.instants, population)
    found.counters = {phase: _counted(counted, population) for phase, counted in totals.counters.items()}
    found.seconds = totals.seconds
    return found


def _counted(found: Mapping[str, int], population: str) -> dict[str, int]:
    before = counter_of("", population)
    return {name.removeprefix(before): n for name, n in found.items() if name.startswith(before)}


def _own(found: Mapping[str, T], population: str) -> dict[str, T]:
    named = ((without_population(name, population), each) for name, each in found.items())
    return {name: each for name, each in named if name is not None}


def under_their_names(found: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """By population what each has by name: all of it by the names that it has in the whole run."""
    return {
        with_population(name, population): value
        for population, each in found.items()
        for name, value in each.items()
    }
