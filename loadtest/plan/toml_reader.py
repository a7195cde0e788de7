"""TOML as users write it: read into tables that collect every mistake with its line and the nearest word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from loadtest.errors import ConfigError, Problem
from loadtest.plan.toml_lines import KeyPath, key_lines, nearest_line, parse_toml
from loadtest.units import MIB, cut, parse_bytes, parse_duration, parse_rate, parse_ratio

MAX_FILE_BYTES = MIB
"""A larger TOML file is a mistake, and would take long to read: long texts belong into a CSV file of data."""

_LONG_TEXTS = "if it is the right file, move its long texts to a CSV file for `data` of [traffic]"

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

MAX_INTEGER = 2**63 - 1

MAX_SUGGESTIONS = 50
"""After so many mistakes in one document no more suggestions are made: each takes time."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """A TOML file, read. ``comment`` is its first comment line, which says what the file is for."""

    name: str
    data: dict[str, object]
    lines: dict[KeyPath, int]
    comment: str


def read_bytes(path: Path, name: str, largest: int, else_: str = "this is probably the wrong file") -> bytes:
    """The whole file; ``else_`` says what to do about a larger one.

    Raises:
        ConfigError: it is missing, not a file, not readable, or larger than ``largest`` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise ConfigError([Problem(name, "there is no such file")])
    except IsADirectoryError:
        raise ConfigError([Problem(name, "this is a folder; write the path of a file")])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(name, f"the file cannot be read: {reason}")])
    if len(content) > largest:
        raise ConfigError([Problem(name, f"the file is larger than {largest // MIB} MiB; {else_}")])
    return content


def decode(content: bytes, name: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        ConfigError: it is not UTF-8; says the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(f"{name}:{line}", "this is not UTF-8 text; save the file as UTF-8")])


def read_document(path: Path, name: str) -> TomlDocument:
    """A TOML file as data; ``name`` is what the file is called in messages.

    Raises:
        ConfigError: one sentence with the line, for anything that is not a TOML file of at most 1 MiB.
    """
    return parse_document(decode(read_bytes(path, name, MAX_FILE_BYTES, _LONG_TEXTS), name), name)


def parse_document(text: str, name: str) -> TomlDocument:
    """As ``read_document``, of the file's text."""
    try:
        data = parse_toml(text)
        lines = key_lines(text)
    except RecursionError:
        raise ConfigError([Problem(name, "lists or tables in the file are nested too deeply")])
    except ValueError as error:
        raise ConfigError([_syntax_problem(str(error), text, name)])
    return TomlDocument(name, data, lines, _first_comment(text))


def _syntax_problem(message: str, text: str, name: str) -> Problem:
    place = _PLACE.search(message)
    if place is None:
        return Problem(name, f"this is not valid TOML: {message}")
    line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    column = f" in column {place[2]}" if place[2] else " at the end of the file"
    reason = message[: place.start()]
    return Problem(f"{name}:{line}", f"this is not valid TOML: {reason[:1].lower()}{reason[1:]}{column}")


def _first_comment(text: str) -> str:
    """The first line of the text if it is a comment, without its mark."""
    for line in text.splitlines():
        if line.strip():
            return line.strip("# \t") if line.startswith("#") else ""
    return ""


