"""On which line of a TOML text each key stands.

``tomllib`` reads values but not their places. This module reads the same text again, after ``tomllib`` has
found it valid, and keeps only the places; of a value it finds only the end.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

KeyPath = tuple[str | int, ...]
"""A place in a document: ("load", "stages", 0, "for"), ("thresholds", "turn.first_event.p95")."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*"{3,5}'
    r"|'''[^']*(?:'{1,2}(?!')[^']*)*'{3,5}"
    r'|"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]\}\n#]*")


MAX_DEPTH = 32
"""How deeply tables and lists may be nested."""

MAX_PARTS = 100
"""Parts of a dotted key: for one of a hundred thousand ``tomllib`` takes minutes."""

_LONG_KEY = re.compile(
    rf"(?<![\w.\"'-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}"
)


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text holds.

    Raises:
        ValueError: it is not TOML, or a key of it has more than ``MAX_PARTS`` parts; says where.
        RecursionError: tables or lists are nested too deeply.
    """
    if found := _LONG_KEY.search(text):
        line, begins = text.count("\n", 0, found.start()) + 1, text.rfind("\n", 0, found.start()) + 1
        place = f"(at line {line}, column {found.start() - begins + 1})"
        raise ValueError(f"A key has more than {MAX_PARTS} parts {place}")
    return tomllib.loads(text)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key and array element of a valid TOML text.

    A table has the line of its header, or of the first key that makes it.

    Raises:
        ValueError: the text is not valid TOML, which parsing it before would have found.
        RecursionError: tables and lists are nested deeper than ``MAX_DEPTH``.
    """
    return _Scan(text).document()


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the path, or of the closest thing around it that stands in the text."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


class _Scan:
    """One pass over a text; ``at`` is where it has got to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.elements: dict[KeyPath, int] = {}
        self.counted = (0, 1)

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.lines

    def header(self) -> KeyPath:
        """Of ``[table]`` or ``[[array]]``; the keys that follow belong to the path returned."""
        line = self.line()
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        path: KeyPath = ()
        for part in self.key():
            path = self.into((*path, part))
            self.note(path, line)
        self.at += 2 if array else 1
        if array:
            path = self.unindexed(path)
            self.elements[path] = self.elements.get(path, -1) + 1
            path = self.into(path)
            self.lines[path] = line
        else:
            self.lines[path] = line
        return path

    def note(self, path: KeyPath, line: int) -> None:
        """Keeps the first line at which a path appears."""
        if len(path) > MAX_DEPTH:
            raise RecursionError
        self.lines.setdefault(path, line)

    def into(self, path: KeyPath) -> KeyPath:
        """The path of the current element, where the path is that of an array of tables."""
        return (*path, self.elements[path]) if path in self.elements else path

    def unindexed(self, path: KeyPath) -> KeyPath:
        return path[:-1] if path[:-1] in self.elements and isinstance(path[-1], int) else path

    def pair(self, table: KeyPath) -> None:
        """``key = value``; a dotted key makes tables on its way."""
        line = self.line()
        path = table
        for part in self.key():
            path = (*path, part)
            self.note(path, line)
        self.expect("=")
        self.skip(_SPACE)
        self.value(path)

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip(_SPACE)
            if self.text[self.at : self.at + 1] in {'"', "'"}:
                parts.append(str(tomllib.loads(f"key = {self.take(_STRING)}")["key"]))
            else:
                parts.append(self.take(_BARE))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: KeyPath) -> None:
        start = self.text[self.at : self.at + 1]
        if start == "[":
            self.array(path)
        elif start == "{":
            self.inline_table(path)
        elif start in {'"', "'"}:
            self.take(_STRING)
        else:
            self.take(_PLAIN)

    def array(self, path: KeyPath) -> None:
        self.expect("[")
        self.skip(_BLANK)
        index = 0
        while not self.text.startswith("]", self.at):
            self.note((*path, index), self.line())
            self.value((*path, index))
            self.skip(_BLANK)
            self.comma_unless("]")
            self.skip(_BLANK)
            index += 1
        self.expect("]")

    def inline_table(self, path: KeyPath) -> None:
        self.expect("{")
        self.skip(_BLANK)
        while not self.text.startswith("}", self.at):
            self.pair(path)
            self.skip(_BLANK)
            self.comma_unless("}")
            self.skip(_BLANK)
        self.expect("}")

    def comma_unless(self, end: str) -> None:
        if not self.text.startswith(end, self.at):
            self.expect(",")

    def expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.at):
            raise ValueError(f'"{mark}" expected on line {self.line()}')
        self.at += len(mark)

    def skip(self, what: re.Pattern[str]) -> None:
        match = what.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, what: re.Pattern[str]) -> str:
        match = what.match(self.text, self.at)
        if match is None or not match[0]:
            raise ValueError(f"a key or a value expected on line {self.line()}")
        self.at = match.end()
        return match[0]

    def line(self) -> int:
        """Counted from the last place asked for, so that a text is counted only once."""
        place, line = self.counted
        line += self.text.count("\n", place, self.at)
        self.counted = (self.at, line)
        return line
