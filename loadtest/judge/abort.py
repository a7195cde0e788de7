"""Whether to end a running run early."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.judge.live_thresholds import summed_so_far
from loadtest.judge.manifest_access import Manifest
from loadtest.judge.threshold_measurement import lookup
from loadtest.judge.thresholds import decide
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Abort
from loadtest.plan.threshold import Threshold


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
    if foreign and not any(each.name in {"events.foreign", "events.foreign.ratio"} for each in thresholds):
        return Early(f"{foreign:,} events of other users arrived")
    if elapsed_ns < abort.after_ns or not abort.rules:
        return None
    so_far = summed_so_far(manifest, totals, [rule.name for rule in abort.rules])
    for rule in abort.rules:
        if decide(rule, lookup(rule.name, so_far)) == "held":
            return Early(f"the abort rule {rule.name} {rule.expression} holds", rule)
    return None
