"""Connections and ledger of all sides, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.judge.manifest_access import section
from loadtest.show.comparison_data import Board, DrawnSide
from loadtest.show.counter_table import EVENTS, OUTCOMES, closed_by_target
from loadtest.show.manifest import as_integer
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_ratio

TITLE = "Connections and ledger, side by side"

DRAWN_EVENTS = ("matched", "lost", "duplicate", "out_of_order", "foreign", "unmatched", "malformed")


class CounterPanel(NamedTuple):
    """One panel of bars: a group of counters, their names in words, and what they are shares of."""

    caption: str
    group: str
    names: Mapping[str, str]
    whole_of: str


COUNTER_PANELS = (
    CounterPanel("turns, of those due in all runs of a side", "turns", OUTCOMES, "due"),
    CounterPanel(
        "events, of those received in all runs of a side",
        "events",
        {key: EVENTS[key] for key in DRAWN_EVENTS},
        "received",
    ),
)

FIRST_BARS = 2
"""The panel, counted from 1, whose legend says which bar is which side."""

BAR_IN = 0.17
MAX_ROWS = 9


def draw(board: Board, width_in: float) -> Figure:
    """Ready connections over time; then what became of turns, events and connections, summed over runs."""
    sheet = layout.sheet(releases.heading(TITLE, board), width_in)
    _ready(sheet, board)
    for counted in COUNTER_PANELS:
        _counts(sheet, board, counted)
    _connections(sheet, board)
    layout.arrange(sheet)
    return sheet.figure


def _ready(sheet: layout.Sheet, board: Board) -> None:
    panel = layout.panel(sheet, "connections ready, concurrent, each run", 1.2)
    sides = [
        (side, look)
        for side, look in releases.shown(board)
        if any(len(run.series.moves) for run in side.runs)
    ]
    if not sides:
        layout.explain(sheet, panel, "no connection was ever ready")
        return
    peak, end = 0.0, 1.0
    for side, look in sides:
        for number, run in enumerate(side.runs[-releases.THIN :]):
            at, count = run.series.ready()
            at, count = (
                np.append(at, max(float(run.series.end_s), float(at[-1]))),
                np.append(count, count[-1]),
            )
            label = f"{releases.runs_of(side)}, peak concurrent {format_count(int(count.max()))})"
            panel.axes.step(
                at,
                count,
                where="post",
                color=look.colour,
                linestyle=look.dash,
                linewidth=1.2,
                alpha=0.8,
                label=None if number else label,
            )
            peak, end = max(peak, float(count.max())), max(end, float(at[-1]))
    panel.axes.set_ylim(0, peak * 1.15)
    panel.axes.set_xlim(0, end)
    style.thousands(panel.axes.yaxis, bins=3, integer=True)
    style.thousands(panel.axes.xaxis, bins=8)
    releases.note(panel.axes, "seconds after the start")
    layout.legend(panel, sheet.width_in, columns=6)


def _counts(sheet: layout.Sheet, board: Board, counted: CounterPanel) -> None:
    """A row per counter that any side has, a bar per side."""
    caption, group, names, whole_of = counted
    sides = releases.shown(board)
    table = {key: [_sum(side, group, key) for side, _ in sides] for key in names}
    of = [_sum(side, group, whole_of) or 0 for side, _ in sides]
    rows = {key: found for key, found in table.items() if any(found)}
    none = [names[key] for key, found in table.items() if any(n == 0 for n in found) and key not in rows]
    unmeasured = [names[key] for key, found in table.items() if all(n is None for n in found)]
    panel = _bars(sheet, sides, caption, {names[key]: found for key, found in rows.items()}, of)
    said = [f"None on any side: {', '.join(none)}." if none else ""]
    said.append(f"Not measured: {', '.join(unmeasured)}." if unmeasured else "")
    if told := " ".join(each for each in said if each):
        layout.footer(sheet, panel, told)


def _connections(sheet: layout.Sheet, board: Board) -> None:
    """How attempts ended, by layer and close code."""
    sides = releases.shown(board)
    kinds: dict[str, list[int | None]] = {}
    for at, (side, _) in enumerate(sides):
        for run in side.runs:
            counts = section(run.manifest, "counts", "connections")
            found = {"ready": as_integer(counts.get("ready")) or 0}
            found |= {f"refused: {name}": n for name, n in section(counts, "refused").items()}
            found |= {f"closed: {code}": n for code, n in closed_by_target(counts).items()}
            found |= {f"given up: {why}": n for why, n in section(counts, "ended_by_us").items()}
            for name, n in found.items():
                row = kinds.setdefault(printable(name, 40), [0] * len(sides))
                row[at] = (row[at] or 0) + (as_integer(n) or 0)
    of = [_sum(side, "connections", "attempted") or 0 for side, _ in sides]
    most = sorted(kinds, key=lambda name: -max(n or 0 for n in kinds[name]))[:MAX_ROWS]
    _bars(
        sheet,
        sides,
        "connections, of those attempted in all runs of a side",
        {name: kinds[name] for name in most if any(kinds[name])},
        of,
    )


def _sum(side: DrawnSide, group: str, key: str) -> int | None:
    """Over the runs that measured it; None where none did."""
    found = [as_integer(section(run.manifest, "counts", group).get(key)) for run in side.runs]
    known = [n for n in found if n is not None]
    return sum(known) if known else None


def _bars(
    sheet: layout.Sheet,
    sides: list[tuple[DrawnSide, style.Style]],
    caption: str,
    rows: Mapping[str, list[int | None]],
    of: list[int],
) -> layout.Panel:
    panel = layout.panel(sheet, caption, BAR_IN * max(len(rows) * (len(sides) + 0.8), 2))
    if not rows:
        layout.explain(sheet, panel, "Nothing to count on any side.", measured=True)
        return panel
    axes = panel.axes
    texts = [[_text(n, whole) for n, whole in zip(found, of, strict=True)] for found in rows.values()]
    _room(axes, sheet, rows, [text for row in texts for text in row])
    step = len(sides) + 0.8
    for at, (side, look) in enumerate(sides):
        _side(axes, side, look, [row * step + at for row in range(len(rows))], _shares(rows, of, at))
        for row, told in enumerate(texts):
            share = _shares(rows, of, at)[row]
            _beside(axes, row * step + at, share, told[at])
    axes.set_ylim(len(rows) * step - 0.9, -0.9)
    axes.set_yticks([row * step + (len(sides) - 1) / 2 for row in range(len(rows))], list(rows))
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)
    if len(sheet.panels) == FIRST_BARS:
        layout.legend(panel, sheet.width_in, columns=6)
    return panel


def _shares(rows: Mapping[str, list[int | None]], of: list[int], at: int) -> list[float]:
    return [(found[at] or 0) / max(of[at], 1) for found in rows.values()]


def _text(n: int | None, of: int) -> str:
    if n is None:
        return "not measured"
    return f"{format_count(n)}  {format_ratio(n / of)}" if of and n else format_count(n)


def _room(axes: Axes, sheet: layout.Sheet, rows: Mapping[str, object], texts: Iterable[str]) -> None:
    """So that the text at the right of the longest bar fits."""
    labels = max(style.text_width(name, style.SMALL_PT) for name in rows) + 12
    plot_pt = (sheet.width_in - 2 * style.EDGE_IN) * 72 - labels - 5
    text_pt = max(style.text_width(text, style.SMALL_PT - 1) for text in texts) + 14
    axes.set_xlim(0, plot_pt / max(plot_pt - text_pt, 12))


def _side(axes: Axes, side: DrawnSide, look: style.Style, at: list[float], shares: list[float]) -> None:
    axes.barh(
        at,
        shares,
        height=0.86,
        facecolor="none" if look.hatch else style.MUTED,
        edgecolor=look.colour,
        hatch=look.hatch,
        linewidth=0.8,
        label=f"{releases.runs_of(side)})",
    )


def _beside(axes: Axes, y: float, x: float, text: str) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        ha="left",
        fontsize=style.SMALL_PT - 1,
        color=style.INK,
    )
