"""PDF: A4, with letters of its own so that every reader shows the same."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from loadtest.show.document import (
    DataTable,
    Document,
    DocumentSection,
    Plot,
    TableColumn,
    TableRow,
    Tone,
)
from loadtest.show.light_and_dark import PAGE, PLOT

if TYPE_CHECKING:
    from fpdf import FPDF

INK, MUTED, RULE = PLOT["ink"].rgb, PLOT["muted"].rgb, PLOT["grid"].rgb
TONES: dict[Tone, tuple[int, int, int]] = {
    "good": PAGE["good"].rgb, "bad": PAGE["bad"].rgb, "doubt": PAGE["doubt"].rgb, "plain": INK,
}  # fmt: skip
TINTS: dict[Tone, tuple[int, int, int]] = {
    "good": PAGE["good-tint"].rgb, "bad": PAGE["bad-tint"].rgb, "doubt": PAGE["doubt-tint"].rgb,
    "plain": PLOT["shade"].rgb,
}  # fmt: skip
MARGIN_MM = 16.0
WIDTH_IN = 9.0
"""How wide plots are drawn; on A4 their letters are then a little smaller than the text."""

GAP_MM = 3.0
CAPTION_MM = 22.0
"""Room kept below a picture for its caption."""

MARKS: dict[Tone, str] = {"good": "✓ ", "bad": "✗ ", "doubt": "? ", "plain": ""}


def fonts() -> Path:
    """The folder of DejaVu Sans, which comes with matplotlib; matplotlib itself is not imported."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise FileNotFoundError("the font DejaVu Sans, a part of matplotlib, is missing")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def pdf(document: Document, *more: Document) -> bytes:
    """The bytes of documents, the same for the same ones, each from a page of its own.

    Plots stand after the first ``plots_after`` sections.
    """
    paper = _paper(document)
    for at, each in enumerate((document, *more)):
        if at:
            paper.add_page()
        _document(paper, each)
    return bytes(paper.output())


def _document(paper: FPDF, document: Document) -> None:
    _verdict(paper, document)
    _facts(paper, document)
    sections = document.shown_sections(whole=True)
    for section in sections[: document.plots_after]:
        _section(paper, section)
    paper.ln(3 if document.plots else 0)
    for plot in document.plots:
        _plot(paper, plot)
    for section in sections[document.plots_after :]:
        _section(paper, section)
    if document.callouts:
        _section(paper, _callouts(document))


def _callouts(document: Document) -> DocumentSection:
    rows = (
        TableRow(
            (each.code, each.message),
            "bad" if each.spoils else "doubt",
            tuple(note for note in (each.remedy, each.numbers) if note),
        )
        for each in document.callouts
    )
    columns = (TableColumn(""), TableColumn(""))
    meaning = "Reasons to doubt or qualify the numbers."
    return DocumentSection("Notices", (DataTable(columns, tuple(rows)),), meaning)


def _paper(document: Document) -> FPDF:
    from fpdf import FPDF

    simulated = " (SIMULATED)" if document.simulated else ""

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("sans", size=7)
            self.set_text_color(*MUTED)
            self.cell(0, 4, f"{document.footer}{simulated}", align="L")
            self.set_x(MARGIN_MM)
            self.cell(0, 4, f"{self.page_no()} of {{nb}}", align="R")

    paper = Paper(format="A4")
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        paper.add_font("sans", style, fonts() / name)
    paper.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
    paper.set_auto_page_break(auto=True, margin=18)
    paper.set_title(f"{document.word}{simulated}: {document.subject}")
    paper.set_creator("loadtest")
    paper.alias_nb_pages()
    paper.add_page()
    return paper


def _say(
    paper: FPDF, words: str, size: float, *, bold: bool = False, ink: tuple[int, int, int] = INK
) -> None:
    """One paragraph over the whole width."""
    paper.set_font("sans", "B" if bold else "", size)
    paper.set_text_color(*ink)
    paper.multi_cell(0, size * 0.5, words, align="L", new_x="LMARGIN", new_y="NEXT")


def _verdict(paper: FPDF, document: Document) -> None:
    simulated = " (SIMULATED)" if document.simulated else ""
    _say(paper, document.subject, 18, bold=True)
    if document.about:
        _say(paper, f"{document.about}{simulated}", 10, ink=MUTED)
    paper.ln(3)
    paper.set_fill_color(*TINTS[document.tone])
    paper.set_font("sans", "B", 20)
    paper.set_text_color(*TONES[document.tone])
    paper.cell(0, 14, f"  {document.word}{simulated}", fill=True, new_x="LMARGIN", new_y="NEXT")
    paper.ln(2)
    code = "" if document.exit_code is None else f" (exit code {document.exit_code})"
    _say(paper, f"{document.why}{code}", 10, bold=True)
    for sentence in document.context:
        _say(paper, sentence, 9)
    paper.ln(3)


def _facts(paper: FPDF, document: Document) -> None:
    for name, value in document.facts:
        _CellsBeside((name, value), (48.0, paper.epw - 48.0), 9, (MUTED, INK)).draw(paper)
    paper.ln(2)


def _plot(paper: FPDF, plot: Plot) -> None:
    """Over the whole width, its caption below it on the same page; a tall one is narrower."""
    png = plot.png(WIDTH_IN)
    width, height = _millimetres(paper, png)
    if paper.will_page_break(height + CAPTION_MM):
        paper.add_page()
    paper.image(io.BytesIO(png), w=width, h=height, alt_text=plot.caption)
    paper.ln(1)
    _say(paper, plot.caption, 8, ink=MUTED)
    paper.ln(5)


