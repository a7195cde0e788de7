"""A figure as a sheet: heading, panels and legends from top to bottom, placed by their measured sizes.

Figures are made without pyplot, so nothing is kept between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from loadtest.show.plot import style
from loadtest.show.threshold_limits import Limit


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a plot: what it shows, and of which run."""

    title: str
    scenario: str
    label: str
    target: str
    simulated: bool


@dataclass(slots=True)
class Panel:
    """One set of axes with its caption, its legend and the height of its drawing area in inches.

    ``beside_in`` is the room at its right for texts that stand there.
    """

    axes: Axes
    caption: Text
    height_in: float
    legend: Legend | None = None
    footer: Text | None = None
    beside_in: float = 0.0


@dataclass(slots=True)
class Sheet:
    """A figure: heading and panels from top to bottom, laid out by ``arrange``."""

    figure: Figure
    width_in: float
    heading: list[Text]
    panels: list[Panel] = field(default_factory=list)

    @property
    def narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width_in < 6


def sheet(heading: Heading, width_in: float) -> Sheet:
    """An empty figure with its heading."""
    figure = Figure(figsize=(width_in, 4), dpi=style.DPI, facecolor=style.SURFACE)
    FigureCanvasAgg(figure)
    made = Sheet(figure, width_in, [])
    inside = (width_in - 2 * style.EDGE_IN) * 72
    mark = "SIMULATED" if heading.simulated else ""
    of_run = [part for part in (heading.scenario, heading.label, heading.target) if part]
    title = style.wrap(heading.title, inside, style.TITLE_PT, lines=2, weight="bold")
    made.heading.append(_line(figure, title, style.TITLE_PT, style.INK, weight="bold"))
    lines = [" · ".join(of_run[:-1]), *of_run[-1:]] if made.narrow else [" · ".join(of_run)]
    taken = style.text_width(mark + "  ", style.SMALL_PT, weight="bold") if mark else 0.0
    if mark:
        made.heading.append(_mark(figure, mark))
    for index, line in enumerate(lines):
        room = inside - (taken + 10 if index == 0 else 0)
        made.heading.append(_line(figure, style.fit(line, room, style.SMALL_PT), style.SMALL_PT, style.MUTED))
    return made


def _line(figure: Figure, text: str, size: float, colour: str, *, weight: str = "normal") -> Text:
    return figure.text(0, 0, text, fontsize=size, color=colour, fontweight=weight, va="top", ha="left")


def _mark(figure: Figure, text: str) -> Text:
    """The SIMULATED badge, at the right of the line below the title."""
    box = {
        "boxstyle": "round,pad=0.3,rounding_size=0.3",
        "facecolor": "none",
        "edgecolor": style.VERMILLION,
        "linewidth": 1,
    }
    return figure.text(
        0,
        0,
        text,
        fontsize=style.SMALL_PT - 1,
        color=style.VERMILLION,
        fontweight="bold",
        va="top",
        ha="right",
        bbox=box,
    )


