"""What any part of a run holds, summed again from what was kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from loadtest import catalog
from loadtest.catalog import FAILURES
from loadtest.judge.measurement_window import Turns, without_users
from loadtest.judge.turn_groups import ALL_TURNS, TurnGroup
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, Interval, sorted_moves
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import BY_KIND
from loadtest.units import NS_PER_S

Nanoseconds = npt.NDArray[np.int64]

PLACED = {each.name: each.placed for each in catalog.METRICS if each.placed}
"""Metrics that the turn table holds: until which instant, and from which."""


def totals_between(
    intervals: Iterable[Interval],
    from_s: float,
    to_s: float,
    turns: Turns | None = None,
    slow_readers: frozenset[int] = frozenset(),
    *,
    groups: Sequence[TurnGroup] = (ALL_TURNS,),
) -> Totals:
    """Totals of the seconds that begin from ``from_s`` on and before ``to_s``, after the run's start.

    Connections that were ready before are in it from its start. With ``turns``, which must be the whole
    turn table, turns and their times are those that fell due in the part, as in a run of its own, under the
    names of each of ``groups``; without, those that ended in it. The times of ``slow_readers`` are left out.
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
        within = turns[(turns["intended_ns"] >= start) & (turns["intended_ns"] < end)]
        for group in groups:
            _place(totals, group, group.rows(within), slow_readers)
    return totals


def _moves_within(moves: Nanoseconds, start_ns: int, end_ns: int) -> Nanoseconds:
    """The moves of the part, after one of all connections that were ready when it began."""
    before = int(moves[moves[:, 0] < start_ns, 1].sum())
    inside = moves[(moves[:, 0] >= start_ns) & (moves[:, 0] < end_ns)]
    return np.concatenate([np.array([[start_ns, before]] if before else np.empty((0, 2)), np.int64), inside])


def _place(totals: Totals, group: TurnGroup, rows: Turns, slow_readers: frozenset[int]) -> None:
    """Replace turn counters and turn times of a group by those of ``rows``."""
    # The table holds when the last message of a turn was sent; the generator's delay is that of the first.
    uploads = any(tag.endswith("turn.upload") for tag in totals.histograms)
    placed = {name: span for name, span in PLACED.items() if not (uploads and name == "send.lateness")}
    if group.kind:
        placed = {name: span for name, span in placed.items() if name in BY_KIND}
    for index, phase in enumerate(PHASES):
        of_phase = rows[rows["phase"] == index]
        _place_counters(totals.counters, phase, group, of_phase)
        prefix = "" if phase == "measured" else f"{phase}:"
        for metric, (until, since) in placed.items():
            tag = prefix + group.metric(metric)
            totals.histograms.pop(tag, None)
            took = _times(without_users(of_phase, slow_readers), metric, until, since)
            if len(took):
                totals.histograms[tag] = Histogram()
                totals.histograms[tag].record(took)


def _times(rows: Turns, metric: str, until: str, since: str) -> Nanoseconds:
    came = (rows[until] >= 0) & (rows[since] >= 0)
    if metric.startswith("turn.completion"):
        came &= rows["outcome"] == OUTCOMES.index("complete")
    took: Nanoseconds = np.maximum(rows[until][came] - rows[since][came], 0)
    return took


def _place_counters(counters: dict[str, dict[str, int]], phase: str, group: TurnGroup, rows: Turns) -> None:
    by_second = counters.get(phase, {})
    ended = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    placed = {f"turns.{name}": int(n) for name, n in zip(OUTCOMES, ended, strict=True)}
    placed["turns.due"] = len(rows)
    failed = np.isin(rows["outcome"], [OUTCOMES.index(name) for name in FAILURES])
    placed["turns.no_first_event"] = int(np.count_nonzero(failed & (rows["first_ns"] < 0)))
    placed["turns.begun"] = len(rows) - placed["turns.not_attempted"]
    if not group.kind:
        # Whether turns carried numbers is known by second only: all of those that ended then, or not all.
        numbered, complete = (
            by_second.get(group.counter(f"turns.{name}"), 0) for name in ("numbered", "complete")
        )
        placed["turns.numbered"] = placed["turns.complete"] if numbered >= complete else numbered
    if len(rows) or by_second:
        counters[phase] = {**by_second, **{group.counter(name): n for name, n in placed.items()}}
