"""The figures of a whole system, each with its formula and inputs: health, coverage, impact, confidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loadtest.readiness.assessment import ComponentRow, Figure, FunctionRow
from loadtest.readiness.objectives import IMPACTS
from loadtest.readiness.policy import Policy
from loadtest.units import format_ratio


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier assessments tell: how many failures in a row came directly before this one.

    ``counts``: whether one that is found now is a further one, or one of those already counted.
    """

    failures_in_a_row: int = 0
    counts: bool = True


def figures(
    policy: Policy, rows: Sequence[ComponentRow], functions: Sequence[FunctionRow], before: Before
) -> dict[str, Figure]:
    """Every fact that triggers and gates can name, by name."""
    made = (
        _overall(rows),
        _coverage(rows),
        _counted(rows, "components.failed", "components down", "down"),
        _critical(rows),
        _counted(rows, "components.degraded", "components degraded", "degraded"),
        _unknown(rows),
        _business(functions),
        _users(functions),
        _in_a_row(rows, before),
        _lost_value(functions),
    )
    age_s = oldest_s(rows)
    return {
        each.name: replace(each, age_s=age_s)
        for each in made
        if policy.functions or not each.name.startswith("impact.")
    }


def oldest_s(rows: Sequence[ComponentRow]) -> float | None:
    """How old the oldest evidence is that counts; None where none does."""
    return max((row.age_s for row in rows if row.age_s is not None and row.status != "unknown"), default=None)


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms) or "0"


def _g(number: float) -> str:
    return f"{number:.3g}"


def _overall(rows: Sequence[ComponentRow]) -> Figure:
    known = [row for row in rows if row.score is not None]
    weight, every = math.fsum(row.weight for row in known), math.fsum(row.weight for row in rows)
    total = math.fsum(row.weight * (row.score or 0.0) for row in known)
    terms = _sum(f"{_g(row.weight)} × {_g(row.score or 0.0)} {row.name}" for row in known)
    unknown = [row.name for row in rows if row.score is None]
    left_out = f"; left out as unknown: {', '.join(unknown)}" if unknown else ""
    value = total / weight if weight else None
    result = "nothing is known" if value is None else f"= {_g(total)} ÷ {_g(weight)} = {value:.3f}"
    return Figure(
        "health.overall",
        "overall health",
        "ratio",
        value,
        "sum of weight × score of the known components ÷ sum of their weights",
        f"({terms}) ÷ ({_sum(_g(row.weight) for row in known)}) {result}{left_out}",
        total / every if every else None,
        (total + every - weight) / every if every else None,
    )


def _coverage(rows: Sequence[ComponentRow]) -> Figure:
    known = [row for row in rows if row.score is not None]
    weight, every = math.fsum(row.weight for row in known), math.fsum(row.weight for row in rows)
    return Figure(
        "health.coverage",
        "coverage",
        "ratio",
        weight / every if every else None,
        "weight of the known components ÷ weight of all components",
        f"{_g(weight)} ÷ {_g(every)}; {len(known)} of {len(rows)} components are known",
    )


def _counted(rows: Sequence[ComponentRow], name: str, title: str, status: str) -> Figure:
    hit = [row.name for row in rows if row.status == status]
    unknown = sum(row.status == "unknown" for row in rows)
    named = f" ({', '.join(hit)})" if hit else ""
    of = f"{len(hit)} of {len(rows)} components{named}" + (f"; {unknown} unknown" if unknown else "")
    formula = f"number of components that are {status}"
    return Figure(name, title, "count", len(hit), formula, of, len(hit), len(hit) + unknown)


def _critical(rows: Sequence[ComponentRow]) -> Figure:
    critical = [row for row in rows if row.priority == "critical"]
    found = _counted(critical, "components.critical.failed", "critical components down", "down")
    return Figure(
        found.name, found.title, "count", found.value, "number of critical components that are down",
        found.arithmetic.replace("components", "critical components"), found.low, found.high,
    )  # fmt: skip


def _unknown(rows: Sequence[ComponentRow]) -> Figure:
    hit = [row.name for row in rows if row.status == "unknown"]
    return Figure(
        "components.unknown", "components unknown", "count", len(hit),
        "number of components that are unknown",
        f"{len(hit)} of {len(rows)} components" + (f" ({', '.join(hit)})" if hit else ""),
    )  # fmt: skip


