"""Bars over time, stacked, each kind in its own colour and hatch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from loadtest.show.plot import style
from loadtest.show.sanitize import printable
from loadtest.show.series import Column, Series
from loadtest.units import format_count


def stacked(axes: Axes, series: Series, kinds: Mapping[str, tuple[Column, style.Style]]) -> None:
    """A bar per bin as a rate per second, the first of ``kinds`` lowest."""
    below = np.zeros(len(series))
    for name, (column, look) in kinds.items():
        heights = column / series.widths_s
        some = np.flatnonzero(heights)
        axes.bar(
            series.starts_s[some],
            heights[some],
            width=series.widths_s[some],
            bottom=below[some],
            align="edge",
            facecolor=look.colour,
            edgecolor=style.SURFACE,
            hatch=look.hatch,
            linewidth=0.6,
            label=f"{printable(name, 40)} (n={format_count(int(column.sum()))})",
        )
        below = below + heights
    axes.set_ylim(0, float(below.max()) * 1.15)
    style.thousands(axes.yaxis, bins=3, integer=series.step_s == 1)
