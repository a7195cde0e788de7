"""Reasons to doubt or qualify the numbers of a run."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.judge import causes, matching_doubts, self_notices, target_notices
from loadtest.judge.catalogue import Notice, notice_table
from loadtest.judge.measurement_window import Turns
from loadtest.judge.sections import Manifest
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import Threshold

__all__ = ["Notice", "find_notices", "notice_table"]


def find_notices(
    manifest: Manifest,
    totals: Totals,
    turns: Turns | None = None,
    thresholds: tuple[Threshold, ...] = (),
) -> list[Notice]:
    """Every notice of a summarised run: those that spoil it first, then causes before what they led to."""
    found = list(_found(manifest, totals, turns, thresholds))
    found += self_notices.noted(manifest, frozenset(each.code for each in found))
    return sorted(found, key=lambda each: not each.spoils)


def _found(
    manifest: Manifest, totals: Totals, turns: Turns | None, thresholds: tuple[Threshold, ...]
) -> Iterator[Notice]:
    yield from target_notices.simulated(manifest)
    yield from self_notices.ending(manifest)
    yield from self_notices.ledger(manifest)
    yield from self_notices.unwatched(manifest)
    yield from self_notices.saturation(manifest)
    yield from self_notices.standstill(manifest)
    yield from self_notices.starvation(manifest)
    yield from self_notices.connections_not_opened(manifest)
    yield from _causes(manifest, totals, turns)
    yield from self_notices.load_not_reached(manifest)
    yield from self_notices.lateness(manifest, thresholds)
    yield from self_notices.too_few_samples(manifest, thresholds)
    yield from self_notices.clock(manifest)
    yield from self_notices.order_in_doubt(manifest)
    yield from matching_doubts.notices(manifest)
    yield from target_notices.pings(manifest)
    yield from target_notices.streaming(manifest, totals, turns)
    yield from target_notices.planned_rates(manifest, thresholds)
    yield from self_notices.coalescing(manifest)


def _causes(manifest: Manifest, totals: Totals, turns: Turns | None) -> Iterator[Notice]:
    """Why turns came to nothing; what that did to the load and to the numbers comes after it."""
    yield from target_notices.isolation(manifest)
    yield from target_notices.refusals(manifest)
    yield from target_notices.closes(manifest, totals)
    yield from causes.no_turn_found(manifest)
    yield from causes.timeouts(manifest, turns)
    yield from target_notices.unreadable(manifest)
    yield from causes.tasks(manifest)
    yield from target_notices.delivery(manifest)
    yield from target_notices.sequence(manifest)