def _business(functions: Sequence[FunctionRow]) -> Figure:
    known = [_impact(each) for each in functions if each.status != "unknown"]
    possible = [IMPACTS.index(each.impact) for each in functions if each.status == "unknown"]
    value = max(known, default=0)
    parts = ", ".join(f"{each.name} {each.status} ({IMPACTS[_impact(each)]})" for each in functions)
    return Figure(
        "impact.business", "business impact", "impact", value,
        "the worst impact of any function: for a function that is out, its impact in the policy; for a"
        " degraded function, minor",
        f"worst of {parts or 'nothing'}", value, max([value, *possible]),
    )  # fmt: skip


def _impact(function: FunctionRow) -> int:
    if function.status == "out":
        return IMPACTS.index(function.impact)
    return IMPACTS.index("minor") if function.status == "degraded" else 0


def _users(functions: Sequence[FunctionRow]) -> Figure:
    out = [each for each in functions if each.status == "out"]
    unknown = [each for each in functions if each.status == "unknown"]
    value = max((each.users for each in out), default=0.0)
    at_most = min(1.0, math.fsum(each.users for each in (*out, *unknown)))
    parts = ", ".join(f"{each.name} {format_ratio(each.users)}" for each in out)
    maybe = ", ".join(f"{each.name} {format_ratio(each.users)}" for each in unknown)
    return Figure(
        "impact.users", "users impacted, at least", "ratio", value,
        "the largest reach of a function that is out; at most the sum with the unknown functions",
        f"largest of {parts or 'none out'}{f'; unknown: {maybe}' if maybe else ''}",
        value, max(value, at_most),
    )  # fmt: skip


def _lost_value(functions: Sequence[FunctionRow]) -> Figure:
    """The part of the whole value: what the functions do not have is in something else, and not out."""
    every = math.fsum(each.value for each in functions)
    whole = max(1.0, every)
    out = [each for each in functions if each.status == "out"]
    unknown = math.fsum(each.value for each in functions if each.status == "unknown")
    lost = math.fsum(each.value for each in out)
    terms = _sum(f"{_g(each.value)} {each.name}" for each in out)
    return Figure(
        "impact.value", "business value out", "ratio", lost / whole if every else None,
        "value of the functions that are out ÷ the larger of 1 and the value of all functions",
        f"({terms}) ÷ {_g(whole)}",
        lost / whole if every else None, (lost + unknown) / whole if every else None,
    )  # fmt: skip


def _in_a_row(rows: Sequence[ComponentRow], before: Before) -> Figure:
    failed = any(row.status == "down" and row.priority == "critical" for row in rows)
    maybe = any(row.status == "unknown" and row.priority == "critical" for row in rows)
    earlier, value, most = before.failures_in_a_row, 0, 0
    told = "no critical component is down now"
    if failed and before.counts:
        value = most = earlier + 1
        told = f"{earlier} before + 1 now"
    elif failed:
        value = most = max(1, earlier)
        told = f"{value}, including the current failure"
    elif maybe:
        most = earlier + 1
        told = f"{earlier} before; now a critical component is unknown, so the count neither grows nor ends"
    return Figure(
        "failures.in_a_row", "failures in a row", "count", value,
        "successive assessments in which a critical component was down, up to now",
        told, value, most,
    )  # fmt: skip


def confidence(rows: Sequence[ComponentRow]) -> Figure:
    """How much of what was to be known is known from fresh evidence."""
    every = math.fsum(row.weight for row in rows)
    total = math.fsum(row.weight * row.freshness for row in rows)
    terms = _sum(f"{_g(row.weight)} × {_g(row.freshness)} {row.name}" for row in rows)
    return Figure(
        "confidence", "confidence", "ratio", total / every if every else None,
        "sum of weight × freshness ÷ sum of weights; freshness is 1 for evidence that is not too old, then"
        " its time limit ÷ its age; it is 0 for an unknown component",
        f"({terms}) ÷ {_g(every)} = {total / every:.3f}" if every else "no component has a weight",
        age_s=oldest_s(rows),
    )  # fmt: skip
