"""A terminal of any width, with colour or in plain ASCII.

rich is imported when something is printed, so that start-up stays lean.
"""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, zip_longest
from typing import TYPE_CHECKING, TextIO, TypedDict

from loadtest.show.document import Callout, DataTable, Document, DocumentSection, TableRow, Tone, worst_first
from loadtest.show.light_and_dark import PAGE, PLOT, rgb

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

Draw = Callable[["Console"], None]

NARROWEST = 60
"""Below this width nothing is left out any more; lines wrap instead."""

LOG_WIDTH = 160
"""Columns of a short screen that goes into a file."""

LAST_LINE_WIDTH = 1_000
"""Columns of its last line there, which says why a run failed: nothing of it is cut."""

SENTENCES = 4
"""Rows that the sentences of a short view take at most."""

STYLES: dict[Tone, str] = {"good": "green", "bad": "red", "doubt": "yellow", "plain": ""}
MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "doubt": "?", "plain": " "}

GROUND, LETTERS = rgb(PAGE["page"].dark), rgb(PLOT["ink"].dark)
PALETTE = [
    GROUND,
    rgb(PLOT["vermillion"].dark),
    rgb(PAGE["good"].dark),
    rgb(PAGE["doubt"].dark),
    rgb(PAGE["link"].dark),
    rgb(PLOT["purple"].dark),
    rgb(PLOT["sky"].dark),
    LETTERS,
]
"""The eight colours of a terminal in a picture: those of the report on dark ground."""

NARROWEST_COLUMN = 6
"""The text of a column that wraps is cut into no narrower pieces."""

ASCII = str.maketrans("µ–·✓✗…→←≤≥≈×−▲○“”▁▂▃▄▅▆▇█━─", 'u-|+x~><<>~x-!o""_.:-=+*##.')
"""One character for one, so that columns stay aligned where the encoding is not UTF-8."""


class Screen(TypedDict):
    """How wide and how colourful a stream takes what is printed."""

    width: int
    colour: bool
    ascii_only: bool


def render(
    documents: Iterable[Document],
    *,
    width: int = 80,
    colour: bool = False,
    ascii_only: bool = False,
    where: str = "",
    whole: bool = False,
    cut: bool = True,
) -> str:
    """Documents as text of at most ``width`` columns, the worst first, its verdict also in the last line.

    ``whole``: with everything that decides nothing. ``cut``: the last line ends where the screen does; a file
    has it whole.
    """
    drawing = _drawing(documents, where, whole=whole, cut=cut)
    return rendered(drawing, width=width, colour=colour, ascii_only=ascii_only)


def show(
    documents: Iterable[Document], stream: TextIO | None = None, *, where: str = "", whole: bool = False
) -> None:
    """Print them on ``stream`` (stdout): coloured on a terminal, in ASCII where it takes no more."""
    stream = stream or sys.stdout
    drawing = _drawing(documents, where, whole=whole, cut=stream.isatty())
    stream.write(rendered(drawing, **screen_of(stream)))


def show_short(document: Document, stream: TextIO | None = None) -> None:
    """Print a document in few lines, without its last one: ``show_last`` prints that."""
    stream = stream or sys.stdout
    stream.write(rendered(lambda console: _draw_short(document, console), **_line_wide(stream)))


def show_last(document: Document, stream: TextIO | None = None, *, where: str = "") -> None:
    """Print where the report is, and the verdict as the last line."""
    stream = stream or sys.stdout
    stream.write(
        rendered(lambda console: _draw_last(document, console, where), **_line_wide(stream, LAST_LINE_WIDTH))
    )


def _line_wide(stream: TextIO, wide: int = LOG_WIDTH) -> Screen:
    """What ``stream`` takes; a file or the log of a job, which no width cuts, is ``wide``."""
    screen = screen_of(stream)
    if not stream.isatty() and "COLUMNS" not in os.environ:
        screen["width"] = max(screen["width"], wide)
    return screen


def short(
    document: Document,
    *,
    width: int = 80,
    colour: bool = False,
    ascii_only: bool = False,
    where: str = "",
) -> str:
    """A document in few lines of ``width`` columns: what is wider is cut, the verdict is first and last.

    It takes a row of text for each row of its tables and each fact, three more, and four of sentences.
    """

    def draw(console: Console) -> None:
        _draw_short(document, console)
        _draw_last(document, console, where)

    return rendered(draw, width=width, colour=colour, ascii_only=ascii_only)


