"""Markdown, for a pull request, a job summary of CI, or a mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from loadtest.show.document import DataTable, Document, DocumentSection, Tone, worst_first

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
    yield f"# {document.word}: {escaped(document.subject)}, {escaped(document.about)}{simulated}"
    yield from ("", f"**{escaped(document.brief or document.why)}** Exit code {document.exit_code}.")
    for sentence in document.context:
        yield from ("", escaped(sentence))
    for section in document.shown_sections(whole=whole):
        if whole or not section.folded:
            yield from _section(section)
    if document.callouts:
        yield from ("", "## Notices", "")
        yield from (
            f"- {code(each.code)}: {escaped(each.message)} *{escaped(each.remedy)}*"
            for each in document.callouts
        )


def _section(section: DocumentSection) -> Iterator[str]:
    if section.folded:
        yield from ("", f"<details><summary>{section.title}: {section.folded}</summary>")
    else:
        yield from ("", f"## {section.title}")
    for each in section.filled:
        yield from ("", *_table(each))
    if section.meaning:
        yield from ("", section.meaning)
    if section.folded:
        yield from ("", "</details>")


def _table(of: DataTable) -> Iterator[str]:
    noted = any(row.notes for row in of.rows)
    heads = [*of.heads, "why"] if noted else of.heads
    align = "".join("r" if column.right else "l" for column in of.columns) + ("l" if noted else "")
    rows = []
    for row in of.rows:
        cells = []
        for at, column in enumerate(of.columns):
            text = row.text(at)
            shown = code(text) if column.code and text else escaped(text)
            cells.append(f"{shown} ({escaped(row.small(at))})" if row.small(at) else shown)
        cells[0] = f"{MARKS[row.tone]} {cells[0]}".strip()
        rows.append([*cells, "<br>".join(map(escaped, row.notes))] if noted else cells)
    yield from table(heads, align, rows)
