"""TOML files as data with the place of every key, whatever the file holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.plan.toml_lines import KeyPath, key_lines, parse_toml

LARGEST_FILE = 1024 * 1024
"""Bytes of the largest TOML file that is read: a longer one is a mistake, and would take long."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file, read. ``comment`` is its first comment line, which says what the file is for."""

    name: str
    data: dict[str, object]
    lines: dict[KeyPath, int]
    comment: str


def read_bytes(path: Path, name: str, largest: int) -> bytes:
    """The whole file.

    Raises:
        ConfigError: it is missing, no file, not readable, or larger than ``largest`` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise ConfigError([Problem(name, "there is no such file")])
    except IsADirectoryError:
        raise ConfigError([Problem(name, "this is a folder; give the file in it")])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(name, f"the file cannot be read: {reason}")])
    if len(content) > largest:
        too_large = f"the file is larger than {largest // 1024} KiB; this must be the wrong one"
        raise ConfigError([Problem(name, too_large)])
    return content


def decode(content: bytes, name: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        ConfigError: it is not UTF-8; tells the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(f"{name}:{line}", "this is not UTF-8 text; save the file as UTF-8")])


def read_document(path: Path, name: str) -> Document:
    """A TOML file as data; ``name`` is what the file is called in messages.

    Raises:
        ConfigError: one sentence with the line, for anything that is not a TOML file of at most 1 MiB.
    """
    return parse_document(decode(read_bytes(path, name, LARGEST_FILE), name), name)


def parse_document(text: str, name: str) -> Document:
    """As ``read_document``, of the file's text."""
    try:
        data = parse_toml(text)
        lines = key_lines(text)
    except RecursionError:
        raise ConfigError([Problem(name, "lists or tables are nested too deeply")])
    except ValueError as error:
        raise ConfigError([_syntax_problem(str(error), text, name)])
    return Document(name, data, lines, _first_comment(text))


def _syntax_problem(message: str, text: str, name: str) -> Problem:
    place = _PLACE.search(message)
    if place is None:
        return Problem(name, f"this is not TOML: {message}")
    line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    column = f" in column {place[2]}" if place[2] else " at the end of the file"
    reason = message[: place.start()]
    return Problem(f"{name}:{line}", f"this is not TOML: {reason[:1].lower()}{reason[1:]}{column}")


def _first_comment(text: str) -> str:
    """The first line of the text if it is a comment, without its mark."""
    for line in text.splitlines():
        if line.strip():
            return line.strip("# \t") if line.startswith("#") else ""
    return ""
