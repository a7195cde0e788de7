"""Small multiples over releases: what decides, run by run, and the spectrum of each beside the baseline's."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from loadtest.judge.multiplicity import MetricComparison, SampleSummary
from loadtest.judge.power import LEVEL, quantile
from loadtest.plan.threshold import Unit
from loadtest.show.comparison import change_text
from loadtest.show.comparison_data import METRICS, Board
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.show.plot.overlay import line, percentile_axis, time_axis
from loadtest.show.plot.spectrum import MIN_SAMPLES, Curve, curve
from loadtest.show.threshold_limits import Limit
from loadtest.units import MIB

TITLE = "What decides, run by run"
SPECTRA = "Spectrum of each candidate beside the baseline's"

UNITS = {
    "ms": "ms",
    "per_s": "per second",
    "ratio": "%",
    "count": "count",
    "cores": "cores",
    "bytes": "MiB",
    "number": "",
}

FACTORS = {"ratio": 100.0, "bytes": 1 / MIB}

MIN_REACH = {"count": 4.0, "ratio": 1.0}
"""About the least that an axis spans: counts are whole numbers, and 0.01 points do not matter."""

DOT = 0.06
"""Half a dot, as a part of the axis."""

CELL_IN = 2.5

FAR = 1.5
"""A limit outside of the axis is drawn where it lies at most so many heights of the axis away."""


def draw(board: Board, width_in: float) -> Figure:
    """A panel per metric that decides: a dot per run, the mean of each side and its 95 % interval."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    for name in [row.name for row in board.comparisons[0].primary]:
        rows = [row for each in board.comparisons for row in each.primary if row.name == name]
        _metric(sheet, board, rows)
    layout.arrange(sheet)
    return sheet.figure


def _metric(sheet: layout.Sheet, board: Board, rows: list[MetricComparison]) -> None:
    rule = rows[0].measure
    better = "less is better" if rule.better == "lower" else "more is better"
    panel = layout.panel(sheet, f"{rule.name}, {UNITS[rule.unit]} ({better})", 1.15)
    levels = [rows[0].baseline, *(row.candidate for row in rows)]
    if not any(level.n for level in levels):
        layout.explain(sheet, panel, "no run measured it")
        return
    factor = FACTORS.get(rule.unit, 1.0)
    for at, (level, side) in enumerate(zip(levels, board.sides, strict=True)):
        _level(panel.axes, at, level, factor, style.release(side.number))
    _names(panel.axes, sheet, board, rows)
    _values(panel.axes, levels, rule.unit)
    _limits(sheet, panel, [each for each in board.limits if each.name == rule.name], factor)
    if panel is sheet.panels[0]:
        _legend(panel, sheet.width_in)


