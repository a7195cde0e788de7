"""What a run is judged by and held to: [thresholds], [abort], [compare] and [limits] of a scenario."""

from __future__ import annotations

from loadtest.plan.reading import Table, told
from loadtest.plan.scenario import Abort, Compare, Limits
from loadtest.plan.threshold import STATED_BY, TURNED_OFF, Threshold, parse_threshold, resolve
from loadtest.units import parse_ratio

MOST_PRIMARY = 6
"""More metrics than this do not decide together: each costs the others some power."""


def read_turned_off(table: Table) -> tuple[str, ...]:
    """What would be judged by default and is not (``NAME = "none"``), taken out of ``table``."""
    names = [name for name, written in table.data.items() if written == TURNED_OFF]
    for name in names:
        if name not in STATED_BY:
            known = ", ".join(f"`{each}`" for each in STATED_BY)
            table.report(name, f'"{TURNED_OFF}" turns off what is judged by default: {known}, not `{name}`')
    table.data = {name: value for name, value in table.data.items() if value != TURNED_OFF}
    return tuple(name for name in names if name in STATED_BY)


def read_thresholds(table: Table, stage: int | None = None) -> tuple[Threshold, ...]:
    """Every promise of a table of ``NAME = "OP VALUE"``, or a list of such."""
    written_as: dict[str, str] = {}
    found: list[Threshold] = []
    for written in table.data:
        promises = _read_promises(table, written, stage)
        for name in dict.fromkeys(each.name for each in promises):
            if written_as.setdefault(name, written) != written:
                table.report(written, f"`{written}` is the same as `{written_as[name]}`; give both as a list")
        found += promises
    return tuple(found)


def _read_promises(table: Table, name: str, stage: int | None) -> list[Threshold]:
    written = table.data[name]
    found = []
    for expression in written if isinstance(written, list) else [written]:
        if not isinstance(expression, str):
            hint = "; put quotes around the whole name" if isinstance(expression, dict) else ""
            table.report(name, f'`{name}` must be text such as "< 100ms", not {told(expression)}{hint}')
            continue
        try:
            found.append(parse_threshold(name, expression, stage))
        except ValueError as error:
            table.report(name, str(error))
    return found


def read_abort(table: Table) -> Abort:
    """Rules as thresholds, any one of which ends the run early once ``after`` is over."""
    after_ns = table.duration("after", 0)
    rules = {name: value for name, value in table.data.items() if name != "after"}
    abort = Abort(rules=read_thresholds(Table(rules, table.source, table.path)), after_ns=after_ns)
    if table.has("after") and not rules:
        table.report("after", "`after` says when a rule begins to hold, but there is no rule")
    return abort


def read_compare(table: Table) -> Compare:
    """What decides when runs are compared, and by how much a metric must differ to matter."""
    primary = _read_primary(table)
    smallest = _read_effect(table, "smallest_effect")
    effects = {}
    for written in [key for key in table.data if key not in {"primary", "smallest_effect"}]:
        name, effect = _read_name(table, written, written), _read_effect(table, written)
        if name is not None and effect is not None:
            effects[name] = effect
    default = Compare().smallest_effect
    return Compare(
        primary=primary, smallest_effect=default if smallest is None else smallest, effects=effects
    )


def _read_primary(table: Table) -> tuple[str, ...]:
    written = table.texts("primary")
    named = [name for each in written if (name := _read_name(table, "primary", each)) is not None]
    if len(set(named)) > MOST_PRIMARY:
        table.report("primary", f"`primary` may name {MOST_PRIMARY} metrics at most, not {len(set(named))}")
    return tuple(dict.fromkeys(named))


def _read_name(table: Table, key: str, written: str) -> str | None:
    try:
        return resolve(written)[0]
    except ValueError as error:
        table.report(key, str(error))
        return None


def _read_effect(table: Table, key: str) -> float | None:
    """A part of one, from text such as "5%"; None where it is not written, or wrong."""
    value = table.take(key)
    if value is None:
        return None
    try:
        effect = round(parse_ratio(value), 12) if isinstance(value, str) else None
    except ValueError as error:
        table.report(key, f"`{key}`: {error}")
        return None
    if effect is None or not 0 < effect < 1:
        table.report(key, f'`{key}` must be a part between 0 and 100 %, such as "5%", not {told(value)}')
        return None
    return effect


def read_limits(table: Table) -> Limits:
    """The caps."""
    limits = Limits()
    limits = Limits(
        connections=table.integer("connections", limits.connections, least=1),
        rate=table.rate("rate", limits.rate),
        duration_ns=table.duration("duration", limits.duration_ns, positive=True),
    )
    table.close()
    return limits