def panel(of: Sheet, caption: str, height_in: float) -> Panel:
    """New axes below those there are; ``caption`` says what is on them and in which unit."""
    axes = of.figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(style.EDGE)
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(colors=style.EDGE, labelcolor=style.MUTED, labelsize=style.SMALL_PT, length=3, width=0.8)
    axes.grid(visible=True, axis="y", color=style.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    inside = (of.width_in - 2 * style.EDGE_IN) * 72
    shown = style.wrap(caption, inside, style.TEXT_PT, lines=2, weight="bold")
    text = _line(of.figure, shown, style.TEXT_PT, style.INK, weight="bold")
    made = Panel(axes, text, height_in)
    of.panels.append(made)
    return made


def explain(of: Sheet, on: Panel, sentence: str, *, measured: bool = False) -> None:
    """Say on a panel without data why there is none, instead of drawing empty axes.

    ``measured``: there was nothing to draw, but that is a finding and not a gap.
    """
    on.axes.set_axis_off()
    on.height_in = 0.75
    wrapped = style.wrap(
        sentence if measured else f"Not measured: {sentence}",
        (of.width_in - 0.9) * 72,
        style.TEXT_PT,
        lines=3,
    )
    box = {
        "boxstyle": "round,pad=0.8,rounding_size=0.4",
        "facecolor": style.SHADE,
        "edgecolor": style.GRID,
        "linewidth": 0.8,
    }
    place: dict[str, Any] = {"transform": on.axes.transAxes, "ha": "center", "va": "center"}
    on.axes.text(0.5, 0.5, wrapped, color=style.MUTED, fontsize=style.TEXT_PT, bbox=box, **place)


def footer(of: Sheet, on: Panel, sentence: str) -> None:
    """A remark below a panel's axes."""
    shown = style.wrap(sentence, (of.width_in - 2 * style.EDGE_IN) * 72, style.SMALL_PT, lines=4)
    on.footer = _line(of.figure, shown, style.SMALL_PT, style.MUTED)


def limit_line(on: Panel, limit: Limit, name: str = "") -> None:
    """The limit of a threshold as a line across a panel, named in its legend."""
    told = f"{name} {limit.label}".strip()
    on.axes.axhline(
        limit.value,
        color=style.LIMIT,
        linestyle=style.LIMIT_DASH,
        linewidth=1.3,
        label=f"threshold: {told}{', missed' if limit.missed else ''}",
        zorder=1.5,
    )


def legend(on: Panel, width_in: float, *, columns: int = 6) -> None:
    """A legend above the axes, read line by line, in as many columns as fit and at most ``columns``."""
    handles, labels = on.axes.get_legend_handles_labels()
    if not handles:
        return
    inside = (width_in - 2 * style.EDGE_IN) * 72
    shown = [style.fit(label, inside - BESIDE_PT, style.SMALL_PT) for label in labels]
    fitting = _columns(shown, inside, columns)
    # matplotlib fills column by column.
    order = [index for column in range(fitting) for index in range(column, len(shown), fitting)]
    on.legend = on.axes.legend(
        [handles[index] for index in order],
        [shown[index] for index in order],
        ncols=fitting,
        loc="upper left",
        frameon=False,
        fontsize=style.SMALL_PT,
        labelcolor=style.INK,
        borderpad=0,
        borderaxespad=0,
        handlelength=2.6,
        columnspacing=1.4,
        labelspacing=0.35,
    )


BESIDE_PT = 46
"""What the handle of a label and the space between two columns take, in points."""


def _columns(labels: Sequence[str], inside: float, most: int) -> int:
    """In how many columns labels fit that are read line by line, each column as wide as its widest."""
    widths = [style.text_width(label, style.SMALL_PT) + BESIDE_PT for label in labels]
    for columns in range(min(len(labels), most), 1, -1):
        if sum(max(widths[at::columns]) for at in range(columns)) <= inside:
            return columns
    return 1


@dataclass(frozen=True, slots=True)
class _Page:
    """The margins and the height, in inches, that a sheet is laid out for.

    ``heights`` are what artists take in inches, by their ids: the height of the page changes none of them.
    """

    left: float
    right: float
    height: float
    heights: dict[int, float]


def arrange(of: Sheet) -> None:
    """Place heading, captions, legends and axes by their measured sizes, and set the figure's height."""
    left, right = _sides(of)
    heights: dict[int, float] = {}
    used = _place(of, _Page(left, right, 4.0, heights))
    of.figure.set_size_inches(of.width_in, used + style.EDGE_IN)
    _place(of, _Page(left, right, used + style.EDGE_IN, heights))


def _renderer(of: Sheet) -> Any:
    return of.figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas has one


def _height(of: Sheet, page: _Page, artist: Artist) -> float:
    """Of a text or a legend in inches, measured once."""
    if id(artist) not in page.heights:
        page.heights[id(artist)] = artist.get_window_extent(_renderer(of)).height / of.figure.dpi
    return page.heights[id(artist)]


def _sides(of: Sheet) -> tuple[float, float]:
    """Left and right margins in inches that the widest tick labels need."""
    left = right = 0.0
    for on in of.panels:
        if not on.axes.axison:
            continue
        on.axes.set_position((0.15, 0.1, 0.75, on.height_in / 4))
        inner = on.axes.get_window_extent(_renderer(of))
        for axis in (on.axes.xaxis, on.axes.yaxis):
            outer = axis.get_tightbbox(_renderer(of))
            if outer is not None:
                left = max(left, (inner.x0 - outer.x0) / of.figure.dpi)
                right = max(right, (outer.x1 - inner.x1) / of.figure.dpi)
        right = max(right, on.beside_in)
    return left + style.EDGE_IN, max(right, 0.06) + style.EDGE_IN


def _place(of: Sheet, page: _Page) -> float:
    """Put everything on the page; the inches used from the top."""
    x = style.EDGE_IN / of.width_in
    y = style.EDGE_IN
    for text in of.heading:
        if text.get_horizontalalignment() == "right":
            text.set_position((1 - x - 0.06 / of.width_in, 1 - (y + 0.01) / page.height))
            continue
        text.set_position((x, 1 - y / page.height))
        y += _height(of, page, text) + 0.07
    for on in of.panels:
        y = _place_panel(of, on, page, y)
    return y


def _place_panel(of: Sheet, on: Panel, page: _Page, y: float) -> float:
    """Caption, legend, axes and footer from ``y`` downwards; where they end."""
    x = style.EDGE_IN / of.width_in
    y += 0.16
    on.caption.set_position((x, 1 - y / page.height))
    y += _height(of, page, on.caption) + 0.1
    if on.legend is not None:
        on.legend.set_bbox_to_anchor((x, 1 - y / page.height), transform=of.figure.transFigure)
        y += _height(of, page, on.legend) + 0.08
    y += on.height_in
    width = 1 - (page.left + page.right) / of.width_in
    on.axes.set_position((page.left / of.width_in, 1 - y / page.height, width, on.height_in / page.height))
    y += _below(of, page, on)
    if on.footer is not None:
        y += 0.05
        on.footer.set_position((x, 1 - y / page.height))
        y += _height(of, page, on.footer)
    return y


def _below(of: Sheet, page: _Page, on: Panel) -> float:
    """Inches that tick labels and the axis label take under the axes, measured once."""
    if id(on.axes) not in page.heights:
        outer = on.axes.xaxis.get_tightbbox(_renderer(of)) if on.axes.axison else None
        under = on.axes.get_window_extent(_renderer(of)).y0 - outer.y0 if outer is not None else 0.0
        page.heights[id(on.axes)] = max(0.02, float(under) / of.figure.dpi)
    return page.heights[id(on.axes)]