def short_svg(document: Document, *, width: int = 100, where: str = "", title: str = "loadtest") -> str:
    """What ``short`` gives, coloured, as a picture that needs no font from elsewhere."""
    from rich.console import Console
    from rich.terminal_theme import TerminalTheme

    console = Console(file=io.StringIO(), width=width, record=True, force_terminal=True, highlight=False)
    _draw_short(document, console)
    _draw_last(document, console, where)
    theme = TerminalTheme(GROUND, LETTERS, PALETTE)
    drawn = console.export_svg(title=title, theme=theme, unique_id="screen")
    return re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


def _draw_short(document: Document, console: Console) -> None:
    from rich.text import Text

    simulated = ("  SIMULATED", "bold red") if document.simulated else ""
    _print_row(
        Text.assemble(
            (document.word, f"bold {STYLES[document.tone]}"),
            f"  exit code {document.exit_code}" if document.exit_code is not None else "",
            (f"  {document.subject}", "bold"),
            simulated,
            (f"  {document.about}", "dim"),
        ),
        console,
    )
    sentences = " ".join((document.brief, *document.context)).strip()
    for line in list(Text(sentences).wrap(console, console.width - 2))[:SENTENCES] if sentences else ():
        _print_row(Text(f"  {line}".rstrip()), console)
    for section in document.sections:
        for table in section.filled:
            _print_short_table(table, console)
        for remark in section.remarks if section.filled else ():
            _print_row(Text(f"  {remark}", style="dim"), console)
    names = max((len(name) for name, _ in document.facts), default=0)
    for name, text in document.facts:
        _print_row(Text.assemble((f"  {name:{names}}", "bold"), f"  {text}"), console)


def _print_short_table(table: DataTable, console: Console) -> None:
    """A row of text for each row: no head where the rows say by their marks what they are."""
    from rich.text import Text

    marked = any(row.tone != "plain" for row in table.rows)
    cells = [
        (*((MARKS[row.tone],) if marked else ()), *(row.text(at) for at in range(len(table.columns))))
        for row in table.rows
    ]
    sides = ("l" if marked else "") + "".join("r" if column.right else "l" for column in table.columns)
    heads = [] if marked else [table.heads]
    lines = aligned([*heads, *cells], sides, 10_000)
    if heads:
        _print_row(Text(f"  {lines.pop(0)}", style="dim"), console)
    for row, line in zip(table.rows, lines, strict=True):
        _print_row(Text(f"  {line}", style=STYLES[row.tone]), console)


def _draw_last(document: Document, console: Console, where: str) -> None:
    from rich.text import Text

    if where:
        # Never cut: it is copied.
        console.print(Text(f"  Report  {where}"), soft_wrap=True)
    _print_last_line(document, console, 1)


def _print_row(row: Text, console: Console) -> None:
    """One row of the screen; what is wider is cut, and shown to be."""
    console.print(row, no_wrap=True, overflow="ellipsis", crop=True)


def _drawing(documents: Iterable[Document], where: str, *, whole: bool, cut: bool) -> Draw:
    listed = worst_first(documents)

    def draw(console: Console) -> None:
        print_parts([_headlines(listed)], console)
        for document in listed:
            sections = _sections(document, console.width, whole=whole)
            print_parts((_head(document), *sections, _callouts(document.callouts)), console)
        if where:
            console.print(f"  Report  {where}\n", soft_wrap=True)
        if listed[0].word:
            _print_last_line(listed[0], console, len(listed), cut=cut)

    return draw


def _headlines(listed: Sequence[Document]) -> Iterator[RenderableType]:
    """The worst of several as one verdict, and below it a line for each; nothing for a single one."""
    from rich.text import Text

    if len(listed) < 2:
        return
    first = listed[0]
    yield Text.assemble(
        (first.word, f"bold {STYLES[first.tone]}"),
        f"  exit code {first.exit_code}, the worst of {len(listed)} {first.kind}s",
    )
    for each in listed:
        yield indented(f"{MARKS[each.tone]} {each.word}  {each.heading}", 2, STYLES[each.tone])


