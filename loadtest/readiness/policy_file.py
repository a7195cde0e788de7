"""Policies from TOML, read whole: every mistake is reported, with its line and the nearest right word."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from loadtest.errors import Problem
from loadtest.plan.folder import POLICY, check_kind
from loadtest.plan.identifiers import is_name
from loadtest.plan.overrides import Overrides, applied, assignments
from loadtest.plan.placeholder_names import env_names
from loadtest.plan.shipped import find
from loadtest.plan.toml_reader import Source, TomlTable, nearest, quoted, read_document
from loadtest.readiness.alerts_file import read_alerts, read_maintenance, read_remedies, read_rollback
from loadtest.readiness.default_timeout import default_timeout_s
from loadtest.readiness.objectives import IMPACTS, parse_objective
from loadtest.readiness.policy import (
    DEFAULT_LEVELS,
    INSTEAD,
    KEEP_RUNS_S,
    KEEP_S,
    MEASURES,
    WEIGHTS,
    Component,
    Function,
    Level,
    Policy,
    Priority,
)
from loadtest.readiness.probe_file import read_probe
from loadtest.readiness.retarget import retargeted
from loadtest.readiness.rules_file import (
    check_known,
    measure_unit,
    read_condition,
    read_criterion,
    read_objective,
    read_rules,
)
from loadtest.readiness.secrets import without_secrets

PRIORITIES: Mapping[str, Priority] = {
    "critical": "critical",
    "important": "important",
    "optional": "optional",
}
HINTS = {
    "url": "this key belongs to a component, [components.NAME]",
    "probe": "this key belongs to a component, [components.NAME]",
}
SCORES = ("answered.ratio", "passed.ratio", "running.ratio", "turns.complete.ratio", "events.matched.ratio")
"""Ratios that may be the score of a component: 1 is as good as it can be."""

THRESHOLDS = {"binding": True, "advisory": False}
"""Whether a missed threshold of a component's own scenario blocks a release, or only degrades."""

_COMPONENT_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def load_policy(
    ref: str | Path, sets: tuple[str, ...] = (), target: str | None = None, release: str | None = None
) -> Policy:
    """The policy in a TOML file, or the shipped one of that name; paths in it are relative to its folder.

    ``sets`` are values of ``--set``, KEY=VALUE; ``target`` is where its WebSocket components are probed
    instead, with the http components beside them; ``release`` is judged instead of its own. Environment
    variables are not read: a missing one makes its own component unknown.

    Raises:
        ConfigError: every mistake in it, with its place.
    """
    path, name = find("policy", str(ref), Path())
    document = read_document(path, name)
    check_kind(document.data, POLICY, name)
    problems: list[Problem] = []
    changes = [] if target is None else retargeted(document.data, target, problems)
    changes += assignments(Overrides(sets=sets), problems)
    data, given = applied(document.data, changes, problems)
    table = TomlTable(data, Source(name, document.lines, given, problems))
    policy = _read(table, path, document.comment, data)
    table.source.finish()
    return policy if release is None else replace(policy, release=release)


def _read(table: TomlTable, path: Path, question: str, data: Mapping[str, object]) -> Policy:
    name = table.text("name", path.stem)
    if not is_name(name):
        table.report("name", f"`name` must consist of letters, digits, `.`, `_` and `-`, not {quoted(name)}")
    every_s = table.duration("every", 60_000_000_000, positive=True) / 1e9
    fresh_s = table.duration("fresh", 300_000_000_000, positive=True) / 1e9
    components = _components(table.table("components"), every_s, fresh_s)
    if not components:
        table.source.report(("components",), "a policy needs at least one [components.NAME]")
    known = {each.name: each for each in components}
    rules = read_rules(table, known)
    policy = Policy(
        name=name,
        question=table.text("question", question),
        path=path,
        sha256=policy_hash(data),
        components=components,
        functions=_functions(table.table("functions"), known),
        criteria=(*rules.criteria, *(read_criterion(each, known) for each in table.tables("criteria"))),
        triggers=(*rules.triggers, *(read_condition(each, "when") for each in table.tables("triggers"))),
        gates=(*rules.gates, *(read_condition(each, "expect") for each in table.tables("gates"))),
        release=table.text("release", ""),
        review_s=table.duration("review", 0) / 1e9,
        rollback=read_rollback(table),
        alerts=read_alerts(table.table("alerts"), components),
        maintenance=read_maintenance(table, known),
        remedies=read_remedies(table.table("remedies"), known),
        settings=without_secrets(data),
        keep_s=table.duration("keep", round(KEEP_S * 1e9), positive=True) / 1e9,
        keep_runs_s=table.duration("keep_runs", round(KEEP_RUNS_S * 1e9), positive=True) / 1e9,
        variables=tuple(env_names(texts_in(data))),
        raw=data,
    )
    table.close(HINTS)
    return policy


