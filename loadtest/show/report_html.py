"""report.html: one file that needs nothing else, readable on a phone and on a wide screen, light or dark."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from loadtest.judge.measured import COARSE_NS
from loadtest.judge.sections import planned, tick_ns
from loadtest.show.document import Plot
from loadtest.show.evidence import other_turns, slowest_turns
from loadtest.show.manifest import ReadableRun
from loadtest.show.render.html import environment, inline_plots
from loadtest.show.report import HEADINGS, STATISTICS, Report
from loadtest.show.report_model import tell, was_unreachable

if TYPE_CHECKING:
    from loadtest.show.plot.pictures import Pictures

CAPTIONS = {
    "spectrum": "Read it from the left: half of the turns were answered within the time at 50 %. A line that"
    " bends up at the right has a slow tail. Where response time lies above service time, messages"
    " were sent later than due: their connection was not ready, or the generator was busy.",
    "timeline": "Percentiles are drawn only for seconds with enough samples. A gap in them with turns due is"
    " a stall of the target; a busy generator or a lagging loop casts doubt on that second. Turns that were"
    " not complete stand in the second in which they ended.",
    "connections": "How many connections were ready at each instant; when the target refused or closed any.",
    "ledger": "Every turn that fell due has exactly one outcome. Hatched: the protocol gives no way to know.",
}
"""How to read each plot."""


def html(run: ReadableRun, pictures: Pictures | None = None) -> str:
    """The page. ``pictures`` are the run's plots, if they were drawn already."""
    from loadtest.show.plot.pictures import NAMES, Pictures

    drawn = pictures or Pictures(run)
    # Where nothing was ever ready, the other pictures would be empty.
    names = ("connections",) if was_unreachable(run.manifest) else NAMES
    letters, plots = inline_plots(
        {name: Plot(CAPTIONS[name], functools.partial(drawn.svg, name)) for name in names}
    )
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
