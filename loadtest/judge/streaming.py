"""Whether the target streams, or sends all events at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtest.judge.generator_summary import saturated
from loadtest.judge.manifest_access import NS_PER_MS, Manifest, number, section
from loadtest.judge.measurement_window import Turns, measured_turns
from loadtest.measure.totals import Totals

SHARE = 0.1
"""A turn whose events all came within this last part of its time was answered in a batch."""

NEARLY_ALL = 0.9
"""The part of the turns that must look batched."""

MIN_TURNS = 10
MIN_MOMENTS = 3
"""Turns that went on at the same time say the same: a target that stood still once delayed them all."""

MIN_EVENTS = 3
MIN_SERVICE_NS = 20_000_000
"""A shorter turn was answered fast, however its events came."""


@dataclass(frozen=True, slots=True)
class Batching:
    """Evidence that events come in batches.

    ``first_event_share``: median of (first event − sent) / (done − sent). ``spread_share``: mean time between
    the first and the last event of a turn, from gaps between reads, as a part of mean service time.
    """

    turns: int
    first_event_share: float
    spread_share: float
    service_ms: float
    largest_lag_ms: float


def batching(manifest: Manifest, totals: Totals, turns: Turns | None) -> Batching | None:
    """The evidence, where nine in ten turns look batched; None where they do not, and where it is unknown.

    Of events that share a read it is known only that they came between the read before and their stamp. That
    is evidence of a batch only where the generator was never away for long: it would have read events apart
    that were spread over the turn. So there is no evidence where its longest delay is not far below the time
    of the turns, where that delay was not watched, and where a process was saturated. There is none either
    where more than one turn in ten was too short: a fast target that stood still for a moment delays all
    events of a turn, and of all turns that go on at that moment.
    """
    rows = _long_enough(turns)
    lag_ms = number(section(manifest, "generator", "loop_lag").get("max"))
    if rows is None or len(rows) < MIN_TURNS or lag_ms is None or saturated(manifest):
        return None
    if not _at_moments(rows, MIN_MOMENTS):
        return None
    service = (rows["done_ns"] - rows["sent_ns"]).astype(np.float64)
    first = (rows["first_ns"] - rows["sent_ns"]) / service
    median_ns = float(np.median(service))
    spread = _gaps_ns(totals) / float(service.mean())
    if (
        np.quantile(first, 1 - NEARLY_ALL) < 1 - SHARE
        or spread > SHARE
        or lag_ms * NS_PER_MS > SHARE * median_ns
    ):
        return None
    return Batching(len(rows), float(np.median(first)), spread, median_ns / NS_PER_MS, lag_ms)


def _long_enough(turns: Turns | None) -> Turns | None:
    """Complete turns of the measured part with events and time enough to tell; None if those are too few."""
    rows = measured_turns(turns)
    if rows is None:
        return None
    answered = (rows["outcome"] == 0) & (rows["events"] >= MIN_EVENTS)
    answered &= (rows["sent_ns"] >= 0) & (rows["first_ns"] >= rows["sent_ns"])
    slow = answered & (rows["done_ns"] - rows["sent_ns"] >= MIN_SERVICE_NS)
    if np.count_nonzero(slow) < NEARLY_ALL * np.count_nonzero(answered):
        return None
    telling: Turns = rows[slow]
    return telling


def _at_moments(rows: Turns, least: int) -> bool:
    """Whether there are at least so many turns of which each was sent when the one before was over."""
    for _ in range(least):
        if not len(rows):
            return False
        rows = rows[rows["sent_ns"] >= rows["done_ns"].min()]
    return True


def _gaps_ns(totals: Totals) -> float:
    """The sum of a turn's gaps, on average over all complete turns: the table may be a sample of them."""
    gaps = totals.histograms.get("event.gap")
    return gaps.total_ns / max(1, totals.measured("turns.complete")) if gaps else 0.0
