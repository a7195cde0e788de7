"""Two sides compared: whether they may be, a row per metric, the verdict and its exit code.

scipy is imported when something is computed, so that a run that compares nothing does not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from loadtest.errors import Exit, worst_of
from loadtest.judge.comparable import Differing, differences
from loadtest.judge.compare_notices import Remark, notices
from loadtest.judge.compared import Row
from loadtest.judge.family import Terms, compare_family
from loadtest.judge.promises import thresholds_of
from loadtest.judge.sections import Manifest, number, section, settings
from loadtest.judge.sides import Side, newly_missed
from loadtest.judge.yardstick import wanted
from loadtest.plan.rules import MOST_PRIMARY
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import METRICS, RATES

SCHEMA = "loadtest.comparison/1"

Outcome = Literal["slower", "threshold newly missed", "faster", "same", "cannot tell", "not comparable"]

COMPLETE = "turns.complete.ratio"
"""Decides too where a scenario does not say what does: percentiles speak only of turns that were complete."""

DEFAULT = ("turn.first_event.p50", "turn.first_event.p95", "turn.completion.p95", "turns.complete.ratio")
"""What decides where there are no thresholds either."""

EXPLORED = (
    *(f"{metric}.{statistic}" for metric in METRICS for statistic in ("p50", "p95", "p99")),
    *(f"rates.{rate}" for rate in RATES),
    "connections.ready.peak",
    COMPLETE,
    "turns.failed.ratio",
    "turns.timed_out.ratio",
    "turns.lost.ratio",
    "turns.refused.ratio",
    "events.lost.ratio",
    "events.duplicate.ratio",
    "events.out_of_order.ratio",
    "generator.cpu.max",
)
"""What is looked at beside what decides, if it was measured."""


NO_NOISE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a comparison ended, with its exit code and one sentence."""

    outcome: Outcome
    exit_code: Exit
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared. ``rows`` are empty where they may not be."""

    scenario: str
    baseline: Side
    candidate: Side
    differing: tuple[Differing, ...]
    rows: tuple[Row, ...]
    newly_missed: tuple[str, ...]
    ruling: Ruling
    notices: tuple[Remark, ...]

    @property
    def primary(self) -> list[Row]:
        """The rows that decide."""
        return [row for row in self.rows if row.primary]

    @property
    def exploratory(self) -> list[Row]:
        """The rows that do not."""
        return [row for row in self.rows if not row.primary]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for machines."""
        return {
            "scenario": self.scenario,
            "baseline": self.baseline.as_dict(),
            "candidate": self.candidate.as_dict(),
            "verdict": {
                "outcome": self.ruling.outcome,
                "exit_code": int(self.ruling.exit_code),
                "reason": self.ruling.reason,
                "newly_missed": list(self.newly_missed),
            },
            "metrics": [row.as_dict() for row in self.rows],
            "differing": [each.as_dict() for each in self.differing],
            "notices": list(self.notices),
        }


def compare(
    baseline: Side,
    candidate: Side,
    rules: Compare | None = None,
    *,
    noise: Mapping[str, float] = NO_NOISE,
    force: bool = False,
    lenient: bool = False,
    paired: bool = False,
) -> Comparison:
    """The comparison of two sides of one scenario; ``rules`` default to those of the newest candidate.

    ``noise`` are spreads learned earlier, for sides too small to have one of their own.
    ``force`` compares runs of different load all the same; what was simulated is never held against what
    was real. ``lenient`` turns the exit code of "cannot tell" into 0. ``paired``: the k-th runs of both sides
    are blocks that took turns, as many on either, so that what drifts cancels.
    """
    newest = candidate.newest or baseline.newest
    rules = rules or rules_of(newest)
    differing = differences(baseline, candidate)
    barred = [each for each in differing if each.weight == "never" or (each.weight == "load" and not force)]
    sides = (baseline, candidate)
    rows = (
        ()
        if barred or not (baseline.runs and candidate.runs)
        else _rows(sides, rules, newest, Terms(rules, wanted(thresholds_of(newest)), noise, paired))
    )
    missed = () if barred else tuple(newly_missed(baseline, candidate))
    return Comparison(
        str(section(newest, "scenario").get("name")),
        baseline,
        candidate,
        differing,
        rows,
        missed,
        _rule(sides, barred, rows, missed, lenient=lenient),
        tuple(notices(sides, differing, rows, primary_of(rules, newest)[1])),
    )


