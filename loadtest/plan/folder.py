"""The scenarios in a folder: every TOML file of it that is one, and what else was seen there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from loadtest.errors import ConfigError, Problem
from loadtest.plan.toml_lines import parse_toml


class Found(NamedTuple):
    """``scenarios`` by name; ``others`` are TOML files that are something else, with what they are."""

    scenarios: list[Path]
    others: list[tuple[Path, str]]


def scenarios_in(folder: Path) -> Found:
    """The files of a folder, not of folders in it.

    A file that cannot be read as TOML counts as a scenario, so that loading it reports what is wrong.
    """
    found = Found([], [])
    for path in sorted(folder.glob("*.toml")):
        other = _other(path)
        if other:
            found.others.append((path, other))
        else:
            found.scenarios.append(path)
    return found


def _other(path: Path) -> str | None:
    """What a file is that is no scenario."""
    try:
        data = parse_toml(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    found = kind_of(data)
    return None if found == SCENARIO else found


SCENARIO, PROTOCOL, POLICY = "a scenario", "a protocol", "a readiness policy"

HOW = {
    SCENARIO: "`loadtest run` reads it",
    PROTOCOL: "a scenario names it by `protocol`, and `loadtest protocols check` reads it",
    POLICY: "`loadtest ready` reads it",
}
"""What to do with a file of each kind."""


def kind_of(data: Mapping[str, object]) -> str | None:
    """The kind of a document, by tables that only this kind has; None if it has none or those of several."""
    has = {
        POLICY: "components" in data,
        SCENARIO: bool(data.keys() & {"protocol", "target", "traffic", "load"}),
        PROTOCOL: bool(data.keys() & {"turn", "events"}),
    }
    found = [kind for kind, some in has.items() if some]
    return found[0] if len(found) == 1 else None


def check_kind(data: Mapping[str, object], wanted: str, name: str) -> None:
    """Accepts a document that may be of the wanted kind.

    Raises:
        ConfigError: it is of another kind; says what to do with it.
    """
    found = kind_of(data)
    if found not in {None, wanted}:
        raise ConfigError([Problem(name, f"this file is {found}, not {wanted}: {HOW[str(found)]}")])
