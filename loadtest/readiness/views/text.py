"""The page on a terminal: plain text of any width, coloured where the stream is one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from loadtest.show.document import Document, DocumentSection, Tone
from loadtest.show.render.terminal import ASCII, MARKS, aligned

COLOURS: dict[Tone, str] = {"good": "32", "bad": "31", "doubt": "33", "plain": ""}
NARROWEST = 60
OWN_ASCII = str.maketrans("▲○≥“”", '!o>""')
SHORT = frozenset({"Components", "Required actions", "Since the last report", "Rollback"})
"""Folded sections that the screen shows, without their notes; the others stand in the files."""


def text(
    document: Document,
    *,
    width: int = 100,
    colour: bool = False,
    ascii_only: bool = False,
    whole: bool = False,
) -> str:
    """The page as text; ``whole`` shows the evidence and the arithmetic as well."""
    width = max(width, NARROWEST)
    lines = [*_head(document, width, colour=colour)]
    for section in document.sections:
        if whole or not section.folded or section.title in SHORT:
            lines += ["", *_section(section, width, colour=colour, whole=whole)]
    made = "\n".join(line.rstrip() for line in lines) + "\n"
    return made.translate(ASCII | OWN_ASCII).encode("ascii", "replace").decode() if ascii_only else made


def _styled(words: str, code: str, *, colour: bool) -> str:
    return f"\x1b[{code}m{words}\x1b[0m" if colour and code else words


def _wrapped(words: str, width: int, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(
        words, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _head(document: Document, width: int, *, colour: bool) -> Iterator[str]:
    yield _styled(document.subject, "1", colour=colour)
    if document.about:
        yield from _wrapped(document.about, width, "")
    yield ""
    badge = _styled(f" {document.word} ", f"1;7;{COLOURS[document.tone]}", colour=colour)
    yield f"{badge}  exit code {document.exit_code}"
    yield from _wrapped(document.why, width, "")
    for sentence in document.context:
        yield from _wrapped(sentence, width, "  ")
    yield ""
    names = max(len(name) for name, _ in document.facts)
    for name, value in document.facts:
        first, *rest = textwrap.wrap(value, max(20, width - names - 2)) or [""]
        yield f"{name:<{names}}  {first}"
        yield from (f"{'':<{names}}  {line}" for line in rest)


def _section(section: DocumentSection, width: int, *, colour: bool, whole: bool) -> Iterator[str]:
    (table,) = section.tables
    yield _styled(section.title, "1", colour=colour)
    rows = [("  " + table.heads[0], *table.heads[1:])]
    for row in table.rows:
        first, *others = map(row.text, range(len(row.cells)))
        rows.append((f"{row.mark or MARKS[row.tone]} {first}", *others))
    sides = "".join("r" if column.right else "l" for column in table.columns)
    heads, *drawn = _fitted(rows, sides, width)
    yield from (_styled(shown, "2", colour=colour) for shown in heads)
    for row, shown in zip(table.rows, drawn, strict=True):
        yield from (_styled(each, COLOURS[row.tone], colour=colour) for each in shown)
        for note in row.notes if whole or not section.folded else ():
            yield from _wrapped(note, width, "    ")


def _fitted(rows: Sequence[tuple[str, ...]], sides: str, width: int) -> list[list[str]]:
    """The lines of each row: the longest columns are wrapped until all fit beside each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    # The mark and its blank stay in front of the first cell.
    wrapped = [
        [
            textwrap.wrap(cell, room, break_on_hyphens=False, subsequent_indent="" if at else "  ") or [""]
            for at, (cell, room) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    broken = [list(zip_longest(*cells, fillvalue="")) for cells in wrapped]
    drawn = iter(aligned([line for lines in broken for line in lines], sides, 10_000))
    return [list(islice(drawn, len(lines))) for lines in broken]
