"""The forest: what decides, each as a change with its interval against the band that does not matter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

from loadtest.judge.multiplicity import MetricComparison
from loadtest.show.comparison import change_text, interval_text
from loadtest.show.comparison_data import Board, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style

TITLE = "What changed"

ROW_IN = 0.3
"""The height of a mark's row, and of the gap between two metrics."""

LINEAR_UP_TO = 20.0
"""Percent beyond which the axis is logarithmic: a change of 900 % hides all others."""

UNDECIDED = frozenset({"cannot tell", "same"})


class Mark(NamedTuple):
    """One metric of one release, at its height on the axis."""

    at: float
    row: MetricComparison
    side: DrawnSide


def draw(board: Board, width_in: float) -> Figure:
    """A row per metric, a mark per release with its interval."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    marks = list(_marks(board))
    caption = "change against the baseline in % (of shares: in points), with the verdict"
    panel = layout.panel(sheet, caption, ROW_IN * (max((mark.at for mark in marks), default=1) + 1.2))
    if not marks:
        layout.explain(sheet, panel, "no metric decides")
        layout.arrange(sheet)
        return sheet.figure
    _band(panel.axes, marks)
    for mark in marks:
        told = _mark(panel.axes, mark, narrow=sheet.narrow)
        room = style.text_width(told, style.SMALL_PT, weight="bold") / 72
        panel.beside_in = max(panel.beside_in, room + 0.15)
    for side in board.candidates:
        look = style.release(side.number)
        panel.axes.plot([], [], look.marker, color=look.colour, label=f"{releases.runs_of(side)})")
    _axes(panel.axes, marks, narrow=sheet.narrow)
    layout.legend(panel, width_in)
    layout.footer(sheet, panel, _meaning(marks))
    layout.arrange(sheet)
    return sheet.figure


def _marks(board: Board) -> Iterator[Mark]:
    """From the top: the metrics in their order, of each the releases in theirs."""
    at = 0.0
    for name in [row.name for row in board.comparisons[0].primary]:
        for comparison, side in zip(board.comparisons, board.candidates, strict=True):
            for row in comparison.primary:
                if row.name == name:
                    yield Mark(at, row, side)
                    at += 1
        at += 0.7


def _meaning(marks: list[Mark]) -> str:
    unknown = [mark for mark in marks if mark.row.change is None or not math.isfinite(mark.row.change)]
    lacking = " A row without a mark was not measured on both sides." if unknown else ""
    return (
        "The shaded band is the smallest effect: smaller differences do not matter. A filled mark is decided."
        f" Bars are 95 % intervals.{lacking}"
    )


def _band(axes: Axes, marks: list[Mark]) -> None:
    axes.axvline(0, color=style.INK, linewidth=1.0)
    rows: dict[str, list[Mark]] = {}
    for mark in marks:
        rows.setdefault(mark.row.name, []).append(mark)
    for found in rows.values():
        smallest = found[0].row.measure.smallest * 100
        low, high = found[0].at - 0.45, found[-1].at + 0.45
        axes.fill_between([-smallest, smallest], low, high, color=style.SHADE, linewidth=0, zorder=0)
        axes.vlines([-smallest, smallest], low, high, color=style.EDGE, linewidth=0.8, zorder=0.5)


def _mark(axes: Axes, mark: Mark, *, narrow: bool) -> str:
    """Draw it, and beside the axes what is said of it."""
    row, look = mark.row, style.release(mark.side.number)
    change = row.change
    told = row.word if narrow else f"{change_text(row.measure, change)}   {row.word}"
    if change is not None and math.isfinite(change):
        if row.interval is not None and all(math.isfinite(end) for end in row.interval):
            low, high = row.interval
            axes.hlines(mark.at, low * 100, high * 100, color=look.colour, linewidth=2.0)
            told = told if narrow else f"{told}  ({interval_text(row.measure, row.interval)})"
        face = style.SURFACE if row.word in UNDECIDED else look.colour
        axes.plot(
            change * 100, mark.at, look.marker, color=look.colour, markerfacecolor=face, markersize=7,
            markeredgewidth=1.6,
        )  # fmt: skip
    worse = row.word in {"slower", "worse"}
    colour = style.VERMILLION if worse else style.GREEN if row.word in {"faster", "better"} else style.MUTED
    axes.annotate(
        told, (1, mark.at), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
        va="center", color=colour, fontsize=style.SMALL_PT, fontweight="bold" if worse else "normal",
        annotation_clip=False,
    )  # fmt: skip
    return told


def _reach(marks: list[Mark]) -> float:
    """How far the axis goes to either side, in percent."""
    ends = [mark.row.measure.smallest for mark in marks]
    for mark in marks:
        known = (mark.row.change or 0.0, *(mark.row.interval or ()))
        ends += [abs(value) for value in known if math.isfinite(value)]
    return max(ends) * 100 * 1.12


def _axes(axes: Axes, marks: list[Mark], *, narrow: bool) -> None:
    reach = _reach(marks)
    if reach > LINEAR_UP_TO * 5:
        axes.set_xscale("symlog", linthresh=LINEAR_UP_TO)
        steps = [step for step in ((100, 10_000) if narrow else (10, 100, 1000, 10_000)) if step <= reach]
        axes.xaxis.set_major_locator(FixedLocator([*(-step for step in steps), 0, *steps]))
    else:
        style.thousands(axes.xaxis, bins=5 if narrow else 8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+,.4g}" if value else "0"))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(max(mark.at for mark in marks) + 0.7, -0.7)
    rows: dict[str, list[float]] = {}
    for mark in marks:
        rows.setdefault(mark.row.name, []).append(mark.at)
    names = {sum(at) / len(at): name for name, at in rows.items()}
    better = {mark.row.name: mark.row.measure.better for mark in marks}
    shown = {
        at: "\n".join(style.fit(part, 96, style.SMALL_PT) for part in name.replace(".", ".\n", 1).split("\n"))
        if narrow
        else f"{style.fit(name, 190, style.SMALL_PT)}\n{better[name]} is better"
        for at, name in names.items()
    }
    axes.yaxis.set_major_locator(FixedLocator(list(shown)))
    axes.yaxis.set_major_formatter(FixedFormatter(list(shown.values())))
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=style.GRID, linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
