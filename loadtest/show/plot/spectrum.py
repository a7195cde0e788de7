"""The percentile spectrum: response and service time on one axis, as far as n supports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import Histogram
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.plot.timeline import WIDE, with_limits
from loadtest.show.threshold_limits import Limit, of_times
from loadtest.units import format_count, format_ms

TITLE = "Response and service time by percentile"


class DrawnMetric(NamedTuple):
    """One line of the plot; ``marked`` says at which 1 / (1 - q) its markers stand."""

    metric: str
    label: str
    marked: tuple[int, ...]

    @property
    def style(self) -> style.Style:
        """How it is drawn."""
        return style.METRICS[self.metric]


DRAWN = (
    DrawnMetric("turn.first_event", "first event, response", (2, 10, 100, 1_000, 10_000)),
    DrawnMetric("turn.completion", "completion, response", (3, 14, 140, 1_400, 14_000)),
    DrawnMetric("turn.first_event.service", "first event, service", (4, 20, 200, 2_000)),
    DrawnMetric("turn.completion.service", "completion, service", (6, 40, 400, 4_000)),
)
"""With markers at different places: lines often lie on one another; all must show."""

SHORT = {line.metric: line.label for line in DRAWN}
"""What a line is called."""

TICKS = {
    1: "0 %",
    2: "50 %",
    10: "90 %",
    100: "99 %",
    1_000: "99.9 %",
    10_000: "99.99 %",
    100_000: "99.999 %",
}
"""Labels of the percentile axis, by 1 / (1 - q)."""

STEPS_PER_DECADE = 150

MIN_SAMPLES = needed(part_of("p50"))


@dataclass(frozen=True, slots=True)
class Curve:
    """One distribution: ``x`` is 1 / (1 - q), ``ms`` the value; it ends where n supports no finer q."""

    x: npt.NDArray[np.float64]
    ms: npt.NDArray[np.float64]
    n: int
    max_ms: float


def curve(histogram: Histogram) -> Curve:
    """The spectrum of a histogram with at least one sample."""
    values, cumulative = histogram.spectrum()
    n, ms = histogram.n, values / 1e6
    # At rank r begins the percentile (r - 1) / n: so every value stands over all percentiles it answers.
    x = n / (n - np.concatenate([[0], cumulative[:-1]]))
    kept = _visible(x)
    return Curve(np.append(x[kept], float(n)), np.append(ms[kept], ms[-1]), n, float(ms[-1]))


def _visible(x: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Indices of points that lie apart on the page: the last of each fine step of the logarithmic axis."""
    steps = (np.log10(x) * STEPS_PER_DECADE).astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(steps)), len(x) - 1)
    return np.union1d([0], last)


def draw(
    heading: layout.Heading,
    histograms: dict[str, Histogram],
    why: str,
    width_in: float,
    *,
    limits: Sequence[Limit] = (),
) -> Figure:
    """The plot, with the ``limits`` of thresholds; ``why`` is said where no histogram has a sample."""
    sheet = layout.sheet(heading, width_in)
    present = {line.metric: histograms[line.metric] for line in DRAWN if line.metric in histograms}
    curves = {name: curve(histogram) for name, histogram in present.items() if histogram.n >= MIN_SAMPLES}
    shown = of_times(limits, curves)
    log = bool(curves) and _is_wide(curves, shown)
    caption = f"time in ms{' (logarithmic)' if log else ''}, by percentile of turns"
    panel = layout.panel(sheet, caption, 2.9 if sheet.narrow else 3.6)
    if not curves:
        most = max((histogram.n for histogram in present.values()), default=0)
        layout.explain(
            sheet, panel, f"not enough samples (n={most}; p50 needs {MIN_SAMPLES})" if most else why
        )
    else:
        _lines(panel.axes, curves)
        for limit in shown:
            layout.limit_line(panel, limit, SHORT[limit.of])
        _percentile_axis(panel.axes, curves, narrow=sheet.narrow)
        _time_axis(panel.axes, *with_limits(*_range(curves), shown), log=log)
        layout.legend(panel, width_in, columns=2)
    layout.arrange(sheet)
    return sheet.figure


def _range(curves: dict[str, Curve]) -> tuple[float, float]:
    low = min(float(each.ms[0]) for each in curves.values())
    return low, max(each.max_ms for each in curves.values())


def _is_wide(curves: dict[str, Curve], limits: Sequence[Limit]) -> bool:
    low, high = with_limits(*_range(curves), limits)
    return high > WIDE * max(low, 1e-6)


def _lines(axes: Axes, curves: dict[str, Curve]) -> None:
    for line in DRAWN:
        if line.metric not in curves:
            continue
        each = curves[line.metric]
        axes.plot(
            each.x,
            each.ms,
            color=line.style.colour,
            linestyle=line.style.dash,
            linewidth=line.style.width,
            marker=line.style.marker,
            markevery=_marked(each, line.marked),
            markersize=5,
            markerfacecolor=style.SURFACE,
            markeredgewidth=1.3,
            drawstyle="steps-post",
            label=f"{line.label} (n={format_count(each.n)}, max {format_ms(each.max_ms)})",
            clip_on=False,
        )


def _marked(each: Curve, marked: tuple[int, ...]) -> list[int]:
    """Indices of the points nearest the percentiles that carry a marker, the last one if there is none."""
    found = {int(np.searchsorted(each.x, at, side="right")) - 1 for at in marked if at <= each.n}
    return sorted(found) or [len(each.x) - 1]


def _percentile_axis(axes: Axes, curves: dict[str, Curve], *, narrow: bool) -> None:
    most = max(2.0, *(float(each.n) for each in curves.values()))
    # On a phone "0 %" would touch "50 %".
    ticks = {at: text for at, text in TICKS.items() if at <= most * 1.001 and not (narrow and at == 1)}
    axes.set_xscale("log")
    axes.set_xlim(1, most)
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ticks.get(round(value), "")))
    axes.grid(visible=True, axis="x", color=style.GRID, linewidth=0.8)
    axes.set_xlabel(
        "percentile"
        if narrow
        else "percentile of turns (each line ends where n supports no finer percentile)",
        color=style.MUTED,
        fontsize=style.SMALL_PT,
    )


def _time_axis(axes: Axes, low: float, high: float, *, log: bool) -> None:
    if not log:
        axes.set_ylim(0, high * 1.08 or 1)
        style.thousands(axes.yaxis)
        return
    style.log_time(axes.yaxis, low, high)