def _head(document: Document) -> Iterator[RenderableType]:
    from rich.text import Text

    simulated = ("  SIMULATED", "bold red") if document.simulated else ""
    aside = (f"  {document.aside}", "dim") if document.aside else ""
    about = f"  {document.about}" if document.about else ""
    yield Text.assemble((document.subject, "bold"), about, aside, simulated)
    if document.word:
        code = "" if document.exit_code is None else f"  exit code {document.exit_code}"
        yield Text("")
        yield Text.assemble((document.word, f"bold {STYLES[document.tone]}"), code)
        yield indented(document.brief or document.why, 2)
    for sentence in document.context:
        yield indented(sentence, 2)
    if document.facts:
        yield Text("")
        yield _facts(document.facts)


def _facts(facts: Sequence[tuple[str, str]]) -> RenderableType:
    """Names at the left, sentences that wrap beside them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, sentence in facts:
        grid.add_row(Text(f"  {name}", style="dim"), Text(sentence))
    return grid


def _print_last_line(worst: Document, console: Console, of: int, *, cut: bool = True) -> None:
    """The verdict once more, for whom it has scrolled away: in one line, ``cut`` where the screen ends."""
    from rich.text import Text

    about = f"{worst.heading}: " if of > 1 else ""
    code = "" if worst.exit_code is None else f", exit code {worst.exit_code}"
    line = Text.assemble((worst.word, f"bold {STYLES[worst.tone]}"), f"{code}: {about}{worst.why}")
    if cut:
        console.print(line, no_wrap=True, overflow="ellipsis")
    else:
        console.print(line, soft_wrap=True)


def _sections(document: Document, width: int, *, whole: bool) -> Iterator[Iterator[RenderableType]]:
    """The sections of a document; those that follow each other with the same columns are one part."""
    # Of what is not decided yet the numbers that will decide are shown, and no others.
    shown = [
        section
        for section in document.shown_sections(whole=True)
        if whole or (section.screen and (document.decided or not section.folded))
    ]

    def alike(section: DocumentSection) -> object:
        table = section.filled[0]
        return table.columns if table.even else id(section)

    for _, group in groupby(shown, alike):
        sections = list(group)
        if sections[0].filled[0].even:
            yield _stacked(sections, width)
        else:
            yield _section(sections[0], width, whole=whole)


def _stacked(sections: Sequence[DocumentSection], width: int) -> Iterator[RenderableType]:
    """Sections of the same columns below one head."""
    from rich.text import Text

    table = sections[0].filled[0]
    rows = [row for section in sections for row in section.filled[0].rows]
    by, (head, *lines) = _laid_out(table, rows, width)
    yield from (Text(f"{' ' * by}{line}", style="dim") for line in head)
    drawn = iter(lines)
    for section in sections:
        yield Text.assemble((section.title, "bold"), (f"  {section.brief}", "dim"))
        for row in section.filled[0].rows:
            yield from _row(row, next(drawn), by)
        yield from (indented(remark, 2, "dim") for remark in section.remarks)


def _section(section: DocumentSection, width: int, *, whole: bool) -> Iterator[RenderableType]:
    """Its tables, then why; of a folded one only what is notable, and the rest in one line."""
    from rich.text import Text

    shown = [(table, [row for row in table.rows if whole or row.notable]) for table in section.filled]
    if any(rows for _, rows in shown):
        yield Text.assemble((section.title, "bold"), f"  {section.brief}" if section.brief else "")
    for table, rows in shown:
        if rows:
            yield from _table(table, rows, width, noted=table.notes_below and (whole or not section.folded))
    for row in (row for _, rows in shown for row in rows if row.remark):
        yield indented(f"{MARKS[row.tone]} {row.remark}", 2, STYLES[row.tone])
    rest = [text for table, rows in shown if (text := _rest(table, len(table.rows) - len(rows)))]
    if rest:
        begin = "and" if any(rows for _, rows in shown) else f"{section.title.lower()}:"
        how = " (--exploratory lists them)" if section.folded else ""
        yield indented(f"{begin} {', '.join(rest)}{how}", 2, "dim")
    yield from (indented(remark, 2, "dim") for remark in section.remarks)


def _rest(table: DataTable, n: int) -> str:
    """What a screen says of the rows that it leaves out: "7 same, 1 cannot tell"; empty without any."""
    if not n:
        return ""
    if table.rest:
        return f"{n} {table.rest}"
    words = Counter(row.text(0) for row in table.rows if not row.notable)
    return ", ".join(f"{count} {word}" for word, count in words.items())


def _table(
    table: DataTable, rows: Sequence[TableRow], width: int, *, noted: bool
) -> Iterator[RenderableType]:
    """The head, and each row with what stands below it."""
    from rich.text import Text

    by, (head, *lines) = _laid_out(table, rows, width)
    yield from (Text(f"{' ' * by}{line}", style="dim") for line in head if line)
    for at, (row, drawn) in enumerate(zip(rows, lines, strict=True)):
        yield from _row(row, drawn, by)
        yield from _below(table, row)
        # What several rows in turn say stands once, below the last of them.
        said = noted and (at + 1 == len(rows) or rows[at + 1].notes != row.notes)
        yield from (indented(note, 4) for note in (row.notes if said else ()))


def _row(row: TableRow, lines: Sequence[str], by: int) -> Iterator[RenderableType]:
    """The lines of one row; where the first is only its name, that alone has its colour."""
    first, *others = lines
    yield indented(first, 2, STYLES[row.tone])
    yield from (indented(line, by, STYLES[row.tone] if by == 2 else "") for line in others)


def _laid_out(table: DataTable, rows: Sequence[TableRow], width: int) -> tuple[int, list[list[str]]]:
    """The lines of the head and of each row, and by how much all but the first of a row are indented.

    Columns beside each other, fewer of them, or wrapped; where none will do the name of a row on a line of
    its own, above its numbers, which are a sentence if need be.
    """
    columns = [at for at, column in enumerate(table.columns) if column.screen == "column"]
    wide, *narrow = _narrower(table, columns)
    for left, gap in (wide, *narrow):
        lines = aligned(*_cells(table, rows, left), 10_000, gap=gap)
        if max(map(_size, lines)) + 2 <= width:
            return 2, [[line] for line in lines]
    if wrapped := _wrapped(table, rows, columns, width - 2):
        return 2, wrapped
    names = [at for at in columns if at <= table.naming]
    cells, sides = _cells(table, rows, names)
    firsts = aligned(cells[1:], sides, width - 2, give_way=len(sides) - 1)
    for left, gap in (wide, *narrow):
        numbers = [at for at in left if at > table.naming]
        head, *seconds = aligned(*_cells(table, rows, numbers, marks=False), 10_000, gap=gap)
        if max(map(_size, (head, *seconds))) + 6 <= width:
            break
    else:
        numbers = [at for at in columns if at > table.naming]
        head = ""
        seconds = [", ".join(f"{table.heads[at]} {row.text(at)}" for at in numbers) for row in rows]
    return 6, [[head], *(list(lines) for lines in zip(firsts, seconds, strict=True))]


def _narrower(table: DataTable, columns: Sequence[int]) -> list[tuple[list[int], int]]:
    """All columns with a wide gap; then ever fewer, with a wide gap and with a narrow one."""
    ranks = sorted(filter(None, (table.columns[at].gives_way for at in columns)))
    return [
        ([at for at in columns if not 0 < table.columns[at].gives_way <= last], gap)
        for last, gap in ((0, 2), *((rank, gap) for rank in ranks for gap in (2, 1)))
    ]


def _cells(
    table: DataTable, rows: Sequence[TableRow], columns: Sequence[int], *, marks: bool = True
) -> tuple[list[tuple[str, ...]], str]:
    """The head and the rows as texts, with their marks in front where any has one, and their sides."""
    marked = marks and any(row.mark or row.tone != "plain" for row in rows)
    cells = [(*(("",) if marked else ()), *(table.heads[at] for at in columns))]
    cells += [
        (*((row.mark or MARKS[row.tone],) if marked else ()), *(row.text(at) for at in columns))
        for row in rows
    ]
    return cells, ("l" if marked else "") + "".join("r" if table.columns[at].right else "l" for at in columns)


def _wrapped(
    table: DataTable, rows: Sequence[TableRow], columns: Sequence[int], width: int
) -> list[list[str]]:
    """The lines of each row: the widest columns that wrap do so until all fit; empty where they cannot.

    Words are broken where there is no other way.
    """
    cells, sides = _cells(table, rows, columns)
    # In front of the columns stands a mark, or nothing.
    wraps = [False] * (len(sides) - len(columns)) + [table.columns[at].wraps for at in columns]
    widths = [max(map(_size, column)) for column in zip(*cells, strict=True)]
    words = [max(map(_size, " ".join(column).split()), default=0) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        may = [at for at, wrap in enumerate(wraps) if wrap and widths[at] > NARROWEST_COLUMN]
        if not may:
            return []
        widest = max(may, key=lambda at: (widths[at] > words[at], widths[at]))
        widths[widest] -= 1

    def broken(row: Sequence[str]) -> list[list[str]]:
        return [
            textwrap.wrap(cell, room, break_on_hyphens=False) or [""] if wrap else [cell]
            for cell, room, wrap in zip(row, widths, wraps, strict=True)
        ]

    pieces = [list(zip_longest(*broken(row), fillvalue="")) for row in cells]
    drawn = iter(aligned([line for lines in pieces for line in lines], sides, 10_000))
    return [list(islice(drawn, len(lines))) for lines in pieces]


def _below(table: DataTable, row: TableRow) -> Iterator[RenderableType]:
    """What stands below a row instead of in a column."""
    for at, column in enumerate(table.columns):
        if column.screen == "below" and row.text(at):
            yield indented(f"{column.head}: {row.whole(at)}", 4)


def _callouts(callouts: Sequence[Callout]) -> Iterator[RenderableType]:
    """Warnings: code, message, remedy; nothing without any."""
    from rich.text import Text

    if not callouts:
        return
    yield Text("Notices", style="bold")
    for each in callouts:
        spoils = " (spoils the run)" if each.spoils else ""
        yield indented(f"! {each.code}{spoils}", 2, "yellow" if each.spoils else "")
        yield indented(each.message, 4)
        if each.remedy:
            yield indented(f"→ {each.remedy}", 4, "dim")


def rendered(draw: Draw, *, width: int = 80, colour: bool = False, ascii_only: bool = False) -> str:
    """What ``draw`` prints as text of at most ``width`` columns; with ``colour`` it carries ANSI styles."""
    from rich.console import Console

    made = io.StringIO()
    console = Console(
        file=made,
        width=max(width, NARROWEST),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    draw(console)
    text = "\n".join(row.rstrip() for row in made.getvalue().rstrip().splitlines()) + "\n"
    return plain_ascii(text) if ascii_only else text


def plain_ascii(text: str) -> str:
    """The text where an encoding has no more than ASCII."""
    return text.translate(ASCII).encode("ascii", "replace").decode()


def screen_of(stream: TextIO) -> Screen:
    """What ``stream`` takes."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    return Screen(
        width=console.width,
        colour=console.is_terminal and not console.no_color,
        ascii_only=not takes_unicode(stream),
    )


