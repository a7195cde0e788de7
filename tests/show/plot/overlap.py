"""Finds text of a figure that lies on other text, or sticks out of the figure."""

from __future__ import annotations

import itertools
from typing import Any

from matplotlib.axis import Axis, Tick
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 0.5
"""Pixels by which boxes may touch: they are drawn to fractions of a pixel."""


def faults(figure: Figure) -> list[str]:
    """A sentence per pair of texts that overlap and per text that is cut; none if all is well."""
    figure.draw_without_rendering()
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas has one
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown_texts(figure)]
    found = [f"cut: {name!r}" for name, box in boxes if not _inside(box, figure.bbox)]
    found += [
        f"overlap: {one!r} and {other!r}"
        for (one, box), (other, beside) in itertools.combinations(boxes, 2)
        if _overlap(box, beside)
    ]
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is not None and _overlap(
            legend.get_window_extent(renderer), axes.get_window_extent(renderer)
        ):
            found.append(f"a legend covers its axes: {legend.get_texts()[0].get_text()!r}")
    return found


def shown_texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: not those of axes that are off, nor of ticks outside the axis."""
    hidden = {
        id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _undrawn(axis)
    }
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [
        text for text in found if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def _undrawn(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    undrawn = [] if axis.axes.axison else [axis.label]
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        # The width of a rounding error at the ends of the axis.
        slack = (high - low) * 1e-6
        if not axis.axes.axison or not low - slack <= _place(tick) <= high + slack:
            undrawn += [tick.label1, tick.label2]
    return undrawn


def _place(tick: Tick) -> float:
    return float(tick.get_loc())


def _inside(box: Bbox, whole: Bbox) -> bool:
    across = whole.x0 - SLACK <= box.x0 and box.x1 <= whole.x1 + SLACK
    return across and whole.y0 - SLACK <= box.y0 and box.y1 <= whole.y1 + SLACK


def _overlap(one: Bbox, other: Bbox) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > SLACK and down > SLACK)
