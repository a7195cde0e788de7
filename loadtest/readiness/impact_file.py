"""What a policy asks of the whole: business functions, criteria, triggers and gates, and their promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from loadtest.plan.threshold import resolve
from loadtest.plan.toml_reader import Table, nearest
from loadtest.readiness.facts import FACTS
from loadtest.readiness.objectives import IMPACTS, Promise, Unit, parse_promise
from loadtest.readiness.policy import MEASURES, Component, Condition, Criterion, Function

STATUSES = {each: each for each in ("healthy", "degraded")}


def measure_unit(kind: str, name: str) -> tuple[str, Unit]:
    """The measure as it is kept, and its unit.

    Raises:
        ValueError: this kind of probe does not measure it; tells the nearest.
    """
    if kind == "websocket":
        canonical, unit = resolve(name)
        return canonical, unit
    known = MEASURES[kind]
    if name not in known:
        raise ValueError(f"a {kind} probe does not measure `{name}`; {nearest(name, known)}")
    return name, known[name]


def read_promise(table: Table, key: str, unit: Unit) -> Promise | None:
    """The promise at a key; None where it was not written, or is none, which is reported."""
    text = table.text(key, None)
    if text is None:
        return None
    try:
        return parse_promise(text, unit)
    except ValueError as error:
        table.report(key, f"`{key}`: {error}")
        return None


def read_functions(table: Table, known: Mapping[str, Component]) -> tuple[Function, ...]:
    """``[functions.NAME]``."""
    found = []
    for name in table.data:
        each = table.table(name)
        needs = each.texts("needs")
        if not needs:
            table.report(
                name, f'`needs` must name components, such as needs = ["{next(iter(known), "api")}"]'
            )
        _check_known(each, "needs", needs, known)
        function = Function(
            name=name,
            title=each.text("title", name),
            needs=needs,
            users=each.ratio("users", 1.0),
            value=each.ratio("value", 0.0),
            impact=each.choice("impact", {impact: impact for impact in IMPACTS[1:]}, "critical"),
        )
        each.close()
        found.append(function)
    return tuple(found)


def _check_known(table: Table, key: str, names: tuple[str, ...], known: Mapping[str, Component]) -> None:
    for name in names:
        if name not in known:
            table.report(key, f"there is no component `{name}`; {nearest(name, known)}")


def read_criterion(table: Table, known: Mapping[str, Component]) -> Criterion:
    """One of ``[[criteria]]``; a promise that is none is reported."""
    name = table.text("component", "")
    _check_known(table, "component", (name,), known)
    measure = table.text("measure", None)
    promise = None
    if measure is not None and name in known:
        try:
            measure, unit = measure_unit(known[name].kind, measure)
            promise = read_promise(table, "expect", unit)
        except ValueError as error:
            table.report("measure", f"`measure`: {error}")
        if not table.has("expect"):
            table.report("measure", '`expect` is missing beside it; write for example expect = "< 500ms"')
    elif table.has("expect"):
        table.report("expect", "`expect` needs the `measure` of a component that it speaks of")
    table.take("expect")
    criterion = Criterion(
        title=table.text("title", f"{name} {measure or 'healthy'}"),
        component=name,
        status=table.choice("status", STATUSES, "healthy"),
        measure=measure,
        promise=promise,
    )
    table.close()
    return criterion


def read_condition(table: Table, key: str) -> Condition:
    """One of ``[[triggers]]`` or ``[[gates]]``, whose promise stands at ``key``."""
    fact = table.choice("fact", {each: each for each in FACTS}, next(iter(FACTS)))
    if not table.has("fact"):
        table.source.report(table.path, f"`fact` is missing; it may be {', '.join(FACTS)}")
    if not table.has(key):
        table.source.report(table.path, f'`{key}` is missing; write for example {key} = "< 0.5"')
    promise = read_promise(table, key, FACTS[fact])
    title = table.text("title", fact)
    table.close()
    return Condition(title, fact, cast("Promise", promise))
