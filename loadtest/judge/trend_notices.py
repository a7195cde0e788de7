"""What qualifies a trend: remarks with a remedy, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.change_points import FOLLOWING
from loadtest.judge.compare_notices import Remark, remark
from loadtest.judge.course import Course
from loadtest.judge.history import History, explaining
from loadtest.judge.power import LEAST_HISTORY

MOST_REASONS = 3
"""Reasons for which runs do not count that have a remark of their own."""

MOST_NAMED = 3
"""Runs that a remark names; of more it tells the number."""


def notices(past: History, courses: Sequence[Course], outcome: str) -> Iterator[Remark]:
    """The remarks on a trend."""
    if past.simulated:
        yield remark(
            "simulated_target",
            "SIMULATED: loadtest's own simulator answered, so no number here speaks of a real backend.",
            "Give the address of a real backend with --target.",
        )
    yield from _down(past)
    yield from _left_out(past)
    yield from _young([course for course in courses if course.primary], outcome)
    yield from _odd(past, [course for course in courses if course.primary])
    yield from _surroundings(past)


def _left_out(past: History) -> Iterator[Remark]:
    groups: dict[str, list[str]] = {}
    for each in past.left_out:
        groups.setdefault(each.reason, []).append(each.id)
    for reason, ids in list(groups.items())[:MOST_REASONS]:
        does = "does" if len(ids) == 1 else "do"
        yield remark(
            "run_left_out",
            f"{_names(ids)} {does} not count: {reason}.",
            "Nothing, unless they should: then run them again, or see another machine with --machine.",
        )
    others = sum(map(len, list(groups.values())[MOST_REASONS:]))
    if others:
        yield remark(
            "run_left_out",
            f"{others} more {'run does' if others == 1 else 'runs do'} not count, for other reasons.",
            "See left_out in --format json.",
        )


def _down(past: History) -> Iterator[Remark]:
    """Runs in which the target was down; their shares of success are 0, their times are missing for it."""
    groups: dict[str, list[str]] = {}
    for run, each in zip(past.runs, past.standings, strict=True):
        if each.target_failed:
            groups.setdefault(each.reason, []).append(str(run.get("id")))
    for reason, ids in groups.items():
        yield remark(
            "target_down",
            f"{_names(ids)} {reason}; no level is made of {'it' if len(ids) == 1 else 'them'}.",
            "See why with loadtest report; once it is mended for good, accept what came before with"
            " loadtest runs baseline.",
        )


def _young(deciding: Sequence[Course], outcome: str) -> Iterator[Remark]:
    """Levels too young to foretell the newest run."""
    young = [each for each in deciding if each.newest.value is not None and each.newest.change is None]
    if not young:
        return
    told = ", ".join(f"{each.name} ({each.newest.before})" for each in young)
    yield remark(
        "too_little_history",
        f"The newest run cannot be judged yet on {told}: in brackets how many runs before it stand at its"
        f" level; it takes {LEAST_HISTORY}. A change of level is found once {FOLLOWING} runs follow it.",
        "Keep the runs, and run it again every night."
        if outcome == "too little history"
        else "Wait for more runs; meanwhile compare with labels of several runs each.",
    )


def _odd(past: History, deciding: Sequence[Course]) -> Iterator[Remark]:
    """Runs of the newest level that did not fit, and are not counted as it."""
    last = len(past.runs) - 1
    places = sorted({at for each in deciding for at in each.odd if each.newest_from <= at < last})
    if places:
        yield remark(
            "odd_runs",
            f"{_names([str(past.runs[at].get('id')) for at in places])} did not fit what the runs before"
            " foretold; the newest run is not held against them.",
            f"Look at them: {FOLLOWING} such runs in a row are a new level.",
        )


def _surroundings(past: History) -> Iterator[Remark]:
    """Where surroundings changed in the course of the history."""
    for before, after in zip(past.runs, past.runs[1:], strict=False):
        changed = [
            each for each in explaining(before, after) if not each.startswith(("commit", "target.", "load a"))
        ]
        if changed:
            yield remark(
                "different_surroundings",
                f"{after.get('id')} is the first with {'; '.join(changed[:MOST_NAMED])}"
                f"{' and more' if len(changed) > MOST_NAMED else ''}, which may be the cause of a change.",
                "Hold the surroundings still, or take what changed there for their doing.",
            )


def _names(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[-MOST_NAMED:])
    more = len(ids) - MOST_NAMED
    return f"{shown} and {more} earlier {'run' if more == 1 else 'runs'}" if more > 0 else shown
