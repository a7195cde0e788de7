"""A terminal of any width, with colour or in plain ASCII.

rich is imported when something is printed, so that start-up stays lean.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypedDict

from loadtest.show.document import Callout, DataTable, Document, DocumentSection, TableRow, Tone, worst_first
from loadtest.show.theme import PAGE, PLOT, rgb

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

ASCII = str.maketrans("µ–·✓✗…→≤×−▁▂▃▄▅▆▇█━─", "u-|+x~><x-_.:-=+*##.")
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
            # Of what is not decided yet the numbers that will decide are shown, and no others.
            sections = (
                _section(section, console.width, whole=whole)
                for section in document.shown_sections(whole=True)
                if whole or document.decided or not section.folded
            )
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
    yield Text.assemble((document.subject, "bold"), f"  {document.about}", aside, simulated)
    if document.word:
        yield Text("")
        yield Text.assemble(
            (document.word, f"bold {STYLES[document.tone]}"), f"  exit code {document.exit_code}"
        )
        yield indented(document.brief or document.why, 2)
    for sentence in document.context:
        yield indented(sentence, 2)


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


def _section(section: DocumentSection, width: int, *, whole: bool) -> Iterator[RenderableType]:
    """Its tables, then why; of a folded one only what is notable, and the rest in one line."""
    from rich.text import Text

    shown = [(table, [row for row in table.rows if whole or row.notable]) for table in section.filled]
    if any(rows for _, rows in shown):
        title = f"{section.title}, decides nothing" if section.folded else section.title
        yield Text.assemble((title, "bold"), f"  {section.brief}" if section.brief else "")
    for table, rows in shown:
        if rows:
            yield from _table(table, rows, width)
    for row in (row for _, rows in shown for row in rows if row.remark):
        yield indented(f"{MARKS[row.tone]} {row.remark}", 2, STYLES[row.tone])
    rest = [text for table, rows in shown if (text := _rest(table, len(table.rows) - len(rows)))]
    if rest:
        begin = "and" if any(rows for _, rows in shown) else f"{section.title.lower()}:"
        how = " (--exploratory lists them)" if section.folded else ""
        yield indented(f"{begin} {', '.join(rest)}{how}", 2, "dim")


def _rest(table: DataTable, n: int) -> str:
    """What a screen says of the rows that it leaves out: "7 same, 1 cannot tell"; empty without any."""
    if not n:
        return ""
    if table.rest:
        return f"{n} {table.rest}"
    words = Counter(row.text(0) for row in table.rows if not row.notable)
    return ", ".join(f"{count} {word}" for word, count in words.items())


def _table(table: DataTable, rows: Sequence[TableRow], width: int) -> Iterator[RenderableType]:
    """A line for each row; where that is too wide two, its name first; then the numbers as a sentence."""
    from rich.text import Text

    columns = [at for at, column in enumerate(table.columns) if column.screen == "column"]
    names = [at for at in columns if at <= table.naming]
    numbers = [at for at in columns if at > table.naming]
    marked = any(row.tone != "plain" for row in rows)

    def cells(row: TableRow, of: Sequence[int], *, mark: bool) -> tuple[str, ...]:
        return (*((MARKS[row.tone],) if mark else ()), *(row.text(at) for at in of))

    def sides(of: Sequence[int], *, mark: bool) -> str:
        return ("l" if mark else "") + "".join("r" if table.columns[at].right else "l" for at in of)

    heads = (*(("",) if marked else ()), *(table.heads[at] for at in columns))
    head, *lines = aligned(
        [heads, *(cells(row, columns, mark=marked) for row in rows)], sides(columns, mark=marked), 10_000
    )
    if max(map(len, (head, *lines))) + 2 <= width:
        yield Text(f"  {head}", style="dim")
        for row, line in zip(rows, lines, strict=True):
            yield Text(f"  {line}", style=STYLES[row.tone])
            yield from _below(table, row)
        return
    firsts = aligned(
        [cells(row, names, mark=marked) for row in rows],
        sides(names, mark=marked),
        width - 2,
        give_way=len(names) - 1 + marked,
    )
    heads = tuple(table.heads[at] for at in numbers)
    head, *seconds = aligned(
        [heads, *(cells(row, numbers, mark=False) for row in rows)], sides(numbers, mark=False), 10_000
    )
    narrow = max(map(len, (head, *seconds))) + 6 > width
    if not narrow:
        yield Text(f"      {head}", style="dim")
    for row, first, second in zip(rows, firsts, seconds, strict=True):
        yield Text(f"  {first}", style=STYLES[row.tone])
        sentence = ", ".join(f"{table.heads[at]} {row.text(at)}" for at in numbers)
        yield indented(sentence, 6) if narrow else Text(f"      {second}")
        yield from _below(table, row)


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
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


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
        lines = [line.translate(ASCII).encode("ascii", "replace").decode() for line in lines]
    if not stream.isatty():
        return lines
    width = screen["width"]
    return [line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…" for line in lines]
