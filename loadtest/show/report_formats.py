"""All views of a stored run: as text by the name of a format, and as the files of its folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loadtest.errors import ConfigError, Exit, LoadtestError
from loadtest.judge.judge_run import judge_part, judge_run
from loadtest.judge.manifest_access import has_stages, planned, tick_ns
from loadtest.judge.measurement_window import slow_reader_users
from loadtest.judge.threshold_measurement import COARSE_NS
from loadtest.judge.totals_between import totals_between
from loadtest.judge.turn_groups import turn_groups
from loadtest.keep.atomic import replacing
from loadtest.keep.folder import PLOTS, REPORT
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.show.benchmark import benchmark, benchmark_rates
from loadtest.show.build_report import build_report, was_unreachable
from loadtest.show.exemplars import other_turns, slowest_turns
from loadtest.show.manifest import ReadableRun
from loadtest.show.render.json import as_json
from loadtest.show.render.junit import junit, junit_suite
from loadtest.show.render.markdown import markdown
from loadtest.show.render.pdf import pdf
from loadtest.show.render.prometheus import prometheus
from loadtest.show.render.terminal import render as terminal
from loadtest.show.run import document
from loadtest.show.values import as_csv

if TYPE_CHECKING:
    from loadtest.show.plot.pictures import Pictures


@dataclass(frozen=True)
class JudgedRun:
    """A run, or the seconds ``first`` to ``last`` of it, with another manifest than the stored one."""

    run: ReadableRun
    manifest: dict[str, Any]
    part: tuple[float, float] | None = None

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    def totals(self, first: int | None = None, last: int | None = None) -> Totals:
        """The sum of its intervals, from second ``first`` up to but not including ``last``."""
        if self.part is None:
            return self.run.totals(first, last)
        part = self.manifest["part"]
        turns = self.run.turns() if part["turns_by"] == "intended" else None
        groups = turn_groups(self.manifest, by_kind="without_kinds" not in part)
        from_s, to_s = max(self.part[0], first or 0), min(self.part[1], 2**62 if last is None else last)
        seconds = _summed_seconds(self.run, from_s, to_s)
        return totals_between(seconds, from_s, to_s, turns, slow_reader_users(self.manifest), groups=groups)

    def intervals(
        self,
        first: int | None = None,
        last: int | None = None,
        tags: Collection[str] | None = None,
        step: int = 1,
    ) -> Iterator[Interval]:
        """Its seconds from ``first`` up to but not including ``last``."""
        if self.part is not None:
            first = max(first or 0, int(np.ceil(self.part[0])))
            last = min(last if last is not None else 2**62, int(np.ceil(self.part[1])))
        return self.run.intervals(first, last, tags, step)

    def turns(self) -> npt.NDArray[np.void]:
        """The turns that fell due in it."""
        turns = self.run.turns()
        if self.part is None:
            return turns
        start, end = (round(at * 1e9) for at in self.part)
        return turns[(turns["intended_ns"] >= start) & (turns["intended_ns"] < end)]

    def slowest(self) -> list[dict[str, Any]]:
        """The frame logs of the whole run."""
        return self.run.slowest()


def judged(run: ReadableRun) -> ReadableRun:
    """The run itself if it was judged; else, as after a kill, judged by what is there."""
    if run.manifest.get("verdict"):
        return run
    seconds = list(run.intervals()) if has_stages(run.manifest) else None
    return JudgedRun(run, judge_run(run.manifest, run.totals(), run.turns(), seconds))


def part_of(run: ReadableRun, from_s: float, to_s: float) -> ReadableRun:
    """The run as if it had been only the seconds from ``from_s`` to ``to_s`` after its start."""
    manifest = judge_part(run.manifest, _summed_seconds(run, from_s, to_s), run.turns(), from_s, to_s)
    return JudgedRun(run, manifest, (from_s, to_s))


def _summed_seconds(run: ReadableRun, from_s: float, to_s: float) -> list[Interval]:
    """Every second without its histograms, but for their sum in the first of the part.

    Added up by ``keep`` they are decoded many at a time: 20 minutes of 15 metrics in 1 s instead of 5.
    """
    first, last = int(np.ceil(from_s)), int(np.ceil(to_s))
    seconds = list(run.intervals(last=last, tags=()))
    within = next((interval for interval in seconds if interval.second >= first), None)
    if within is not None:
        within.histograms = run.totals(first, last).histograms
    return seconds


def report_page(run: ReadableRun, pictures: Pictures) -> str:
    """The report of a run as a page, with its pictures and single turns."""
    from loadtest.show.plot.pictures import NAMES
    from loadtest.show.render.html import html

    # Where nothing was ever ready, the other pictures would be empty.
    names = ("connections",) if was_unreachable(run.manifest) else NAMES
    logs, warmup_s, tick = run.slowest(), planned(run.manifest, "warmup_s") or 0.0, tick_ns(run.manifest)
    step_ns = tick if tick >= COARSE_NS else 0
    shown = document(
        build_report(run.manifest),
        [pictures.plot(name) for name in names],
        broken=other_turns(logs, warmup_s, step_ns),
        slowest=slowest_turns(logs, warmup_s, step_ns),
    )
    return html([shown], shown.exit_code)


def _pictures(run: ReadableRun) -> Pictures:
    from loadtest.show.plot.pictures import Pictures

    return Pictures(run)


FORMATS: dict[str, Callable[[ReadableRun], str]] = {
    "terminal": lambda run: terminal([document(build_report(run.manifest))], cut=False),
    "html": lambda run: report_page(run, _pictures(run)),
    "markdown": lambda run: markdown([document(build_report(run.manifest))], whole=True),
    "json": lambda run: as_json(run.manifest),
    "csv": lambda run: as_csv(run.manifest),
    "junit": lambda run: junit([junit_suite(run.manifest)]),
    "prometheus": lambda run: prometheus(run.manifest),
}
"""The views that are text."""


def _pdf(run: ReadableRun) -> bytes:
    from loadtest.show.plot.pictures import NAMES

    drawn = _pictures(run)
    return pdf(document(build_report(run.manifest), [drawn.plot(name) for name in NAMES]))


PAPER: dict[str, Callable[[ReadableRun], str | bytes]] = {
    "pdf": _pdf,
    "svg": lambda run: _pictures(run).summary_svg(),
    "png": lambda run: _pictures(run).summary_png(),
}
"""The views on paper, and the picture that stands for a run elsewhere."""


def render_any(run: ReadableRun, form: str) -> str | bytes:
    """The run in one of ``FORMATS`` or ``PAPER``: what ``loadtest report --format`` knows."""
    return PAPER[form](judged(run)) if form in PAPER else render(run, form)


def render(run: ReadableRun, form: str) -> str:
    """The run in one of ``FORMATS``, ending with a newline.

    Raises:
        ConfigError: there is no such format.
    """
    if form not in FORMATS:
        raise ConfigError(f'there is no format "{form}"; there are {", ".join(FORMATS)}')
    return FORMATS[form](judged(run))


class ViewsMissingError(LoadtestError):
    """Views of a run could not be written: ``names`` of them, each for a reason of the disk's."""

    exit_code = Exit.INVALID

    def __init__(self, where: Path, missing: Mapping[str, OSError]) -> None:
        self.names = tuple(missing)
        error = next(iter(missing.values()))
        why = error.strerror or error
        super().__init__(f"reports could not be written to {where}: {why}; missing: {', '.join(missing)}")


