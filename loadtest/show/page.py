"""A report as a page of tables, before it is laid out: what paper and a screen of text have in common."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.show.document import Tone


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table; ``notes`` stand below it. The first cell carries the tone."""

    cells: tuple[str, ...]
    tone: Tone = "plain"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its title and what it means. ``right`` are the columns of numbers."""

    title: str
    meaning: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as PNG, and how to read it."""

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a view shows, in its order. ``facts`` are name and value beside the verdict.

    ``pictures`` stand after the first section, where the view has room for any.
    """

    title: str
    question: str
    verdict: str
    tone: Tone
    exit_code: int | None
    why: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    footer: str
    blockers: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
