"""From what was recorded to a judged ``run.json``; pure, so that a stored run can be judged again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.judge import generator_warnings, matching_doubts, target_clock, target_warnings, turn_warnings
from loadtest.judge.manifest_access import Manifest, populations, section, was_observed
from loadtest.judge.measurement_window import (
    Turns,
    slow_reader_users,
    stage_parts,
    without_users,
)
from loadtest.judge.populations import population_manifest
from loadtest.judge.summary import summarise
from loadtest.judge.thresholds import judged_thresholds
from loadtest.judge.totals_between import totals_between
from loadtest.judge.turn_groups import kinds_known, turn_groups
from loadtest.judge.verdict import judge
from loadtest.judge.warnings import RunWarning
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import READY_RATIO, Threshold, split_kind, split_population


def judge_run(
    manifest: Manifest,
    totals: Totals,
    turns: Turns | None = None,
    seconds: Sequence[Interval] | None = None,
) -> dict[str, Any]:
    """The manifest with every computed section: metrics, counts, rates, load, generator, notices, verdict.

    ``turns`` is the turn table; ``seconds`` are the run's intervals, which thresholds of stages need and
    nothing else. The arguments are left as they are; judging a judged manifest again gives the same.

    Raises:
        ValueError: the manifest's settings hold a threshold that cannot be read.
    """
    timed = None if turns is None else without_users(turns, slow_reader_users(manifest))
    summed: dict[str, Any] = {**manifest, **summarise(manifest, totals, timed)}
    thresholds = judged_thresholds(summed)
    if section(manifest, "part"):
        thresholds = tuple(each for each in thresholds if each.stage is None and not _of_whole_run(each))
    warnings = find_warnings(summed, totals, timed, thresholds)
    stages = _stages(manifest, thresholds, turns, seconds)
    return {
        **summed,
        "notices": [warning.as_dict() for warning in warnings],
        "verdict": judge(summed, warnings, thresholds, stages),
    }


def _of_whole_run(threshold: Threshold) -> bool:
    """Whether it is judged by default and says nothing of a part: connections are opened once in a run."""
    return threshold.default and split_kind(threshold.name)[0] == READY_RATIO


def judge_part(
    manifest: Manifest,
    intervals: Sequence[Interval],
    turns: Turns | None,
    from_s: float,
    to_s: float,
) -> dict[str, Any]:
    """The manifest as if the run had been only the seconds from ``from_s`` to ``to_s`` after its start.

    ``part`` in it says which, and whether turns were placed by their intended instant or, where the turn
    table is a sample, by the second they ended in; ``without_kinds``: which kind they are of is not kept.
    Thresholds of stages are left out.
    """
    part, totals, rows = _cut(manifest, intervals, turns, (from_s, to_s))
    return judge_run(part, totals, rows)


def _cut(
    manifest: Manifest, intervals: Sequence[Interval], turns: Turns | None, part: tuple[float, float]
) -> tuple[dict[str, Any], Totals, Turns | None]:
    """Manifest, totals and turns of a part of the run."""
    from_s, to_s = part
    told: dict[str, Any] = {"from_s": from_s, "to_s": to_s, "turns_by": "second"}
    placed = None if turns is None or was_observed(manifest, "turns_sampled") else turns
    by_kind = placed is None or kinds_known(manifest, placed)
    if placed is not None:
        told["turns_by"] = "intended"
    if not by_kind:
        told["without_kinds"] = True
    groups = turn_groups(manifest, by_kind=by_kind)
    totals = totals_between(intervals, from_s, to_s, placed, slow_reader_users(manifest), groups=groups)
    rows = turns
    if turns is not None:
        timed = without_users(turns, slow_reader_users(manifest))
        rows = timed[(timed["intended_ns"] >= from_s * 1e9) & (timed["intended_ns"] < to_s * 1e9)]
    return {**manifest, "part": told}, totals, rows


def _stages(
    manifest: Manifest,
    thresholds: tuple[Threshold, ...],
    turns: Turns | None,
    seconds: Sequence[Interval] | None,
) -> dict[Threshold, Manifest]:
    """The summarised manifest of its stage, of each threshold that speaks of one."""
    found: dict[Threshold, Manifest] = {}
    summed: dict[tuple[float, float], Manifest] = {}
    for each in thresholds if seconds is not None else ():
        if each.stage is None:
            continue
        _, population = split_population(each.name, populations(manifest))
        own = manifest if population is None else population_manifest(manifest, population)
        within = stage_parts(own)[each.stage]
        if within not in summed:
            part, totals, rows = _cut(manifest, seconds or (), turns, within)
            summed[within] = {**part, **summarise(part, totals, rows)}
        found[each] = summed[within]
    return found


def find_warnings(
    manifest: Manifest,
    totals: Totals,
    turns: Turns | None = None,
    thresholds: tuple[Threshold, ...] = (),
) -> list[RunWarning]:
    """Every warning of a summarised run: those that spoil it first, then causes before what they led to."""
    found = list(_found(manifest, totals, turns, thresholds))
    found += generator_warnings.noted(manifest, frozenset(each.code for each in found))
    return sorted(found, key=lambda each: not each.spoils)


def _found(
    manifest: Manifest, totals: Totals, turns: Turns | None, thresholds: tuple[Threshold, ...]
) -> Iterator[RunWarning]:
    yield from target_warnings.simulated(manifest)
    yield from generator_warnings.ending(manifest)
    yield from generator_warnings.not_encoded(manifest)
    yield from generator_warnings.not_requested(manifest)
    yield from generator_warnings.ledger(manifest)
    yield from generator_warnings.unwatched(manifest)
    yield from generator_warnings.saturation(manifest)
    yield from generator_warnings.standstill(manifest)
    yield from generator_warnings.starvation(manifest)
    yield from generator_warnings.pace(manifest)
    yield from generator_warnings.connections_not_opened(manifest)
    yield from _causes(manifest, totals, turns)
    yield from generator_warnings.load_not_reached(manifest)
    yield from generator_warnings.lateness(manifest, thresholds)
    yield from generator_warnings.too_few_samples(manifest, thresholds)
    yield from generator_warnings.clock(manifest)
    yield from generator_warnings.order_in_doubt(manifest)
    yield from matching_doubts.warnings(manifest)
    yield from target_warnings.left_behind(manifest)
    yield from target_warnings.left_unanswered(manifest)
    yield from target_warnings.pings(manifest)
    yield from target_warnings.answers(manifest)
    yield from target_warnings.addresses(manifest)
    yield from target_warnings.lookups(manifest)
    yield from target_warnings.streaming(manifest, totals, turns)
    yield from target_warnings.planned_rates(manifest, thresholds)
    yield from generator_warnings.coalescing(manifest)
    yield from target_clock.warnings(manifest)


def _causes(manifest: Manifest, totals: Totals, turns: Turns | None) -> Iterator[RunWarning]:
    """Why turns were not complete; what that did to the load and to the numbers comes after it."""
    yield from target_warnings.isolation(manifest)
    yield from target_warnings.never_due(manifest)
    yield from target_warnings.refusals(manifest)
    yield from target_warnings.closes(manifest, totals)
    yield from turn_warnings.no_turn_found(manifest)
    yield from turn_warnings.timeouts(manifest, turns)
    yield from target_warnings.unreadable(manifest)
    yield from target_warnings.not_taken(manifest)
    yield from target_warnings.compression(manifest)
    yield from turn_warnings.tasks(manifest)
    yield from target_warnings.stray_errors(manifest)
    yield from target_warnings.ended_again(manifest)
    yield from target_warnings.requests_refused(manifest)
    yield from target_warnings.delivery(manifest)
    yield from target_warnings.sequence(manifest)