@dataclass(slots=True)
class Source:
    """What a document is called, where its keys stand, and the mistakes found in it so far.

    ``overridden`` names the option that gave the value at a path, such as "--duration". Paths in the
    document are relative to the folder ``base``.
    """

    name: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    overridden: Mapping[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    base: Path = field(default_factory=Path)

    def where(self, path: KeyPath) -> str:
        """``file:line`` of the key at the path, or the option that gave it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.overridden:
                return self.overridden[path[:end]]
        line = nearest_line(self.lines, path)
        return self.name if line is None else f"{self.name}:{line}"

    def report(self, path: KeyPath, sentence: str) -> None:
        """Adds a mistake at the path; the sentence stays on one line, whatever it quotes."""
        self.problems.append(Problem(self.where(path), printable(sentence)))

    def finish(self) -> None:
        """Raises ConfigError with every mistake, each once, by line; does nothing where there is none."""
        if self.problems:
            raise ConfigError(sorted(dict.fromkeys(self.problems), key=_by_line))


def _by_line(problem: Problem) -> tuple[str, int]:
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if name and line.isdecimal() else (problem.where, 0)


def nearest(word: str, words: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known word, or all known words."""
    known = list(words)
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known here: {', '.join(known)}" if known else "nothing is known here"


def quoted(value: object) -> str:
    """A value as an error message shows it, shortened if it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{cut(value)}"'
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (int, float)):
        return str(value) if abs(value) < 1e18 else "so large a number"
    return "a date or a time"


def printable(text: str) -> str:
    """The text without line breaks and other control characters, which could mislead on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


UNSHOWN = "..."
"""Replaces a value that may be a secret in messages."""

_CREDENTIALS = frozenset({"auth", "headers", "cookies", "query"})


def holds_secrets(path: KeyPath) -> bool:
    """Whether at a path, or below it, a value may be a credential."""
    return path[:1] == ("target",) and len(path) > 1 and path[1] in _CREDENTIALS


class TomlTable:
    """One table of a document. Each reader takes a key once; ``close`` reports the keys that were not taken.

    A wrong value is reported and replaced by the default, so that reading continues.
    """

    def __init__(self, data: Mapping[str, object], source: Source, path: KeyPath = ()) -> None:
        self.data = data
        self.source = source
        self.path = path
        self.taken: dict[str, None] = {}

    def has(self, key: str) -> bool:
        """Whether the key is written; it still has to be taken."""
        return key in self.data

    def report(self, key: str, sentence: str) -> None:
        """Adds a mistake at one of the table's keys."""
        self.source.report((*self.path, key), sentence)

    def quoted(self, key: str, value: object) -> str:
        """The value of a key as an error message shows it; possible credentials are not shown."""
        return UNSHOWN if holds_secrets((*self.path, key)) else quoted(value)

    def take(self, key: str) -> object:
        """The value as written; None if the key is not written."""
        self.taken[key] = None
        return self.data.get(key)

    def close(self, hints: Mapping[str, str] | None = None) -> None:
        """Reports unknown keys; ``hints`` says of a key where it belongs."""
        for key in self.data:
            if key not in self.taken:
                few = len(self.source.problems) < MAX_SUGGESTIONS
                hint = (hints or {}).get(key) or (nearest(key, self.taken) if few else "look it up")
                self.report(key, f"unknown key `{cut(key)}`; {hint}")

    def text(self, key: str, default: T) -> str | T:
        """Text that is not empty."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and value:
            return value
        wrong = "must not be empty" if value == "" else f"must be text, not {self.quoted(key, value)}"
        self.report(key, f"`{key}` {wrong}")
        return default

    def flag(self, key: str) -> bool:
        """True or false; false if not written."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self.report(key, f"`{key}` must be true or false, not {self.quoted(key, value)}")
        return value is True

    def integer(self, key: str, default: T, *, least: int = 0, most: int = MAX_INTEGER) -> int | T:
        """A whole number from ``least`` to ``most``."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        bounds = f"of at least {least}" if most == MAX_INTEGER else f"from {least} to {most}"
        self.report(key, f"`{key}` must be a whole number {bounds}, not {self.quoted(key, value)}")
        return default

    def duration(self, key: str, default: T, *, positive: bool = False) -> int | T:
        """Nanoseconds, from text such as "30s"."""
        value = self._parsed(key, parse_duration, 'a duration such as "30s" or "100ms"')
        if value == 0 and positive:
            self.report(key, f"`{key}` must be more than 0")
            return default
        return default if value is None else value

    def rate(self, key: str, default: T) -> float | T:
        """Per second and more than 0, from text such as "20/s"."""
        value = self._parsed(key, parse_rate, 'a rate such as "20/s"')
        if value == 0:
            self.report(key, f"`{key}` must be more than 0")
            return default
        return default if value is None else value

    def ratio(self, key: str, default: float) -> float:
        """From 0 to 1, rounded to nine decimals, from text such as "5%"."""
        value = self._parsed(key, parse_ratio, 'a ratio such as "5%"')
        return default if value is None else round(value, 9)

    def size(self, key: str, default: int) -> int:
        """Bytes, from text such as "16MiB"."""
        value = self._parsed(key, parse_bytes, 'a size such as "16MiB"')
        if value == 0:
            self.report(key, f"`{key}` must be more than 0")
        return value or default

    def _parsed(self, key: str, parse: Callable[[str], T], form: str) -> T | None:
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.report(key, f"`{key}` must be {form} in quotes, not {self.quoted(key, value)}")
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.report(key, f"`{key}`: {error}")
            return None

    def choice(self, key: str, options: Mapping[str, T], default: T) -> T:
        """One of the words of ``options``; returns its value there."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and value in options:
            return options[value]
        near = nearest(value, options) if isinstance(value, str) else nearest("", options)
        self.report(key, f"`{key}` cannot be {quoted(value)}; {near}")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of text; empty if not written."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.report(
                key, f'`{key}` must be a list of text such as ["a", "b"], not {self.quoted(key, value)}'
            )
            return ()
        for index, each in enumerate(value):
            if not isinstance(each, str) or not each:
                self.source.report(
                    (*self.path, key, index),
                    f"every entry of `{key}` must be text, not {self.quoted(key, each)}",
                )
        return tuple(each for each in value if isinstance(each, str) and each)

    def pairs(self, key: str) -> dict[str, str]:
        """A table of text by name; empty if not written."""
        value = self.take(key)
        if not isinstance(value, Mapping):
            if value is not None:
                self.report(
                    key,
                    f'`{key}` must be a table such as {{ Name = "value" }}, not {self.quoted(key, value)}',
                )
            return {}
        for name, each in value.items():
            if not isinstance(each, str):
                self.source.report(
                    (*self.path, key, name), f"`{name}` must be text, not {self.quoted(key, each)}"
                )
        return {name: each for name, each in value.items() if isinstance(each, str)}

    def table(self, key: str) -> TomlTable:
        """A table; an empty one if not written."""
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self.report(key, f"`{key}` must be a table, not {self.quoted(key, value)}")
        return TomlTable(value if isinstance(value, Mapping) else {}, self.source, (*self.path, key))

    def tables(self, key: str) -> list[TomlTable]:
        """A list of tables; empty if not written."""
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            self.report(
                key,
                f"`{key}` must be a list of tables such as [{{ ... }}], not {self.quoted(key, value)}",
            )
        found = []
        for index, each in enumerate(value if isinstance(value, list) else []):
            path = (*self.path, key, index)
            if isinstance(each, Mapping):
                found.append(TomlTable(each, self.source, path))
            else:
                self.source.report(
                    path,
                    f"every entry of `{key}` must be a table, not {self.quoted(key, each)}",
                )
        return found
