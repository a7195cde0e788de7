"""Whether to end a running run early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadtest.judge.counts import count_all
from loadtest.judge.generator import watch
from loadtest.judge.measured import lookup
from loadtest.judge.measurement_window import last_matched, measured_span
from loadtest.judge.rates import rates
from loadtest.judge.sections import Manifest
from loadtest.judge.summary import describe_all
from loadtest.judge.thresholds import decide
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Abort
from loadtest.plan.threshold import Threshold, split_metric


@dataclass(frozen=True, slots=True)
class Early:
    """Why a run is ended early; ``rule`` is None where an event reached the wrong user."""

    sentence: str
    rule: Threshold | None = None


def end_early(
    manifest: Manifest,
    totals: Totals,
    abort: Abort,
    thresholds: tuple[Threshold, ...],
    elapsed_ns: int,
) -> Early | None:
    """Why to end the run now, ``elapsed_ns`` after its start; None: continue.

    An event that reached the wrong user ends it at once, unless a threshold on ``events.foreign`` says what
    is allowed. After ``abort.after_ns``, so does the first abort rule that holds on what was measured so
    far, by the same rules as a threshold; what was not measured yet ends nothing.
    """
    foreign = totals.count("events.foreign")
    if foreign and not any(each.name.startswith("events.foreign") for each in thresholds):
        return Early(f"{foreign:,} events of other users arrived")
    if elapsed_ns < abort.after_ns or not abort.rules:
        return None
    so_far = _summed(manifest, totals, abort)
    for rule in abort.rules:
        if decide(rule, lookup(rule.name, so_far)) == "held":
            return Early(f"the abort rule {rule.name} {rule.expression} holds", rule)
    return None


def _summed(manifest: Manifest, totals: Totals, abort: Abort) -> dict[str, Any]:
    """The sections that the rules read; metrics cost the most, so only those named are described."""
    span = measured_span(manifest, totals)
    named = frozenset(split[0] for rule in abort.rules if (split := split_metric(rule.name)))
    metrics = describe_all(manifest, totals, named)
    known: dict[str, Any] = {**manifest, "metrics": metrics, "counts": count_all(manifest, totals, span)}
    known["generator"] = watch(manifest, totals, span, metrics)
    return {**known, "rates": rates(known, totals, span, last_matched(totals, None))}
