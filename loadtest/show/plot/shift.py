"""The shift: by how much each quantile of a candidate lies above or below the baseline's, with bands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from loadtest.judge.permutation import Array, difference
from loadtest.judge.power import LEVEL, MIN_RUNS, quantiles
from loadtest.judge.ranks import part_of
from loadtest.plan.scenario import Compare
from loadtest.show.comparison_data import METRICS, QUANTILES, Board, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.units import format_ms

TITLE = "Shift of every quantile against the baseline"

CROWDED = 2
"""Of more candidates no area is shaded, since areas of several hide each other."""

BETWEEN = "between runs"
WITHIN = "within run"


class Shift(NamedTuple):
    """Per quantile in percent: the change, and the ends of its band; NaN where it was not measured."""

    change: Array
    low: Array
    high: Array
    band: str


def draw(board: Board, width_in: float) -> Figure:
    """A panel per response time."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    for metric, name in METRICS.items():
        _panel(sheet, board, metric, name)
    layout.arrange(sheet)
    return sheet.figure


def shift(baseline: DrawnSide, candidate: DrawnSide, metric: str) -> Shift:
    """The change of each of ``QUANTILES``.

    The band is Welch's 95 % interval over runs where both sides have two; else, of single runs, a bootstrap
    over blocks of their seconds, which says nothing about how runs differ.
    """
    before, after = (_logs(side, metric) for side in (baseline, candidate))
    with np.errstate(invalid="ignore"):
        estimate, error, freedom = difference(before, after)
    if np.isfinite(error).any():
        reach = quantiles(1 - LEVEL / 2, freedom) * np.where(np.isfinite(error), error, np.nan)
        return Shift(_percent(estimate), _percent(estimate - reach), _percent(estimate + reach), BETWEEN)
    inside = [_within(side, metric) for side in (baseline, candidate)]
    reach = np.hypot(*inside)
    return Shift(_percent(estimate), _percent(estimate - reach), _percent(estimate + reach), WITHIN)


def _percent(logs: Array) -> Array:
    percent: Array = np.expm1(logs) * 100
    return percent


def _logs(side: DrawnSide, metric: str) -> Array:
    """Logarithms of the quantiles, (runs, quantiles); NaN where a run has too few samples."""
    rows = [[run.quantile_ms(metric, key) or np.nan for key in QUANTILES] for run in side.runs]
    return np.log(np.array(rows, np.float64).reshape(-1, len(QUANTILES)))


def _within(side: DrawnSide, metric: str) -> Array:
    """Half widths of the bootstrap in one run, as logarithms; NaN where its seconds are too few."""
    nothing = np.full(len(QUANTILES), np.nan)
    if len(side.runs) != 1:
        return nothing
    bounds = side.runs[0].bounds(metric, tuple(float(part_of(key)) for key in QUANTILES))
    return nothing if bounds is None else np.log(bounds[:, 1] / np.maximum(bounds[:, 0], 1)) / 2


def _panel(sheet: layout.Sheet, board: Board, metric: str, name: str) -> None:
    caption = f"{name}, response time: change in % of the baseline's, by quantile"
    panel = layout.panel(sheet, caption, 2.3 if sheet.narrow else 2.6)
    sides = releases.shown(board)
    found = [(side, look, shift(board.baseline, side, metric)) for side, look in sides[1:]]
    known = [each for each in found if np.isfinite(each[2].change).any()]
    if not known:
        layout.explain(sheet, panel, "the two sides have no quantile in common with enough samples")
        return
    smallest = _smallest(board, metric) * 100
    panel.axes.axhspan(
        -smallest,
        smallest,
        facecolor=style.SHADE,
        edgecolor=style.GRID,
        linewidth=0.8,
        label=f"within the smallest effect of {smallest:.3g} %",
    )
    panel.axes.axhline(0, color=style.MUTED, linewidth=1.0)
    for at, (side, look, each) in enumerate(known):
        offset = (at - (len(known) - 1) / 2) * 0.16
        _side(panel.axes, side, look, each, offset=offset, crowded=len(known) > CROWDED)
    last = max(int(np.flatnonzero(np.isfinite(each.change))[-1]) for _, _, each in known)
    labels = [_tick(key, board.baseline, metric, narrow=sheet.narrow) for key in QUANTILES[: last + 1]]
    _axes(panel.axes, labels, narrow=sheet.narrow)
    layout.legend(panel, sheet.width_in, columns=6)
    layout.footer(sheet, panel, _said(known, board))


def _smallest(board: Board, metric: str) -> float:
    """The smallest effect of the metric's own statistics; else of the others, never of a share in points."""
    rules = [row.measure for row in board.comparisons[0].rows if row.measure.scale == "ratio"]
    own = [rule.smallest for rule in rules if rule.name.startswith(f"{metric}.")]
    return min(own or [rule.smallest for rule in rules] or [Compare().smallest_effect])


def _side(
    axes: Axes, side: DrawnSide, look: style.Style, each: Shift, *, offset: float, crowded: bool
) -> None:
    at = np.arange(len(QUANTILES)) + offset
    banded = np.isfinite(each.low) & np.isfinite(each.high)
    axes.plot(
        at,
        each.change,
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.6,
        marker=look.marker,
        markersize=5.5,
        markerfacecolor=style.SURFACE,
        markeredgewidth=1.4,
        label=f"{releases.runs_of(side)})",
        zorder=3,
    )
    axes.vlines(at[banded], each.low[banded], each.high[banded], color=look.colour, linewidth=1.2, zorder=2)
    if each.band == BETWEEN and not crowded:
        axes.fill_between(at, each.low, each.high, color=look.colour, alpha=0.12, linewidth=0)


def _axes(axes: Axes, labels: list[str], *, narrow: bool) -> None:
    """The quantiles that any side has, as many named as fit."""
    shown = list(range(0, len(labels), 2 if narrow else 1))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: labels[round(value)]))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value)))
    releases.note(axes, f"quantile, and its value in the baseline{' in ms' if narrow else ''}")


def _signed(percent: float) -> str:
    return f"{percent:+,.6g}".replace("-", "−") if percent else "0"


def _tick(key: str, baseline: DrawnSide, metric: str, *, narrow: bool) -> str:
    found = [value for run in baseline.runs if (value := run.quantile_ms(metric, key))]
    name = key.replace("_", ".")
    if not found:
        return name
    mean = float(np.exp(np.mean(np.log(found))))
    return f"{name}\n{style.plain(float(f'{mean:.2g}'))}" if narrow else f"{name}\n{format_ms(mean)}"


def _said(known: list[tuple[DrawnSide, style.Style, Shift]], board: Board) -> str:
    bands = {each.band for _, _, each in known}
    runs = min(len(side.runs) for side in (board.baseline, *(side for side, _, _ in known)))
    said = []
    if BETWEEN in bands:
        few = f" (only a guess, with fewer than {MIN_RUNS} runs per side)" if runs < MIN_RUNS else ""
        said.append(f"Bars: the 95 % interval of each quantile over the runs{few}.")
    if WITHIN in bands:
        said.append(
            "Bars: bootstrap over blocks of seconds within the runs. They show the uncertainty within each"
            " run, not how much runs differ, and give no verdict."
        )
    return " ".join([*said, releases.left_out(board)]).strip()