def worst(comparisons: Sequence[Comparison]) -> Exit:
    """The exit code of several comparisons, the worst; of none it is not known (4)."""
    return worst_of(each.ruling.exit_code for each in comparisons) if comparisons else Exit.INVALID


def rules_of(manifest: Manifest) -> Compare:
    """[compare] of the scenario that a run was made of."""
    written = settings(manifest, "compare")
    default = Compare().smallest_effect
    effects = {name: number(_ratio(value)) or default for name, value in written.items() if "." in name}
    return Compare(
        primary=tuple(str(name) for name in written.get("primary") or ()),
        smallest_effect=number(_ratio(written.get("smallest_effect"))) or default,
        effects=effects,
    )


def _ratio(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def primary_of(rules: Compare, manifest: Manifest) -> tuple[list[str], list[str]]:
    """What decides, and what was left over of what the thresholds name, since only so many can."""
    if rules.primary:
        return list(rules.primary), []
    named = list(dict.fromkeys(each.name for each in thresholds_of(manifest))) or list(DEFAULT)
    if COMPLETE not in named and len(named) < MOST_PRIMARY:
        named.append(COMPLETE)
    return named[:MOST_PRIMARY], named[MOST_PRIMARY:]


def _rows(sides: tuple[Side, Side], rules: Compare, newest: Manifest, terms: Terms) -> tuple[Row, ...]:
    deciding, rest = primary_of(rules, newest)
    others = [name for name in dict.fromkeys((*rest, *EXPLORED)) if name not in deciding]
    seen = [
        name
        for name in others
        if any(each.value is not None for side in sides for each in side.measured(name))
    ]
    return (
        *compare_family(sides, deciding, terms, primary=True),
        *compare_family(sides, seen, terms, primary=False),
    )


def _rule(
    sides: tuple[Side, Side],
    barred: Sequence[Differing],
    rows: Iterable[Row],
    missed: Sequence[str],
    *,
    lenient: bool,
) -> Ruling:
    """The first that applies: not comparable, slower, newly missed, cannot tell, faster, same."""
    if barred:
        return Ruling("not comparable", Exit.INVALID, _barred(barred))
    found = {word: [row.name for row in rows if row.primary and row.word == word] for word in WORDS}
    if found["slower"]:
        also = f"; newly missed: {', '.join(missed)}" if missed else ""
        return Ruling("slower", Exit.FAIL, f"Slower: {', '.join(found['slower'])}{also}.")
    if missed:
        said = f"The baseline held what the candidate misses: {', '.join(missed)}."
        return Ruling("threshold newly missed", Exit.FAIL, said)
    empty = [f"no run of {side.name} can be believed" for side in sides if not side.runs]
    if unknown := empty or found["cannot tell"]:
        undecided = Exit.PASS if lenient else Exit.INVALID
        return Ruling("cannot tell", undecided, f"One cannot tell: {', '.join(unknown)}.")
    if found["faster"]:
        return Ruling("faster", Exit.PASS, f"Faster: {', '.join(found['faster'])}; nothing is slower.")
    return Ruling("same", Exit.PASS, "Every metric that decides lies within its smallest effect.")


WORDS = ("slower", "faster", "same", "cannot tell")


def _barred(barred: Sequence[Differing]) -> str:
    if barred[0].weight == "never":
        return "Not comparable: simulated runs are never held against real ones."
    named = "; ".join(f"{each.name} {each.baseline} against {each.candidate}" for each in barred[:3])
    more = f" and {len(barred) - 3} more" if len(barred) > 3 else ""
    return f"Not comparable: the load differs ({named}{more})."
