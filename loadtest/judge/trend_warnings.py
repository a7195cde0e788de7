"""Warnings about a trend, each with a remedy, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.change_points import FOLLOWING
from loadtest.judge.compare_warnings import PlainWarning, plain_warning
from loadtest.judge.history import RunHistory, explaining
from loadtest.judge.power import MIN_HISTORY
from loadtest.judge.segments import MetricTrend

MAX_REASONS = 3
"""Reasons for which runs do not count that have a warning of their own."""

MAX_NAMED = 3
"""Runs that a warning names; of more it says how many."""


def trend_warnings(past: RunHistory, courses: Sequence[MetricTrend], outcome: str) -> Iterator[PlainWarning]:
    """The warnings on a trend."""
    if past.simulated:
        yield plain_warning(
            "simulated_target",
            "SIMULATED: loadtest's own simulator answered, so no number says anything about a real backend.",
            "Give the address of a real backend with --target.",
        )
    yield from _down(past)
    yield from _left_out(past)
    yield from _young([course for course in courses if course.primary], outcome)
    yield from _odd(past, [course for course in courses if course.primary])
    yield from _surroundings(past)


def _left_out(past: RunHistory) -> Iterator[PlainWarning]:
    groups: dict[str, list[str]] = {}
    for each in past.left_out:
        groups.setdefault(each.reason, []).append(each.id)
    for reason, ids in list(groups.items())[:MAX_REASONS]:
        does = "does" if len(ids) == 1 else "do"
        yield plain_warning(
            "run_left_out",
            f"{_names(ids)} {does} not count: {reason}.",
            "No action is needed. If these runs should count, run them again, or name their machine with"
            " --machine.",
        )
    others = sum(map(len, list(groups.values())[MAX_REASONS:]))
    if others:
        yield plain_warning(
            "run_left_out",
            f"{others} more {'run does' if others == 1 else 'runs do'} not count, for other reasons.",
            "See left_out in --format json.",
        )


def _down(past: RunHistory) -> Iterator[PlainWarning]:
    """Runs in which the target was down; their ratios of success are 0, and their times are missing."""
    groups: dict[str, list[str]] = {}
    for run, each in zip(past.runs, past.standings, strict=True):
        if each.target_failed:
            groups.setdefault(each.reason, []).append(str(run.get("id")))
    for reason, ids in groups.items():
        yield plain_warning(
            "target_down",
            f"{_names(ids)} {reason}; no level includes {'it' if len(ids) == 1 else 'them'}.",
            "loadtest report shows the cause. Once the target is repaired, mark a later run with loadtest"
            " runs baseline: then earlier failures no longer count.",
        )


def _young(deciding: Sequence[MetricTrend], outcome: str) -> Iterator[PlainWarning]:
    """Levels with too few runs to predict the newest run."""
    young = [each for each in deciding if each.newest.value is not None and each.newest.change is None]
    if not young:
        return
    told = ", ".join(f"{each.name} ({each.newest.before})" for each in young)
    yield plain_warning(
        "too_little_history",
        f"The newest run cannot be judged yet on {told}. The number in brackets is how many earlier runs are"
        f" at its level; a verdict needs {MIN_HISTORY}. loadtest finds a change of level after {FOLLOWING}"
        " more runs.",
        "Keep the runs, and run the scenario every night."
        if outcome == "too little history"
        else "Wait for more runs. Until then, use loadtest compare on labels with several runs each.",
    )


def _odd(past: RunHistory, deciding: Sequence[MetricTrend]) -> Iterator[PlainWarning]:
    """Runs of the newest level that lie outside what it predicts, and do not count for it."""
    last = len(past.runs) - 1
    places = sorted({at for each in deciding for at in each.odd if each.newest_from <= at < last})
    lies, them = ("lies", "it") if len(places) == 1 else ("lie", "them")
    if places:
        yield plain_warning(
            "odd_runs",
            f"{_names([str(past.runs[at].get('id')) for at in places])} {lies} outside the range that the"
            f" runs before {them} predict. The newest run is not compared with {them}.",
            f"See {them} with loadtest report. {FOLLOWING} such runs in a row make a new level.",
        )


def _surroundings(past: RunHistory) -> Iterator[PlainWarning]:
    """Where surroundings changed in the course of the history."""
    for before, after in zip(past.runs, past.runs[1:], strict=False):
        changed = [
            each for each in explaining(before, after) if not each.startswith(("commit", "target.", "load a"))
        ]
        if changed:
            yield plain_warning(
                "different_surroundings",
                f"{after.get('id')} is the first run with {'; '.join(changed[:MAX_NAMED])}"
                f"{' and more' if len(changed) > MAX_NAMED else ''}, which may be the cause of a change.",
                "Keep the surroundings the same; a change at this run may come from them.",
            )


def _names(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[-MAX_NAMED:])
    more = len(ids) - MAX_NAMED
    return f"{shown} and {more} earlier {'run' if more == 1 else 'runs'}" if more > 0 else shown
