"""Whether a run agrees with the truth: what was compared, and every miss as a sentence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.truth import (
    PERCENTILES,
    Array,
    Held,
    Mismatch,
    bounds_of,
    hold,
    misses,
    of_metric,
    percentiles,
)
from benchmarks.truth_run import Load, Measured

Statistics = Mapping[str, float | None]

SATURATED = 1.0
"""The aim of a case that shall keep a core busy all the time."""

CPU_SPREAD = 0.1
"""How far the processor time reached may lie from the aim."""

TOO_MUCH_WAITING = 0.02
"""Above this share of the time spent waiting for a core that another process had, a run says nothing."""

MARKED = 0.01
"""Above this share of events that shared a read, a run must say so. Of turns sent slowly, no more may be."""

EXACT = {"turn.completion": ("p50", "p99"), "turn.first_event.service": ("p50",)}
EXACT |= {"turn.completion.service": EXACT["turn.completion"], "event.gap": ("p50",)}
"""What must be near the truth also where the run calls it an upper bound: all else must not be below."""

EXACT_SATURATED = {"turn.completion": ("p50",), "turn.completion.service": ("p50",)}
"""The same of a saturated generator."""

FREEZE_MS = 1000.0
FROZEN_PART = 0.2
"""A frozen server stands still for a second in every five."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the calibration: a load, and the processor time it shall cost the generator."""

    load: Load
    aim: float

    @property
    def turns_per_s(self) -> int:
        """The rate; every case is open."""
        return self.load.turns_per_s or 0

    @property
    def name(self) -> str:
        """As it is asked for on the command line."""
        return f"{self.load.delay}-{self.aim * 100:.0f}"


@dataclass(slots=True)
class Judged:
    """What came of a case. ``compared`` holds measured and true statistics in milliseconds by metric.

    ``bounds`` are those, by metric and statistic, of which the run says that the truth is not above.
    """

    case: Case
    manifest: dict[str, Any]
    n: int
    blurred: int
    cpu: float
    waited: float
    compared: dict[str, tuple[Statistics, Statistics]] = field(default_factory=dict)
    bounds: set[tuple[str, str]] = field(default_factory=set)
    per_turn: Statistics = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    @property
    def disturbed(self) -> bool:
        """Whether other processes had our cores for so long that a miss proves nothing."""
        return self.waited > TOO_MUCH_WAITING

    @property
    def off_aim(self) -> bool:
        """Whether the generator used more or less of its core than the case is about."""
        aim = self.case.aim
        least, most = (1.0 - CPU_SPREAD, 2.0) if aim == SATURATED else (aim - CPU_SPREAD, aim + CPU_SPREAD)
        return not least <= self.cpu <= most

    @property
    def may_aim_again(self) -> bool:
        """Whether nothing is wrong but the load, and another rate may mend that."""
        alone = self.off_aim and len(self.missed) == 1
        return alone and not self.disturbed and self.case.aim < SATURATED

    @property
    def coalesced(self) -> float:
        """The share of events that shared a read."""
        return float(self.manifest["generator"]["coalesced"]["share"] or 0.0)

    @property
    def notices(self) -> set[str]:
        """The codes of the run's notices."""
        return {notice["code"] for notice in self.manifest["notices"]}


def judge(case: Case, measured: Measured) -> Judged:
    """Hold a run against the truth."""
    load, manifest = case.load, measured.manifest
    try:
        held = hold(measured.turns, measured.answers, case.turns_per_s, load.connections)
    except Mismatch as mismatch:
        return Judged(case, manifest, 0, 0, measured.cpu, measured.waited, missed=[str(mismatch)])
    judged = Judged(case, manifest, len(held.done), held.blurred, measured.cpu, measured.waited)
    judged.per_turn = percentiles(np.abs(held.done - held.true_done))
    _check_load(judged, held)
    _compare(judged, "turn.completion.service", held.true_done)
    _compare(judged, "turn.completion", held.implied)
    if load.delay == "streamed":
        _check_stream(judged, held)
    if load.delay == "freezing":
        _check_freeze(judged)
    return judged