def policy_hash(data: Mapping[str, object]) -> str:
    """SHA-256 of what a policy says; comments and the order of keys do not count."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def texts_in(value: object) -> list[str]:
    """Every text inside plain data."""
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in texts_in(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in texts_in(each)]
    return [value] if isinstance(value, str) else []


def _components(table: TomlTable, every_s: float, fresh_s: float) -> tuple[Component, ...]:
    found = []
    for name in table.data:
        if not _COMPONENT_NAME.fullmatch(name):
            table.report(
                name,
                f"the name of a component must consist of letters, digits, `_` and `-`, not {quoted(name)}",
            )
        found.append(_component(name, table.table(name), every_s, fresh_s))
    names = [each.name for each in found]
    for each in found:
        for other in each.through:
            if other not in names:
                table.source.report(
                    ("components", each.name, "through"),
                    f"the policy has no component `{other}`; {nearest(other, names)}",
                )
    _check_circles(table, {each.name: each.through for each in found})
    return tuple(found)


def _check_circles(table: TomlTable, through: Mapping[str, tuple[str, ...]]) -> None:
    for name in through:
        seen, open_ends = set[str](), list(through[name])
        while open_ends:
            here = open_ends.pop()
            if here == name:
                table.source.report(
                    ("components", name, "through"),
                    f"the component `{name}` is reached through itself; correct `through`",
                )
                break
            if here not in seen:
                seen.add(here)
                open_ends += through.get(here, ())


def _component(name: str, table: TomlTable, every_s: float, fresh_s: float) -> Component:
    kinds = {each: each for each in MEASURES}
    if not table.has("probe"):
        table.source.report(table.path, f"`probe` is missing; it may be {', '.join(kinds)}")
    kind = table.choice("probe", kinds, _meant(table.data.get("probe")))
    priority = table.choice("priority", PRIORITIES, PRIORITIES["critical"])
    broken = "probe" not in table.data or table.data["probe"] not in kinds
    probe = read_probe(kind if not broken else "resources", table)
    levels = _levels(table.table("levels"), kind)
    component = Component(
        name=name,
        title=table.text("title", name),
        kind=kind,
        probe=probe,
        priority=priority,
        weight=_number(table, "weight", WEIGHTS[priority]),
        required=table.flag("required") if table.has("required") else priority != "optional",
        levels=levels,
        through=table.texts("through"),
        score=_score(table, kind),
        timeout_s=table.duration("timeout", round(default_timeout_s(probe, levels) * 1e9), positive=True)
        / 1e9,
        fresh_s=table.duration("fresh", round(fresh_s * 1e9), positive=True) / 1e9,
        every_s=table.duration("every", round(every_s * 1e9), positive=True) / 1e9,
        remedy=table.text("remedy", ""),
        hint=table.text("hint", ""),
        owner=table.text("owner", ""),
        eta=table.text("eta", ""),
        failures=table.integer("failures", None, least=1),
        successes=table.integer("successes", None, least=1),
        binding=kind != "websocket" or table.choice("thresholds", THRESHOLDS, True),
    )
    table.take("required")
    if not broken:
        table.close()
    return component


def _meant(written: object) -> str:
    """The kind of probe that a mistyped one most likely is: its measures are no mistakes beside it."""
    return next(iter(get_close_matches(str(written), MEASURES, n=1)), "tcp")


def _number(table: TomlTable, key: str, default: float) -> float:
    value = table.take(key)
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000:
        return float(value)
    table.report(key, f"`{key}` must be a number from 0 to 1000, not {quoted(value)}")
    return default


def _score(table: TomlTable, kind: str) -> str:
    score = table.text("score", "status")
    if score == "status":
        return score
    try:
        name, unit = measure_unit(kind, score)
    except ValueError as error:
        table.report("score", f'`score`: {error}; or write "status"')
        return "status"
    if unit != "ratio":
        table.report("score", f"`{score}` is not a ratio, so it cannot be a score")
    elif name not in SCORES:
        table.report(
            "score",
            f"`{score}` cannot be a score, because a higher value is not better; {nearest(score, SCORES)}",
        )
    return name


def _levels(table: TomlTable, kind: str) -> tuple[Level, ...]:
    found = []
    for name in table.data:
        each = table.table(name)
        try:
            measure, unit = measure_unit(kind, name)
        except ValueError as error:
            table.report(name, str(error))
            continue
        warn, critical = (read_objective(each, key, unit) for key in ("warn", "critical"))
        each.close()
        found.append(Level(measure, unit, warn, critical))
    return (*found, *_default_levels(kind, {each.measure for each in found}))


def _default_levels(kind: str, written: AbstractSet[str]) -> Iterator[Level]:
    """Of what a kind of probe measures, unless the policy has levels of its own for it."""
    own = {INSTEAD.get(each, each) for each in written}
    for name, (warn, critical) in DEFAULT_LEVELS.items():
        unit = MEASURES[kind].get(name)
        if unit is not None and name not in own:
            beyond = parse_objective(warn, unit), parse_objective(critical, unit)
            yield Level(name, unit, *beyond, default=True)


def _functions(table: TomlTable, known: Mapping[str, Component]) -> tuple[Function, ...]:
    """``[functions.NAME]``."""
    found = []
    for name in table.data:
        each = table.table(name)
        needs = each.texts("needs")
        if not needs:
            table.report(
                name, f'`needs` must name components, such as needs = ["{next(iter(known), "api")}"]'
            )
        check_known(each, "needs", needs, known)
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
