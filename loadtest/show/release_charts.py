"""The interactive charts of a comparison and of a trend: a series a release, a report behind each run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from loadtest.judge.manifest_access import Manifest
from loadtest.judge.segments import MetricTrend
from loadtest.judge.trend import Trend
from loadtest.show.charts import NAMES, grid, limit_lines, line, numbers, on_grid
from loadtest.show.comparison_data import METRICS, Board
from loadtest.show.document import Chart, Link
from loadtest.show.plot import compared_releases as releases
from loadtest.show.plot import style, timeline
from loadtest.show.plot.overlay_time import TRACKS, Track, middle
from loadtest.show.sanitize import printable
from loadtest.show.threshold_limits import Limit, limits_of, of_times
from loadtest.show.trend import date_text

UNITS = {"ms": "ms", "per_s": "/s", "ratio": "%", "count": ""}
FACTORS = {"ratio": 100.0}


def board_charts(board: Board, link: Link) -> dict[str, list[Chart]]:
    """The charts of a board, by the name of the picture that they replace."""
    made = {
        "runs": _runs(board, link),
        "spectra": [_spectra(board, metric, name) for metric, name in METRICS.items()],
        "timelines": [_over_time(board, track) for track in TRACKS],
    }
    return {name: [each for each in charts if each["series"]] for name, charts in made.items()}


def _spectra(board: Board, metric: str, name: str) -> Chart:
    pooled = {side.name: (side, look, side.pooled(metric)) for side, look in releases.shown(board)}
    known = [(side, look, found) for side, look, found in pooled.values() if found is not None]
    points = grid(max((found.n for _, _, found in known), default=2))
    lines = [
        line(f"{releases.runs_of(side)})", on_grid(found, points), look, total=found.n)
        for side, look, found in known
    ]
    limits = of_times(board.limits, {metric})
    low = min((float(found.percentile(0) or 0) for _, _, found in known), default=0.0) / 1e6
    high = max((float(found.percentile(100) or 0) for _, _, found in known), default=0.0) / 1e6
    return {
        "kind": "percentile",
        "title": f"{name[:1].upper()}{name[1:]} by percentile",
        "about": "the turns of all runs of a side together",
        "unit": "ms",
        "x": numbers(points),
        "log": timeline.is_wide(low, high, limits),
        "series": lines,
        "limits": limit_lines(limits, {}),
        "zero": True,
    }


def _over_time(board: Board, track: Track) -> Chart:
    found = [(side, look, middle(side, track)) for side, look in releases.shown(board)]
    known = [(side, look, each) for side, look, each in found if len(each.at)]
    at = np.unique(np.concatenate([each.at for _, _, each in known])) if known else np.zeros(0)
    step = max((run.series.step_s for side, _, _ in known for run in side.runs), default=1)
    lines = []
    for side, look, each in known:
        column = np.full(len(at), math.nan)
        column[np.searchsorted(at, each.at)] = each.median
        lines.append(line(f"{releases.runs_of(side)})", column, look, gaps=step > 1))
    caption = track.caption.replace("EACH", "each second" if step == 1 else f"every {step} s")
    start, end = (float(at[0]) - 0.5, float(at[-1]) + 0.5) if len(at) else (0.0, 1.0)
    return {
        "kind": "time",
        "title": f"{caption[:1].upper()}{caption[1:]}",
        "about": "median of the runs, by seconds after the measured part began",
        "unit": "ms" if track.statistic else "",
        "x": numbers(at),
        "step": 1,
        "from": start,
        "to": end,
        "bands": [],
        "zero": True,
        "series": lines,
        "limits": limit_lines(track.limits(board), NAMES),
    }


def _runs(board: Board, link: Link) -> list[Chart]:
    """A chart per metric that decides: every run a point, and a click on it opens its report."""
    comparisons = board.comparisons
    sides = [comparisons[0].baseline, *(each.candidate for each in comparisons)]
    runs = [(side.name, run) for side in sides for run in side.runs]
    axis = _run_axis([(printable(name, 40), run) for name, run in runs], link)
    charts: list[Chart] = []
    for row in comparisons[0].primary:
        rows = [each for comparison in comparisons for each in comparison.primary if each.name == row.name]
        levels = [row.baseline, *(each.candidate for each in rows)]
        factor, begin, lines = FACTORS.get(row.measure.unit, 1.0), 0, []
        for side, drawn, level in zip(sides, board.sides, levels, strict=True):
            column = np.full(len(runs), math.nan)
            known = [math.nan if value is None else value * factor for value in level.values]
            column[begin : begin + len(known)] = known
            begin += len(side.runs)
            lines.append(line(drawn.name, column, style.release(drawn.number), points=True))
        shown = [each for each in board.limits if each.name == row.name]
        charts.append(
            {
                **axis,
                "title": row.name,
                "about": f"{row.measure.better} is better",
                "unit": UNITS[row.measure.unit],
                "series": lines,
                "limits": limit_lines(_scaled(shown, factor), {}),
            }
        )
    return charts


def _scaled(limits: Sequence[Limit], factor: float) -> list[Limit]:
    return [Limit(each.of, each.statistic, each.value * factor, each.label, each.missed) for each in limits]


def _run_axis(runs: Sequence[tuple[str, Manifest]], link: Link) -> dict[str, object]:
    """The axis of runs, each with its tick; hovered it is named by its label and when it was started."""
    return {
        "kind": "runs",
        "x": list(range(len(runs))),
        "ticks": [tick for tick, _ in runs],
        "names": [_run_text(run) for _, run in runs],
        "links": [link(str(run.get("id"))) for _, run in runs],
    }


def _run_text(run: Manifest) -> str:
    label, started = printable(run.get("label") or "", 40), printable(run.get("started") or "", 40)
    return f"{label} {started[:16].replace('T', ' ')}".strip()


def trend_charts(trend: Trend, link: Link) -> list[Chart]:
    """A chart per metric that decides: its runs, the levels they lie on, where further runs are expected."""
    runs = trend.history.runs
    axis = _run_axis([(date_text(str(run.get("started"))), run) for run in runs], link)
    limits = limits_of(runs[-1]) if runs else ()
    charts: list[Chart] = []
    for course in trend.primary:
        factor = FACTORS.get(course.measure.unit, 1.0)
        values = [math.nan if value is None else value * factor for value in course.values]
        if all(map(math.isnan, values)):
            continue
        shown = [each for each in limits if each.name == course.name]
        charts.append(
            {
                **axis,
                "title": course.name,
                "about": f"{course.measure.better} is better; a click opens a run's report",
                "unit": UNITS[course.measure.unit],
                "series": [
                    line("run", values, style.RELEASES[0], points=True),
                    *_levels(course, len(runs), factor),
                ],
                "limits": limit_lines(_scaled(shown, factor), {}),
            }
        )
    return charts


def _levels(course: MetricTrend, n: int, factor: float) -> list[Chart]:
    """The mean of each level, and both ends of where 95 of 100 further runs lie."""
    columns = {
        "mean of its level": style.Style(style.BLUE),
        "95 % prediction, low": style.Style(style.SKY, (0, (3, 2))),
        "95 % prediction, high": style.Style(style.SKY, (0, (3, 2))),
    }
    found = []
    for (label, look), key in zip(columns.items(), ("value", "low", "high"), strict=True):
        column = np.full(n, math.nan)
        for level in course.segments:
            value = getattr(level, key)
            column[level.first : level.last] = math.nan if value is None else value * factor
        if not np.isnan(column).all():
            found.append(line(label, column, look, steps=True))
    return found
