"""Warnings about a comparison, each with a remedy, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.catalog import PERCENTILES
from loadtest.judge.comparability import Differing
from loadtest.judge.manifest_access import Manifest, section
from loadtest.judge.multiplicity import MetricComparison
from loadtest.judge.run_standing import standing
from loadtest.judge.samples import Side
from loadtest.plan.key_types import MAX_PRIMARY
from loadtest.units import format_ratio

PlainWarning = dict[str, Any]

UNKNOWN = "cannot tell"


def plain_warning(code: str, message: str, remedy: str) -> PlainWarning:
    """One warning, as a comparison or a trend has it in JSON."""
    return {"code": code, "message": message, "remedy": remedy}


def comparison_warnings(
    sides: tuple[Side, Side],
    differing: Sequence[Differing],
    rows: Sequence[MetricComparison],
    rest: Sequence[str],
) -> Iterator[PlainWarning]:
    """The warnings on a comparison; ``rest`` is what the thresholds name beyond what can decide."""
    yield from _about_runs(sides)
    if any(row.method == "pairs" for row in rows):
        yield plain_warning(
            "taken_in_turns",
            "The runs are alternating blocks against two targets. loadtest compares pairs of blocks, so slow"
            " drift cancels out.",
            "No action is needed. Do not use loadtest compare on these labels: it would count the drift as"
            " noise.",
        )
    yield from _about_surroundings(differing)
    if rest:
        yield plain_warning(
            "too_many_to_decide",
            f"The thresholds name more than {MAX_PRIMARY} metrics. These metrics do not decide:"
            f" {', '.join(rest)}.",
            "Let `primary` under [compare] name the metrics that decide.",
        )
    yield from _about_rows(sides, [row for row in rows if row.primary])
    yield from _too_noisy(rows)


def _about_runs(sides: tuple[Side, Side]) -> Iterator[PlainWarning]:
    if any(side.simulated for side in sides):
        yield plain_warning(
            "simulated_target",
            "SIMULATED: loadtest's own simulator answered, so no number says anything about a real backend.",
            "Give the address of a real backend with --target.",
        )
    for side in sides:
        if failed := [str(run.get("id")) for run in side.runs if standing(run).target_failed]:
            yield plain_warning(
                "target_failed",
                f"{side.name}: the target was down, or completed no turn, in {', '.join(failed)}. Every turn"
                " of these runs counts as failed, and the runs have no times.",
                "See the target's log of that time.",
            )
        for run, why in side.left_out:
            yield plain_warning(
                "run_left_out",
                f"{side.name}: the run {run} does not count: {why}",
                "Run it again.",
            )


def _about_surroundings(differing: Sequence[Differing]) -> Iterator[PlainWarning]:
    loads = [each.name for each in differing if each.weight == "load"]
    if loads:
        yield plain_warning(
            "different_load",
            f"The load differs ({', '.join(loads)}), which may be the cause of any difference.",
            "Compare runs of the same scenario.",
        )
    places = [each.name for each in differing if each.weight == "surroundings"]
    if places:
        yield plain_warning(
            "different_surroundings",
            f"The runs were made in different surroundings ({', '.join(places)}), which may be the cause of"
            " any difference.",
            "Run both sides on one machine with the same versions.",
        )


def _about_rows(sides: tuple[Side, Side], rows: Sequence[MetricComparison]) -> Iterator[PlainWarning]:
    for row in rows:
        if row.outliers:
            far = (
                "in the pairs of these runs the difference is far from the median difference"
                if row.method == "pairs"
                else "these runs are far from the median of their side"
            )
            yield plain_warning(
                "outlier_runs",
                f"{row.name}: {far}: {', '.join(row.outliers)}. The mean, the interval and p do not include"
                " these runs.",
                "Find out what else ran on the machines at that time. Run again to see whether it happens"
                " again.",
            )
    planned = [row.name for row in rows if row.name.startswith("rates.") and _set_by_plan(sides, row.name)]
    if planned:
        yield plain_warning(
            "rate_limited_by_plan",
            f"{', '.join(planned)}: the configured rate limited all runs, so they can hardly differ.",
            "Compare response times instead, or raise the load until the target sets the rate.",
        )


def _too_noisy(rows: Sequence[MetricComparison]) -> Iterator[PlainWarning]:
    """Percentiles that differ too much from run to run, where a lower one of the same times does not."""
    decided = {row.name for row in rows if not row.primary and row.word != UNKNOWN}
    for row in rows:
        if not row.primary or row.word != UNKNOWN or row.spread is None or not _by_chance(row):
            continue
        metric, _, statistic = row.name.rpartition(".")
        lower = PERCENTILES[: PERCENTILES.index(statistic)] if statistic in PERCENTILES else ()
        quieter = [name for each in reversed(lower) if (name := f"{metric}.{each}") in decided]
        if quieter:
            yield plain_warning(
                "percentile_too_noisy",
                f"{row.name} differs by {format_ratio(row.spread)} from run to run, too much for a verdict."
                f" For {quieter[0]} the same runs give a verdict.",
                f"In the next comparison use --primary {quieter[0]}. For a verdict on the slow tail, make"
                " more or longer runs.",
            )


def _by_chance(row: MetricComparison) -> bool:
    """Whether nothing but the spread of its runs keeps a metric from a verdict."""
    whole = all(level.n == len(level.values) for level in (row.baseline, row.candidate))
    return whole and row.method is not None and not row.outliers


def _set_by_plan(sides: tuple[Side, Side], name: str) -> bool:
    rate = name.removeprefix("rates.")
    runs: list[Manifest] = [run for side in sides for run in side.runs]
    return all(section(run, "rates", rate).get("bound") == "plan" for run in runs)
