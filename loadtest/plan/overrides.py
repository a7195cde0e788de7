"""Values of a scenario that the command line replaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from loadtest.errors import Problem
from loadtest.plan.toml_lines import KeyPath, parse_toml
from loadtest.plan.toml_reader import UNSHOWN, holds_secrets, nearest, printable
from loadtest.units import cut, exact_duration, exact_rate

POPULATION = "population"
"""A list of tables, of which --set names one: population.NAME.load.connections=20."""

ONE_KEY = ("thresholds.", "abort.")
"""After these, dots are part of the name: --set "thresholds.turn.first_event.p95=< 1us"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Options of ``loadtest run`` and ``explain``; None where one was not given.

    ``duration`` is text ("30s") or nanoseconds, ``connect_rate`` text ("25/s") or per second.
    ``sets`` are the values of ``--set``, each KEY=VALUE.
    """

    target: str | None = None
    duration: str | int | None = None
    connections: int | None = None
    connect_rate: str | float | None = None
    insecure: bool = False
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value for one key; ``where`` names the option that gave it."""

    path: tuple[str, ...]
    value: object
    where: str


def assignments(overrides: Overrides, problems: list[Problem]) -> list[Assignment]:
    """The overrides in the order in which they apply; unreadable ones are added to ``problems``."""
    return [*_options(overrides), *_sets(overrides.sets, problems)]


def _options(given: Overrides) -> Iterator[Assignment]:
    if given.target is not None:
        yield Assignment(("target", "url"), given.target, "--target")
    if given.duration is not None:
        text = exact_duration(given.duration) if isinstance(given.duration, int) else given.duration
        yield Assignment(("load", "duration"), text, "--duration")
    if given.connections is not None:
        yield Assignment(("load", "connections"), given.connections, "--connections")
    if given.connect_rate is not None:
        written = given.connect_rate
        rate = written if isinstance(written, str) else exact_rate(written)
        yield Assignment(("load", "connect_rate"), rate, "--connect-rate")
    if given.insecure:
        yield Assignment(("target", "insecure"), True, "--insecure")


def _sets(sets: tuple[str, ...], problems: list[Problem]) -> Iterator[Assignment]:
    for text in sets:
        key, equals, value = text.partition("=")
        path = _key_path(key.strip())
        below = path[2:] if path[:1] == (POPULATION,) else path
        hidden = equals and (holds_secrets(below) or below == ("target", "url"))
        shown = f"{key}={UNSHOWN}" if hidden else text
        where = printable(f"--set {cut(shown)}")
        if not equals:
            problems.append(Problem(where, "this is not KEY=VALUE; write for example load.connections=20"))
        elif not path:
            problems.append(
                Problem(
                    where,
                    f"`{printable(cut(key.strip()))}` is not a key; write for example load.connections",
                )
            )
        else:
            yield Assignment(path, _value(value), where)


def _key_path(key: str) -> tuple[str, ...]:
    """The parts of a dotted key as TOML reads them; empty where it is none."""
    for prefix in ONE_KEY:
        if key.startswith(prefix) and len(key) > len(prefix):
            return prefix.rstrip("."), key.removeprefix(prefix).strip("\"'")
    try:
        node: object = parse_toml(f"{key} = 0")
    except (ValueError, RecursionError):
        return ()
    path = []
    while isinstance(node, dict) and len(node) == 1:
        part, node = next(iter(node.items()))
        path.append(part)
    return tuple(path) if node == 0 and len(path) <= 16 else ()


def _set_of_population(
    document: dict[str, object], change: Assignment, given: dict[KeyPath, str], problems: list[Problem]
) -> None:
    """Make a change below ``population.NAME``, of the population of that name."""
    _, name, *rest = change.path
    found = document.get(POPULATION)
    rows = list(found) if isinstance(found, list) else []
    names = [str(row.get("name")) if isinstance(row, Mapping) else "" for row in rows]
    if name not in names:
        known = nearest(name, names) if names else "the scenario has no [[population]]"
        problems.append(
            Problem(
                change.where,
                f"no population has the name `{printable(cut(name))}`; {known}",
            )
        )
        return
    index = names.index(name)
    below: dict[KeyPath, str] = {}
    rows[index], below = applied(rows[index], [replace(change, path=tuple(rest))], problems)
    document[POPULATION] = rows
    given.update({(POPULATION, index, *path): where for path, where in below.items()})


def _value(text: str) -> object:
    """TOML if it parses as one value, else the text itself."""
    try:
        found = parse_toml(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def applied(
    data: Mapping[str, object], changes: list[Assignment], problems: list[Problem]
) -> tuple[dict[str, object], dict[KeyPath, str]]:
    """The document with the changes made, and which option gave the value of which path; ``data`` is kept."""
    document = dict(data)
    given: dict[KeyPath, str] = {}
    for change in changes:
        if change.path[0] == POPULATION and len(change.path) > 2:
            _set_of_population(document, change, given, problems)
            continue
        table: dict[str, object] = document
        for depth, part in enumerate(change.path[:-1]):
            below = table.get(part, {})
            if not isinstance(below, Mapping):
                wrong = ".".join(change.path[: depth + 1])
                sentence = f"`{printable(cut(wrong))}` is not a table, so keys in it cannot be set"
                problems.append(Problem(change.where, sentence))
                break
            copy = dict(below)
            table[part] = copy
            table = copy
        else:
            table[change.path[-1]] = change.value
            given[change.path] = change.where
    return document, given
