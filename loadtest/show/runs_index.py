"""``index.html`` of a results folder: every run with its verdict, key numbers and course, as a static page.

Only ``run.json`` is read of all runs, and the timeline of the newest. Folders may be those of others: what
cannot be read is named, every text is escaped, and links lead only into the folder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from loadtest.keep import folder
from loadtest.keep.atomic import write_whole
from loadtest.keep.find import StoredRun, StoredRuns, ThresholdOutcome, stored_runs
from loadtest.show.build_report import WORDS, instant_text, measured_text
from loadtest.show.document import Tone
from loadtest.show.links import link_to
from loadtest.show.metric_table import NEVER
from loadtest.show.sanitize import printable
from loadtest.show.sparkline import drawn_course
from loadtest.units import format_ms

INDEX = "index.html"

DRAWN = 100
"""Runs whose course is drawn, the newest of the folder."""

SECONDS, POINTS = 4000, 60
"""Rows of a timeline that are read, and points that are drawn of them."""

LONGEST_LINE = 4096

P95 = "turn.first_event.p95_ms"

PAGES = ("*.html", "*/compare.html", "*/search.html", "*/suite.html")
"""Other pages that are listed: comparisons, trends, searches, suites."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One run. ``course`` is an SVG path of the p95 of its first events; empty where there is none."""

    word: str
    tone: Tone
    label: str
    started: str
    id: str
    link: str
    simulated: bool
    first_event: str
    completion: str
    missed: str
    why: str
    course: str


@dataclass(frozen=True, slots=True)
class IndexGroup:
    """The runs of a scenario, newest first, and the course of their p95 from the oldest to the newest."""

    scenario: str
    rows: tuple[IndexRow, ...]
    course: str


def write_index(results: Path) -> Path:
    """Write the page of a results folder, whole or not at all.

    Raises:
        ConfigError: the folder cannot be read.
        OSError: the page cannot be written.
    """
    path = results / INDEX
    write_whole(path, index(results).encode())
    return path


def index(results: Path) -> str:
    """The page.

    Raises:
        ConfigError: the folder cannot be read.
    """
    from loadtest.show.render.html import environment

    found = stored_runs(results)
    runs = [run for run in found.runs if run.asked_by is None]
    return (
        environment()
        .get_template("index.html")
        .render(
            groups=groups(runs, results),
            total=len(runs),
            probes=len(found.runs) - len(runs),
            # The page may be published: where the folder lies on this machine is nobody's business.
            unreadable=[printable(each.replace(f"{results}/", ""), 300) for each in found.unreadable],
            pages=_pages(results, found),
        )
    )


def groups(runs: Sequence[StoredRun], results: Path) -> list[IndexGroup]:
    """By scenario, the one that ran last first."""
    newest = {run.path for run in runs[-DRAWN:]}
    found: dict[str, list[StoredRun]] = {}
    for run in runs:
        found.setdefault(run.scenario, []).append(run)
    ordered = sorted(found.items(), key=lambda item: item[1][-1].started, reverse=True)
    return [
        IndexGroup(
            printable(scenario or "unnamed scenario", 80),
            tuple(_row(run, results, drawn=run.path in newest) for run in reversed(of)),
            drawn_course([_finite(run.p95_ms.get("turn.first_event")) for run in of[-POINTS:]]),
        )
        for scenario, of in ordered
    ]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _row(run: StoredRun, results: Path, *, drawn: bool) -> IndexRow:
    word, tone = WORDS.get(run.outcome or "", ("NO VERDICT", "doubt"))
    missed = [_missed(each) for each in run.thresholds if each.outcome == "missed"]
    return IndexRow(
        word=word,
        tone=tone,
        label=printable(run.label or "", 80),
        started=instant_text(run.started),
        id=printable(run.id, 120),
        link=link_to(run.path / folder.REPORT, results),
        simulated=run.simulated,
        first_event=_p95(run, "turn.first_event"),
        completion=_p95(run, "turn.completion"),
        # Of a run that failed for another reason, or cannot be believed, what it missed says nothing.
        missed="; ".join(missed) if run.outcome == "fail" else "",
        why=printable(run.why, 240),
        course=drawn_course(course(run.path / folder.TIMELINE)) if drawn else "",
    )


def _missed(each: ThresholdOutcome) -> str:
    """What was measured and what was promised: "turn.first_event.p95 265 ms, not < 100ms"."""
    promise = f", not {printable(each.expression, 40)}" if each.expression else ""
    return f"{printable(each.name, 60)} {_measured(each.unit, each.measured) or NEVER}{promise}"


def _measured(unit: object, value: object) -> str:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return measured_text(str(unit), float(value)) if known else ""  # type: ignore[arg-type]  # said by known


def _p95(run: StoredRun, metric: str) -> str:
    value = run.p95_ms.get(metric)
    if value is None:
        return ""
    return format_ms(value) if math.isfinite(value) else NEVER


def course(path: Path) -> list[float | None]:
    """The p95 of first events second by second, thinned to ``POINTS``; nothing where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = iter(lambda: file.readline(LONGEST_LINE), "")
            read = csv.DictReader(islice(lines, SECONDS))
            values = [_number(row.get(P95)) for row in read]
    except (OSError, csv.Error):
        return []
    return thinned(values)


def thinned(values: Sequence[float | None]) -> list[float | None]:
    """At most ``POINTS`` values: of each stretch the highest, since a peak is what one looks for."""
    step = max(1, math.ceil(len(values) / POINTS))
    stretches = (values[at : at + step] for at in range(0, len(values), step))
    return [max((value for value in each if value is not None), default=None) for each in stretches]


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _pages(results: Path, found: StoredRuns) -> list[tuple[str, str]]:
    """Name and address of the other pages, without the reports of runs."""
    runs = {run.path.name for run in found.runs}
    paths: Iterable[Path] = (path for pattern in PAGES for path in sorted(results.glob(pattern)))
    return [
        (printable(path.relative_to(results), 120), link_to(path, results))
        for path in paths
        if path.name != INDEX and path.parent.name not in runs and path.is_file()
    ]
