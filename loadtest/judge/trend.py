"""The trend of a scenario over its stored runs: where its level changed, and what the newest run says.

scipy and ruptures are imported when something is computed, so that a run does not pay for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from loadtest.errors import Exit, worst_of
from loadtest.judge.compare import EXPLORED, primary_of, rules_of
from loadtest.judge.compare_notices import Remark
from loadtest.judge.course import Course
from loadtest.judge.history import History, Unusable
from loadtest.judge.promises import thresholds_of
from loadtest.judge.spread import LEAST_HISTORY
from loadtest.judge.tracing import Terms, courses
from loadtest.judge.trend_notices import notices
from loadtest.judge.yardstick import wanted

SCHEMA = "loadtest.trend/1"

Outcome = Literal["slower", "faster", "no change found", "too little history", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a trend ended, with its exit code and one sentence."""

    outcome: Outcome
    exit_code: Exit
    reason: str


@dataclass(frozen=True, slots=True)
class Trend:
    """A history with the course of every metric in it; ``accepted`` is the run marked as the baseline."""

    history: History
    courses: tuple[Course, ...]
    ruling: Ruling
    notices: tuple[Remark, ...]
    accepted: str | None = None

    @property
    def primary(self) -> list[Course]:
        """The courses that decide."""
        return [course for course in self.courses if course.primary]

    @property
    def exploratory(self) -> list[Course]:
        """The courses that do not."""
        return [course for course in self.courses if not course.primary]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for machines."""
        past = self.history
        return {
            "scenario": past.scenario,
            "machine": past.machine,
            "simulated": past.simulated,
            "baseline": self.accepted,
            "verdict": {
                "outcome": self.ruling.outcome,
                "exit_code": int(self.ruling.exit_code),
                "reason": self.ruling.reason,
            },
            "runs": [
                {"id": run.get("id"), "label": run.get("label"), "started": run.get("started")}
                for run in past.runs
            ],
            "left_out": [{"id": each.id, "reason": each.reason} for each in past.left_out],
            "metrics": [course.as_dict() for course in self.courses],
            "notices": list(self.notices),
        }


def trend(
    past: History, metrics: Sequence[str] = (), baseline: str | None = None, *, lenient: bool = False
) -> Trend:
    """The trend of a history. ``metrics`` replace those that decide, and then no others are looked at.

    The newest level is held against the one before it; where the run with the id ``baseline`` is part of the
    history, against that run's level, so that marking a run accepts the level that it belongs to.
    ``lenient`` turns the exit code of "cannot tell" into 0; a failure stays one.
    """
    rules = rules_of(past.newest)
    deciding, rest = (list(metrics), []) if metrics else primary_of(rules, past.newest)
    terms = Terms(past, rules, wanted(thresholds_of(past.newest)), past.place(baseline))
    others = [] if metrics else [name for name in dict.fromkeys((*rest, *EXPLORED)) if name not in deciding]
    found = (*courses(deciding, terms, primary=True), *courses(others, terms, primary=False))
    ruling = _rule(past, [course for course in found if course.primary])
    if lenient and ruling.outcome == "cannot tell":
        ruling = replace(ruling, exit_code=Exit.PASS)
    accepted = baseline if terms.accepted is not None else None
    return Trend(past, found, ruling, tuple(notices(past, found, ruling.outcome)), accepted)


def worst(trends: Sequence[Trend]) -> Exit:
    """The exit code of several trends, the worst; of none it is not known (4)."""
    return worst_of(each.ruling.exit_code for each in trends) if trends else Exit.INVALID


def _rule(past: History, deciding: Sequence[Course]) -> Ruling:
    """The first that applies: slower, cannot tell, too little history, faster, no change found."""
    told = {word: _named(deciding, word) for word in ("slower", "faster")}
    if told["slower"] and not past.doubted:
        return Ruling("slower", Exit.FAIL, f"Slower: {told['slower']}.")
    if past.doubted:
        return Ruling("cannot tell", Exit.INVALID, f"The newest run does not count: {past.doubted}.")
    if missing := [each.name for each in deciding if each.vanished]:
        said = f"The newest run did not measure what earlier ones did: {', '.join(missing)}."
        return Ruling("cannot tell", Exit.INVALID, said)
    if not any(each.judged for each in deciding):
        return _unjudged(past)
    if told["faster"]:
        return Ruling("faster", Exit.PASS, f"Faster: {told['faster']}; nothing is slower.")
    return Ruling("no change found", Exit.PASS, "The newest run fits what decides at its level.")


def _unjudged(past: History) -> Ruling:
    """The newest run counts and cannot be judged: the history is young, or what there is was not usable."""
    related = [each for each in past.left_out if each.kind != "simulated"]
    before = len(past.runs) - 1
    if before + len(related) < LEAST_HISTORY or not related:
        n = len(past.runs)
        said = f"{n} {'run is' if n == 1 else 'runs are'} too few to judge the newest; it takes 8 before it."
        return Ruling("too little history", Exit.PASS, said)
    counted = Counter(each.kind for each in related).most_common()
    why = ", ".join(f"{n} {UNUSABLE[kind][n > 1]}" for kind, n in counted)
    others = before + len(related)
    said = (
        f"Of the {others} runs before the newest {before} can be held against it, and it takes"
        f" {LEAST_HISTORY}: {why}."
        if before
        else f"None of the {others} runs before the newest can be held against it: {why}."
    )
    return Ruling("cannot tell", Exit.INVALID, said)


UNUSABLE: Mapping[Unusable, tuple[str, str]] = {
    "dated ahead": ("is dated in the future", "are dated in the future"),
    "machine": ("was made on another machine", "were made on another machine"),
    "load": ("was made with another load", "were made with another load"),
    "doubt": ("cannot be believed", "cannot be believed"),
}
"""Of one run and of several: why it could not be used."""


def _named(deciding: Sequence[Course], word: str) -> str:
    """What is slower or faster, each with what says so."""
    found: Mapping[str, list[str]] = {
        each.name: [
            *(["the newest run"] if each.newest.word == word else []),
            *(["the newest level"] if each.standing and each.standing.word == word else []),
        ]
        for each in deciding
    }
    return ", ".join(f"{name} ({' and '.join(said)})" for name, said in found.items() if said)
