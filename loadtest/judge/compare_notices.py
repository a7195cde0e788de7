"""What qualifies a comparison: remarks with a remedy, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.judge.comparable import Differing
from loadtest.judge.compared import Row
from loadtest.judge.run_standing import standing
from loadtest.judge.samples import Side
from loadtest.judge.sections import Manifest, section
from loadtest.plan.key_types import MAX_PRIMARY

Remark = dict[str, Any]


def remark(code: str, message: str, remedy: str) -> Remark:
    """One remark."""
    return {"code": code, "message": message, "remedy": remedy}


def notices(
    sides: tuple[Side, Side], differing: Sequence[Differing], rows: Sequence[Row], rest: Sequence[str]
) -> Iterator[Remark]:
    """The remarks on a comparison; ``rest`` is what the thresholds name beyond what can decide."""
    yield from _about_runs(sides)
    if any(row.method == "pairs" for row in rows):
        yield remark(
            "taken_in_turns",
            "The runs are blocks of two targets that took turns; changes, intervals and p are over pairs of"
            " blocks, so that what drifted meanwhile cancels.",
            "None is needed; loadtest compare of the same labels would count the drift as noise.",
        )
    yield from _about_surroundings(differing)
    if rest:
        yield remark(
            "too_many_to_decide",
            f"The thresholds name more than {MAX_PRIMARY} metrics; {', '.join(rest)} only inform.",
            "Name those that decide in [compare] primary.",
        )
    yield from _about_rows(sides, [row for row in rows if row.primary])


def _about_runs(sides: tuple[Side, Side]) -> Iterator[Remark]:
    if any(side.simulated for side in sides):
        yield remark(
            "simulated_target",
            "SIMULATED: loadtest's own simulator answered, so no number here speaks of a real backend.",
            "Give the address of a real backend with --target.",
        )
    for side in sides:
        if failed := [str(run.get("id")) for run in side.runs if standing(run).target_failed]:
            yield remark(
                "target_failed",
                f"{side.name}: the target was down, or completed no turn, in {', '.join(failed)}. Every turn"
                " of such a run counts as failed; its times are missing because of the target.",
                "See the target's own log of that time.",
            )
        for run, why in side.left_out:
            yield remark("run_left_out", f"{side.name}: {run} does not count: {why}", "Run it again.")


def _about_surroundings(differing: Sequence[Differing]) -> Iterator[Remark]:
    loads = [each.name for each in differing if each.weight == "load"]
    if loads:
        yield remark(
            "different_load",
            f"The load differs ({', '.join(loads)}), so that a difference may be the load's.",
            "Compare runs of the same scenario.",
        )
    places = [each.name for each in differing if each.weight == "surroundings"]
    if places:
        yield remark(
            "different_surroundings",
            f"The runs were made in different surroundings ({', '.join(places)}), which may be the cause of"
            " any difference.",
            "Run both on one machine with the same versions.",
        )


def _about_rows(sides: tuple[Side, Side], rows: Sequence[Row]) -> Iterator[Remark]:
    for row in rows:
        if row.outliers:
            yield remark(
                "outlier_runs",
                f"{row.name}: far from all other runs: {', '.join(row.outliers)}. Mean, interval and p are"
                " those of the others.",
                "See what else ran on either machine at that time; run again to see whether it recurs.",
            )
    planned = [row.name for row in rows if row.name.startswith("rates.") and _set_by_plan(sides, row.name)]
    if planned:
        yield remark(
            "rate_limited_by_plan",
            f"{', '.join(planned)}: the plan set this rate in all runs, so that it can hardly differ.",
            "Compare response times instead, or raise the load until the target sets the rate.",
        )


def _set_by_plan(sides: tuple[Side, Side], name: str) -> bool:
    rate = name.removeprefix("rates.")
    runs: list[Manifest] = [run for side in sides for run in side.runs]
    return all(section(run, "rates", rate).get("bound") == "plan" for run in runs)
