"""Where the thresholds of a run stand while it goes on: what was measured so far, and no forecast."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.judge.censored_turns import times_of_due
from loadtest.judge.counts import count_all
from loadtest.judge.generator_summary import summarise_generator
from loadtest.judge.manifest_access import Manifest, count_or_zero, populations, section
from loadtest.judge.measurement_window import last_matched, measured_span
from loadtest.judge.populations import population_manifest, totals_of
from loadtest.judge.rates import rates
from loadtest.judge.summary import describe_all
from loadtest.judge.target_health import target_health
from loadtest.judge.threshold_measurement import Measurement, measured_for
from loadtest.judge.thresholds import Decision, decide, judged_thresholds
from loadtest.measure.interval import OUTCOMES
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import (
    READY_RATIO,
    Threshold,
    of_kind,
    percentile,
    split_metric,
    split_population,
    split_target,
)


@dataclass(frozen=True, slots=True)
class ThresholdSoFar:
    """A threshold, what was measured for it so far, and what would become of it if the run ended now."""

    threshold: Threshold
    measured: Measurement
    outcome: Decision


def thresholds_so_far(manifest: Manifest, totals: Totals) -> tuple[ThresholdSoFar, ...]:
    """Every threshold of the whole run, on what came to an end so far; those of stages are judged at the end.

    Turns in flight and connections being opened are left out: at the end of a run there are none.
    """
    names = populations(manifest)
    every = {"": (manifest, totals)} | {
        name: (population_manifest(manifest, name), totals_of(totals, name)) for name in names
    }
    counts = {
        name: _ended(count_all(each, of, measured_span(each, of))) for name, (each, of) in every.items()
    }
    own = {name: {**section(manifest, "populations", name), "counts": counts[name]} for name in names}
    judged = judged_thresholds({**manifest, "counts": counts[""], "populations": own})
    rules = [(rule, *split_population(rule.name, names)) for rule in judged if rule.stage is None]
    known = {
        name: _known(
            each,
            of,
            [replace(rule, name=plain) for rule, plain, of_ in rules if (of_ or "") == name],
            counts[name],
        )
        for name, (each, of) in every.items()
    }
    found = ((rule, _measured(replace(rule, name=plain), known[name or ""])) for rule, plain, name in rules)
    return tuple(ThresholdSoFar(rule, measured, decide(rule, measured)) for rule, measured in found)


def _known(
    manifest: Manifest, totals: Totals, rules: Sequence[Threshold], counts: dict[str, Any]
) -> Manifest:
    """What the rules of a run, or of one population, read."""
    known = summed_so_far(manifest, totals, [each.name for each in rules], counts=counts)
    percentiles = _percentiles(rules)
    # Only of those that a rule names: this is asked once a second while the generator works.
    named = {name: totals.histograms[name] for name in percentiles if name in totals.histograms}
    return {**known, "of_due": times_of_due(known, named, percentiles)}


def _measured(rule: Threshold, known: Manifest) -> Measurement:
    if rule.name == READY_RATIO and not section(known, "counts", "connections").get("due"):
        return Measurement(None, 0, "no connection was opened yet")
    return measured_for(rule, known)


def _ended(counts: dict[str, Any]) -> dict[str, Any]:
    """Counts in which only that was due which came to its end."""

    def over(part: dict[str, Any]) -> dict[str, Any]:
        turns, connections = part["turns"], part["connections"]
        due = sum(count_or_zero(turns.get(outcome)) for outcome in OUTCOMES)
        by_kind = {
            of_kind("due", kind): sum(count_or_zero(turns.get(of_kind(each, kind))) for each in OUTCOMES)
            for name in turns
            if (kind := name.removeprefix("due[").removesuffix("]")) and name.startswith("due[")
        }
        opened = count_or_zero(connections.get("ready")) - count_or_zero(connections.get("reconnected"))
        attempts = opened + sum(connections["refused"].values())
        return {
            **part,
            "turns": {**turns, "due": due, **by_kind},
            "connections": {**connections, "due": attempts},
        }

    return {**over(counts), "measured": over(counts["measured"])}


def _percentiles(rules: Collection[Threshold]) -> dict[str, list[str]]:
    """The statistics that rules name, by metric."""
    named: dict[str, list[str]] = {}
    for rule in rules:
        if (split := split_metric(rule.name)) and percentile(split[1]) is not None:
            named.setdefault(split[0], []).append(split[1])
    return named


def _by_population(names: Collection[str], of: Collection[str]) -> dict[str, list[str]]:
    """The names that speak of one population, without it, by population."""
    found: dict[str, list[str]] = {}
    for name in names:
        plain, population = split_population(name, of)
        if population is not None:
            found.setdefault(population, []).append(plain)
    return found


def summed_so_far(
    manifest: Manifest,
    totals: Totals,
    names: Collection[str],
    *,
    counts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The sections that rules read; metrics cost the most, so only those that ``names`` need are there."""
    span = measured_span(manifest, totals)
    if apart := _by_population(names, populations(manifest)):
        own = {
            name: summed_so_far(population_manifest(manifest, name), totals_of(totals, name), of)
            for name, of in apart.items()
        }
        manifest = {**manifest, "populations": {**section(manifest, "populations"), **own}}
    named = frozenset(split[0] for name in names if (split := split_metric(name)))
    metrics = describe_all(manifest, totals, named)
    counted = count_all(manifest, totals, span) if counts is None else counts
    known: dict[str, Any] = {**manifest, "metrics": metrics, "counts": counted}
    known["generator"] = summarise_generator(manifest, totals, span, metrics)
    if any(map(split_target, names)):
        known["health"] = target_health(manifest, totals, span)
    if any(name.startswith("rates.") for name in names):
        known["rates"] = rates(known, totals, span, last_matched(totals, None))
    return known