def write_views(run: ReadableRun) -> list[Path]:
    """Write the views that a run's folder keeps, each whole or not at all; the paths, report.html first.

    The others (csv, prometheus, pdf and the summary's picture) are made by ``render_any`` when asked for.

    Raises:
        ViewsMissingError: some could not be written, as on a full disk; the others are there.
    """
    from loadtest.show.plot.pictures import NAMES

    shown = judged(run)
    pictures = _pictures(shown)
    texts: dict[str, Callable[[], str]] = {
        REPORT: lambda: report_page(shown, pictures),
        "report.md": lambda: FORMATS["markdown"](shown),
        "junit.xml": lambda: FORMATS["junit"](shown),
        "benchmark.json": lambda: benchmark(shown.manifest),
        "benchmark-rates.json": lambda: benchmark_rates(shown.manifest),
    }
    texts |= {f"{PLOTS}/{name}.svg": functools.partial(pictures.svg, name) for name in NAMES}
    with suppress(OSError):
        # What cannot be written for it is named below.
        (run.path / PLOTS).mkdir(exist_ok=True)
    written: list[Path] = []
    missing: dict[str, OSError] = {}
    for name, text in texts.items():
        try:
            written.append(_write(run.path / name, text()))
        except OSError as error:
            missing[name] = error
    if missing:
        raise ViewsMissingError(run.path, missing)
    return written


def _write(path: Path, text: str) -> Path:
    """Beside and then renamed, so that a reader never sees half a file."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
    return path
