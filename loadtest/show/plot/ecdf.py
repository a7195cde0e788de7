"""The distribution of all sides: which share of the turns was answered within a time."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullLocator

from loadtest.measure.histogram import Histogram
from loadtest.show.comparison_data import METRICS, Board
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.show.threshold_limits import of_times
from loadtest.units import format_count

TITLE = "Share of turns answered within a time"

POINTS, THIN_POINTS = 240, 80
"""More steps than these are not told apart, on a thick and on a thin line."""


def draw(board: Board, width_in: float) -> Figure:
    """A panel per response time."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    for metric, name in METRICS.items():
        _panel(sheet, board, metric, name)
    layout.arrange(sheet)
    return sheet.figure


def _panel(sheet: layout.Sheet, board: Board, metric: str, name: str) -> None:
    known = [
        (side, look, pooled)
        for side, look in releases.shown(board)
        if (pooled := side.pooled(metric)) is not None
    ]
    panel = layout.panel(sheet, f"{name}: % of turns answered within a time", 1.9 if sheet.narrow else 2.2)
    if not known:
        layout.explain(sheet, panel, "no side holds a sample of it")
        return
    for side, look, pooled in known:
        for run in side.runs[-releases.THIN :] if len(side.runs) > 1 else ():
            if (found := run.histogram(metric)) is not None:
                panel.axes.plot(*_steps(found, THIN_POINTS), color=look.colour, linewidth=0.6, alpha=0.35)
        _thick(panel.axes, pooled, look, f"{releases.runs_of(side)}, n={format_count(pooled.n)})")
    for limit in of_times(board.limits, {metric}):
        panel.axes.axvline(
            limit.value,
            color=style.LIMIT,
            linestyle=style.LIMIT_DASH,
            linewidth=1.3,
            label=f"threshold: {limit.label}{', missed' if limit.missed else ''}",
        )
    _axes(panel.axes, [pooled for _, _, pooled in known], sheet.width_in)
    layout.legend(panel, sheet.width_in, columns=6)
    if said := releases.left_out(board):
        layout.footer(sheet, panel, said)


def _steps(
    histogram: Histogram, points: int = POINTS
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Milliseconds and the percentage of samples up to them: as steps, or a line where they are many."""
    values, cumulative = histogram.spectrum()
    ms, share = values / 1e6, cumulative / histogram.n * 100
    if len(ms) > points:
        kept = np.unique(np.searchsorted(share, np.linspace(share[0], 100, points)).clip(0, len(ms) - 1))
        return ms[kept], share[kept]
    return np.repeat(ms, 2), np.concatenate([[0.0], np.repeat(share, 2)[:-1]])


def _thick(axes: Axes, histogram: Histogram, look: style.Style, label: str) -> None:
    ms, share = _steps(histogram)
    at = [int(np.searchsorted(share, percent).clip(0, len(ms) - 1)) for percent in (10, 25, 50, 75, 90)]
    axes.plot(
        ms,
        share,
        color=look.colour,
        linestyle=look.dash,
        linewidth=2.0,
        marker=look.marker,
        markevery=sorted(set(at)),
        markersize=5,
        markerfacecolor=style.SURFACE,
        markeredgewidth=1.3,
        label=label,
    )


def _axes(axes: Axes, known: list[Histogram], width_in: float) -> None:
    """Time from the fastest half percent to the slowest percent, shares from 0 to 100 %."""
    low = min(float(found.percentile(0.5) or 1) for found in known) / 1e6
    high = max(float(found.percentile(99) or 1) for found in known) / 1e6
    log = releases.is_wide(low, high)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.1, high * 1.1)
        # A label takes about half an inch; three a decade only where there is room for them.
        dense = math.log10(high / low) * 3 * 0.5 < width_in - 0.8
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0,), numticks=12))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.plain(value)))
    else:
        axes.set_xlim(low - (high - low) * 0.05 - 1e-6, high + (high - low) * 0.05 + 1e-6)
        style.thousands(axes.xaxis, bins=7)
    axes.set_ylim(0, 101)
    axes.yaxis.set_major_locator(MultipleLocator(25))
    axes.grid(visible=True, axis="x", color=style.GRID, linewidth=0.8)
    releases.note(axes, f"response time in ms, up to p99{' (logarithmic)' if log else ''}")
