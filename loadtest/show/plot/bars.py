"""Bars over time, stacked, each kind with a colour and a hatch of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from loadtest.show.plot import style
from loadtest.show.sanitize import printable
from loadtest.show.series import Column, Series
from loadtest.units import format_count

KINDS = (
    (style.VERMILLION, "///"),
    (style.ORANGE, "..."),
    (style.PURPLE, "xxx"),
    (style.SKY, "---"),
    (style.GREEN, "+++"),
    (style.MUTED, ""),
)
"""Colour and hatch of each kind, in order."""


def stacked(axes: Axes, series: Series, kinds: Mapping[str, Column]) -> None:
    """A bar per bin as a rate per second; ``kinds`` are at most as many as ``KINDS``, the lowest first."""
    below = np.zeros(len(series))
    for (name, column), (colour, hatch) in zip(kinds.items(), KINDS, strict=False):
        heights = column / series.widths_s
        some = np.flatnonzero(heights)
        axes.bar(
            series.starts_s[some],
            heights[some],
            width=series.widths_s[some],
            bottom=below[some],
            align="edge",
            facecolor=colour,
            edgecolor=style.SURFACE,
            hatch=hatch,
            linewidth=0.6,
            label=f"{printable(name, 40)} (n={format_count(int(column.sum()))})",
        )
        below = below + heights
    axes.set_ylim(0, float(below.max()) * 1.15)
    style.thousands(axes.yaxis, bins=3, integer=series.step_s == 1)
