"""Connections over time: how many were ready at once, and when some were refused or closed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.judge.counts import ENDED_BY_US
from loadtest.show.counter_table import NO_CLOSE_FRAME
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.plot.bars import stacked
from loadtest.show.plot.timeline import Phases, share_time
from loadtest.show.series import Column, Series
from loadtest.show.threshold_limits import Limit
from loadtest.units import format_count

TITLE = "Connections"

PEAK = "connections.ready.peak"

SHOWN = 5
"""Kinds of refusal and close that are drawn by themselves, the most frequent; the rest are summed."""

STEPS = 700
"""Steps of time that are told apart in the count of ready connections."""


def draw(
    heading: layout.Heading,
    series: Series,
    phases: Phases,
    planned: int | None,
    width_in: float,
    *,
    limits: Sequence[Limit] = (),
) -> Figure:
    """Two panels: ready at once with its peak and the threshold on it, refused and closed per second."""
    sheet = layout.sheet(heading, width_in)
    ready = layout.panel(sheet, "connections ready, concurrent", 1.9)
    if series.counted("connections.attempted").sum() or len(series.moves):
        peaks = [limit for limit in limits if limit.of == PEAK]
        for limit in peaks:
            layout.limit_line(ready, limit, "peak")
        _ready(ready.axes, series, planned, max((limit.value for limit in peaks), default=0.0))
    else:
        layout.explain(sheet, ready, "no connection was attempted")
    lost = layout.panel(sheet, "refused, closed by the target or given up, per second", 1.2)
    found = kinds(series)
    if found:
        stacked(lost.axes, series, found)
    else:
        layout.explain(sheet, lost, _nothing(series), measured=True)
    drawn = [panel for panel in sheet.panels if panel.axes.axison]
    for panel in drawn:
        share_time(panel.axes, series, phases, first=panel is drawn[0], last=panel is drawn[-1])
        layout.legend(panel, width_in)
    layout.arrange(sheet)
    return sheet.figure


def _nothing(series: Series) -> str:
    attempted = int(series.counted("connections.attempted").sum())
    if not attempted:
        return "No connection was attempted."
    return f"Of {format_count(attempted)} attempted, none was refused and none closed by the target."


def _ready(axes: Axes, series: Series, planned: int | None, least: float) -> None:
    """``least``: the axis reaches at least so far."""
    at, count = series.ready()
    peak = int(count.max())
    end = max(float(series.end_s), float(at[-1]))
    at, count = _visible(at, count)
    at, count = np.append(at, end), np.append(count, count[-1])
    label = f"ready (peak concurrent: {format_count(peak)})" if peak else "ready (none ever was)"
    colour = style.CONNECTIONS["ready"].colour
    axes.step(at, count, where="post", color=colour, linewidth=1.6, label=label)
    axes.fill_between(at, count, step="post", color=colour, alpha=0.12, linewidth=0)
    if planned:
        axes.axhline(
            planned,
            color=style.MUTED,
            linestyle=(0, (4, 3)),
            linewidth=1.1,
            label=f"planned ({format_count(planned)})",
        )
    axes.set_ylim(0, max(peak, planned or 0, least, 1) * 1.12)
    style.thousands(axes.yaxis, bins=4, integer=True)


def _visible(at: Column, count: Column) -> tuple[Column, Column]:
    """Of many changes those that lie apart on the page: the highest and the last of each fine step."""
    steps = (at / max(float(at[-1]), 1e-9) * STEPS).astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(steps)), len(at) - 1)
    order = np.lexsort((count, steps))
    highest = order[np.append(np.flatnonzero(np.diff(steps[order])), len(at) - 1)]
    kept = np.union1d(last, np.append(highest, 0))
    return at[kept], count[kept]


def kinds(series: Series) -> dict[str, tuple[Column, style.Style]]:
    """Refusals by layer, closes by code, connections we gave up; the rarest together."""
    given_up = {why: series.counted(name) for why, name in ENDED_BY_US.items()}
    closed = series.counters_under("connections.closed.")
    if NO_CLOSE_FRAME in closed:
        # Those that we gave up count as ended without a close frame.
        closed[NO_CLOSE_FRAME] = np.maximum(closed[NO_CLOSE_FRAME] - sum(given_up.values()), 0)
    refused = series.counters_under("connections.refused.")
    found = {f"refused: {layer}": (n, style.refused(layer)) for layer, n in refused.items()}
    found |= {f"closed: {code}": (n, style.closed(code)) for code, n in closed.items()}
    found |= {f"given up: {why}": (n, style.given_up(why)) for why, n in given_up.items()}
    some = [(name, kind) for name, kind in found.items() if kind[0].any()]
    some.sort(key=lambda item: -item[1][0].sum())
    shown, rest = dict(some[:SHOWN]), some[SHOWN:]
    if rest:
        shown[f"{len(rest)} other kinds"] = (np.sum([n for _, (n, _) in rest], axis=0), style.OTHER_KINDS)
    return shown
