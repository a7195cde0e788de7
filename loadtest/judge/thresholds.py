"""The thresholds of a run, read back from the settings that its manifest keeps, and whether one is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from loadtest import catalog
from loadtest.judge.generator_summary import own_lateness_ms
from loadtest.judge.manifest_access import (
    Manifest,
    count_or_zero,
    ending_kinds,
    population_settings,
    populations,
    section,
    sends_turns,
    settings,
    turns_end,
)
from loadtest.judge.populations import population_manifest
from loadtest.judge.threshold_measurement import Bound, Measurement
from loadtest.plan.threshold import (
    DELIVERY_RATIOS,
    TURNED_OFF,
    Threshold,
    default_thresholds,
    held,
    kind_in,
    of_kind,
    parse_threshold,
    population_defaults,
    split_kind,
    split_population,
    tagged,
)

Decision = Literal["held", "missed", "not_measured"]


def judged_thresholds(manifest: Manifest) -> tuple[Threshold, ...]:
    """Every threshold that the run is judged by: those of ``thresholds_of``, then the default ones.

    Those of events that were not delivered as they should be are judged where there was such an event.
    Users with tasks of their own decide what they send: where they sent no turn, none was to be complete.

    Raises:
        ValueError: a threshold cannot be read; one sentence.
    """
    written = thresholds_of(manifest)
    by_tasks = bool(section(manifest, "load", "planned").get("by_tasks"))
    idle = by_tasks and not count_or_zero(section(manifest, "counts", "measured", "turns").get("due"))
    off = [name for name, said in settings(manifest, "thresholds").items() if said == TURNED_OFF]
    if names := populations(manifest):
        every = {name: population_manifest(manifest, name) for name in names}
        ends = {name: sends_turns(each) and turns_end(each) for name, each in every.items()}
        kinds = {name: _kinds_judged(each) for name, each in every.items()}
        defaults = population_defaults(
            written, off, ends, kinds, {name: _stages(each) for name, each in every.items()}
        )
    else:
        ends_too = sends_turns(manifest) and turns_end(manifest) and not idle
        defaults = default_thresholds(
            written, off, ends=ends_too, stages=_stages(manifest), kinds=_kinds_judged(manifest)
        )
    return (*written, *(each for each in defaults if _is_judged(each, manifest)))


def _stages(manifest: Manifest) -> int:
    return len(settings(manifest, "load").get("stages") or ())


def _kinds_judged(manifest: Manifest) -> tuple[str, ...]:
    """The kinds that are judged each by itself: none where the plan itself takes connections from turns."""
    return () if settings(manifest, "chaos") else ending_kinds(manifest)


def _is_judged(threshold: Threshold, manifest: Manifest) -> bool:
    """Of what is judged by default only where it was counted: whether the counter of the ratio is above 0.

    A kind of turn is judged where one fell due: a rare kind may not have been drawn.
    """
    plain, population = split_population(threshold.name, populations(manifest))
    known = manifest if population is None else population_manifest(manifest, population)
    if kind := kind_in(plain):
        due = section(known, "counts", "measured", "turns").get(of_kind("due", kind))
        return count_or_zero(due) > 0
    if plain not in DELIVERY_RATIOS:
        return True
    group, name, _ = plain.split(".")
    return count_or_zero(section(known, "counts", "measured", group).get(name)) > 0


def thresholds_of(manifest: Manifest) -> tuple[Threshold, ...]:
    """Every threshold that the scenario states, then those of each stage.

    Those of a stage of a population have the names that they have in the run.

    Raises:
        ValueError: a threshold cannot be read; one sentence.
    """
    found = list(_parsed(settings(manifest, "thresholds"), None))
    found += _of_stages(settings(manifest))
    for name in populations(manifest):
        own = _of_stages(population_settings(manifest, name))
        found += (replace(each, name=tagged(each.name, name)) for each in own)
    return tuple(found)


def _of_stages(written: Mapping[str, Any]) -> Iterator[Threshold]:
    for index, stage in enumerate(section(written, "load").get("stages") or ()):
        yield from _parsed(stage.get("thresholds") or {}, index)


def _parsed(table: Mapping[str, Any], stage: int | None) -> Iterator[Threshold]:
    for name, written in table.items():
        if written == TURNED_OFF:
            continue
        for expression in written if isinstance(written, list | tuple) else [written]:
            yield parse_threshold(name, str(expression), stage)


def rule_names(manifest: Manifest) -> list[str]:
    """What the thresholds of a run and its abort rules name."""
    names = [threshold.name for threshold in thresholds_of(manifest)]
    return names + [name for name in settings(manifest, "abort") if name != "after"]


RESPONSE = tuple(each.name for each in catalog.METRICS if each.group == "Response time")
"""Metrics of response time; the same with ``.service`` is service time."""


def response_metric(threshold: Threshold) -> str | None:
    """The response-time metric that a threshold limits from above; None for any other."""
    metric, _, statistic = split_kind(threshold.name)[0].rpartition(".")
    above = threshold.operator in {"<", "<="} and statistic != "n"
    return metric if above and metric in RESPONSE else None


LATE_PART = 0.1
"""The part of a response-time limit that our own lateness may be before there is a warning."""


def late_for(threshold: Threshold, manifest: Manifest) -> float | None:
    """Our own lateness in milliseconds where it is near the limit of a response time; else None."""
    late = own_lateness_ms(manifest)
    near = late is not None and late > threshold.limit * LATE_PART
    return late if near and response_metric(threshold) else None


def tightest_ms(thresholds: tuple[Threshold, ...]) -> float | None:
    """The lowest limit of response time; None without one."""
    return min((threshold.limit for threshold in thresholds if response_metric(threshold)), default=None)


def decide(threshold: Threshold, measured: Measurement) -> Decision:
    """Whether a measurement holds a threshold.

    Where only a bound is known, or the value is exact only to a bound, every value within must say the
    same; else the threshold is not measured.
    """
    if measured.bound is not None:
        return _decide_bound(threshold, measured.bound)
    if measured.value is None:
        return "not_measured"
    return "held" if held(threshold, measured.value) else "missed"


def _decide_bound(threshold: Threshold, bound: Bound) -> Decision:
    low, high = bound
    limit, operator = threshold.limit, threshold.operator
    below = high is not None and high <= limit
    above = low > limit
    if operator in {"==", "!="}:
        differs: Decision = "missed" if operator == "==" else "held"
        return differs if below or above else "not_measured"
    # The lower end is a possible value: at the limit it is not below the limit.
    beyond = above or (low == limit and operator in {"<", ">="})
    if operator in {"<", "<="}:
        return "held" if below else "missed" if beyond else "not_measured"
    return "held" if beyond else "missed" if below else "not_measured"
