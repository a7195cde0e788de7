"""A page on paper, A4, with letters of its own so that every reader shows the same."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from loadtest.show.document import Tone
from loadtest.show.page import Line, Page, Picture, Section

if TYPE_CHECKING:
    from fpdf import FPDF

INK = (27, 36, 48)
MUTED = (92, 103, 115)
RULE = (227, 231, 235)
TONES: dict[Tone, tuple[int, int, int]] = {
    "good": (0, 121, 90), "bad": (179, 71, 0), "doubt": (138, 97, 0), "plain": INK,
}  # fmt: skip
TINTS: dict[Tone, tuple[int, int, int]] = {
    "good": (227, 244, 238), "bad": (252, 235, 225), "doubt": (251, 241, 217), "plain": (241, 243, 246),
}  # fmt: skip
MARGIN_MM = 16.0
GAP_MM = 3.0
CAPTION_MM = 22.0
"""Room kept below a picture for its caption."""

MARKS: dict[Tone, str] = {"good": "✓ ", "bad": "✗ ", "doubt": "? ", "plain": ""}


def fonts() -> Path:
    """The folder of DejaVu Sans, which comes with matplotlib; matplotlib itself is not imported."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise FileNotFoundError("the letters of DejaVu Sans, which come with matplotlib, are not there")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def pdf(page: Page) -> bytes:
    """The document's bytes."""
    paper = _paper(page)
    _verdict(paper, page)
    _facts(paper, page)
    for section in page.sections[:1]:
        _section(paper, section)
    paper.ln(3 if page.pictures else 0)
    for picture in page.pictures:
        _picture(paper, picture)
    for section in page.sections[1:]:
        _section(paper, section)
    return bytes(paper.output())


def _paper(page: Page) -> FPDF:
    from fpdf import FPDF

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("sans", size=7)
            self.set_text_color(*MUTED)
            self.cell(0, 4, page.footer, align="L")
            self.set_x(MARGIN_MM)
            self.cell(0, 4, f"{self.page_no()} of {{nb}}", align="R")

    paper = Paper(format="A4")
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        paper.add_font("sans", style, fonts() / name)
    paper.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
    paper.set_auto_page_break(auto=True, margin=18)
    paper.set_title(f"{page.verdict}: {page.title}")
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


def _verdict(paper: FPDF, page: Page) -> None:
    _say(paper, page.title, 18, bold=True)
    if page.question:
        _say(paper, page.question, 10, ink=MUTED)
    paper.ln(3)
    paper.set_fill_color(*TINTS[page.tone])
    paper.set_font("sans", "B", 20)
    paper.set_text_color(*TONES[page.tone])
    paper.cell(0, 14, f"  {page.verdict}", fill=True, new_x="LMARGIN", new_y="NEXT")
    paper.ln(2)
    _say(paper, f"{page.why} (exit code {page.exit_code})", 10, bold=True)
    for number, blocker in enumerate(page.blockers, 1):
        _say(paper, f"{number}. {blocker}", 9)
    paper.ln(3)


def _facts(paper: FPDF, page: Page) -> None:
    for name, value in page.facts:
        _Row((name, value), (48.0, paper.epw - 48.0), 9, (MUTED, INK)).draw(paper)
    paper.ln(2)


def _picture(paper: FPDF, picture: Picture) -> None:
    """Over the whole width, its caption below it on the same page; a tall one is narrower."""
    width, height = _millimetres(paper, picture.png)
    if paper.will_page_break(height + CAPTION_MM):
        paper.add_page()
    paper.image(io.BytesIO(picture.png), w=width, h=height, alt_text=picture.caption)
    paper.ln(1)
    _say(paper, picture.caption, 8, ink=MUTED)
    paper.ln(5)


def _millimetres(paper: FPDF, png: bytes) -> tuple[float, float]:
    """Width and height on the page; a PNG tells its pixels in bytes 16 to 24."""
    pixels = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    scale = min(paper.epw / pixels[0], (paper.eph - CAPTION_MM) / pixels[1])
    return pixels[0] * scale, pixels[1] * scale


@dataclass(frozen=True, slots=True)
class _Row:
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


def _section(paper: FPDF, section: Section) -> None:
    if paper.will_page_break(30):
        paper.add_page()
    paper.ln(4)
    _say(paper, section.title, 13, bold=True)
    _say(paper, section.meaning, 8.5, ink=MUTED)
    paper.ln(1)
    widths = _widths(paper, section)
    _heads(paper, section, widths)
    for line in section.lines:
        _line(paper, line, widths, section)


def _heads(paper: FPDF, section: Section, widths: tuple[float, ...]) -> None:
    if any(section.heads):
        _Row(section.heads, widths, 7.5, (MUTED,) * len(widths), section.right).draw(paper)
    _rule(paper)


def _line(paper: FPDF, line: Line, widths: tuple[float, ...], section: Section) -> None:
    """A row and its notes, on one page together where it can hold them; a new page has the heads again."""
    right = section.right
    cells = (f"{MARKS[line.tone]}{line.cells[0]}", *line.cells[1:])
    inks = (TONES[line.tone], *(INK for _ in line.cells[1:]))
    bold = frozenset({0}) if line.tone != "plain" else frozenset[int]()
    rows = [_Row(cells, widths, 8.5, inks, right, bold)]
    rows += [_Row(("", note), (4.0, paper.epw - 4.0), 7.5, (MUTED, MUTED)) for note in line.notes]
    tall = sum(row.tall(paper) for row in rows) + 2
    if tall < paper.eph / 2 and paper.will_page_break(tall):
        paper.add_page()
        _heads(paper, section, widths)
    for row in rows:
        row.draw(paper)
    _rule(paper)


def _rule(paper: FPDF) -> None:
    paper.set_draw_color(*RULE)
    y = paper.get_y() + 0.8
    paper.line(paper.l_margin, y, paper.l_margin + paper.epw, y)
    paper.set_y(y + 0.8)


def _widths(paper: FPDF, section: Section) -> tuple[float, ...]:
    """Each column as wide as its longest cell, cut so that all of them fit."""
    paper.set_font("sans", "B", 8.5)
    rows = [section.heads, *((f"✗ {line.cells[0]}", *line.cells[1:]) for line in section.lines)]
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
