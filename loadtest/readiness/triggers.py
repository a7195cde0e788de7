"""Functions, triggers, gates and criteria: what the parts mean for the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Literal

from loadtest.readiness.assessment_data import ComponentRow, ConditionRow, CriterionRow, Figure, FunctionRow
from loadtest.readiness.evidence import keeps
from loadtest.readiness.objectives import format_value
from loadtest.readiness.policy import Condition, Criterion, Function, Policy

Rows = Mapping[str, ComponentRow]


def function_rows(policy: Policy, rows: Rows) -> tuple[FunctionRow, ...]:
    """Functions: out if a part they need is down; else unknown, degraded or working, by the worst part."""
    return tuple(_function(each, rows) for each in policy.functions)


def _function(function: Function, rows: Rows) -> FunctionRow:
    parts = [rows[name] for name in function.needs]
    status: Literal["working", "degraded", "out", "unknown"] = "working"
    words: tuple[tuple[str, Literal["out", "unknown", "degraded"]], ...] = (
        ("down", "out"), ("unknown", "unknown"), ("degraded", "degraded"),
    )  # fmt: skip
    for of_part, word in words:
        if any(part.status == of_part for part in parts):
            status = word
            break
    why = ", ".join(f"{part.title} {part.status}" for part in parts)
    known = {each.name: getattr(function, each.name) for each in fields(function)}
    return FunctionRow(**known, status=status, why=why)


def condition_rows(
    conditions: Sequence[Condition], figures: Mapping[str, Figure], words: tuple[str, str]
) -> tuple[ConditionRow, ...]:
    """Triggers with the words ("TRIGGERED", "not triggered"), gates with ("met", "missed")."""
    return tuple(_condition(each, figures.get(each.fact), words) for each in conditions)


def _condition(condition: Condition, figure: Figure | None, words: tuple[str, str]) -> ConditionRow:
    if figure is None or figure.value is None:
        unit = condition.promise.unit
        why = "no business function is in the policy" if figure is None else figure.arithmetic
        return ConditionRow(
            condition.title, condition.fact, condition.promise.expression, format_value(None, unit),
            figure.formula if figure else "", why, "unknown",
        )  # fmt: skip
    holds = condition.promise.holds(figure.value)
    ends = [end for end in (figure.low, figure.high) if end is not None]
    open_ = any(condition.promise.holds(end) != holds for end in ends)
    note = f"unknown parts could change this: {figure.span}" if open_ else ""
    return ConditionRow(
        condition.title, condition.fact, condition.promise.expression, figure.text, figure.formula,
        figure.arithmetic, words[0] if holds else words[1], note, figure.age_s,
    )  # fmt: skip


def criterion_rows(criteria: Sequence[Criterion], rows: Rows) -> tuple[CriterionRow, ...]:
    """Met, missed, or unknown; a promise about a part that is down is missed, for it cannot be kept."""
    return tuple(
        replace(_criterion(each, row), age_s=row.age_s)
        for each in criteria
        for row in (rows[each.component],)
    )


def _criterion(criterion: Criterion, row: ComponentRow) -> CriterionRow:
    outcome: Literal["met", "missed", "unknown"]
    if criterion.measure is None or criterion.promise is None:
        wanted = {"healthy", criterion.status}
        outcome = "unknown" if row.status == "unknown" else "met" if row.status in wanted else "missed"
        reason = "" if outcome == "met" else row.said
        return CriterionRow(criterion.title, row.name, criterion.status, row.status, outcome, reason)
    name, promise = criterion.measure, criterion.promise
    expected, measure = f"{name} {promise.expression}", row.measures.get(name)
    through = row.status == "unknown" and row.error == "through"
    met = None if measure is None or through else keeps(promise, measure)
    if measure is None or met is None:
        outcome = "missed" if row.status == "down" else "unknown"
        reason = f"{row.title} is {row.status}: {row.said}" if row.status in {"down", "unknown"} else ""
        reason = reason or (measure.reason if measure else "the probe did not measure it")
        return CriterionRow(criterion.title, row.name, expected, "not measured", outcome, reason)
    # Decided by a bound alone, the reason tells the bound.
    shown = f"{measure.text(promise.unit)} (n={measure.n})"
    outcome = "met" if met else "missed"
    return CriterionRow(criterion.title, row.name, expected, shown, outcome, measure.reason)