def _millimetres(paper: FPDF, png: bytes) -> tuple[float, float]:
    """Width and height on the page; a PNG tells its pixels in bytes 16 to 24."""
    pixels = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    scale = min(paper.epw / pixels[0], (paper.eph - CAPTION_MM) / pixels[1])
    return pixels[0] * scale, pixels[1] * scale


@dataclass(frozen=True, slots=True)
class _CellsBeside:
    """Cells beside each other, each wrapped in its width."""

    cells: tuple[str, ...]
    widths: tuple[float, ...]
    size: float
    inks: tuple[tuple[int, int, int], ...]
    right: frozenset[int] = frozenset()
    bold: frozenset[int] = frozenset()

    def tall(self, paper: FPDF) -> float:
        """Millimetres of its tallest cell."""
        most = 1
        for index, (cell, width) in enumerate(zip(self.cells, self.widths, strict=True)):
            paper.set_font("sans", "B" if index in self.bold else "", self.size)
            lines = paper.multi_cell(
                width - GAP_MM, self.size * 0.5, cell, dry_run=True, output="LINES", align="L"
            )
            most = max(most, len(cast("list[str]", lines)))
        return self.size * 0.5 * most

    def draw(self, paper: FPDF) -> None:
        """Draw it on the page it fits on."""
        tall = self.tall(paper)
        if paper.will_page_break(tall):
            paper.add_page()
        x, y = paper.l_margin, paper.get_y()
        for index, (cell, width) in enumerate(zip(self.cells, self.widths, strict=True)):
            paper.set_xy(x, y)
            paper.set_font("sans", "B" if index in self.bold else "", self.size)
            paper.set_text_color(*self.inks[index])
            side = "R" if index in self.right else "L"
            paper.multi_cell(width - GAP_MM, self.size * 0.5, cell, align=side)
            x += width
        paper.set_xy(paper.l_margin, y + tall)


TITLE_MM = 22.0
"""The title of a section, a line of its meaning, and the heads of its first table."""


def _section(paper: FPDF, section: DocumentSection) -> None:
    """A title never stands alone at the foot of a page: the first row of its table is below it."""
    tall = 8.0
    for table in section.filled[:1]:
        drawn = _cells(paper, table.rows[0], _widths(paper, table), table)
        tall = min(paper.eph / 2, sum(each.tall(paper) for each in drawn))
    if paper.will_page_break(TITLE_MM + tall):
        paper.add_page()
    paper.ln(4)
    _say(paper, section.title, 13, bold=True)
    if section.meaning:
        _say(paper, section.meaning, 8.5, ink=MUTED)
    paper.ln(1)
    for table in section.filled:
        widths = _widths(paper, table)
        _heads(paper, table, widths)
        for row in table.rows:
            _row(paper, row, widths, table)
    for remark in section.remarks:
        _say(paper, remark, 7.5, ink=MUTED)


def _right(table: DataTable) -> frozenset[int]:
    return frozenset(at for at, column in enumerate(table.columns) if column.right)


def _heads(paper: FPDF, table: DataTable, widths: tuple[float, ...]) -> None:
    if any(table.heads):
        _CellsBeside(table.heads, widths, 7.5, (MUTED,) * len(widths), _right(table)).draw(paper)
    _rule(paper)


def _row(paper: FPDF, row: TableRow, widths: tuple[float, ...], table: DataTable) -> None:
    """A row and its notes, on one page together where it can hold them; a new page has the heads again."""
    drawn = _cells(paper, row, widths, table)
    tall = sum(each.tall(paper) for each in drawn) + 2
    if tall < paper.eph / 2 and paper.will_page_break(tall):
        paper.add_page()
        _heads(paper, table, widths)
    for each in drawn:
        each.draw(paper)
    _rule(paper)


def _cells(paper: FPDF, row: TableRow, widths: tuple[float, ...], table: DataTable) -> list[_CellsBeside]:
    """What a row is drawn of: its cells beside each other, then its notes."""
    first, *others = map(row.whole, range(len(row.cells)))
    mark = f"{row.mark} " if row.mark else MARKS[row.tone]
    cells = (f"{mark}{first}", *others)
    inks = (TONES[row.tone], *(INK for _ in others))
    bold = frozenset({0}) if row.tone != "plain" else frozenset[int]()
    notes = [_CellsBeside(("", note), (4.0, paper.epw - 4.0), 7.5, (MUTED, MUTED)) for note in row.notes]
    return [_CellsBeside(cells, widths, 8.5, inks, _right(table), bold), *notes]


def _rule(paper: FPDF) -> None:
    paper.set_draw_color(*RULE)
    y = paper.get_y() + 0.8
    paper.line(paper.l_margin, y, paper.l_margin + paper.epw, y)
    paper.set_y(y + 0.8)


def _widths(paper: FPDF, table: DataTable) -> tuple[float, ...]:
    """Each column as wide as its longest cell, cut so that all of them fit."""
    paper.set_font("sans", "B", 8.5)
    cells = [tuple(map(row.whole, range(len(row.cells)))) for row in table.rows]
    rows = [table.heads, *((f"✗ {first}", *others) for first, *others in cells)]
    wanted = [
        max(paper.get_string_width(cell) for cell in column) + GAP_MM + 2.5
        for column in zip(*rows, strict=True)
    ]
    over = sum(wanted) - paper.epw
    while over > 0.1:
        longest = max(range(len(wanted)), key=wanted.__getitem__)
        cut = min(over, max(1.0, wanted[longest] * 0.05))
        wanted[longest] -= cut
        over -= cut
    wanted[wanted.index(max(wanted))] += max(0.0, -over)
    return tuple(wanted)
