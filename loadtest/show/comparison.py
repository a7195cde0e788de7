"""A comparison in words: what each view shows, in its order, as text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from loadtest.judge.compare import Comparison
from loadtest.judge.effect_size import Yardstick
from loadtest.judge.history import missed_thresholds
from loadtest.judge.multiplicity import MetricComparison, SampleSummary
from loadtest.judge.samples import Side
from loadtest.show.report import Tone
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_ms, format_rate, format_ratio

TONES: dict[str, Tone] = {
    "target down": "bad",
    "worse": "bad",
    "slower": "bad",
    "threshold missed": "bad",
    "threshold newly missed": "bad",
    "better": "good",
    "faster": "good",
    "same": "good",
    "cannot tell": "doubt",
    "not comparable": "doubt",
}
"""Of what is said of a metric, and of how a comparison ended."""

NOTHING = "–"

FORMATS: dict[str, Callable[[float], str]] = {
    "ms": format_ms,
    "per_s": format_rate,
    "ratio": format_ratio,
    "count": lambda count: format_count(round(count)),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One metric as every view shows it."""

    name: str
    baseline: str
    candidate: str
    change: str
    interval: str
    word: str
    tone: Tone
    smallest: str
    baseline_n: str
    candidate_n: str
    p: str
    why: str
    visible: str


@dataclass(frozen=True, slots=True)
class Told:
    """A comparison in words; ``over`` is what changes and intervals are taken over.

    ``undecided``: there are too few runs for a verdict on anything, in one sentence; else empty.
    """

    scenario: str
    baseline: str
    candidate: str
    word: str
    tone: Tone
    exit_code: int
    why: str
    simulated: bool
    primary: tuple[Line, ...]
    exploratory: tuple[Line, ...]
    differing: tuple[tuple[str, str, str], ...]
    notices: tuple[tuple[str, str, str], ...]
    over: str
    undecided: str

    @property
    def subject(self) -> str:
        """What is compared."""
        return f"{self.scenario}: {self.baseline} → {self.candidate}"


def tell(comparison: Comparison) -> Told:
    """The whole comparison in words; foreign text in it is made safe to print."""
    ruling = comparison.ruling
    missed = _missed(comparison.candidate)
    also = f" The candidate misses {', '.join(f'{name} {says}' for name, says in missed)}." if missed else ""
    tone = TONES[ruling.outcome]
    return Told(
        scenario=printable(comparison.scenario),
        baseline=side_text(comparison.baseline),
        candidate=side_text(comparison.candidate),
        word=ruling.outcome.upper(),
        tone="doubt" if missed and tone == "good" else tone,
        exit_code=int(ruling.exit_code),
        why=printable(f"{ruling.reason}{also if tone == 'good' else ''}", 800),
        simulated=comparison.baseline.simulated or comparison.candidate.simulated,
        primary=tuple(line(row, missed) for row in comparison.primary),
        exploratory=tuple(line(row, missed) for row in comparison.exploratory),
        differing=tuple(
            (printable(each.name), printable(each.baseline, 80), printable(each.candidate, 80))
            for each in comparison.differing
        ),
        notices=tuple(
            (printable(each["code"]), printable(each["message"]), printable(each["remedy"]))
            for each in comparison.notices
        ),
        over="pairs of blocks" if any(row.method == "pairs" for row in comparison.rows) else "runs",
        undecided=_undecided(comparison),
    )


def _missed(side: Side) -> tuple[tuple[str, str], ...]:
    """Name and promise of the thresholds that most runs of a side miss: such a metric is never green."""
    found = Counter(each for run in side.runs for each in missed_thresholds(run))
    return tuple(each for each, n in found.items() if 2 * n > len(side.runs))


def _undecided(comparison: Comparison) -> str:
    """One sentence where there are too few runs for a verdict on anything that decides."""
    rows = comparison.primary
    if comparison.ruling.outcome != "cannot tell" or any(row.method is not None for row in rows):
        return ""
    measured = next((row for row in rows if row.change is not None), None)
    if measured is None:
        return ""
    few = "; ".join(measured.why.split("; ")[:2])
    return f"Nothing can be decided yet: {few}."


def _runs(n: int) -> str:
    return f"{format_count(n)} {'run' if n == 1 else 'runs'}"


def side_text(side: Side) -> str:
    """The name of a side and how many runs count."""
    return f"{printable(side.name, 60)} ({_runs(len(side.runs))})"


def line(row: MetricComparison, missed: Collection[tuple[str, str]] = ()) -> Line:
    """One metric in words; ``missed`` are thresholds that the candidate misses."""
    rule = row.yardstick
    promised = [says for name, says in missed if name == row.name]
    also = f"; the candidate misses {', '.join(promised)}" if promised else ""
    return Line(
        name=rule.name,
        baseline=level_text(rule, row.baseline),
        candidate=level_text(rule, row.candidate),
        change=change_text(rule, row.change),
        interval=interval_text(rule, row.interval),
        word=row.word,
        tone="bad" if promised else TONES[row.word],
        smallest=f"{format_ratio(rule.smallest)}{' points' if rule.scale == 'points' else ''}",
        baseline_n=counted(row.baseline),
        candidate_n=counted(row.candidate),
        p=NOTHING if row.p is None else p_text(row.p),
        why=printable(f"{row.why}{also}"),
        visible=change_text(rule, row.visible),
    )


def level_text(rule: Yardstick, level: SampleSummary) -> str:
    """The mean of a side in its unit, or that it was not measured."""
    return "not measured" if level.value is None else FORMATS[rule.unit](level.value)


def counted(level: SampleSummary) -> str:
    """How many runs measured it, and the samples behind it: "5 runs, n=6,000"."""
    return f"{_runs(level.n)}, n={format_count(level.samples)}"


def change_text(rule: Yardstick, change: float | None) -> str:
    """A change: "+10.2 %", or "−30.0 points" of a share; a dash where nothing can be said."""
    if change is None or not math.isfinite(change):
        return NOTHING
    return f"{_signed(change)} {'points' if rule.scale == 'points' else '%'}"


def interval_text(rule: Yardstick, interval: tuple[float, float] | None) -> str:
    """Both ends: "+7.1 to +13.4 %"; a dash where there is none."""
    if interval is None or not all(math.isfinite(end) for end in interval):
        return NOTHING
    return f"{_signed(interval[0])} to {_signed(interval[1])} {'points' if rule.scale == 'points' else '%'}"


def p_text(p: float) -> str:
    """Two significant digits, never 0."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _signed(part: float) -> str:
    percent = part * 100
    text = f"{abs(percent):,.0f}" if abs(percent) >= 100 else f"{abs(percent):.1f}"
    if float(text.replace(",", "")) == 0:
        return "0.0"
    return f"{'+' if percent > 0 else '−'}{text}"
