"""Triggers, gates and criteria: whether each condition on the system holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from loadtest.readiness.assessment import ComponentRow, ConditionRow, CriterionRow, Figure
from loadtest.readiness.evidence import keeps
from loadtest.readiness.objectives import format_value
from loadtest.readiness.policy import Condition, Criterion

ComponentRows = Mapping[str, ComponentRow]


def condition_rows(
    conditions: Sequence[Condition], figures: Mapping[str, Figure], words: tuple[str, str]
) -> tuple[ConditionRow, ...]:
    """Triggers with the words ("TRIGGERED", "not triggered"), gates with ("met", "missed")."""
    return tuple(_condition(each, figures.get(each.fact), words) for each in conditions)


def _condition(condition: Condition, figure: Figure | None, words: tuple[str, str]) -> ConditionRow:
    if figure is None or figure.value is None:
        unit = condition.objective.unit
        why = "the policy has no business function" if figure is None else figure.arithmetic
        return ConditionRow(
            condition.title, condition.fact, condition.objective.expression, format_value(None, unit),
            figure.formula if figure else "", why, "unknown", turned=condition.turned,
        )  # fmt: skip
    holds = condition.objective.holds(figure.value)
    ends = [end for end in (figure.low, figure.high) if end is not None]
    open_ = any(condition.objective.holds(end) != holds for end in ends)
    note = f"unknown components could change this: {figure.span}" if open_ else ""
    return ConditionRow(
        condition.title, condition.fact, condition.objective.expression, figure.text, figure.formula,
        figure.arithmetic, words[0] if holds else words[1], note, figure.age_s, condition.turned,
    )  # fmt: skip


def criterion_rows(criteria: Sequence[Criterion], rows: ComponentRows) -> tuple[CriterionRow, ...]:
    """Met, missed, or unknown; an objective about a component that is down is missed."""
    return tuple(
        replace(_criterion(each, row), age_s=row.age_s)
        for each in criteria
        for row in (rows[each.component],)
    )


def _criterion(criterion: Criterion, row: ComponentRow) -> CriterionRow:
    outcome: Literal["met", "missed", "unknown"]
    if criterion.measure is None or criterion.objective is None:
        wanted = {"healthy", criterion.status}
        outcome = "unknown" if row.status == "unknown" else "met" if row.status in wanted else "missed"
        reason = "" if outcome == "met" else row.why
        return CriterionRow(criterion.title, row.name, criterion.status, row.status, outcome, reason)
    name, objective = criterion.measure, criterion.objective
    expected, measure = f"{name} {objective.expression}", row.measures.get(name)
    through = row.status == "unknown" and row.error == "through"
    met = None if measure is None or through else keeps(objective, measure)
    if measure is None or met is None:
        outcome = "missed" if row.status == "down" else "unknown"
        reason = f"{row.title} is {row.status}: {row.why}" if row.status in {"down", "unknown"} else ""
        reason = (
            f"{row.title} {row.said}"
            if through
            else reason or (measure.reason if measure else "the probe did not measure it")
        )
        return CriterionRow(criterion.title, row.name, expected, "not measured", outcome, reason)
    # Decided by a bound alone, the reason tells the bound.
    shown = f"{measure.text(objective.unit)} (n={measure.n})"
    outcome = "met" if met else "missed"
    return CriterionRow(criterion.title, row.name, expected, shown, outcome, measure.reason)
