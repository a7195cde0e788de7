"""The percentile spectra of all sides on one axis, each run as a thin line, its side as a thick one."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from loadtest.show.comparison_data import METRICS, Board, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.show.plot.spectrum import MIN_SAMPLES, TICKS, Curve, curve
from loadtest.show.plot.timeline import with_limits
from loadtest.show.threshold_limits import of_times
from loadtest.units import format_count

TITLE = "Percentile spectra, overlaid"

THIN_POINTS = 80
"""Points of the thin line of a single run."""

MARKED = (2, 10, 100, 1_000, 10_000, 100_000)


def draw(board: Board, width_in: float) -> Figure:
    """A panel per response time."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    for metric, name in METRICS.items():
        _panel(sheet, board, metric, name)
    layout.arrange(sheet)
    return sheet.figure


def _panel(sheet: layout.Sheet, board: Board, metric: str, name: str) -> None:
    curves = {at: _curve(side, metric) for at, (side, _) in enumerate(releases.shown(board))}
    known = {at: each for at, each in curves.items() if each is not None}
    limits = of_times(board.limits, {metric})
    low, high = with_limits(
        min((float(each.ms[0]) for each in known.values()), default=1.0),
        max((each.max_ms for each in known.values()), default=1.0),
        limits,
    )
    log = releases.is_wide(low, high)
    caption = f"{name}, response time in ms{' (logarithmic)' if log else ''}, by percentile of turns"
    panel = layout.panel(sheet, caption, 2.2 if sheet.narrow else 2.7)
    if not known:
        layout.explain(sheet, panel, "no side has enough samples of this metric")
        return
    for at, (side, look) in enumerate(releases.shown(board)):
        if at in known:
            _side(panel.axes, side, look, metric, known[at])
    for limit in limits:
        layout.limit_line(panel, limit)
    percentile_axis(panel.axes, max(float(each.n) for each in known.values()), narrow=sheet.narrow)
    time_axis(panel.axes, low, high, log=log)
    layout.legend(panel, sheet.width_in, columns=6)
    thin = "Thick lines: the turns of all runs of a side together. Thin lines: single runs."
    layout.footer(sheet, panel, f"{thin} {releases.left_out(board)}".strip())


def _curve(side: DrawnSide, metric: str) -> Curve | None:
    pooled = side.pooled(metric)
    return curve(pooled) if pooled is not None and pooled.n >= MIN_SAMPLES else None


def _side(axes: Axes, side: DrawnSide, look: style.Style, metric: str, pooled: Curve) -> None:
    for run in side.runs[-releases.THIN :]:
        found = run.histogram(metric)
        if found is not None and len(side.runs) > 1:
            each = curve(found)
            kept = np.unique(np.linspace(0, len(each.x) - 1, THIN_POINTS).astype(np.int64))
            axes.plot(
                each.x[kept],
                each.ms[kept],
                color=look.colour,
                linewidth=0.6,
                alpha=0.35,
                drawstyle="steps-post",
            )
    line(axes, pooled, look, f"{releases.runs_of(side)}, n={format_count(pooled.n)})")


def line(axes: Axes, each: Curve, look: style.Style, label: str) -> None:
    """A spectrum as its side is drawn."""
    marked = sorted({int(np.searchsorted(each.x, at, side="right")) - 1 for at in MARKED if at <= each.n})
    axes.plot(
        each.x,
        each.ms,
        color=look.colour,
        linestyle=look.dash,
        linewidth=2.2,
        marker=look.marker,
        markevery=marked or [len(each.x) - 1],
        markersize=5,
        markerfacecolor=style.SURFACE,
        markeredgewidth=1.3,
        drawstyle="steps-post",
        label=label,
        clip_on=False,
    )


def percentile_axis(axes: Axes, most: float, *, narrow: bool, named: bool = True) -> None:
    """The percentile axis up to what ``most`` samples support."""
    ticks = {at: text for at, text in TICKS.items() if at <= most * 1.001 and not (narrow and at == 1)}
    axes.set_xscale("log")
    axes.set_xlim(1, max(most, 2.0))
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ticks.get(round(value), "")))
    axes.grid(visible=True, axis="x", color=style.GRID, linewidth=0.8)
    if named:
        releases.note(
            axes, "percentile" if narrow else "percentile of turns (lines end where n supports no finer one)"
        )


def time_axis(axes: Axes, low: float, high: float, *, log: bool) -> None:
    """Milliseconds upwards, from 0 or logarithmic."""
    if log:
        style.log_time(axes.yaxis, low, high)
        return
    axes.set_ylim(0, high * 1.08)
    style.thousands(axes.yaxis)
