"""How a policy writes its rollback, its alerts and its remedies."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from math import inf

from loadtest.plan.toml_reader import TomlTable, nearest, quoted
from loadtest.readiness.policy import (
    SEVERITIES,
    Alerts,
    Component,
    Maintenance,
    Remedy,
    Rollback,
    Route,
    RouteKind,
)
from loadtest.readiness.probe_file import read_command

ROUTE_KEYS: dict[RouteKind, tuple[str, ...]] = {
    "webhook": ("url",),
    "slack": ("url",),
    "email": ("host", "port", "from", "user", "password", "security"),
    "command": (),
    "apprise": ("url",),
}
"""What each kind of route is set with, apart from ``to`` and ``command``."""


def read_rollback(table: TomlTable) -> Rollback | None:
    """``[rollback]``; None where it was not written."""
    if not table.has("rollback"):
        table.take("rollback")
        return None
    rollback = table.table("rollback")
    found = Rollback(
        command=read_command(rollback, "command"),
        check=read_command(rollback, "check", needed=False),
        timeout_s=rollback.duration("timeout", 600_000_000_000, positive=True) / 1e9,
    )
    rollback.close()
    return found


def read_alerts(table: TomlTable, components: Iterable[Component]) -> Alerts:
    """``[alerts]`` with its routes; ``components`` may have numbers of failures and successes of their own.

    ``after`` is what ``failures`` was called before.
    """
    usual = Alerts()
    cooldown = table.table("cooldown")
    rate = table.rate("rate", inf)
    per_s = max(60.0, 1 / rate)
    most = usual.most if rate == inf else max(1, round(rate * per_s))
    failures = table.integer("failures", table.integer("after", usual.failures, least=1), least=1)
    successes = table.integer("successes", usual.successes, least=1)
    found = Alerts(
        routes=tuple(
            _route(name, routes.table(name)) for routes in (table.table("routes"),) for name in routes.data
        ),
        cooldown_s={each: _seconds(cooldown, each, usual.cooldown_s[each]) for each in SEVERITIES},
        most=most,
        per_s=per_s,
        group_s=_seconds(table, "group", usual.group_s),
        escalate_after_s=_seconds(table, "escalate_after", usual.escalate_after_s),
        remind_s=_seconds(table, "remind", usual.remind_s),
        heartbeat=table.text("heartbeat", ""),
        heartbeat_s=_seconds(table, "heartbeat_every", usual.heartbeat_s),
        failures=failures,
        successes=successes,
        each={
            f"component {each.name}": (each.failures or failures, each.successes or successes)
            for each in components
            if each.failures or each.successes
        },
    )
    cooldown.close()
    table.close()
    return found


def read_maintenance(table: TomlTable, known: Collection[str]) -> tuple[Maintenance, ...]:
    """``[[maintenance]]``."""
    found = []
    for each in table.tables("maintenance"):
        components = each.texts("components")
        for name in components:
            if name not in known:
                each.report("components", f"the policy has no component `{name}`; {nearest(name, known)}")
        for key in ("starts", "lasts"):
            if not each.has(key):
                example = {"starts": '"2026-01-31T22:00:00Z"', "lasts": '"2h"'}[key]
                each.source.report(each.path, f"`{key}` is missing; write for example {key} = {example}")
        window = Maintenance(
            title=each.text("title", "maintenance"),
            components=components,
            starts=_starts(each),
            lasts_s=_seconds(each, "lasts", 0.0),
            every_s=_seconds(each, "every", 0.0),
        )
        each.close()
        found.append(window)
    return tuple(found)


def _starts(table: TomlTable) -> float:
    """A date and a time with its zone, as TOML has them or as text."""
    value = table.take("starts")
    if value is None:
        return 0.0
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        example = "2026-01-31T22:00:00Z"
        table.report(
            "starts", f"`starts` must be a time with a time zone, such as {example}, not {quoted(value)}"
        )
        return 0.0
    return at.timestamp()


def _seconds(table: TomlTable, key: str, default: float) -> float:
    return table.duration(key, round(default * 1e9)) / 1e9


def _route(name: str, table: TomlTable) -> Route:
    kinds: dict[str, RouteKind] = {each: each for each in ROUTE_KEYS}
    kind = table.choice("kind", kinds, "webhook")
    if not table.has("kind"):
        table.source.report(table.path, f"`kind` is missing; it may be {', '.join(kinds)}")
    severities = table.texts("severities")
    for each in severities:
        if each not in SEVERITIES:
            table.report("severities", f"there is no severity `{each}`; {nearest(each, SEVERITIES)}")
    settings = {key: _setting(table, key) for key in ROUTE_KEYS[kind]}
    needed = {"email": ("host", "from"), "webhook": ("url",), "slack": ("url",), "command": ()}.get(
        kind, ("url",)
    )
    for key in needed:
        if not settings[key]:
            table.source.report(table.path, f"`{key}` is missing; a route of the kind `{kind}` needs it")
    to = table.texts("to") if kind == "email" else ()
    if kind == "email" and not to:
        table.source.report(table.path, '`to` must name the receivers, such as to = ["ops@example.org"]')
    found = Route(
        name=name,
        kind=kind,
        severities=tuple(each for each in SEVERITIES if each in severities) or SEVERITIES,
        escalated=table.flag("escalated"),
        settings={key: value for key, value in settings.items() if value},
        command=read_command(table, "command") if kind == "command" else (),
        to=to,
    )
    table.close()
    return found


def _setting(table: TomlTable, key: str) -> str:
    if key == "port":
        return str(table.integer("port", 25, least=1, most=65535))
    if key == "security":
        return table.choice("security", {each: each for each in ("none", "starttls", "tls")}, "none")
    return table.text(key, "")


def read_remedies(table: TomlTable, known: Collection[str]) -> tuple[Remedy, ...]:
    """``[remedies.COMPONENT]``."""
    found = []
    for name in table.data:
        if name not in known:
            table.report(name, f"the policy has no component `{name}`; {nearest(name, known)}")
        each, usual = table.table(name), Remedy(name, ())
        remedy = Remedy(
            component=name,
            command=read_command(each, "command"),
            tries=each.integer("tries", usual.tries, least=1),
            cooldown_s=_seconds(each, "cooldown", usual.cooldown_s),
            after=each.integer("after", usual.after, least=1),
            verify_after_s=_seconds(each, "verify_after", usual.verify_after_s),
            timeout_s=_seconds(each, "timeout", usual.timeout_s),
            successes=each.integer("successes", usual.successes, least=1),
            recovered_after_s=_seconds(each, "recovered_after", usual.recovered_after_s),
            dry_run=each.flag("dry_run") if each.has("dry_run") else True,
        )
        each.take("dry_run")
        each.close()
        found.append(remedy)
    return tuple(found)
