"""The course of what decides, run by run: its levels with their bands, its changes, and the newest run."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from loadtest.judge.segments import MetricTrend
from loadtest.judge.thresholds import thresholds_of
from loadtest.judge.trend import Trend
from loadtest.plan.threshold import Threshold
from loadtest.show.comparison import TONES, change_text
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style, svg
from loadtest.show.plot.compared_releases import note
from loadtest.show.plot.small_multiples import FACTORS, UNITS
from loadtest.show.sanitize import printable
from loadtest.show.trend import date_text, first_run_text, span_text, word_of
from loadtest.units import FORMATS, format_count

TITLE = "Trend of what decides"

HEIGHT_IN = 1.55

MANY = 120
"""Of more runs each dot is smaller."""

DATE_PT = 78
"""Room for one date below the axis, in points."""

HEADROOM = 0.3
"""Part of the axis above the highest run, where letters stand."""

ROWS = 3
"""Lines on which letters stand, so that those of changes close together do not touch."""

UNNAMED = "_"
"""The label of what a legend does not name again."""


class TrendPicture:
    """The picture of one trend."""

    def __init__(self, trend: Trend) -> None:
        self.trend = trend

    def figure(self, width_in: float = style.WIDE_IN) -> Figure:
        """``width_in`` inches wide; its height follows from what is on it."""
        with mpl.rc_context(style.SETTINGS):
            return _draw(self.trend, width_in)

    def svg(self, width_in: float = style.WIDE_IN) -> str:
        """As an SVG file that can stand alone."""
        with mpl.rc_context(style.SETTINGS):
            return svg.alone(_draw(self.trend, width_in), self.about())

    def png(self, width_in: float = style.WIDE_IN) -> bytes:
        """As a PNG of twice the resolution of a plain screen."""
        with mpl.rc_context(style.SETTINGS):
            return svg.png(_draw(self.trend, width_in))

    def about(self) -> str:
        """What it shows, for those who do not see it."""
        simulated = ", SIMULATED" if self.trend.history.simulated else ""
        return f"{TITLE}: {printable(self.trend.history.scenario)}, {span_text(self.trend)}{simulated}"


def _draw(trend: Trend, width_in: float) -> Figure:
    past = trend.history
    machine = f"machine {printable(past.machine, 40)}"
    heading = layout.Heading(TITLE, printable(past.scenario), span_text(trend), machine, past.simulated)
    sheet = layout.sheet(heading, width_in)
    for course in trend.primary:
        _course(sheet, trend, course)
    if not sheet.panels:
        layout.explain(sheet, layout.panel(sheet, "What decides", HEIGHT_IN), "no run counts")
    layout.arrange(sheet)
    return sheet.figure


def _course(sheet: layout.Sheet, trend: Trend, course: MetricTrend) -> None:
    rule = course.measure
    better = "less is better" if rule.better == "lower" else "more is better"
    counted = (
        f"{format_count(course.n)} {'run' if course.n == 1 else 'runs'}, n={format_count(course.samples)}"
    )
    panel = layout.panel(sheet, f"{rule.name}, {UNITS[rule.unit]} ({better}); {counted}", HEIGHT_IN)
    failed = [each.target_failed for each in trend.history.standings]
    values = [None if down else value for value, down in zip(course.values, failed, strict=True)]
    seen = {value for value in values if value is not None}
    if not seen:
        layout.explain(sheet, panel, course.newest.why)
        return
    if len(seen) == 1 and course.n > 1 and not any(failed):
        value = FORMATS[rule.unit](seen.pop())
        layout.explain(sheet, panel, f"{value} in all of the {counted}", measured=True)
        return
    factor = FACTORS.get(rule.unit, 1.0)
    _levels(panel.axes, course, factor)
    _runs(panel.axes, course, values, factor, word_of(course, trend.ruling))
    _limits(panel.axes, course, values, factor)
    _down(panel.axes, failed)
    _promises(panel.axes, trend, course, factor)
    _changes(panel.axes, sheet, course)
    _days(panel.axes, sheet, trend)
    layout.legend(panel, sheet.width_in)
    if course.changes:
        layout.footer(sheet, panel, _told(course))


def _levels(axes: Axes, course: MetricTrend, factor: float) -> None:
    """A line per level, and around it the band where there are runs enough to know it."""
    banded = [each for each in course.segments if each.low is not None and each.high is not None]
    for number, each in enumerate(banded):
        label = "95 % prediction interval" if not number else UNNAMED
        ends = (each.first - 0.5, each.last - 0.5)
        low, high = (each.low or 0.0) * factor, (each.high or 0.0) * factor
        axes.fill_between(ends, low, high, color=style.SKY, alpha=0.28, linewidth=0, label=label)
        axes.hlines((low, high), *ends, color=style.SKY, linewidth=0.8)
    for number, each in enumerate(course.segments):
        label = "mean of a level" if not number else UNNAMED
        ends = (each.first - 0.5, each.last - 0.5)
        axes.hlines(each.value * factor, *ends, color=style.BLUE, linewidth=1.8, label=label)


def _runs(
    axes: Axes, course: MetricTrend, measured: Sequence[float | None], factor: float, word: str
) -> None:
    """A dot for each run in which the target answered; ``word`` is what is said of the newest."""
    values = np.array([np.nan if each is None else each * factor for each in measured])
    newest, odd = len(values) - 1, [at for at in course.odd if at < len(values) - 1]
    size = 2.2 if len(values) > MANY else 3.8
    plain = [at for at in range(newest) if at not in odd]
    axes.plot(
        plain, values[plain], "o", color=style.MUTED, markersize=size, markerfacecolor="none", label="a run"
    )
    if odd:
        label = "a run outside the prediction interval"
        axes.plot(odd, values[odd], "x", color=style.ORANGE, markersize=size + 2, label=label)
    told = f"the newest run: {word}" if word != "cannot tell" else "the newest run"
    axes.plot(
        [newest],
        values[[newest]],
        "D",
        color=style.TONES[TONES[word]],
        markersize=6,
        label=told,
        clip_on=False,
    )


def _down(axes: Axes, failed: Sequence[bool]) -> None:
    """A mark at the foot of the panel for each run in which the target was down: its times are missing."""
    places = [at for at, down in enumerate(failed) if down]
    if places:
        axes.plot(
            places,
            [0.0] * len(places),
            "X",
            color=style.TONES["bad"],
            markersize=6,
            transform=axes.get_xaxis_transform(),
            label="the target was down",
            clip_on=False,
        )


def _limits(axes: Axes, course: MetricTrend, values: Sequence[float | None], factor: float) -> None:
    """Not from 0: dots show differences, and the numbers stand at the axis. Room for letters above."""
    seen = [*values, *(end for each in course.segments for end in (each.low, each.high))]
    known = [each * factor for each in seen if each is not None]
    low, high = min(known), max(known)
    reach = max(high - low, abs(high) * 0.02, 1e-9)
    top = high + (HEADROOM if course.changes else 0.12) * reach
    # A share above 100 % does not exist; a little room keeps the dots whole.
    share = course.measure.unit == "ratio" and not course.changes
    axes.set_ylim(low - 0.12 * reach, min(top, 100.5) if share else top)
    room = max(0.8, len(course.values) * 0.012)
    axes.set_xlim(-room, len(course.values) - 1 + room)
    style.thousands(axes.yaxis, bins=4)


def _promises(axes: Axes, trend: Trend, course: MetricTrend, factor: float) -> None:
    """The limits of thresholds, where they lie among the runs."""
    low, high = axes.get_ylim()
    found: list[Threshold] = [
        each
        for each in thresholds_of(trend.history.newest)
        if each.name == course.name and each.stage is None and low < each.limit * factor < high
    ]
    for each in found:
        label = f"threshold {each.expression}"
        axes.axhline(each.limit * factor, color=style.LIMIT, linewidth=1.2, linestyle=":", label=label)


def _changes(axes: Axes, sheet: layout.Sheet, course: MetricTrend) -> None:
    """A line at each change, with a letter that the words below explain; one without room has none."""
    points = (sheet.width_in - 1.0) * 72 / max(len(course.values), 1)
    ends = [float("-inf")] * ROWS
    for letter, change in zip(letters(len(course.changes)), course.changes, strict=True):
        colour = style.TONES[TONES[change.word]]
        axes.axvline(change.at - 0.5, color=colour, linewidth=1.1, linestyle=(0, (4, 2)))
        middle, half = (change.at - 0.5) * points, style.text_width(letter, style.SMALL_PT, weight="bold") / 2
        row = next((row for row, end in enumerate(ends) if middle - half > end + 2), None)
        if row is not None:
            ends[row] = middle + half
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top"}
            height = 1.0 - row * (style.SMALL_PT + 2.5) / 72 / HEIGHT_IN
            box = {"facecolor": style.SURFACE, "edgecolor": "none", "pad": 0.6}
            text = (change.at - 0.5, height, letter)
            axes.text(*text, color=colour, fontsize=style.SMALL_PT, fontweight="bold", bbox=box, **place)  # type: ignore[arg-type]  # keyword arguments of a Text


def letters(n: int) -> list[str]:
    """Names of so many changes: A to Z, then AA, AB and so on."""
    found = (
        "".join(each)
        for length in itertools.count(1)
        for each in itertools.product(string.ascii_uppercase, repeat=length)
    )
    return list(itertools.islice(found, n))


def _told(course: MetricTrend) -> str:
    """What the letters mean, newest first."""
    pairs = list(zip(letters(len(course.changes)), course.changes, strict=True))
    told = []
    for letter, change in reversed(pairs):
        who = first_run_text(change)
        since = f"since {date_text(change.started)}{f' ({who})' if who else ''}"
        told.append(f"{letter}: {change_text(course.measure, change.change)} {since}")
    return "; ".join(told) + "."


def _days(axes: Axes, sheet: layout.Sheet, trend: Trend) -> None:
    """Below the runs the days of as many of them as there is room for."""
    runs = trend.history.runs
    fitting = max(2, int((sheet.width_in - 1.0) * 72 // DATE_PT))
    places = list(range(len(runs) - 1, -1, -math.ceil(len(runs) / fitting)))[::-1]
    days = [date_text(str(runs[at].get("started"))) for at in places]
    shown = [day if at == 0 or day != days[at - 1] else "" for at, day in enumerate(days)]
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_major_formatter(FixedFormatter(shown))
    note(axes, "runs in the order they were made, by day (UTC)")
