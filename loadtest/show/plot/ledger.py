"""The ledger: how every turn ended, and what became of every event; hatched where it could not be known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.judge.manifest_access import Manifest, section
from loadtest.show.counter_table import EVENTS, GOOD_EVENTS, OUTCOMES
from loadtest.show.manifest import as_integer
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_ratio

TITLE = "Outcomes of turns and events"

ROW_IN = 0.235

DRAWN_EVENTS = (
    "expected",
    "received",
    "matched",
    "lost",
    "duplicate",
    "out_of_order",
    "foreign",
    "unmatched",
    "malformed",
)
"""The event counters that are drawn; the others stand in the table."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One counter; ``n`` None: unmeasured, for ``reason``."""

    label: str
    n: int | None
    text: str
    reason: str
    good: bool
    colour: str


def draw(heading: layout.Heading, manifest: Manifest, why: str, width_in: float) -> Figure:
    """Two panels of horizontal bars: turns by outcome, events by fate."""
    sheet = layout.sheet(heading, width_in)
    turns, due = turn_bars(manifest)
    _panel(sheet, f"turns, of {format_count(due)} due" if due else "turns", turns if due else [], why)
    events = event_bars(manifest)
    seen = any(bar.n for bar in events)
    _panel(sheet, "events over the whole run", events if seen else [], why)
    layout.arrange(sheet)
    return sheet.figure


def turn_bars(manifest: Manifest) -> tuple[list[Bar], int]:
    """A bar per outcome, and how many turns fell due."""
    counts = section(manifest, "counts", "turns")
    due = as_integer(counts.get("due")) or 0
    bars = []
    for key, label in OUTCOMES.items():
        n = as_integer(counts.get(key))
        if n is not None:
            share = f"  {format_ratio(n / due)}" if due and n else ""
            text, colour = f"{format_count(n)}{share}", style.OUTCOMES[key].colour
            bars.append(Bar(label, n, text, "", good=key == "complete", colour=colour))
    return bars, due


def event_bars(manifest: Manifest) -> list[Bar]:
    """A bar per event counter; unmeasured ones with their reason."""
    counts = section(manifest, "counts", "events")
    unmeasured = section(counts, "unmeasured")
    bars: list[Bar] = []
    for key in DRAWN_EVENTS:
        n, label, good = as_integer(counts.get(key)), EVENTS[key], key in GOOD_EVENTS
        colour = style.TONES["good" if good else "bad"]
        if n is not None:
            bars.append(Bar(label, n, format_count(n), "", good, colour))
        elif key in unmeasured:
            reason = style.drawable(printable(unmeasured[key], 200))
            bars.append(Bar(label, None, "not measured", reason, good=False, colour=style.GRID))
    return bars


def _panel(sheet: layout.Sheet, caption: str, bars: list[Bar], why: str) -> None:
    panel = layout.panel(sheet, caption, ROW_IN * max(len(bars), 2))
    if not bars:
        layout.explain(sheet, panel, why)
        return
    axes = panel.axes
    most = max((bar.n or 0) for bar in bars)
    # Room for the text at the right of the longest bar, in units of the axis.
    plot_pt = (sheet.width_in - 2 * style.EDGE_IN) * 72 - _label_pt(bars) - 5
    text_pt = max(style.text_width(bar.text, style.SMALL_PT, weight="bold") for bar in bars) + 14
    bars, apart = _reasons(bars, plot_pt - 20)
    if apart:
        layout.footer(sheet, panel, apart)
    axes.set_xlim(0, most * plot_pt / max(plot_pt - text_pt, 12))
    axes.set_ylim(len(bars) - 0.5, -0.5)
    for row, bar in enumerate(bars):
        _bar(axes, row, bar, most)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)


def _reasons(bars: list[Bar], room_pt: float) -> tuple[list[Bar], str]:
    """Reasons of unmeasured counters: beside their label where all fit, else as one sentence for below."""
    full = {bar.label: f"not measured: {bar.reason}" for bar in bars if bar.n is None}
    if all(style.text_width(text, style.SMALL_PT) <= room_pt for text in full.values()):
        return [replace(bar, text=full.get(bar.label, bar.text)) for bar in bars], ""
    by_reason: dict[str, list[str]] = {}
    for bar in bars:
        if bar.n is None:
            by_reason.setdefault(bar.reason, []).append(bar.label)
    return bars, "; ".join(f"{', '.join(labels)}: {reason}" for reason, labels in by_reason.items())


def _label_pt(bars: list[Bar]) -> float:
    return max(style.text_width(bar.label, style.SMALL_PT) for bar in bars) + 12


def _bar(axes: Axes, row: int, bar: Bar, most: int) -> None:
    if bar.n is None:
        whole_row = axes.get_xlim()[1]
        axes.barh(
            row, whole_row, height=0.62, facecolor="none", edgecolor=bar.colour, hatch="////", linewidth=0
        )
        _beside(axes, row, 0, bar.text, boxed=True)
        return
    axes.barh(row, bar.n, height=0.62, facecolor=bar.colour, linewidth=0)
    if bar.n and bar.n < most / 300:
        # Too short to be seen at its true length; the mark says that it is not nothing.
        axes.plot([0], [row], marker="|", markersize=9, markeredgewidth=2, color=bar.colour, clip_on=False)
    _beside(axes, row, bar.n, bar.text, boxed=False, bold=bool(bar.n) and not bar.good)


def _beside(axes: Axes, row: int, x: int, text: str, *, boxed: bool, bold: bool = False) -> None:
    box = {"boxstyle": "round,pad=0.2", "facecolor": style.SURFACE, "edgecolor": "none"} if boxed else None
    axes.annotate(
        text,
        (x, row),
        xytext=(7, 0),
        textcoords="offset points",
        va="center_baseline",
        ha="left",
        fontsize=style.SMALL_PT,
        fontweight="bold" if bold else "normal",
        color=style.MUTED if boxed else style.INK,
        bbox=box,
    )
