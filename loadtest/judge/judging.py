"""From what was recorded to a judged ``run.json``; pure, so that a stored run can be judged again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.judge.measurement_window import Turns, stage_parts
from loadtest.judge.notices import find_notices
from loadtest.judge.parts import recut
from loadtest.judge.resampling import apart_users, times_of
from loadtest.judge.sections import Manifest, section, was_observed
from loadtest.judge.summary import summarise
from loadtest.judge.thresholds import judged_thresholds
from loadtest.judge.verdict import judge
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import READY_RATIO, Threshold

__all__ = ["judge_part", "judge_run", "recut"]


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
    timed = None if turns is None else times_of(turns, apart_users(manifest))
    summed: dict[str, Any] = {**manifest, **summarise(manifest, totals, timed)}
    thresholds = judged_thresholds(summed)
    if section(manifest, "part"):
        thresholds = tuple(each for each in thresholds if each.stage is None and not _of_whole_run(each))
    notices = find_notices(summed, totals, timed, thresholds)
    stages = _stages(manifest, thresholds, turns, seconds)
    return {
        **summed,
        "notices": [notice.as_dict() for notice in notices],
        "verdict": judge(summed, notices, thresholds, stages),
    }


def _of_whole_run(threshold: Threshold) -> bool:
    """Whether it is judged by default and says nothing of a part: connections are opened once in a run."""
    return threshold.default and threshold.name == READY_RATIO


def judge_part(
    manifest: Manifest,
    intervals: Sequence[Interval],
    turns: Turns | None,
    from_s: float,
    to_s: float,
) -> dict[str, Any]:
    """The manifest as if the run had been only the seconds from ``from_s`` to ``to_s`` after its start.

    ``part`` in it says which, and whether turns were placed by their intended instant or, where the turn
    table is a sample, by the second they ended in. Thresholds of stages are left out.
    """
    part, totals, rows = _cut(manifest, intervals, turns, (from_s, to_s))
    return judge_run(part, totals, rows)


def _cut(
    manifest: Manifest, intervals: Sequence[Interval], turns: Turns | None, part: tuple[float, float]
) -> tuple[dict[str, Any], Totals, Turns | None]:
    """Manifest, totals and turns of a part of the run."""
    from_s, to_s = part
    whole_table = turns is not None and not was_observed(manifest, "turns_sampled")
    placed_by = "intended" if whole_table else "second"
    totals = recut(intervals, from_s, to_s, turns if whole_table else None, apart_users(manifest))
    rows = turns
    if turns is not None:
        timed = times_of(turns, apart_users(manifest))
        rows = timed[(timed["intended_ns"] >= from_s * 1e9) & (timed["intended_ns"] < to_s * 1e9)]
    return {**manifest, "part": {"from_s": from_s, "to_s": to_s, "turns_by": placed_by}}, totals, rows


def _stages(
    manifest: Manifest,
    thresholds: tuple[Threshold, ...],
    turns: Turns | None,
    seconds: Sequence[Interval] | None,
) -> dict[int, dict[str, Any]]:
    """The summarised manifest of each stage that a threshold speaks of."""
    if seconds is None:
        return {}
    parts = stage_parts(manifest)
    summed = {}
    for index in sorted({each.stage for each in thresholds if each.stage is not None}):
        part, totals, rows = _cut(manifest, seconds, turns, parts[index])
        summed[index] = {**part, **summarise(part, totals, rows)}
    return summed
