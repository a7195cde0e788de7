"""How a policy writes its rules: what must hold of a component or of the whole system, and what follows else.

One rule is one comparison. ``[[criteria]]``, ``[[gates]]`` and ``[[triggers]]`` are older words for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from loadtest.plan.threshold import resolve
from loadtest.plan.toml_reader import TomlTable, nearest
from loadtest.readiness.objectives import Objective, Unit, opposite, parse_objective
from loadtest.readiness.policy import FACTS, MEASURES, Component, Condition, Criterion

_STATUSES = {each: each for each in ("healthy", "degraded")}

NO_GO, ROLL_BACK = "no-go", "roll back"
"""What follows where a rule does not hold; one that calls for a rollback is a reason against GO as well."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of ``[[rules]]`` by what they speak of and what follows."""

    criteria: tuple[Criterion, ...] = ()
    gates: tuple[Condition, ...] = ()
    triggers: tuple[Condition, ...] = ()


def read_rules(table: TomlTable, known: Mapping[str, Component]) -> RuleSet:
    """``[[rules]]``: of a component, or of a fact about the whole system."""
    criteria, gates, triggers = list[Criterion](), list[Condition](), list[Condition]()
    for each in table.tables("rules"):
        follows = each.choice("else", {word: word for word in (NO_GO, ROLL_BACK)}, NO_GO)
        if each.has("component"):
            if follows == ROLL_BACK:
                each.report("else", "only a rule with a `fact` (of the whole system) can call for a rollback")
            criteria.append(read_criterion(each, known))
            continue
        if not each.has("fact"):
            each.source.report(each.path, "a rule needs `component` or `fact`")
            each.take("fact")
        rule = read_condition(each, "expect")
        if follows == NO_GO:
            gates.append(rule)
        elif rule.objective is not None:
            against = parse_objective(opposite(rule.objective.expression), rule.objective.unit)
            triggers.append(Condition(rule.title, rule.fact, against))
    return RuleSet(tuple(criteria), tuple(gates), tuple(triggers))


def measure_unit(kind: str, name: str) -> tuple[str, Unit]:
    """The measure as it is kept, and its unit.

    Raises:
        ValueError: this kind of probe does not measure it; tells the nearest.
    """
    if kind == "websocket" and name not in MEASURES[kind]:
        canonical, unit = resolve(name)
        return canonical, unit
    known = MEASURES[kind]
    if name not in known:
        raise ValueError(f"a probe of the kind {kind} does not measure `{name}`; {nearest(name, known)}")
    return name, known[name]


def read_objective(table: TomlTable, key: str, unit: Unit) -> Objective | None:
    """The objective at a key; None where it was not written, or is none, which is reported."""
    text = table.text(key, None)
    if text is None:
        return None
    try:
        return parse_objective(text, unit)
    except ValueError as error:
        table.report(key, f"`{key}`: {error}")
        return None


def check_known(table: TomlTable, key: str, names: tuple[str, ...], known: Mapping[str, Component]) -> None:
    """Report every name at the key that is no component."""
    for name in names:
        if name not in known:
            table.report(key, f"the policy has no component `{name}`; {nearest(name, known)}")


def read_criterion(table: TomlTable, known: Mapping[str, Component]) -> Criterion:
    """One of ``[[criteria]]``; an objective that is none is reported."""
    name = table.text("component", "")
    check_known(table, "component", (name,), known)
    measure = table.text("measure", None)
    objective = None
    if measure is not None and name in known:
        try:
            measure, unit = measure_unit(known[name].kind, measure)
            objective = read_objective(table, "expect", unit)
        except ValueError as error:
            table.report("measure", f"`measure`: {error}")
        if not table.has("expect"):
            table.report("measure", '`measure` needs `expect`; write for example expect = "< 500ms"')
    elif table.has("expect"):
        table.report("expect", "`expect` needs a `measure` of the component")
    table.take("expect")
    criterion = Criterion(
        title=table.text("title", f"{name} {measure or 'healthy'}"),
        component=name,
        status=table.choice("status", _STATUSES, "healthy"),
        measure=measure,
        objective=objective,
    )
    table.close()
    return criterion


def read_condition(table: TomlTable, key: str) -> Condition:
    """One of ``[[triggers]]`` or ``[[gates]]``, whose objective stands at ``key``."""
    fact = table.choice("fact", {each: each for each in FACTS}, next(iter(FACTS)))
    if not table.has("fact"):
        table.source.report(table.path, f"`fact` is missing; it may be {', '.join(FACTS)}")
    if not table.has(key):
        table.source.report(table.path, f'`{key}` is missing; write for example {key} = "< 0.5"')
    objective = read_objective(table, key, FACTS[fact])
    title = table.text("title", fact)
    table.close()
    return Condition(title, fact, cast("Objective", objective), turned=key == "when")
