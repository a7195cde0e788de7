"""The plots of a stored run by name, each for a page or for a phone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtest.judge.manifest_access import Manifest, section
from loadtest.judge.measurement_window import measured_span
from loadtest.measure.totals import Totals
from loadtest.show.build_report import build_report
from loadtest.show.charts import run_charts
from loadtest.show.document import Chart, Plot
from loadtest.show.manifest import ReadableRun, as_integer
from loadtest.show.plot import connections, ledger, spectrum, style, svg, timeline
from loadtest.show.plot.canvas import Heading
from loadtest.show.report_model import Report
from loadtest.show.run import CONNECTIONS, COUNTED, PERCENTILES
from loadtest.show.series import Series, read_series
from loadtest.show.threshold_limits import Limit, limits_of

NAMES = ("timeline", "spectrum", "connections", "ledger")
"""The plots, in the order in which they answer questions."""

TABS = {"timeline": "", "spectrum": PERCENTILES, "connections": CONNECTIONS, "ledger": COUNTED}
"""Where each stands on a page; the first below the verdict."""

SUMMARY = "timeline"
"""The plot below the verdict, in the one picture of a run."""

TITLES = {
    "spectrum": spectrum.TITLE,
    "timeline": timeline.TITLE,
    "connections": connections.TITLE,
    "ledger": ledger.TITLE,
}


CAPTIONS = {
    "spectrum": (
        "Read from the left: half of the turns were answered within the time at 50 %. A line that rises at"
        " the right shows a slow tail. Where response time is above service time, messages were sent later"
        " than due: their connection was not ready, or the generator was busy."
    ),
    "timeline": (
        "Percentiles are drawn only for seconds with enough samples. A gap while turns were due is a stall of"
        " the target. If the generator was busy or its loop lagged, that second is in doubt. Turns that were"
        " not complete are drawn at the second in which they ended."
    ),
    "connections": (
        "The number of ready connections over time, and when the target refused or closed connections."
    ),
    "ledger": (
        "Every turn that fell due has exactly one outcome. Hatched: with this protocol loadtest cannot know."
    ),
}
"""How to read each plot."""


@dataclass(slots=True, weakref_slot=True)
class _Read:
    """What all plots of a run share, read once."""

    manifest: Manifest
    report: Report
    totals: Totals
    series: Series
    limits: tuple[Limit, ...]


class Pictures:
    """The plots of one run; its intervals are read once, at the first plot that needs them."""

    def __init__(self, run: ReadableRun) -> None:
        self._run = run
        self._svgs: dict[tuple[str, float], str] = {}

    @cached_property
    def _read(self) -> _Read:
        manifest = self._run.manifest
        totals = self._run.totals()
        return _Read(
            manifest, build_report(manifest), totals, read_series(self._run, totals), limits_of(manifest)
        )

    @cached_property
    def _charts(self) -> dict[str, list[Chart]]:
        read = self._read
        metrics = section(read.manifest, "metrics")
        bounded = {
            name
            for name in metrics
            if any(section(metrics, name).get(key) for key in ("upper_bound", "approximate", "bounds"))
        }
        return run_charts(read.series, read.totals.histograms, self._phases(), read.limits, bounded)

    def figure(self, name: str, width_in: float = style.WIDE_IN) -> Figure:
        """A plot by its name, ``width_in`` inches wide; its height follows from what is on it."""
        with mpl.rc_context(style.SETTINGS):
            return self._drawers()[name](self._heading(name), width_in)

    def svg(self, name: str, width_in: float = style.WIDE_IN) -> str:
        """The plot as an SVG file that can stand alone; drawn once."""
        if (name, width_in) not in self._svgs:
            with mpl.rc_context(style.SETTINGS):
                figure = self._drawers()[name](self._heading(name), width_in)
                self._svgs[name, width_in] = svg.alone(figure, self.about(name))
        return self._svgs[name, width_in]

    def png(self, name: str, width_in: float = style.WIDE_IN) -> bytes:
        """The plot as a PNG of twice the resolution of a plain screen."""
        with mpl.rc_context(style.SETTINGS):
            return svg.png(self._drawers()[name](self._heading(name), width_in))

    def summary_svg(self) -> str:
        """The verdict above the timeline: the one picture of a run for a pull request, a chat, a wiki."""
        with mpl.rc_context(style.SETTINGS):
            return svg.alone(self._summary(), f"{self._verdict()} {self.about(SUMMARY)}")

    def summary_png(self) -> bytes:
        """The same as a PNG of twice the resolution of a plain screen."""
        with mpl.rc_context(style.SETTINGS):
            return svg.png(self._summary())

    def _summary(self) -> Figure:
        heading = replace(self._heading(SUMMARY), title=self._verdict())
        return self._drawers()[SUMMARY](heading, style.WIDE_IN)

    def _verdict(self) -> str:
        judged = self._read.report.judgement
        return f"{judged.word}: {judged.why}"

    def plot(self, name: str) -> Plot:
        """The plot and how to read it."""
        return Plot(
            CAPTIONS[name],
            functools.partial(self.svg, name),
            functools.partial(self.png, name),
            lambda: self._charts.get(name, []),
            TABS[name],
        )

    def about(self, name: str) -> str:
        """What a plot shows, for those who do not see it."""
        report = self._read.report
        of_run = ", ".join(part for part in (report.scenario, report.label, report.target) if part)
        return f"{TITLES[name]}: {of_run}{', SIMULATED' if report.simulated else ''}"

    def _heading(self, name: str) -> Heading:
        report = self._read.report
        return Heading(TITLES[name], report.scenario, report.label, report.target, report.simulated)

    def _drawers(self) -> dict[str, Callable[[Heading, float], Figure]]:
        read = self._read
        why = why_nothing(read.manifest)
        planned = as_integer(section(read.manifest, "load", "planned").get("connections"))
        return {
            "spectrum": lambda heading, width: spectrum.draw(
                heading, read.totals.histograms, why, width, limits=read.limits
            ),
            "timeline": lambda heading, width: timeline.draw(
                heading, read.series, self._phases(), why, width, limits=read.limits
            ),
            "connections": lambda heading, width: connections.draw(
                heading, read.series, self._phases(), planned, width, limits=read.limits
            ),
            "ledger": lambda heading, width: ledger.draw(heading, read.manifest, why, width),
        }

    def _phases(self) -> timeline.Phases:
        span = measured_span(self._read.manifest, self._read.totals)
        return timeline.phases_of(span.start_ns, span.end_ns, self._read.series)


def why_nothing(manifest: Manifest) -> str:
    """Why a plot has nothing to show: the reason the run itself gives, if it does."""
    connections_counted = section(manifest, "counts", "connections")
    if as_integer(connections_counted.get("attempted")) and not as_integer(connections_counted.get("ready")):
        return "no connection was ever ready"
    for name, reason in section(manifest, "unmeasured").items():
        if name.startswith("turn."):
            return str(reason)
    return "the run holds no sample of it"
