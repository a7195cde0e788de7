"""The timeline: rates, percentiles and the generator's own load, second by second, on one time axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from loadtest.show.counter_table import OUTCOMES
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.plot.bars import stacked
from loadtest.show.series import LINES, Column, Series
from loadtest.show.threshold_limits import DRAWN_RATES, Limit, of_rates, of_times
from loadtest.units import MIB, format_count

TITLE = "The run over time"

RATES = {
    "events.received": "events in",
    "turns.due": "turns due",
    "turns.complete": "turns complete",
}
"""Counter, and its name in the legend."""

WIDE = 12.0
"""Times that lie further apart than this factor are drawn on a logarithmic axis."""

METRICS = {"turn.first_event": ("first event", 2.2, 4.5), "turn.completion": ("completion", 1.2, 2.6)}
"""Name in the legend, widths of line and marker: both show where they lie on one another."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the measured part begins and ends, in seconds after the run's start."""

    from_s: float
    to_s: float


def draw(
    heading: layout.Heading,
    series: Series,
    phases: Phases,
    why: str,
    width_in: float,
    *,
    limits: Sequence[Limit] = (),
) -> Figure:
    """Rates, percentiles, turns that were not complete if there are any, the generator.

    A panel without data says ``why``; ``limits`` of thresholds are drawn where they belong.
    """
    sheet = layout.sheet(heading, width_in)
    height = 1.35 if sheet.narrow else 1.5
    _rates(sheet, series, why, height, of_rates(limits))
    _percentiles(sheet, series, why, height * 1.25, of_times(limits, METRICS))
    _not_complete(sheet, series, height * 0.6)
    _generator(sheet, series, height * 0.45)
    _target(sheet, series, height * 0.45)
    drawn = [panel for panel in sheet.panels if panel.axes.axison]
    for panel in drawn:
        share_time(panel.axes, series, phases, first=panel is drawn[0], last=panel is drawn[-1])
        layout.legend(panel, width_in, columns=3 if panel is sheet.panels[1] else 6)
    layout.arrange(sheet)
    return sheet.figure


def share_time(axes: Axes, series: Series, phases: Phases, *, first: bool, last: bool) -> None:
    """The time axis, the same on every panel, with warm-up and drain shaded.

    The ``first`` panel's legend says what the shade means, the ``last`` panel carries the labels.
    """
    end = float(series.end_s)
    bands = {"warm-up": (float(series.start_s), min(phases.from_s, end)), "drain": (phases.to_s, end)}
    shaded = {name: (start, stop) for name, (start, stop) in bands.items() if stop > start}
    for name, (start, stop) in shaded.items():
        axes.axvspan(start, stop, facecolor=style.PHASES[name], edgecolor="none", zorder=0)
    if first and shaded:
        axes.fill_between(
            [], [], facecolor=style.SHADE, edgecolor=style.GRID, label=f"shaded: {' and '.join(shaded)}"
        )
    axes.set_xlim(series.start_s, max(end, series.start_s + 1))
    style.thousands(axes.xaxis, bins=8)
    if last:
        axes.set_xlabel("seconds after the start", color=style.MUTED, fontsize=style.SMALL_PT)
    else:
        axes.tick_params(labelbottom=False)


def _per(series: Series) -> str:
    return "" if series.step_s == 1 else f", means over {series.step_s} s"


def _rates(sheet: layout.Sheet, series: Series, why: str, height: float, limits: Sequence[Limit]) -> None:
    panel = layout.panel(sheet, f"rates per second{_per(series)}", height)
    lines = {name: label for name, label in RATES.items() if series.counted(name).sum()}
    if not any(name != "turns.due" for name in lines):
        layout.explain(sheet, panel, why)
        return
    for name, label in lines.items():
        total = format_count(int(series.counted(name).sum()))
        _stairs(
            panel.axes,
            series,
            series.per_second(name),
            style.RATES[name],
            label=f"{label} (n={total})",
        )
    for limit in limits:
        layout.limit_line(panel, limit, RATES[DRAWN_RATES[limit.of]])
    highest = max(
        *(float(series.per_second(name).max()) for name in lines), *(limit.value for limit in limits), 0.0
    )
    panel.axes.set_ylim(0, highest * 1.1)
    style.thousands(panel.axes.yaxis, bins=4)


def _stairs(axes: Axes, series: Series, column: Column, look: style.Style, label: str = "") -> None:
    """A column as steps, each as long as its bin."""
    edges = np.append(series.starts_s, series.end_s)
    axes.stairs(
        column,
        edges,
        baseline=None,
        linewidth=look.width,
        color=look.colour,
        linestyle=look.dash,
        label=label or None,
    )