def _level(axes: Axes, at: int, level: SampleSummary, factor: float, look: style.Style) -> None:
    values = np.array([value for value in level.values if value is not None]) * factor
    n = len(values)
    if not n:
        return
    across = at + (np.linspace(-0.16, 0.16, n) if n > 1 else np.zeros(1))
    axes.plot(across, values, look.marker, color=look.colour, markersize=4, markerfacecolor="none", alpha=0.8)
    if n > 1:
        reach = quantile(1 - LEVEL / 2, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
        mean = float(values.mean())
        axes.vlines(at + 0.28, mean - reach, mean + reach, color=look.colour, linewidth=1.6)
        axes.hlines(mean, at + 0.2, at + 0.36, color=look.colour, linewidth=2.4)


def _names(axes: Axes, sheet: layout.Sheet, board: Board, rows: list[MetricComparison]) -> None:
    """Below each side its name, and how it compares."""
    words = ["baseline", *(f"{change_text(row.measure, row.change)}, {row.word}" for row in rows)]
    room = (sheet.width_in - 1.1) * 72 / (len(words) + 0.2) - 8
    few = room > 60
    shown = [
        style.wrap(f"{releases.runs_of(side)})" if few else side.name, room, style.SMALL_PT, lines=1)
        + ("\n" + style.wrap(word, room, style.SMALL_PT, lines=2) if few else "")
        for side, word in zip(board.sides, words, strict=True)
    ]
    step = 1 if few else max(1, math.ceil(40 / max(room, 1)))
    axes.set_xlim(-0.6, len(words) - 0.4)
    axes.xaxis.set_major_locator(FixedLocator(list(range(0, len(words), step))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown[round(value)]))


def _values(axes: Axes, levels: list[SampleSummary], unit: Unit) -> None:
    """Not from 0: dots show differences, and the numbers stand at the axis."""
    factor = FACTORS.get(unit, 1.0)
    known = [value * factor for level in levels for value in level.values if value is not None]
    low, high = min(known), max(known)
    reach = max(high - low, abs(high) * 0.02, MIN_REACH.get(unit, 1e-9))
    low, high = low - 0.25 * reach, high + 0.25 * reach
    if unit == "ratio":
        # A share above 100 % or below 0 does not exist; a little room keeps the dots whole.
        low, high = max(low, -DOT * reach), min(high, 100 + DOT * reach)
    axes.set_ylim(low, high)
    style.thousands(axes.yaxis, bins=4, integer=unit == "count")


def _limits(sheet: layout.Sheet, panel: layout.Panel, limits: list[Limit], factor: float) -> None:
    """The limits of thresholds: a line, or where it would lie far from every run a remark."""
    low, high = panel.axes.get_ylim()
    for limit in limits:
        value, reach = limit.value * factor, FAR * (high - low)
        if low - reach <= value <= high + reach:
            panel.axes.axhline(value, color=style.LIMIT, linestyle=style.LIMIT_DASH, linewidth=1.3)
            panel.axes.set_ylim(min(low, value), max(high, value))
            told = "the dashed line"
        else:
            told = "far below" if value < low else "far above"
        layout.footer(sheet, panel, f"Threshold {limit.label}: {told}.")


def _legend(panel: layout.Panel, width_in: float) -> None:
    look = style.RELEASES[0]
    panel.axes.plot([], [], look.marker, color=look.colour, markerfacecolor="none", label="each run")
    panel.axes.plot([], [], color=look.colour, linewidth=1.6, label="mean of the runs and its 95 % interval")
    layout.legend(panel, width_in, columns=2)


def draw_spectra(board: Board, width_in: float) -> Figure:
    """A cell per candidate, all on the same axes: the baseline as a thin line, the candidate before it."""
    sheet = layout.sheet(releases.heading(SPECTRA, board), width_in)
    metric, name = next(iter(METRICS.items()))
    known = {
        at: curve(pooled)
        for at, side in enumerate(board.sides)
        if (pooled := side.pooled(metric)) is not None and pooled.n >= MIN_SAMPLES
    }
    low = min((float(each.ms[0]) for each in known.values()), default=1.0)
    high = max((each.max_ms for each in known.values()), default=1.0)
    log = releases.is_wide(low, high)
    columns = min(max(1, int((width_in - 0.4) // CELL_IN)), len(board.candidates))
    lines = math.ceil(len(board.candidates) / columns)
    caption = f"{name}, response time in ms{' (logarithmic)' if log else ''}, by percentile of turns"
    panel = layout.panel(sheet, caption, lines * 1.75)
    if not known:
        layout.explain(sheet, panel, "no side has enough samples of this metric")
        layout.arrange(sheet)
        return sheet.figure
    panel.axes.set_axis_off()
    layout.footer(
        sheet, panel, f"In every cell the solid line is {board.baseline.name}, the dashed line the candidate."
    )
    layout.arrange(sheet)
    for at in range(len(board.candidates)):
        axes = _cell(sheet, panel, at, columns, lines)
        _cell_lines(axes, board, known, at + 1)
        percentile_axis(axes, max(float(each.n) for each in known.values()), narrow=True, named=False)
        time_axis(axes, low, high, log=log)
        axes.tick_params(labelleft=at % columns == 0)
    return sheet.figure


def _cell(sheet: layout.Sheet, panel: layout.Panel, at: int, columns: int, lines: int) -> Axes:
    """New axes for one candidate, inside the panel."""
    box = panel.axes.get_position()
    width_in, height_in = sheet.figure.get_size_inches()
    row, column = divmod(at, columns)
    left = box.x0 + 0.35 / width_in + (box.width - 0.35 / width_in) * column / columns
    bottom = box.y1 - box.height * (row + 1) / lines
    axes = sheet.figure.add_axes(
        (
            left,
            bottom + 0.3 / height_in,
            (box.width - 0.35 / width_in) / columns - 0.18 / width_in,
            box.height / lines - 0.6 / height_in,
        )
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(style.EDGE)
    axes.set_facecolor("none")
    axes.tick_params(colors=style.EDGE, labelcolor=style.MUTED, labelsize=style.SMALL_PT - 1, length=2)
    axes.grid(visible=True, axis="y", color=style.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _cell_lines(axes: Axes, board: Board, known: dict[int, Curve], at: int) -> None:
    if 0 in known:
        baseline = style.release(0)
        axes.plot(known[0].x, known[0].ms, color=baseline.colour, linewidth=1.4, drawstyle="steps-post")
    if at in known:
        line(axes, known[at], style.release(board.sides[at].number), "")
    room = axes.get_window_extent().width / axes.figure.dpi * 72
    title = style.fit(f"{releases.runs_of(board.sides[at])})", room, style.SMALL_PT, weight="bold")
    axes.set_title(title, fontsize=style.SMALL_PT, fontweight="bold", color=style.INK, loc="left", pad=4)
