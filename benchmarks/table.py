"""Figures as Markdown: medians, spread and ratios, and what each generator really did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.cases import Case
from benchmarks.generator import Generator, Told
from benchmarks.measuring import Measured

Figures = Mapping[str, Sequence[Measured]]
"""By generator, in the order measured."""


RATE_HEADS = [
    "its own p50 / p99, ms",
    "true p50 / p99, ms",
    "error of p99, ms",
    "within 0.1 ms of another message",
]


def table(case: Case, figures: Figures, does: Mapping[str, str], ours: str) -> list[str]:
    """One case: a line per generator, best first."""
    medians = {name: median(one.value for one in found) for name, found in figures.items() if found}
    rate = case.kind == "rate"
    heads = ["generator", f"{case.unit}: median", "lowest to highest", "runs"]
    heads += ["loadtest does" if case.better == "higher" else "loadtest takes"]
    heads += RATE_HEADS if rate else []
    rule = ["---"] + ["--:"] * (len(heads) - 1) + ["---"]
    lines = [
        f"### {case.title}",
        "",
        case.note,
        "",
        _row([*heads, "what it does"]),
        "|" + "|".join(rule) + "|",
    ]
    for name in sorted(medians, key=medians.__getitem__, reverse=case.better == "higher"):
        values = [one.value for one in figures[name]]
        spread = f"{number(min(values))} to {number(max(values))}"
        cells = [name, number(medians[name]), spread, str(len(values)), ""]
        if name != ours and ours in medians:
            cells[-1] = f"{times(figures[ours], figures[name]):.2f} times this"
        lines.append(_row([*cells, *(_latency(figures[name]) if rate else []), does.get(name, "")]))
    return lines


def times(ones: Sequence[Measured], others: Sequence[Measured]) -> float:
    """How many times the one figure is the other: the median of the rounds that have both.

    Rounds lie minutes apart and a machine changes in minutes, so a ratio is taken within each of them.
    """
    other_of = {one.round: one.value for one in others}
    ratios = [one.value / other_of[one.round] for one in ones if other_of.get(one.round)]
    return (
        median(ratios) if ratios else median(one.value for one in ones) / median(one.value for one in others)
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _latency(found: Sequence[Measured]) -> list[str]:
    """What a generator says of service time, what the server says, the difference; how far messages bunch."""
    off = [
        abs(one.told.p99 - one.truth.p99)
        for one in found
        if one.told and one.truth and one.told.p99 is not None and one.truth.p99 is not None
    ]
    bunched = [one.bunched for one in found if one.bunched is not None]
    return [
        _pair([one.told for one in found]),
        _pair([one.truth for one in found]),
        f"{median(off):.2g}" if off else "",
        f"{median(bunched):.0%}" if bunched else "",
    ]


def _pair(found: Sequence[Told | None]) -> str:
    p50 = [one.p50 for one in found if one is not None and one.p50 is not None]
    p99 = [one.p99 for one in found if one is not None and one.p99 is not None]
    return f"{median(p50):.3g} / {median(p99):.3g}" if p50 and p99 else "nothing"


def number(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        digits = len(str(int(value))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def does_of(case: Case, generators: Sequence[Generator]) -> dict[str, str]:
    """What each generator does in one case."""
    return {generator.name: generator.does.get(case.name, "") for generator in generators}
