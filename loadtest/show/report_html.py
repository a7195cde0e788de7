"""report.html: one file that needs nothing else, readable on a phone and on a wide screen, light or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.judge.measured import COARSE_NS
from loadtest.judge.sections import planned, tick_ns
from loadtest.show.evidence import other_turns, slowest_turns
from loadtest.show.manifest import ReadableRun
from loadtest.show.render.html import environment, inline_plots
from loadtest.show.report import HEADINGS, STATISTICS, Report
from loadtest.show.report_model import tell, was_unreachable

if TYPE_CHECKING:
    from loadtest.show.plot.pictures import Pictures


def html(run: ReadableRun, pictures: Pictures | None = None) -> str:
    """The page. ``pictures`` are the run's plots, if they were drawn already."""
    from loadtest.show.plot.pictures import NAMES, Pictures

    drawn = pictures or Pictures(run)
    # Where nothing was ever ready, the other pictures would be empty.
    names = ("connections",) if was_unreachable(run.manifest) else NAMES
    letters, plots = inline_plots({name: drawn.plot(name) for name in names})
    logs, warmup_s, tick = run.slowest(), planned(run.manifest, "warmup_s") or 0.0, tick_ns(run.manifest)
    step_ns = tick if tick >= COARSE_NS else 0
    return page(
        tell(run.manifest),
        plots=list(plots.values()),
        letters=letters,
        slowest=slowest_turns(logs, warmup_s, step_ns),
        others=other_turns(logs, warmup_s, step_ns),
    )


def page(report: Report, **parts: object) -> str:
    """The template filled in; every text in it is escaped."""
    columns = [(key, HEADINGS[key]) for key in STATISTICS]
    return environment().get_template("report.html").render(report=report, columns=columns, **parts)
