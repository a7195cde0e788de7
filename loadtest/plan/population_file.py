"""The populations of a scenario: what each inherits of the file's own tables, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from loadtest.plan.scenario import Load, Population, Scenario
from loadtest.plan.threshold import TAG, Threshold, of_population
from loadtest.plan.toml_lines import KeyPath
from loadtest.plan.toml_reader import Source, TomlTable, quoted

MAX_POPULATIONS = 8
"""Maximum populations of a run: each has all metrics and counters of its own."""

BY_KEY = ("target", "load", "traffic", "chaos")
"""Tables of which a population inherits every key that it does not write."""

WHOLE = ("protocol", "conversation")
"""What a population inherits as it stands, or says anew."""

OF_THE_RUN: tuple[tuple[str, str, Callable[[Scenario], object]], ...] = (
    ("load", "duration", lambda part: part.load.duration_ns),
    ("load", "warmup", lambda part: part.load.warmup_ns),
    ("target", "url", lambda part: part.target.url),
    ("target", "health", lambda part: part.target.health),
    ("target", "connect_to", lambda part: part.target.connect_to),
    ("target", "faults", lambda part: part.target.faults),
)
"""What is the same for every population, for they are of one run against one target."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPopulation:
    """What a population writes itself; its tables are read together with those that it inherits."""

    name: str
    inherits: bool
    protocol: object = None
    target: object = None
    load: object = None
    traffic: object = None
    conversation: object = None
    chaos: object = None


def part_table(document: TomlTable, index: int) -> TomlTable:
    """Population ``index`` as a document of its own, whose mistakes are told where they were written."""
    rows = document.data.get("population")
    row = rows[index] if isinstance(rows, list) and isinstance(rows[index], Mapping) else {}
    place: KeyPath = ("population", index)
    source = document.source
    inherits = row.get("inherits") is not False
    lines = {path: line for path, line in source.lines.items() if inherits} | _moved(source.lines, place)
    if place in source.lines:
        lines = dict.fromkeys(((key,) for key in (*BY_KEY, *WHOLE)), source.lines[place]) | lines
    own = Source(
        source.name,
        lines,
        {**source.overridden, **_moved(source.overridden, place)},
        source.problems,
        source.base,
    )
    return TomlTable(_inherited(document.data if inherits else {}, row), own)


def _inherited(document: Mapping[str, object], row: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key in (*BY_KEY, *WHOLE):
        ours, theirs = row.get(key), document.get(key)
        if key in BY_KEY and isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            # Stages say themselves how long they last and how many connections they have.
            left_out = ("duration", "connections") if key == "load" and "stages" in ours else ()
            found[key] = {name: theirs[name] for name in theirs if name not in left_out} | dict(ours)
        elif key in row or key in document:
            found[key] = ours if key in row else theirs
    return found


def _moved(places: Mapping[KeyPath, T], under: KeyPath) -> dict[KeyPath, T]:
    """What stands below a path, as if it stood at the top."""
    depth = len(under)
    return {
        path[depth:]: each for path, each in places.items() if path[:depth] == under and len(path) > depth
    }


def with_populations(document: TomlTable, scenario: Scenario) -> Scenario:
    """The scenario with its populations, which have its limits and its steps by HTTP.

    It has the sum of their connections, and what their stages promise among its thresholds.
    """
    if not scenario.populations:
        return scenario
    parts = tuple(
        replace(each, scenario=replace(each.scenario, limits=scenario.limits, prepare=scenario.prepare))
        for each in scenario.populations
    )
    _check_names(document, parts)
    for index, each in enumerate(parts):
        _check_part(document, index, each.scenario, scenario)
    for key in ("connections", "connect_rate"):
        if ("load", key) in document.source.overridden:
            instead = f"--set population.{parts[0].name}.load.{key}=..."
            document.source.report(("load", key), f"each population has its own `{key}`; write {instead}")
    load = replace(scenario.load, connections=sum(_most(each.scenario.load) for each in parts))
    promised = (
        replace(rule, name=name)
        for each in parts
        for rule in _of_stages(each.scenario)
        if TAG.fullmatch(each.name) and (name := of_population(rule.name, each.name)) is not None
    )
    return replace(scenario, populations=parts, load=load, thresholds=(*scenario.thresholds, *promised))


def _of_stages(part: Scenario) -> Iterator[Threshold]:
    for stage in part.load.stages:
        yield from stage.thresholds


def _most(load: Load) -> int:
    return max((stage.connections for stage in load.stages), default=load.connections)


def _check_names(document: TomlTable, parts: tuple[Population, ...]) -> None:
    kinds = {kind for each in parts for kind in each.scenario.kinds}
    said = {one.name for each in parts for one in each.scenario.conversations}
    for index, each in enumerate(parts):
        at = ("population", index, "name")
        if each.name and not TAG.fullmatch(each.name):
            what = "cannot be the name of a population: use letters, digits, `_` and `-`, at most 32"
            document.source.report(at, f"{quoted(each.name)} {what}")
        if each.name in [other.name for other in parts[:index]]:
            document.source.report(at, f"two populations have the name {quoted(each.name)}")
        if each.name in kinds | said:
            what = "a kind of turn" if each.name in kinds else "a conversation"
            sentence = (
                f"{quoted(each.name)} is also the name of {what}; rename one, because thresholds use both"
                " names"
            )
            document.source.report(at, sentence)


def _check_part(document: TomlTable, index: int, part: Scenario, scenario: Scenario) -> None:
    """What a population says of itself that is the run's to say."""
    place: KeyPath = ("population", index)
    for table, key, value in OF_THE_RUN:
        if value(part) != value(scenario):
            sentence = f"`{key}` is the same for all populations; move it to [{table}] of the file"
            at = "stages" if key == "duration" and part.load.stages else key
            document.source.report((*place, table, at), sentence)
    for rule in _of_stages(part):
        if of_population(rule.name, part.name) is None:
            where = (*place, "load", "stages", rule.stage or 0, "thresholds", rule.name)
            document.source.report(where, f"`{rule.name}` exists only for all populations together")
    if part.chaos.slow_readers is not None:
        sentence = (
            "`slow_readers` cannot be used with [[population]]: loadtest does not separate the times of slow"
            " readers by population"
        )
        document.source.report((*place, "chaos", "slow_readers"), sentence)
