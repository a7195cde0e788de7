"""The knee of a search: what was achieved of what was asked, and the response time, by load."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.judge.knee import ProbeResult, Search
from loadtest.plan.threshold import parse_threshold
from loadtest.show.metric_table import LABELS
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style, svg
from loadtest.show.values import amount
from loadtest.units import format_count

TITLE = "Achieved and requested load, and response time"

ANSWERS = {
    "held": "all thresholds held",
    "missed": "a threshold was missed",
    "invalid": "invalid: limited by the generator",
}
"""Of the answer of a probe: what it means."""

WIDE = 30.0
"""Response times that lie so many times apart are drawn on a logarithmic axis."""


class KneePicture:
    """The plot of one search, for a page or for a phone."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def figure(self, width_in: float = style.WIDE_IN) -> Figure:
        """Two panels over the same loads."""
        with mpl.rc_context(style.SETTINGS):
            return _draw(self._search, width_in)

    def svg(self, width_in: float = style.WIDE_IN) -> str:
        """A file that can stand alone."""
        with mpl.rc_context(style.SETTINGS):
            return svg.alone(_draw(self._search, width_in), self.about())

    def png(self, width_in: float = style.WIDE_IN) -> bytes:
        """The same as pixels."""
        with mpl.rc_context(style.SETTINGS):
            return svg.png(_draw(self._search, width_in))

    def about(self) -> str:
        """What it shows, for those who do not see it."""
        search = self._search
        return f"{TITLE}: {search.scenario}, {search.target}{', SIMULATED' if search.simulated else ''}"


def _draw(search: Search, width_in: float) -> Figure:
    heading = layout.Heading(TITLE, search.scenario, search.label, search.target, search.simulated)
    sheet = layout.sheet(heading, width_in)
    _throughput(sheet, search)
    _response(sheet, search)
    layout.arrange(sheet)
    return sheet.figure


def _throughput(sheet: layout.Sheet, search: Search) -> None:
    drawn = [each for each in search.tries if each.achieved is not None]
    panel = layout.panel(sheet, _caption(drawn), 2.3 if sheet.narrow else 2.8)
    if not drawn:
        layout.explain(sheet, panel, "no probe stored a run with measurements")
        return
    axes = panel.axes
    asked = sorted({(each.probe.load, each.asked) for each in drawn if each.asked is not None})
    if asked:
        axes.plot(*zip(*asked, strict=True), color=style.MUTED, linestyle="--", linewidth=1.3, label="asked")
    _limit(axes, search)
    if search.knee.load is not None:
        axes.axvline(search.knee.load, color=style.BLUE, linestyle=":", linewidth=2.0,
                     label=f"knee: {amount(search.knee.load)} {search.unit}")  # fmt: skip
    _points(axes, [(each, each.achieved) for each in drawn])
    axes.set_ylim(
        0, 1.08 * max(1e-9, *(value or 0.0 for each in drawn for value in (each.asked, each.achieved)))
    )
    style.thousands(axes.yaxis, bins=4)
    _loads(axes, search, label=False)
    layout.legend(panel, sheet.width_in, columns=3)


def _caption(drawn: Sequence[ProbeResult]) -> str:
    counted = f"n={format_count(len(drawn))} runs"
    turns = any(each.p95_ms is not None for each in drawn)
    return f"turns complete per second, {counted}" if turns else f"achieved, {counted}"


def _response(sheet: layout.Sheet, search: Search) -> None:
    drawn = [each for each in search.tries if each.p95_ms is not None]
    name = LABELS.get(search.metric, search.metric)
    panel = layout.panel(sheet, "", 2.1 if sheet.narrow else 2.4)
    if not drawn:
        panel.caption.set_text(f"{name}, p95 of response time")
        layout.explain(sheet, panel, f"no run had enough samples for a p95 of {search.metric}")
        return
    values = [each.p95_ms or 0.0 for each in drawn]
    promised = _promised(search)
    most = max([*values, promised or 0.0])
    log = most > WIDE * max(min(values), 1e-6)
    scale = " (logarithmic)" if log else ""
    samples = (
        f"n={format_count(min(each.n for each in drawn))} to {format_count(max(each.n for each in drawn))}"
    )
    inside = (sheet.width_in - 2 * style.EDGE_IN) * 72
    caption = f"{name}, p95 of response time in ms{scale}, {samples} turns a run"
    panel.caption.set_text(style.wrap(caption, inside, style.TEXT_PT, lines=2, weight="bold"))
    axes = panel.axes
    _limit(axes, search)
    if promised is not None:
        axes.axhline(
            promised, color=style.LIMIT, linestyle="-.", linewidth=1.6, label=f"limit {promised:g} ms"
        )
    _points(axes, [(each, each.p95_ms) for each in drawn])
    if log:
        style.log_time(axes.yaxis, min(values), most)
    else:
        axes.set_ylim(0, most * 1.15)
        style.thousands(axes.yaxis, bins=4)
    _loads(axes, search, label=True)
    layout.legend(panel, sheet.width_in, columns=3)


def _promised(search: Search) -> float | None:
    """The limit of this p95, in ms, if there is one."""
    for text in search.limits:
        name, _, expression = text.partition(" ")
        threshold = parse_threshold(name, expression)
        if name == f"{search.metric}.p95" and threshold.operator in {"<", "<="}:
            return threshold.limit
    return None


def _limit(axes: Axes, search: Search) -> None:
    """The stretch in which the limit lies."""
    low, high = search.finding.interval
    if low is not None and high is not None:
        axes.axvspan(low, high, facecolor=style.ORANGE, alpha=0.25, edgecolor="none", zorder=0,
                     label=f"the limit is between {amount(low)} and {amount(high)}")  # fmt: skip


def _points(axes: Axes, points: Sequence[tuple[ProbeResult, float | None]]) -> None:
    for answer, label in ANSWERS.items():
        look = style.PROBES[answer]
        fill = look.colour if answer == "missed" else style.SURFACE
        of_it = [(each.probe.load, value) for each, value in points if each.probe.answer == answer]
        if of_it:
            x, y = zip(*of_it, strict=True)
            axes.plot(x, y, linestyle="none", marker=look.marker, markersize=7, color=look.colour,
                      markerfacecolor=fill, markeredgewidth=1.5, label=f"{label} ({len(of_it)})",
                      zorder=3)  # fmt: skip


def _loads(axes: Axes, search: Search, *, label: bool) -> None:
    most = max(each.probe.load for each in search.tries)
    axes.set_xlim(0, most * 1.06)
    style.thousands(axes.xaxis, bins=6, integer=search.over == "connections")
    if label:
        axes.set_xlabel(f"load in {search.unit}", color=style.MUTED, fontsize=style.SMALL_PT)
    else:
        axes.tick_params(labelbottom=False)
