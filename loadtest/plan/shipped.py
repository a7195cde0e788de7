"""The scenarios and protocols that ship, found in a source checkout and in an installed wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loadtest.errors import ConfigError
from loadtest.plan.toml_reader import nearest, read_document
from loadtest.units import cut

ShippedKind = Literal["scenario", "protocol", "policy"]

PACKAGE = Path(__file__).resolve().parents[1]

POLICY = "ready"
"""Readiness policies lie beside the scenarios; their names are this word, or begin with it and a dash."""


MAX_NAMED = 12
"""Names that a sentence may have."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """One file that ships; ``about`` is its first comment line.

    ``held_against`` names the software of others that a protocol was run against, ``follows`` the public
    description that it was made after; empty: there is none.
    """

    name: str
    about: str
    path: Path
    kind: ShippedKind
    held_against: str = ""
    follows: str = ""


def folder(kind: ShippedKind, package: Path = PACKAGE) -> Path:
    """Where the shipped files of a kind are: in the package, or beside it in a source checkout."""
    plural = "scenarios" if kind == "policy" else f"{kind}s"
    inside = package / plural
    return inside if inside.is_dir() else package.parent / plural


def shipped_names(kind: ShippedKind, package: Path = PACKAGE) -> list[str]:
    """The names, sorted."""
    stems = sorted(path.stem for path in folder(kind, package).glob("*.toml"))
    if kind == "protocol":
        return stems
    return [stem for stem in stems if (stem.split("-")[0] == POLICY) == (kind == "policy")]


def list_shipped(kind: ShippedKind, package: Path = PACKAGE) -> list[Shipped]:
    """Every shipped file of a kind, by name."""
    paths = [folder(kind, package) / f"{name}.toml" for name in shipped_names(kind, package)]
    found = []
    for path in paths:
        document = read_document(path, path.name)
        against, follows = (str(document.data.get(key, "")) for key in ("held_against", "follows"))
        found.append(Shipped(path.stem, document.comment, path, kind, against, follows))
    return found


def shipped_text(kind: ShippedKind, name: str, package: Path = PACKAGE) -> str:
    """The TOML of a shipped file.

    Raises:
        ConfigError: nothing of that name ships; says the nearest.
    """
    names = shipped_names(kind, package)
    if name not in names:
        known = _nearest(kind, name, names)
        raise ConfigError(f"no {kind} `{name}` ships with loadtest; {known}")
    return (folder(kind, package) / f"{name}.toml").read_text(encoding="utf-8")


def find(kind: ShippedKind, ref: str, base: Path, package: Path = PACKAGE) -> tuple[Path, str]:
    """The file that a path or a shipped name stands for, and what to call it in messages.

    A bare name is a shipped one if there is such; anything else is a path relative to ``base``.

    Raises:
        ConfigError: there is neither; says the nearest shipped name.
    """
    names = shipped_names(kind, package)
    if ref in names:
        return folder(kind, package) / f"{ref}.toml", f"{ref}.toml"
    path = base / ref
    if _exists(path):
        return path, str(path)
    if _exists(path.with_name(f"{path.name}.toml") if path.name else path):
        raise ConfigError(f"there is no {kind} `{ref}`; did you mean the file `{ref}.toml`?")
    raise ConfigError(
        f"there is neither a file nor a shipped {kind} named `{cut(ref)}`; {_nearest(kind, ref, names)}"
    )


def _nearest(kind: ShippedKind, name: str, names: list[str]) -> str:
    """The end of a sentence about an unknown name: the nearest, all of a few, or where many stand."""
    told = nearest(name, names)
    if len(names) <= MAX_NAMED or not told.startswith("known here"):
        return told
    return f"`loadtest {kind}s` lists the shipped {kind}s"


def _exists(path: Path) -> bool:
    """Also False for names that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
