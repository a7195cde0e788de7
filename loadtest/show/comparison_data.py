"""What the pictures of a comparison are drawn from: each side's runs, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from loadtest.judge.block_bootstrap import within_run
from loadtest.judge.compare import Comparison
from loadtest.judge.measurement_window import Span, measured_span
from loadtest.judge.permutation import Array
from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import Histogram
from loadtest.measure.totals import Totals
from loadtest.show.comparison import Compared
from loadtest.show.manifest import ReadableRun
from loadtest.show.sanitize import printable
from loadtest.show.series import Column, Series, read_series
from loadtest.show.threshold_limits import Limit, limits_of

METRICS = {"turn.first_event": "time to first event", "turn.completion": "completion"}
"""What the pictures show, both response times."""

QUANTILES = ("p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99_9")


class Drawn:
    """One run of a side, read when a picture asks for it."""

    def __init__(self, run: ReadableRun) -> None:
        self.run = run
        self.manifest = run.manifest
        self._bounds: dict[tuple[str, tuple[float, ...]], Array | None] = {}
        self._p95: dict[str, Column] = {}

    @cached_property
    def totals(self) -> Totals:
        """The sum of its intervals."""
        return self.run.totals()

    @cached_property
    def series(self) -> Series:
        """Its seconds."""
        return read_series(self.run, self.totals)

    @cached_property
    def span(self) -> Span:
        """Its measured part."""
        return measured_span(self.manifest, self.totals)

    def p95_ms(self, metric: str) -> Column:
        """A metric's p95 over time, computed once: each picture is drawn wide and narrow."""
        if metric not in self._p95:
            self._p95[metric] = self.series.percentile_ms(metric, "p95")
        return self._p95[metric]

    def histogram(self, metric: str) -> Histogram | None:
        """A metric of the measured part; None without samples."""
        found = self.totals.histograms.get(metric)
        return found if found is not None and found.n else None

    def quantile_ms(self, metric: str, key: str) -> float | None:
        """A quantile in milliseconds; None where it has too few samples."""
        found, part = self.histogram(metric), part_of(key)
        if found is None or found.n < needed(part):
            return None
        value = found.percentile(float(part) * 100)
        return None if not value else value / 1e6

    def bounds(self, metric: str, parts: tuple[float, ...]) -> Array | None:
        """``within_run`` of a metric, computed once."""
        if (metric, parts) not in self._bounds:
            self._bounds[metric, parts] = within_run(self.series.measured(metric), parts, self.series.step_s)
        return self._bounds[metric, parts]


@dataclass(frozen=True)
class DrawnSide:
    """A side: its name, and its runs that count, oldest first.

    ``number`` is 0 of the baseline; of a candidate its place among all of a call, so that every picture of
    it has the same colour.
    """

    name: str
    runs: tuple[Drawn, ...]
    number: int

    def pooled(self, metric: str) -> Histogram | None:
        """The samples of all its runs together; None without any."""
        found = [each for run in self.runs if (each := run.histogram(metric)) is not None]
        if not found:
            return None
        pooled = Histogram()
        for each in found:
            pooled.add(each)
        return pooled


@dataclass(frozen=True)
class Board:
    """All comparisons of one scenario with one baseline, and what they are drawn from."""

    scenario: str
    simulated: bool
    sides: tuple[DrawnSide, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Of the thresholds that the newest run was judged by."""
        return limits_of(self.comparisons[-1].candidate.newest)

    @property
    def baseline(self) -> DrawnSide:
        """The side that the others are held against."""
        return self.sides[0]

    @property
    def candidates(self) -> tuple[DrawnSide, ...]:
        """The sides that are held against the baseline."""
        return self.sides[1:]


def boards(items: Sequence[Compared]) -> list[Board]:
    """A board per scenario, in order.

    Not drawn is what may not be compared, what has only pruned runs, and a side whose target never answered.
    """
    candidates = dict.fromkeys(each.comparison.candidate.name for each in items)
    numbers = {name: number for number, name in enumerate(candidates, 1)}
    groups: dict[str, list[Compared]] = {}
    for each in items:
        sides = (each.comparison.baseline, each.comparison.candidate)
        silent = any(side.failed == len(side.runs) for side in sides)
        if each.comparison.rows and each.baseline and each.candidate and not silent:
            groups.setdefault(each.comparison.scenario, []).append(each)
    return [_board(scenario, group, numbers) for scenario, group in groups.items()]


def _board(scenario: str, group: Sequence[Compared], numbers: Mapping[str, int]) -> Board:
    first = group[0]
    sides = [_side(first.comparison.baseline.name, first.baseline, 0)]
    for each in group:
        name = each.comparison.candidate.name
        sides.append(_side(name, each.candidate, numbers[name]))
    simulated = any(
        side.simulated for each in group for side in (each.comparison.baseline, each.comparison.candidate)
    )
    return Board(printable(scenario), simulated, tuple(sides), tuple(each.comparison for each in group))


def _side(name: str, runs: Sequence[ReadableRun], number: int) -> DrawnSide:
    ordered = sorted(runs, key=lambda run: str(run.manifest.get("started")))
    return DrawnSide(printable(name, 60), tuple(Drawn(run) for run in ordered), number)