def _check_load(judged: Judged, held: Held) -> None:
    """Every planned turn was measured, and the generator was as busy as the case is about."""
    case, cpu = judged.case, judged.cpu
    planned = case.turns_per_s * case.load.duration_s
    complete = len(held.done) + held.blurred
    if held.planned != planned or complete != planned:
        judged.missed.append(f"{planned} turns were planned and {complete} measured")
    if judged.off_aim:
        judged.missed.append(f"the generator used {cpu:.0%} of a core instead of {case.aim:.0%}")
    slow = judged.manifest["generator"].get("slow_sends", {}).get("turns", 0)
    if case.aim < SATURATED and slow > complete * MARKED:
        judged.missed.append(f"{slow} of {complete} turns were sent slowly")
    if case.aim == SATURATED and "generator_saturated" not in judged.notices:
        judged.missed.append("the run does not say that its generator was saturated")


def _compare(judged: Judged, metric: str, true: Array, unknown: Collection[str] = ()) -> None:
    """Enter a metric beside the truth; what is off is a miss, but for what the run calls an upper bound.

    ``unknown`` statistics may be off either way.
    """
    found = judged.manifest["metrics"][metric]
    mine, truth = of_metric(found), percentiles(true)
    bounds = bounds_of(found) | set(unknown)
    judged.compared[metric] = (mine, truth)
    judged.bounds |= {(metric, name) for name in bounds}
    exact = (EXACT if judged.case.aim < SATURATED else EXACT_SATURATED).get(metric, ())
    for name, by in misses(mine, truth).items():
        if name in unknown or (name in bounds and name not in exact and not by < 0):
            continue
        said = "not supported by the samples" if math.isnan(by) else f"off by {by:+.2f} ms"
        judged.missed.append(f"{metric} {name} is {said}")


def _check_freeze(judged: Judged) -> None:
    """The frozen second stands in the result in full, as arithmetic has it, not only as the server has it.

    Of turns spread evenly over five seconds, the fifth that falls into the freeze waits between 0 and 1 s. A
    saturated generator does not send evenly, so there it is only the longest wait that is known.
    """
    mine = judged.compared["turn.completion"][0]
    parts = {"p99": 0.99, "max": 1.0} if judged.case.aim < SATURATED else {"max": 1.0}
    for name, part in parts.items():
        expected = FREEZE_MS * (1 - (1 - part) / FROZEN_PART)
        if (mine[name] or 0) < 0.98 * expected:
            judged.missed.append(f"turn.completion {name} should show {expected:.0f} ms of the frozen second")


def _check_stream(judged: Judged, held: Held) -> None:
    """Events 2 ms apart: exact, or bounded and marked where the generator is too busy to read them apart.

    When one event in 500 shares a read, what happened to one gap in 1,000 is not known: a gap within a read
    is not measured, and the one before it is too long.
    """
    share = judged.coalesced
    unknown = {name for name, part in PERCENTILES.items() if share and part >= 1 - share}
    if share > MARKED:
        unknown = set(PERCENTILES)
    _compare(judged, "turn.first_event.service", held.true_first)
    _compare(judged, "event.gap", held.true_gaps, unknown)
    slack_ns = 300_000
    early = int((held.first < held.true_first - slack_ns).sum() + (held.first > held.done).sum())
    if early:
        judged.missed.append(
            f"{early} first events lie before the true ones, or behind the end of their turn"
        )
    if share > MARKED and "coalesced_reads" not in judged.notices:
        judged.missed.append("the run does not say that its events shared reads")
    if share > MARKED and judged.case.aim < SATURATED:
        judged.missed.append(f"{share:.1%} of the events shared a read")
    if share <= MARKED and judged.case.aim == SATURATED:
        judged.missed.append("no events shared reads: this was no test of how that is told")
