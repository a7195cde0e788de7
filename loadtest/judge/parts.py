"""A stretch of a run, summed again from its stored intervals and turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from loadtest.judge.censored_turns import FAILURES
from loadtest.judge.measurement_window import Turns
from loadtest.judge.resampling import times_of
from loadtest.judge.sections import NS_PER_S
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, Interval, sorted_moves
from loadtest.measure.totals import Totals

Nanoseconds = npt.NDArray[np.int64]

PLACED = {
    "turn.first_event": ("first_ns", "intended_ns"),
    "turn.first_event.service": ("first_ns", "sent_ns"),
    "turn.completion": ("done_ns", "intended_ns"),
    "turn.completion.service": ("done_ns", "sent_ns"),
    "send.lateness": ("sent_ns", "intended_ns"),
}
"""Metrics that the turn table holds: until which instant, and from which."""


def recut(
    intervals: Iterable[Interval],
    from_s: float,
    to_s: float,
    turns: Turns | None = None,
    apart: frozenset[int] = frozenset(),
) -> Totals:
    """Totals of the seconds that begin from ``from_s`` on and before ``to_s``, after the run's start.

    Connections that were ready before are in it from its start. With ``turns``, which must be the whole
    turn table, turns and their times are those that fell due in the part, as in a run of its own; without,
    those that ended in it. The times of users who are kept ``apart`` are left out.
    """
    start, end = round(from_s * NS_PER_S), round(to_s * NS_PER_S)
    kept: list[Interval] = []
    every = []
    for interval in intervals:
        every.append(interval.moves)
        if start <= interval.second * NS_PER_S < end:
            kept.append(replace(interval, moves=interval.moves[:0]))
    totals = Totals()
    if kept:
        kept[0] = replace(kept[0], moves=_moves_within(sorted_moves(every), start, end))
    for interval in kept:
        totals.add(interval)
    if turns is not None:
        _place(totals, turns[(turns["intended_ns"] >= start) & (turns["intended_ns"] < end)], apart)
    return totals


def _moves_within(moves: Nanoseconds, start_ns: int, end_ns: int) -> Nanoseconds:
    """The moves of the part, after one of all connections that were ready when it began."""
    before = int(moves[moves[:, 0] < start_ns, 1].sum())
    inside = moves[(moves[:, 0] >= start_ns) & (moves[:, 0] < end_ns)]
    return np.concatenate([np.array([[start_ns, before]] if before else np.empty((0, 2)), np.int64), inside])


def _place(totals: Totals, rows: Turns, apart: frozenset[int]) -> None:
    """Replace turn counters and turn times by those of ``rows``."""
    for index, phase in enumerate(PHASES):
        of_phase = rows[rows["phase"] == index]
        _place_counters(totals.counters, phase, of_phase)
        prefix = "" if phase == "measured" else f"{phase}:"
        for metric, (until, since) in PLACED.items():
            totals.histograms.pop(prefix + metric, None)
            took = _times(times_of(of_phase, apart), metric, until, since)
            if len(took):
                totals.histograms[prefix + metric] = Histogram()
                totals.histograms[prefix + metric].record(took)


def _times(rows: Turns, metric: str, until: str, since: str) -> Nanoseconds:
    came = (rows[until] >= 0) & (rows[since] >= 0)
    if metric.startswith("turn.completion"):
        came &= rows["outcome"] == OUTCOMES.index("complete")
    took: Nanoseconds = np.maximum(rows[until][came] - rows[since][came], 0)
    return took


def _place_counters(counters: dict[str, dict[str, int]], phase: str, rows: Turns) -> None:
    by_second = counters.get(phase, {})
    ended = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    placed = {f"turns.{name}": int(n) for name, n in zip(OUTCOMES, ended, strict=True)}
    placed["turns.due"] = len(rows)
    failed = np.isin(rows["outcome"], [OUTCOMES.index(name) for name in FAILURES])
    placed["turns.no_first_event"] = int(np.count_nonzero(failed & (rows["first_ns"] < 0)))
    placed["turns.begun"] = len(rows) - placed["turns.not_attempted"]
    # Whether turns carried numbers is known by second only: all of those that ended then, or not all.
    numbered, complete = by_second.get("turns.numbered", 0), by_second.get("turns.complete", 0)
    placed["turns.numbered"] = placed["turns.complete"] if numbered >= complete else numbered
    if len(rows) or by_second:
        counters[phase] = {**by_second, **placed}