def _percentiles(
    sheet: layout.Sheet, series: Series, why: str, height: float, limits: Sequence[Limit]
) -> None:
    columns = {(metric, line): series.percentile_ms(metric, line) for metric in METRICS for line in LINES}
    known = {key: column for key, column in columns.items() if not np.isnan(column).all()}
    log = bool(known) and is_wide(*_range(known), limits)
    caption = f"response time in ms{' (logarithmic)' if log else ''}, of turns that ended in each second"
    panel = layout.panel(sheet, caption, height)
    if not known:
        layout.explain(sheet, panel, _too_few(series, why))
        return
    for (metric, line), column in known.items():
        name, width, size = METRICS[metric]
        percentile = style.PERCENTILES[line]
        panel.axes.plot(
            series.middles_s,
            column,
            color=style.METRICS[metric].colour,
            linestyle=percentile.dash,
            linewidth=width,
            marker=percentile.marker,
            markersize=size,
            markerfacecolor=style.SURFACE,
            markevery=max(1, len(series) // 24),
            label=f"{name} {line}",
        )
    for limit in limits:
        layout.limit_line(panel, limit, METRICS[limit.of][0])
    low, high = with_limits(*_range(known), limits)
    if log:
        style.log_time(panel.axes.yaxis, low, high)
    else:
        panel.axes.set_ylim(0, high * 1.1)
        style.thousands(panel.axes.yaxis, bins=4)


def _too_few(series: Series, why: str) -> str:
    """Why there are no percentiles: nothing ended, or too few in each second."""
    if series.counted("turns.complete").sum():
        return "no second has enough samples for a percentile"
    return why


def _range(known: dict[tuple[str, str], Column]) -> tuple[float, float]:
    low = min(float(np.nanmin(column)) for column in known.values())
    return low, max(float(np.nanmax(column)) for column in known.values())


def _not_complete(sheet: layout.Sheet, series: Series, height: float) -> None:
    """Which second cost turns, and how; nothing where all were complete."""
    columns = {key: series.counted(f"turns.{key}") for key in OUTCOMES if key != "complete"}
    kinds = {OUTCOMES[key]: (column, style.OUTCOMES[key]) for key, column in columns.items() if column.any()}
    if kinds:
        panel = layout.panel(sheet, f"turns that were not complete, per second{_per(series)}", height)
        stacked(panel.axes, series, kinds)


def with_limits(low: float, high: float, limits: Sequence[Limit]) -> tuple[float, float]:
    """The range of an axis on which the limits are seen too."""
    values = [limit.value for limit in limits if limit.value > 0]
    return min(low, *values, low), max(high, *values, high)


def is_wide(low: float, high: float, limits: Sequence[Limit]) -> bool:
    """Whether times are drawn on a logarithmic axis: they, or their limits, lie far apart."""
    least, most = with_limits(low, high, limits)
    return most > WIDE * max(least, 1e-6) or most > 4 * high


def _generator(sheet: layout.Sheet, series: Series, height: float) -> None:
    """CPU and loop lag have different units, so each has its own axes."""
    lag = series.gauge("loop_lag_ns") / 1e6
    cpu = series.gauge("cpu") * 100
    panel = layout.panel(sheet, "generator CPU, % of one core", height)
    if np.isnan(cpu).all():
        layout.explain(sheet, panel, "the generator's CPU time was not read")
    else:
        _stairs(panel.axes, series, cpu, style.Style(style.GENERATOR, width=1.5))
        panel.axes.set_ylim(0, max(100.0, float(np.nanmax(cpu))) * 1.05)
        style.thousands(panel.axes.yaxis, bins=2)
        panel.axes.yaxis.set_major_locator(MultipleLocator(50))
    panel = layout.panel(sheet, "longest lag of the generator's loop, ms", height)
    if np.isnan(lag).all():
        layout.explain(sheet, panel, "the generator's loop was not watched")
        return
    _stairs(panel.axes, series, lag, style.Style(style.MUTED, width=1.5))
    panel.axes.set_ylim(0, max(float(np.nanmax(lag)), 1.0) * 1.1)
    style.thousands(panel.axes.yaxis, bins=2)


SAMPLED = {
    "target.cpu": ("target CPU, cores", 1.0),
    "target.memory": ("target memory, MiB", float(MIB)),
    "target.open_files": ("target's open files", 1.0),
}
"""What was sampled of the target: its title, and how many of ours are one there."""

MAX_SAMPLED = 8
"""Panels of the target; thresholds and tables know the others."""


def _target(sheet: layout.Sheet, series: Series, height: float) -> None:
    """What was sampled of the target, one panel each; a gap is a second without a sample."""
    for title, column in sampled(series):
        panel = layout.panel(sheet, title, height)
        _stairs(panel.axes, series, column, style.Style(style.TARGET, width=1.5))
        panel.axes.set_ylim(min(0.0, float(np.nanmin(column))), max(float(np.nanmax(column)), 1e-3) * 1.1)
        style.thousands(panel.axes.yaxis, bins=2)


def sampled(series: Series) -> Iterator[tuple[str, Column]]:
    """What was sampled of the target: title and values of each panel."""
    found = series.gauges_under("target.")
    known = sorted(found, key=lambda name: (list(SAMPLED).index(name) if name in SAMPLED else 99, name))
    for name in known[:MAX_SAMPLED]:
        title, scale = SAMPLED.get(name, (f"{name.partition('.')[2]} of the target", 1.0))
        yield title, series.gauge(name) / scale


def phases_of(from_ns: int, to_ns: int, series: Series) -> Phases:
    """The bounds of the measured part, to the whole second where they are the run's own."""
    end = float(series.end_s)
    to_s = to_ns / 1e9
    return Phases(from_ns / 1e9, end if math.isclose(to_s, end) else to_s)
