"""The timelines of all sides, aligned at the beginning of their measured parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.show.comparison_data import Board, Drawn, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.show.plot.timeline import with_limits
from loadtest.show.series import Column
from loadtest.show.threshold_limits import Limit

TITLE = "Timelines, aligned at the beginning of the measured part"


class Track(NamedTuple):
    """One panel: its caption, in which ``EACH`` stands for how long its points are, and what it reads.

    ``of`` is the metric, or the rate, on which a threshold is drawn, ``statistic`` the percentile.
    """

    caption: str
    column: Callable[[Drawn], Column]
    of: str = ""
    statistic: str = ""

    def limits(self, board: Board) -> list[Limit]:
        """The thresholds on what is drawn."""
        return [each for each in board.limits if (each.of, each.statistic) == (self.of, self.statistic)]


TRACKS = (
    Track(
        "time to first event, p95 of EACH in ms",
        lambda run: run.p95_ms("turn.first_event"),
        "turn.first_event",
        "p95",
    ),
    Track(
        "completion, p95 of EACH in ms",
        lambda run: run.p95_ms("turn.completion"),
        "turn.completion",
        "p95",
    ),
    Track(
        "events received per second",
        lambda run: run.series.per_second("events.received"),
        "rates.events_received_per_s",
    ),
    Track(
        "turns complete per second",
        lambda run: run.series.per_second("turns.complete"),
        "rates.turns_per_s",
    ),
    Track("generator CPU, % of one core", lambda run: run.series.gauge("cpu") * 100),
)


class Middle(NamedTuple):
    """A side over time: seconds after the measured part began, and the median of its runs."""

    at: Column
    median: Column
    low: Column
    high: Column


def draw(board: Board, width_in: float) -> Figure:
    """A panel per track: the median over runs, and between which values they lie."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    for track in TRACKS:
        _panel(sheet, board, track)
    drawn = [panel for panel in sheet.panels if panel.axes.axison]
    for panel in drawn:
        _time(panel.axes, drawn, _ends(board), last=panel is drawn[-1])
    for panel in drawn:
        if panel is not drawn[0]:
            _only_limits(panel)
        layout.legend(panel, width_in, columns=6)
    if drawn:
        layout.footer(sheet, drawn[-1], _meaning(board))
    layout.arrange(sheet)
    return sheet.figure


def _only_limits(panel: layout.Panel) -> None:
    """The legend of the first panel names the sides for all others."""
    for drawn in panel.axes.get_lines():
        if not str(drawn.get_label()).startswith("threshold"):
            drawn.set_label("_")


def _meaning(board: Board) -> str:
    said = ["Vertical lines: beginning and end of the measured part."]
    if any(len(side.runs) > 1 for side, _ in releases.shown(board)):
        said.append(
            f"Lines: median of the runs in {_each(board)}. Shaded bands: from the lowest to the highest run."
        )
    return " ".join([*said, releases.left_out(board)]).strip()


def _each(board: Board) -> str:
    """What a point of a line stands for: long runs are drawn in steps of several seconds."""
    longest = max(run.series.step_s for side, _ in releases.shown(board) for run in side.runs)
    return "each second" if longest == 1 else f"every {longest} seconds"


def middle(side: DrawnSide, track: Track) -> Middle:
    """The runs of a side, second by second after their measured parts began; NaN where none measured."""
    columns = [(_since(run), track.column(run)) for run in side.runs if len(run.series)]
    known = [(at, column) for at, column in columns if len(column)]
    if not known:
        return Middle(*(np.empty(0),) * 4)
    # As wide as there are points, and not as the seconds between them, which a file may say are many.
    begins = np.unique(np.concatenate([at for at, _ in known]))
    rows = np.full((len(known), len(begins)), np.nan)
    for row, (at, column) in zip(rows, known, strict=True):
        row[np.searchsorted(begins, at)] = column
    seen = ~np.isnan(rows).all(axis=0)
    at, rows = begins[seen] + 0.5, rows[:, seen]
    return Middle(at, np.nanmedian(rows, axis=0), np.nanmin(rows, axis=0), np.nanmax(rows, axis=0))


def _since(run: Drawn) -> Column:
    """Where each bin begins, in whole seconds after the measured part began."""
    return np.round(run.series.starts_s - run.span.start_ns / 1e9)


def _panel(sheet: layout.Sheet, board: Board, track: Track) -> None:
    found = [(side, look, middle(side, track)) for side, look in releases.shown(board)]
    known = [each for each in found if len(each[2].at)]
    limits = track.limits(board)
    lowest, highest = with_limits(
        min((float(each.low.min()) for _, _, each in known), default=1.0),
        max((float(each.high.max()) for _, _, each in known), default=1.0),
        limits,
    )
    log = bool(track.statistic) and releases.is_wide(lowest, highest)
    caption = f"{track.caption.replace('EACH', _each(board))}{' (logarithmic)' if log else ''}"
    panel = layout.panel(sheet, caption, 1.05 if sheet.narrow else 1.25)
    if not known:
        layout.explain(sheet, panel, "no run has this metric second by second")
        return
    for side, look, each in known:
        if len(side.runs) > 1:
            panel.axes.fill_between(each.at, each.low, each.high, color=look.colour, alpha=0.14, linewidth=0)
        panel.axes.plot(
            each.at,
            each.median,
            color=look.colour,
            linestyle=look.dash,
            linewidth=1.6,
            marker=look.marker,
            markersize=3.5,
            markerfacecolor=style.SURFACE,
            markevery=max(1, len(each.at) // 12),
            label=f"{releases.runs_of(side)})",
        )
    for limit in limits:
        layout.limit_line(panel, limit)
    if log:
        style.log_time(panel.axes.yaxis, lowest, highest)
    else:
        panel.axes.set_ylim(0, highest * 1.1 or 1)
        style.thousands(panel.axes.yaxis, bins=3)


def _ends(board: Board) -> set[float]:
    """When the measured parts ended, in seconds after they began; one for all, unless they differ."""
    return {
        round(run.span.length_ns / 1e9)
        for side, _ in releases.shown(board)
        for run in side.runs
        if len(run.series)
    }


def _time(axes: Axes, drawn: list[layout.Panel], ends: set[float], *, last: bool) -> None:
    low = min(panel.axes.dataLim.x0 for panel in drawn) - 0.5
    high = max(panel.axes.dataLim.x1 for panel in drawn) + 0.5
    axes.set_xlim(low, max(high, low + 1))
    style.thousands(axes.xaxis, bins=8)
    for at in (0.0, *ends):
        axes.axvline(at, color=style.MUTED, linewidth=0.9)
    if last:
        releases.note(axes, "seconds after the measured part began")
    else:
        axes.tick_params(labelbottom=False)
