"""The [load] and the [traffic] of a scenario, and what they ask of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from loadtest.plan.chaos_file import CHAOS_KEYS, read_reconnect
from loadtest.plan.reading import Table
from loadtest.plan.rows import read_rows
from loadtest.plan.rules import read_thresholds
from loadtest.plan.scenario import Load, Stage, Traffic
from loadtest.plan.threshold import Threshold

MOST_CONNECTIONS = 1_000_000
"""More than one machine can open; a larger number is a typing mistake."""

MOST_TURNS = 1_000_000_000

TRAFFIC_KEYS = ("burst", "every", "rate", "arrivals", "phase", "timeout", "data", "turns", "message", "ping")
LOAD_KEYS = ("model", "connections", "connect_rate", "duration", "warmup", "seed", "stages", "reconnect")

HINTS_IN_LOAD = {
    **dict.fromkeys(TRAFFIC_KEYS, "it belongs to [traffic]"),
    **dict.fromkeys(CHAOS_KEYS, "it belongs to [chaos]"),
}
HINTS_IN_TRAFFIC = {
    **dict.fromkeys(LOAD_KEYS, "it belongs to [load]"),
    **dict.fromkeys(CHAOS_KEYS, "it belongs to [chaos]"),
}

Model = Literal["open", "closed"]
MODELS: dict[str, Model] = {each: each for each in get_args(Model)}
Arrivals = Literal["constant", "poisson"]
ARRIVALS: dict[str, Arrivals] = {each: each for each in get_args(Arrivals)}
Phase = Literal["spread", "together"]
PHASES: dict[str, Phase] = {each: each for each in get_args(Phase)}


def read_load(table: Table) -> tuple[Load, tuple[Threshold, ...]]:
    """The load, and the thresholds of its stages."""
    stages, thresholds = _read_stages(table)
    connections = table.integer("connections", 1, least=1, most=MOST_CONNECTIONS)
    duration_ns = table.duration("duration", 30_000_000_000, positive=True)
    if stages:
        connections = max(stage.connections for stage in stages)
        duration_ns = sum(stage.for_ns for stage in stages)
    load = Load(
        model=table.choice("model", MODELS, "open"),
        connections=connections,
        connect_rate=table.rate("connect_rate", None),
        duration_ns=duration_ns,
        warmup_ns=table.duration("warmup", 0),
        seed=table.integer("seed", 1),
        stages=stages,
        reconnect=read_reconnect(table),
    )
    table.close(HINTS_IN_LOAD)
    _check_stages(table, load)
    return load, thresholds


def _read_stages(table: Table) -> tuple[tuple[Stage, ...], tuple[Threshold, ...]]:
    stages: list[Stage] = []
    thresholds: list[Threshold] = []
    for index, row in enumerate(table.tables("stages")):
        stage = Stage(
            for_ns=row.duration("for", 1_000_000_000, positive=True),
            connections=row.integer("connections", 1, most=MOST_CONNECTIONS),
            ramp=row.flag("ramp"),
        )
        thresholds += read_thresholds(row.table("thresholds"), index)
        row.close({"duration": "the length of a stage is `for`"})
        for key in ("for", "connections"):
            if not row.has(key):
                row.source.report(row.path, f"a stage needs `{key}`")
        stages.append(stage)
    return tuple(stages), tuple(thresholds)


def _check_stages(table: Table, load: Load) -> None:
    if not load.stages:
        return
    for key, whose in (("duration", "is the sum of the stages"), ("connections", "is said by each stage")):
        if table.has(key):
            table.report(key, f"`{key}` {whose}; leave it out, or leave out `stages`")
    if load.connections == 0:
        table.report("stages", "no stage has a connection")
    if load.warmup_ns and load.stages[0].ramp:
        table.report("warmup", "`warmup` would have no connections: the first stage ramps up from none")


def read_traffic(table: Table, load: Load, base: Path) -> Traffic:
    """The traffic; ``data`` is as written, not yet the built-in questions."""
    traffic = Traffic(
        burst=table.integer("burst", 1, least=1, most=100_000),
        every_ns=table.duration("every", None, positive=load.model == "open"),
        rate=table.rate("rate", None),
        arrivals=table.choice("arrivals", ARRIVALS, "constant"),
        phase=table.choice("phase", PHASES, "spread"),
        timeout_ns=table.duration("timeout", 10_000_000_000, positive=True),
        turns=table.integer("turns", None, most=MOST_TURNS),
        message=table.text("message", None),
        data=read_rows(table, "data", base),
        ping_ns=table.duration("ping", None, positive=True),
    )
    table.close(HINTS_IN_TRAFFIC)
    _check_model(table, load, traffic)
    return traffic


def _check_model(table: Table, load: Load, traffic: Traffic) -> None:
    """Which keys go with which model."""
    if load.model == "closed":
        for key in ("rate", "arrivals", "phase"):
            if table.has(key):
                table.report(key, f"`{key}` belongs to the open model; here replies set the pace")
        return
    if table.has("every") and table.has("rate"):
        table.report("rate", "`rate` and `every` both say how often; leave one out")
    elif not table.has("every") and not table.has("rate") and traffic.turns != 0:
        table.source.report(table.path, 'the open model needs `every` (or `rate`); or set model = "closed"')
    if traffic.arrivals == "poisson" and table.has("phase"):
        table.report("phase", '`phase` has no meaning with arrivals = "poisson", which come at random')
