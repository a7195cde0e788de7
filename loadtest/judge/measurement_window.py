"""When the measured part was: its planned bounds, cut to what happened and to the part that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadtest.judge.manifest_access import (
    Manifest,
    count_or_zero,
    number,
    planned,
    section,
    settings,
    whole_run,
)
from loadtest.measure.interval import LAST_MEASURED, OUTCOMES, PHASES
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