def takes_unicode(stream: TextIO) -> bool:
    """Whether a stream's encoding has every character."""
    return (getattr(stream, "encoding", None) or "ascii").lower().startswith("utf")


def print_parts(parts: Iterable[Iterable[RenderableType]], console: Console) -> None:
    """Print each part that is not empty, with an empty line after it."""
    for part in parts:
        lines = list(part)
        if lines:
            console.print(*lines, sep="\n")
            console.print()


def indented(sentence: str, by: int, style: str = "") -> RenderableType:
    """A sentence that wraps within its indent."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(sentence, style=style), (0, 0, 0, by))


def _size(text: str) -> int:
    """How many columns a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def aligned(
    table: Sequence[Sequence[str]], align: str, width: int, *, give_way: int | None = None, gap: int = 2
) -> list[str]:
    """Rows as lines of aligned columns (``align``: "l" or "r" per column).

    Where they are wider than ``width``, the column ``give_way`` is cut to what is left, at least 12.
    """
    from rich.cells import cell_len, set_cell_size

    widths = [max((cell_len(cell) for cell in column), default=0) for column in zip(*table, strict=True)]
    over = sum(widths) + gap * (len(widths) - 1) - width
    if give_way is not None and over > 0:
        widths[give_way] = max(12, widths[give_way] - over)
    lines = []
    for row in table:
        cells = []
        for cell, room, side in zip(row, widths, align, strict=True):
            shown = cell if cell_len(cell) <= room else set_cell_size(cell, room - 1) + "…"
            blank = " " * (room - cell_len(shown))
            cells.append(shown + blank if side == "l" else blank + shown)
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def fitting(table: Sequence[Sequence[str]], stream: TextIO) -> list[str]:
    """Rows as lines of columns, those that are empty everywhere left out; on a terminal cut to its width."""
    from rich.cells import cell_len, set_cell_size

    columns = [column for column in zip(*table, strict=True) if any(column)]
    lines = aligned(list(zip(*columns, strict=True)), "l" * len(columns), 10_000)
    screen = screen_of(stream)
    if screen["ascii_only"]:
        lines = list(map(plain_ascii, lines))
    if not stream.isatty():
        return lines
    width = screen["width"]
    return [line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…" for line in lines]
