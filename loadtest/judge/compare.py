"""Two sets of runs compared: whether they can be, a row per metric, the verdict and its exit code.

scipy is imported when something is computed, so that a run that compares nothing does not pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from loadtest.errors import Exit, worst_of
from loadtest.judge.comparability import Differing, differences
from loadtest.judge.compare_warnings import PlainWarning, comparison_warnings
from loadtest.judge.effect_size import BETTER, WORSE, Moved, wanted
from loadtest.judge.failure_share import is_share
from loadtest.judge.manifest_access import (
    Manifest,
    kinds,
    number,
    populations,
    section,
    sends_turns,
    settings,
    turns_never_end,
)
from loadtest.judge.multiplicity import ComparisonOptions, MetricComparison, compare_family
from loadtest.judge.populations import population_manifest
from loadtest.judge.power import LEVEL
from loadtest.judge.run_standing import StandingKind
from loadtest.judge.samples import Side, newly_missed
from loadtest.judge.thresholds import thresholds_of
from loadtest.plan.key_types import MAX_PRIMARY
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import METRICS, RATES, of_kind
from loadtest.units import format_change

SCHEMA = "loadtest.comparison/1"

ComparisonOutcome = Literal[
    "worse", "slower", "threshold newly missed", "better", "faster", "same", "cannot tell", "not comparable"
]
"""Times are slower or faster, ratios and rates worse or better. A target that was down is worse."""

COMPLETE = "turns.complete.ratio"
"""Always primary, unless the scenario names what is: a p50 hardly changes if a few turns are lost."""

DEFAULT = ("turn.first_event.p50", "turn.first_event.p95", "turn.completion.p95", "turns.complete.ratio")
"""The primary metrics where there are no thresholds either."""

DEFAULT_HELD = ("connect.total.p95", "connections.ready.ratio")
"""The same of a scenario whose connections are only held: no turn is ever complete."""

DEFAULT_UNENDING = ("turn.first_event.p50", "turn.first_event.p95")
"""The same of turns without an end (subscriptions)."""

EXPLORED = (
    *(f"{metric}.{statistic}" for metric in METRICS for statistic in ("p50", "p95", "p99")),
    *(f"rates.{rate}" for rate in RATES),
    "connections.ready.peak",
    "connections.ready.ratio",
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
"""The exploratory metrics, as far as they were measured."""


EXPLORED_BY_KIND = (
    *(
        (metric, statistic)
        for metric in ("turn.first_event", "turn.completion")
        for statistic in ("p50", "p95")
    ),
    ("turns.complete", "ratio"),
)


def explored(manifest: Manifest) -> tuple[str, ...]:
    """The exploratory metrics of a scenario: of all, some of each kind of turn and of each population."""
    sending = [name for name in populations(manifest) if sends_turns(population_manifest(manifest, name))]
    by_kind = (
        f"{of_kind(name, kind)}.{which}"
        for kind in (*kinds(manifest), *sending)
        for name, which in EXPLORED_BY_KIND
    )
    ready = (f"connections.ready[{name}].ratio" for name in populations(manifest))
    of_target = (
        f"target.{name}.{which}" for name in section(manifest, "health") for which in ("mean", "max")
    )
    return (*EXPLORED, *by_kind, *ready, *of_target)


NO_NOISE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ComparisonVerdict:
    """How a comparison ended, with its exit code and one sentence."""

    outcome: ComparisonOutcome
    exit_code: Exit
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared. ``rows`` are empty where they may not be."""

    scenario: str
    baseline: Side
    candidate: Side
    differing: tuple[Differing, ...]
    rows: tuple[MetricComparison, ...]
    newly_missed: tuple[str, ...]
    ruling: ComparisonVerdict
    notices: tuple[PlainWarning, ...]

    @property
    def primary(self) -> list[MetricComparison]:
        """The rows of primary metrics: they decide."""
        return [row for row in self.rows if row.primary]

    @property
    def exploratory(self) -> list[MetricComparison]:
        """The rows of exploratory metrics."""
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
    ``force`` compares runs of different load too; simulated runs are never compared with real
    ones. ``lenient`` turns the exit code of "cannot tell" into 0, no other. ``paired``: the k-th
    runs of both sides are alternating blocks, as many on either, so that drift cancels.
    """
    newest = candidate.newest or baseline.newest
    rules = rules or rules_of(newest)
    differing = differences(baseline, candidate)
    barred = [each for each in differing if each.weight == "never" or (each.weight == "load" and not force)]
    sides = (baseline, candidate)
    rows = (
        ()
        if barred or not (baseline.runs and candidate.runs)
        else _rows(
            sides, rules, newest, ComparisonOptions(rules, wanted(thresholds_of(newest)), noise, paired)
        )
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
        tuple(comparison_warnings(sides, differing, rows, primary_of(rules, newest)[1])),
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
    sent = not settings(manifest, "load") or sends_turns(manifest)
    ends = sent and not turns_never_end(manifest)
    default = DEFAULT if ends else DEFAULT_UNENDING if sent else DEFAULT_HELD
    named = list(dict.fromkeys(each.name for each in thresholds_of(manifest))) or list(default)
    deciding, rest = named[:MAX_PRIMARY], named[MAX_PRIMARY:]
    if not ends:
        return deciding, rest
    # Whatever else is promised: who drops the slow answers must not look the same, or faster.
    return deciding + [COMPLETE] * (COMPLETE not in deciding), [name for name in rest if name != COMPLETE]


def _rows(
    sides: tuple[Side, Side], rules: Compare, newest: Manifest, options: ComparisonOptions
) -> tuple[MetricComparison, ...]:
    deciding, rest = primary_of(rules, newest)
    others = [name for name in dict.fromkeys((*rest, *explored(newest))) if name not in deciding]
    seen = [
        name
        for name in others
        if any(each.value is not None for side in sides for each in side.measured(name))
    ]
    return (
        *compare_family(sides, deciding, options, primary=True),
        *compare_family(sides, seen, options, primary=False),
    )


def _rule(
    sides: tuple[Side, Side],
    barred: Sequence[Differing],
    rows: Sequence[MetricComparison],
    missed: Sequence[str],
    *,
    lenient: bool,
) -> ComparisonVerdict:
    """The first that applies: not comparable, down more often, worse, newly missed, and as ``_unfailed``."""
    if barred:
        return ComparisonVerdict("not comparable", Exit.INVALID, _barred(barred))
    down, worse = _down(sides), _told(rows, WORSE)
    failures = _failures(sides)
    if down == "worse" or worse:
        newly = f"Newly missed: {', '.join(missed)}." if missed else ""
        outcome: ComparisonOutcome = "slower" if down != "worse" and worse[0][0] == "slower" else "worse"
        return ComparisonVerdict(
            outcome, Exit.FAIL, " ".join(filter(None, [failures, _sentence(worse), newly]))
        )
    if missed:
        said = f"The candidate misses thresholds that the baseline passed: {', '.join(missed)}."
        return ComparisonVerdict("threshold newly missed", Exit.FAIL, said)
    if failing := _failing(sides, most=True):
        return ComparisonVerdict("worse", Exit.FAIL, failing)
    outcome, reason = _unfailed(sides, rows, down)
    code = Exit.INVALID if outcome == UNKNOWN and not lenient else Exit.PASS
    return ComparisonVerdict(outcome, code, " ".join(filter(None, [failures, reason])))


def _failing(sides: tuple[Side, Side], *, most: bool) -> str:
    """That runs of the candidate failed by their own verdicts and none of the baseline did; empty if not so.

    ``most``: at least half of them; a single one may be a limit that lies near what both do.
    """
    before, after = ([run for run in side.runs if _failed(run)] for side in sides)
    runs = len(sides[1].runs)
    if before or not after or (2 * len(after) < runs) is most:
        return ""
    names = f"{len(after)} of {runs} runs of {sides[1].name} failed, but no run of {sides[0].name} did"
    return f"{names}: {section(after[0], 'verdict').get('reason')}" if most else names


def _failed(run: Manifest) -> bool:
    return section(run, "verdict").get("outcome") == "fail"


def _unfailed(
    sides: tuple[Side, Side], rows: Sequence[MetricComparison], down: str
) -> tuple[ComparisonOutcome, str]:
    """The first that applies where nothing failed: cannot tell, better, same."""
    doubts = [*_doubts(sides, down), *filter(None, [_failing(sides, most=False)])]
    names = ", ".join(row.name for row in rows if row.primary and row.word == UNKNOWN)
    if doubts:
        undecided = [f"undecided metrics: {names}"] if names else []
        return UNKNOWN, f"The runs do not allow a verdict: {'; '.join([*doubts, *undecided])}."
    if names:
        return UNKNOWN, f"The runs do not allow a verdict on {names}."
    if better := _told(rows, BETTER):
        return "faster" if better[0][0] == "faster" else "better", f"{_sentence(better)} Nothing is worse."
    if down == "better":
        return "better", "Nothing is worse."
    return "same", "No deciding metric changed by its smallest effect or more."


UNKNOWN: Literal["cannot tell"] = "cannot tell"


def _told(
    rows: Iterable[MetricComparison], words: tuple[Moved, Moved]
) -> list[tuple[Moved, list[MetricComparison]]]:
    """What changed, cause before effect: ratios, then times, then what follows from both."""
    moved = [row for row in rows if row.primary and row.word in words]
    kinds: dict[int, list[MetricComparison]] = {0: [], 1: [], 2: []}
    for row in moved:
        kinds[0 if is_share(row.name) else 1 if row.measure.unit == "ms" else 2].append(row)
    return [(words[kind == 1], found) for kind, found in kinds.items() if found]


CHANGES_TOLD = 3
"""Of so many metrics the sentence says by how much they changed."""


def _sentence(told: Sequence[tuple[str, Sequence[MetricComparison]]]) -> str:
    """Each verdict with its metrics, the first ones with their change, as one sentence."""
    rows = [row for _, found in told for row in found]
    sized = {row.name: _with_change(row) for row in rows[:CHANGES_TOLD]}
    said = "; ".join(
        f"{word}: {', '.join(sized.get(row.name, row.name) for row in found)}" for word, found in told
    )
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _with_change(row: MetricComparison) -> str:
    if row.change is None or not math.isfinite(row.change):
        return row.name
    return f"{row.name} {format_change(row.change, points=row.measure.scale == 'points')}"


def _down(sides: tuple[Side, Side]) -> Literal["worse", "better", "as often", "cannot tell"]:
    """Whether the target failed in more of the candidate's runs than of the baseline's.

    Where it failed in none of the baseline's, once is enough. Where it failed in some, a higher share must be
    more than chance (Fisher's exact test); a candidate that never answered at all is no candidate.
    """
    (one, before), (other, after) = ((side.failed, len(side.runs)) for side in sides)
    if other and (not one or other == after):
        return "worse"
    if other * before <= one * after:
        return "better" if other * before < one * after else "as often"
    ways = math.comb(before + after, one + other)
    least = max(other, one + other - before)
    most = min(after, one + other)
    reached = sum(math.comb(after, k) * math.comb(before, one + other - k) for k in range(least, most + 1))
    return "worse" if reached <= LEVEL * ways else "cannot tell"


def _failures(sides: tuple[Side, Side]) -> str:
    """In how many runs the target failed; empty where in none."""
    told = []
    for kind, did in FAILURES.items():
        one, other = sides if not sides[1].standing_as(kind) else sides[::-1]
        if n := one.standing_as(kind):
            also = other.standing_as(kind) or "none"
            told.append(f"{n} of {len(one.runs)} runs of {one.name} {did}; of {other.name}: {also}")
    return f"{'; '.join(told)}." if told else ""


FAILURES: dict[StandingKind, str] = {
    "down": "could not reach the target",
    "unanswered": "had no turn complete",
}


def _doubts(sides: tuple[Side, Side], down: str) -> Iterator[str]:
    """Why there is no verdict, apart from the metrics."""
    for side in sides:
        if not side.runs:
            yield f"no run of {side.name} can be believed"
        elif side.too_many_left_out:
            n = len(side.left_out)
            yield f"{n} of {n + len(side.runs)} runs of {side.name} do not count ({side.left_out[0][1]})"
    if down == UNKNOWN:
        yield "the target failed in more runs of the candidate than of the baseline, but this may be chance"


def _barred(barred: Sequence[Differing]) -> str:
    if barred[0].weight == "never":
        return "Not comparable: simulated runs are never compared with real ones."
    named = "; ".join(f"{each.name} {each.baseline} against {each.candidate}" for each in barred[:3])
    more = f" and {len(barred) - 3} more" if len(barred) > 3 else ""
    return f"Not comparable: the load differs ({named}{more})."
