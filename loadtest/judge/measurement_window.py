"""When the measured part was, and what any part of a run holds, summed again from what was kept.

The measured part has its planned bounds, cut to what happened and to the part that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from loadtest import catalog
from loadtest.catalog import FAILURES
from loadtest.judge.sections import (
    Manifest,
    count_or_zero,
    number,
    planned,
    section,
    settings,
    whole_run,
)
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import LAST_MEASURED, OUTCOMES, PHASES, Interval, sorted_moves
from loadtest.measure.totals import Second, Totals
from loadtest.plan.chaos import SLOW
from loadtest.plan.random_draw import chosen
from loadtest.units import NS_PER_S, parse_duration, parse_ratio

FIRST_ATTEMPT = "first_attempt"
"""Instant at which the first connection was attempted."""

LAST_READY = "last_ready"
"""Instant at which a connection last became ready."""

LAST_MATCHED = "last_matched"
"""Instant at which the last event arrived that belongs to a turn of the measured part."""

ENDED_BY_EVENT = [OUTCOMES.index(outcome) for outcome in ("complete", "failed", "refused")]

Turns = npt.NDArray[np.void]
"""Rows of the turn table, of dtype ``measure.interval.TURN``."""

Nanoseconds = npt.NDArray[np.int64]

PLACED = {each.name: each.placed for each in catalog.METRICS if each.placed}
"""Metrics that the turn table holds: until which instant, and from which."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the run, in nanoseconds after its start; ``end_ns`` is not part of it."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """Never negative."""
        return self.end_ns - self.start_ns


def measured_span(manifest: Manifest, totals: Totals, turns: Turns | None = None) -> Span:
    """The measured part as it happened.

    It starts after the warm-up and ends as planned, or where the run ended before: at the instant the
    recorder noted, else at the last matched event (every turn was done early), else, where the run was
    cut, with the last second that was seen, so that silence before the cut counts.
    """
    start = round((planned(manifest, "warmup_s") or 0) * NS_PER_S)
    seen = max((row.second + 1 for row in totals.seconds), default=0) * NS_PER_S
    duration = planned(manifest, "duration_s")
    end = seen if duration is None else start + round(duration * NS_PER_S)
    if LAST_MEASURED in totals.instants:
        end = min(end, totals.instants[LAST_MEASURED])
    elif seen < end:
        last = last_matched(totals, turns) if whole_run(manifest) else None
        end = seen if last is None else min(seen, last)
    return _clipped(manifest, Span(start, max(start, end)))


def last_matched(totals: Totals, turns: Turns | None) -> int | None:
    """When the last event came that belongs to a turn of the measured part.

    Where the recorder did not note it, when the last such turn was ended by an event; None if none was.
    """
    rows = measured_turns(turns)
    if LAST_MATCHED in totals.instants or rows is None:
        return totals.instants.get(LAST_MATCHED)
    ended = rows["done_ns"][np.isin(rows["outcome"], ENDED_BY_EVENT)]
    return int(ended.max()) if len(ended) else None


def _clipped(manifest: Manifest, span: Span) -> Span:
    """``span`` within the part of the run that the manifest says it is about."""
    part = section(manifest, "part")
    from_s, to_s = number(part.get("from_s")), number(part.get("to_s"))
    start = span.start_ns if from_s is None else max(span.start_ns, round(from_s * NS_PER_S))
    end = span.end_ns if to_s is None else min(span.end_ns, round(to_s * NS_PER_S))
    return Span(start, max(start, end))


def stage_parts(manifest: Manifest) -> list[tuple[float, float]]:
    """From and to of each stage, in seconds after the run's start; empty without stages."""
    stages = settings(manifest, "load").get("stages") or ()
    at = planned(manifest, "warmup_s") or 0.0
    parts = []
    for stage in stages:
        lasts = parse_duration(str(stage["for"])) / NS_PER_S
        parts.append((at, at + lasts))
        at += lasts
    return parts


def seconds_within(totals: Totals, span: Span) -> list[Second]:
    """The rows whose second lies more in ``span`` than outside it; those that touch it if there is none."""
    middle = NS_PER_S // 2
    rows = [row for row in totals.seconds if span.start_ns <= row.second * NS_PER_S + middle < span.end_ns]
    return rows or [
        row
        for row in totals.seconds
        if row.second * NS_PER_S < span.end_ns and (row.second + 1) * NS_PER_S > span.start_ns
    ]


def measured_turns(turns: Turns | None) -> Turns | None:
    """The rows of turns that fell due in the measured part; None where there is no turn table."""
    return None if turns is None else turns[turns["phase"] == PHASES.index("measured")]


def peak_within(totals: Totals, span: Span) -> int:
    """The most connections ready at one instant of ``span``, those that were ready before it included."""
    moves = totals.moves
    before = int(moves[moves[:, 0] < span.start_ns, 1].sum())
    inside = moves[(moves[:, 0] >= span.start_ns) & (moves[:, 0] < span.end_ns), 1]
    return before + int(np.cumsum(inside).max(initial=0))


def totals_between(
    intervals: Iterable[Interval],
    from_s: float,
    to_s: float,
    turns: Turns | None = None,
    slow_readers: frozenset[int] = frozenset(),
) -> Totals:
    """Totals of the seconds that begin from ``from_s`` on and before ``to_s``, after the run's start.

    Connections that were ready before are in it from its start. With ``turns``, which must be the whole
    turn table, turns and their times are those that fell due in the part, as in a run of its own; without,
    those that ended in it. The times of ``slow_readers`` are left out.
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
        _place(totals, turns[(turns["intended_ns"] >= start) & (turns["intended_ns"] < end)], slow_readers)
    return totals


def _moves_within(moves: Nanoseconds, start_ns: int, end_ns: int) -> Nanoseconds:
    """The moves of the part, after one of all connections that were ready when it began."""
    before = int(moves[moves[:, 0] < start_ns, 1].sum())
    inside = moves[(moves[:, 0] >= start_ns) & (moves[:, 0] < end_ns)]
    return np.concatenate([np.array([[start_ns, before]] if before else np.empty((0, 2)), np.int64), inside])


def _place(totals: Totals, rows: Turns, slow_readers: frozenset[int]) -> None:
    """Replace turn counters and turn times by those of ``rows``."""
    # The table holds when the last message of a turn was sent; the generator's delay is that of the first.
    uploads = any(tag.endswith("turn.upload") for tag in totals.histograms)
    placed = {name: span for name, span in PLACED.items() if not (uploads and name == "send.lateness")}
    for index, phase in enumerate(PHASES):
        of_phase = rows[rows["phase"] == index]
        _place_counters(totals.counters, phase, of_phase)
        prefix = "" if phase == "measured" else f"{phase}:"
        for metric, (until, since) in placed.items():
            totals.histograms.pop(prefix + metric, None)
            took = _times(without_users(of_phase, slow_readers), metric, until, since)
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


def slow_reader_users(manifest: Manifest) -> frozenset[int]:
    """The users who are counted with all others, but whose times are kept apart; by the plan of the run."""
    share = section(settings(manifest, "chaos"), "slow_readers").get("share")
    if share is None:
        return frozenset()
    load = settings(manifest, "load")
    stages = load.get("stages") or (load,)
    users = max(count_or_zero(stage.get("connections")) for stage in stages)
    return chosen(count_or_zero(load.get("seed")), SLOW, parse_ratio(str(share)), users)


def without_users(turns: Turns, users: frozenset[int]) -> Turns:
    """The rows of a turn table that are not those of ``users``: theirs do not speak of the target."""
    rows: Turns = turns[~np.isin(turns["user"], list(users))] if users else turns
    return rows
