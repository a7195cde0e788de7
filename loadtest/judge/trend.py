"""The trend of a scenario over its stored runs: where its level changed, and what the newest run says.

scipy and ruptures are imported when something is computed, so that a run does not pay for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from loadtest.errors import Exit, worst_of
from loadtest.judge.compare import explored, primary_of, rules_of
from loadtest.judge.compare_warnings import PlainWarning
from loadtest.judge.effect_size import BETTER, WORSE, Moved, Word, wanted
from loadtest.judge.history import RECENT, RunHistory, Unusable, missed_thresholds
from loadtest.judge.manifest_access import section
from loadtest.judge.power import MIN_HISTORY
from loadtest.judge.segments import MetricTrend, TrendContext, metric_trends
from loadtest.judge.thresholds import thresholds_of
from loadtest.judge.trend_warnings import trend_warnings

SCHEMA = "loadtest.trend/1"

TrendOutcome = Literal[
    "target down",
    "worse",
    "slower",
    "threshold missed",
    "cannot tell",
    "too little history",
    "better",
    "faster",
    "no change found",
]
"""The first that applies."""

MAX_DOWN = 1
"""Of the last ten runs: 1 % may fail, and two in which the target was down are clearly more."""


@dataclass(frozen=True, slots=True)
class TrendVerdict:
    """How a trend ended, with its exit code and one sentence."""

    outcome: TrendOutcome
    exit_code: Exit
    reason: str


@dataclass(frozen=True, slots=True)
class Trend:
    """A history with every metric over it; ``accepted`` is the run marked as the baseline."""

    history: RunHistory
    courses: tuple[MetricTrend, ...]
    ruling: TrendVerdict
    notices: tuple[PlainWarning, ...]
    accepted: str | None = None

    @property
    def primary(self) -> list[MetricTrend]:
        """The primary metrics: they decide."""
        return [course for course in self.courses if course.primary]

    @property
    def exploratory(self) -> list[MetricTrend]:
        """The exploratory metrics."""
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
                {
                    "id": run.get("id"),
                    "label": run.get("label"),
                    "started": run.get("started"),
                    "standing": each.kind,
                }
                for run, each in zip(past.runs, past.standings, strict=True)
            ],
            "left_out": [{"id": each.id, "reason": each.reason} for each in past.left_out],
            "metrics": [course.as_dict() for course in self.courses],
            "notices": list(self.notices),
        }


def trend(
    past: RunHistory, metrics: Sequence[str] = (), baseline: str | None = None, *, lenient: bool = False
) -> Trend:
    """The trend of a history. ``metrics`` replace those that decide, and then no others are looked at.

    The newest level is compared with the one before it; if the run with the id ``baseline`` is part of the
    history, with that run's level, so that marking a run accepts the level that it belongs to.
    ``lenient`` turns the exit code of "cannot tell" into 0; a failure stays one.
    """
    rules = rules_of(past.newest)
    deciding, rest = (list(metrics), []) if metrics else primary_of(rules, past.newest)
    context = TrendContext(
        past, past.standings, rules, wanted(thresholds_of(past.newest)), past.place(baseline)
    )
    others = (
        []
        if metrics
        else [name for name in dict.fromkeys((*rest, *explored(past.newest))) if name not in deciding]
    )
    found = (*metric_trends(deciding, context, primary=True), *metric_trends(others, context, primary=False))
    named = {*metrics, *rules.primary, *(each.name for each in thresholds_of(past.newest))}
    ruling = next(_rulings(past, [each for each in found if each.primary], named, context.accepted))
    if lenient and ruling.outcome == "cannot tell":
        ruling = replace(ruling, exit_code=Exit.PASS)
    accepted = baseline if context.accepted is not None else None
    return Trend(past, found, ruling, tuple(trend_warnings(past, found, ruling.outcome)), accepted)


def worst(trends: Sequence[Trend]) -> Exit:
    """The exit code of several trends, the worst; of none it is not known (4)."""
    return worst_of(each.ruling.exit_code for each in trends) if trends else Exit.INVALID


def _rulings(
    past: RunHistory, deciding: Sequence[MetricTrend], named: Container[str], accepted: int | None
) -> Iterator[TrendVerdict]:
    """The verdicts that apply, in the order of ``Outcome``; the last one always does.

    ``named``: the metrics that somebody asked for, by name or by a threshold.
    """
    if down := _down(past, accepted):
        yield TrendVerdict("target down", Exit.FAIL, down)
    if past.doubted:
        yield TrendVerdict("cannot tell", Exit.INVALID, f"The newest run does not count: {past.doubted}.")
    if worse := _moved(deciding, WORSE):
        yield TrendVerdict(worse[0], Exit.FAIL, f"{worse[1]}.")
    if missed := _missed(past):
        yield TrendVerdict("threshold missed", Exit.FAIL, missed)
    if missing := [each.name for each in deciding if each.vanished]:
        said = f"The newest run did not measure these metrics of earlier runs: {', '.join(missing)}."
        yield TrendVerdict("cannot tell", Exit.INVALID, said)
    if not any(each.judged for each in deciding):
        yield _unjudged(past, [each.name for each in deciding if each.young])
    known = [each for each in deciding if each.n or each.name in named]
    if unjudged := [each for each in known if not each.judged and not each.young]:
        told = ", ".join(f"{each.name} ({each.newest.why})" for each in unjudged)
        yield TrendVerdict("cannot tell", Exit.INVALID, f"The newest run cannot be judged on {told}.")
    if past.doubtful * 3 > RECENT:
        said = (
            f"{past.doubtful} of the last {RECENT} runs cannot be believed, so the others are too few for a"
            " verdict."
        )
        yield TrendVerdict("cannot tell", Exit.INVALID, said)
    if better := _moved(deciding, BETTER):
        yield TrendVerdict(better[0], Exit.PASS, f"{better[1]}; nothing is worse.")
    yield TrendVerdict("no change found", Exit.PASS, _fits(deciding))


def _fits(deciding: Sequence[MetricTrend]) -> str:
    """Where the newest run fits its level, and where nobody can say so."""
    young = [each.name for each in deciding if each.young]
    never = [each.name for each in deciding if not each.n]
    if not young and not never:
        return "In every deciding metric the newest run fits its level."
    said = [_too_new(young)] if young else []
    said += [f"No run measured {', '.join(never)}."] if never else []
    if any(each.newest.change is not None for each in deciding):
        said += ["In all other deciding metrics the newest run fits its level."]
    return " ".join(said)


def _too_new(young: Sequence[str]) -> str:
    return f"Too few runs are at the new level of {', '.join(young)} to judge the newest one."


def _down(past: RunHistory, accepted: int | None) -> str | None:
    """Whether the target was down in the newest run, or in too many of the last ones.

    Runs before the one that was accepted as the baseline are forgiven.
    """
    recent = past.standings[-RECENT:]
    if accepted is not None:
        recent = recent[-max(1, len(past.runs) - accepted) :]
    failed = [each for each in recent if each.target_failed]
    newest_failed = bool(recent) and recent[-1].target_failed and not past.doubted
    if not newest_failed and len(failed) <= MAX_DOWN:
        return None
    counted = Counter(each.reason for each in failed)
    of_the_last = f"of the last {len(recent)} runs"
    told = " and ".join(
        f"{n}{f' {of_the_last}' if not at else ''} {reason}"
        for at, (reason, n) in enumerate(counted.most_common())
    )
    if not newest_failed:
        return f"{told}."
    also = f"; {told}" if len(failed) > 1 else ""
    return f"The newest run {recent[-1].reason}{also}."


def _missed(past: RunHistory) -> str | None:
    """What the newest run misses of its own thresholds."""
    verdict = section(past.newest, "verdict")
    if verdict.get("outcome") != "fail":
        return None
    missed = [f"{name} {says}" for name, says in missed_thresholds(past.newest)]
    if not missed:
        return f"The newest run failed: {verdict.get('reason') or 'its verdict does not say why'}"
    what = "its own threshold" if len(missed) == 1 else "its own thresholds"
    return f"The newest run misses {what} {', '.join(missed)}."


def _moved(deciding: Sequence[MetricTrend], words: tuple[Moved, Moved]) -> tuple[Moved, str] | None:
    """What changed in one direction, shares and rates before the times that may follow from them."""
    found = {word: named for word in words if (named := _named(deciding, word))}
    if not found:
        return None
    said = "; ".join(f"{word}: {named}" for word, named in found.items())
    return next(iter(found)), said[0].upper() + said[1:]


def _unjudged(past: RunHistory, young: Sequence[str]) -> TrendVerdict:
    """The newest run counts and cannot be judged: the history is too short, or most of it was not usable.

    ``young``: metrics whose level is too new for it.
    """
    if young:
        return TrendVerdict("cannot tell", Exit.INVALID, _too_new(young))
    related = [each for each in past.left_out if each.kind != "simulated"]
    before = len(past.runs) - 1
    if before >= MIN_HISTORY:
        said = f"Fewer than {MIN_HISTORY} of the {before} earlier runs measured a deciding metric."
        return TrendVerdict("cannot tell", Exit.INVALID, said)
    if before + len(related) < MIN_HISTORY or not related:
        n = len(past.runs)
        said = (
            f"{n} {'run is' if n == 1 else 'runs are'} too few: to judge the newest run, 8 earlier runs are"
            " needed."
        )
        return TrendVerdict("too little history", Exit.PASS, said)
    counted = Counter(each.kind for each in related).most_common()
    why = ", ".join(f"{n} {UNUSABLE[kind][n > 1]}" for kind, n in counted)
    others = before + len(related)
    said = (
        f"Only {before} of the {others} earlier runs can be compared with the newest, but a verdict needs"
        f" {MIN_HISTORY}: {why}."
        if before
        else f"None of the {others} earlier runs can be compared with the newest: {why}."
    )
    return TrendVerdict("cannot tell", Exit.INVALID, said)


UNUSABLE: Mapping[Unusable, tuple[str, str]] = {
    "dated ahead": ("is dated in the future", "are dated in the future"),
    "machine": ("was made on another machine", "were made on another machine"),
    "load": ("was made with another load", "were made with another load"),
    "doubt": ("cannot be believed", "cannot be believed"),
}
"""Of one run and of several: why it could not be used."""


def _named(deciding: Sequence[MetricTrend], word: Word) -> str:
    """The metrics with that verdict, each with what has it."""
    found: Mapping[str, list[str]] = {
        each.name: [
            *(["the newest run"] if each.newest.word == word else []),
            *(["the newest level"] if each.standing and each.standing.word == word else []),
        ]
        for each in deciding
    }
    return ", ".join(f"{name} ({' and '.join(said)})" for name, said in found.items() if said)
