"""A comparison in words: what each view shows, in its order, as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.judge.compare import Comparison
from loadtest.judge.compared import Level, Row
from loadtest.judge.sides import Side
from loadtest.judge.yardstick import Yardstick
from loadtest.show.printable import printable
from loadtest.show.report import Tone
from loadtest.units import format_count, format_ms, format_rate, format_ratio

TONES: dict[str, Tone] = {
    "slower": "bad",
    "threshold newly missed": "bad",
    "faster": "good",
    "same": "good",
    "cannot tell": "doubt",
    "not comparable": "doubt",
}

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
    """A comparison in words; ``over`` is what changes and intervals are taken over."""

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


def tell(comparison: Comparison) -> Told:
    """The whole comparison in words; foreign text in it is made safe to print."""
    ruling = comparison.ruling
    return Told(
        scenario=printable(comparison.scenario),
        baseline=side_text(comparison.baseline),
        candidate=side_text(comparison.candidate),
        word=ruling.outcome.upper(),
        tone=TONES[ruling.outcome],
        exit_code=int(ruling.exit_code),
        why=printable(ruling.reason, 800),
        simulated=comparison.baseline.simulated or comparison.candidate.simulated,
        primary=tuple(line(row) for row in comparison.primary),
        exploratory=tuple(line(row) for row in comparison.exploratory),
        differing=tuple(
            (printable(each.name), printable(each.baseline, 80), printable(each.candidate, 80))
            for each in comparison.differing
        ),
        notices=tuple(
            (printable(each["code"]), printable(each["message"]), printable(each["remedy"]))
            for each in comparison.notices
        ),
        over="pairs of blocks" if any(row.method == "pairs" for row in comparison.rows) else "runs",
    )


def side_text(side: Side) -> str:
    """The name of a side and how many runs count."""
    n = len(side.runs)
    return f"{printable(side.name, 60)} ({format_count(n)} {'run' if n == 1 else 'runs'})"


def line(row: Row) -> Line:
    """One metric in words."""
    rule = row.yardstick
    return Line(
        name=rule.name,
        baseline=level_text(rule, row.baseline),
        candidate=level_text(rule, row.candidate),
        change=change_text(rule, row.change),
        interval=interval_text(rule, row.interval),
        word=row.word,
        tone=TONES[row.word],
        smallest=f"{format_ratio(rule.smallest)}{' points' if rule.scale == 'points' else ''}",
        baseline_n=counted(row.baseline),
        candidate_n=counted(row.candidate),
        p=NOTHING if row.p is None else p_text(row.p),
        why=printable(row.why),
        visible=change_text(rule, row.visible),
    )


def level_text(rule: Yardstick, level: Level) -> str:
    """The mean of a side in its unit, or that it was not measured."""
    return "not measured" if level.value is None else FORMATS[rule.unit](level.value)


def counted(level: Level) -> str:
    """How many runs measured it, and the samples behind it: "5 runs, n=6,000"."""
    runs = f"{format_count(level.n)} {'run' if level.n == 1 else 'runs'}"
    return f"{runs}, n={format_count(level.samples)}"


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
