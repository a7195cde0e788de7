"""Markdown, for a pull request, a job summary of CI, or a mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from loadtest.show.document import DataTable, Document, DocumentSection, TableRow, Tone, worst_first

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~$&@]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)
"""What would make a link, a tag, a mention, a formula or a column; texts never begin a line here."""

MARKS: dict[Tone, str] = {"good": "✅", "bad": "❌", "doubt": "❔", "plain": ""}


def escaped(text: str) -> str:
    """``text`` so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def code(text: str) -> str:
    """``text`` as inline code, also inside a table."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def table(heads: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; ``align`` has "l" or "r" for each column, cells are escaped already."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "|".join(" --- " if side == "l" else " ---: " for side in align) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def markdown(documents: Iterable[Document], *, whole: bool = False) -> str:
    """The documents, the worst first; ``whole``: with what decides nothing, folded."""
    listed = worst_first(documents)
    parts = [*_headlines(listed)]
    parts += ["\n".join(_document(each, whole=whole)) for each in listed]
    return "\n\n".join(parts) + "\n"


def _headlines(listed: Sequence[Document]) -> Iterator[str]:
    """The worst of several as one verdict, and below it a line for each; nothing for a single one."""
    if len(listed) < 2:
        return
    first = listed[0]
    yield f"# {first.word}: the worst of {len(listed)} {first.kind}s, exit code {first.exit_code}"
    yield "\n".join(f"- {MARKS[each.tone]} **{each.word}** {escaped(each.heading)}" for each in listed)


def _document(document: Document, *, whole: bool) -> Iterator[str]:
    simulated = " (SIMULATED)" if document.simulated else ""
    of = ", ".join(escaped(text) for text in (document.subject, document.about) if text)
    yield f"# {document.word}: {of}{simulated}"
    exit_code = "" if document.exit_code is None else f" Exit code {document.exit_code}."
    yield from ("", f"**{escaped(document.brief or document.why)}**{exit_code}")
    for sentence in document.context:
        yield from ("", escaped(sentence))
    if document.facts:
        yield ""
        yield from (f"- {escaped(name)}: {escaped(value)}" for name, value in document.facts)
    sections = document.shown_sections(whole=whole)
    for section in (each for each in sections if not each.folded):
        yield from _section(section)
    if document.callouts:
        yield from ("", "## Notices", "")
        yield from (
            f"- {code(each.code)}{' **spoils the run**' if each.spoils else ''}: {escaped(each.message)}"
            f"{f' *{escaped(each.remedy)}*' if each.remedy else ''}"
            for each in document.callouts
        )
    for section in (each for each in sections if whole and each.folded):
        yield from _section(section)
    if document.footer:
        yield from ("", f"<sub>{escaped(document.footer)}</sub>")


def _section(section: DocumentSection) -> Iterator[str]:
    if section.folded:
        yield from ("", f"<details><summary>{section.title}: {section.folded}</summary>")
    else:
        yield from ("", f"## {section.title}")
    if section.meaning:
        yield from ("", escaped(section.meaning))
    for each in section.filled:
        yield from ("", *_table(each))
    for remark in section.remarks:
        yield from ("", escaped(remark))
    if section.folded:
        yield from ("", "</details>")


def _table(of: DataTable) -> Iterator[str]:
    """A table, or a list where its two columns have no heads."""
    if len(of.columns) == 2 and not any(of.heads):
        yield from (f"- {_cell(of, row, 0)}: {_cell(of, row, 1)}" for row in of.rows)
        return
    noted = any(row.notes for row in of.rows)
    heads = [*of.heads, "why"] if noted else of.heads
    align = "".join("r" if column.right else "l" for column in of.columns) + ("l" if noted else "")
    rows = []
    for row in of.rows:
        cells = [_cell(of, row, at) for at in range(len(of.columns))]
        cells[0] = f"{row.mark or MARKS[row.tone]} {cells[0]}".strip()
        rows.append([*cells, "<br>".join(map(escaped, row.notes))] if noted else cells)
    yield from table(heads, align, rows)


def _cell(of: DataTable, row: TableRow, at: int) -> str:
    text, small = row.text(at), row.small(at)
    shown = code(text) if of.columns[at].code and text else escaped(text)
    return f"{shown} ({escaped(small)})" if small else shown
