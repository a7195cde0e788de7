"""What is not known of turns where events may have been matched to the wrong one, or to none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadtest.judge.counts import in_doubt
from loadtest.judge.manifest_access import Manifest, count_or_zero, events_of_kinds, section
from loadtest.judge.threshold_measurement import Measurement
from loadtest.judge.thresholds import Decision, decide
from loadtest.judge.warnings import RunWarning, warning
from loadtest.plan.threshold import COMPLETE_RATIO, DEFAULT_RATIO, Threshold, split_kind

DOUBTFUL = 0.01
"""The part of the events, or of the turns, that may be matched wrongly before times are not judged."""

BROKEN = "malformed.sent"
"""The counter of messages that we broke on purpose, under `chaos`."""

TIMES_OF_TURNS = ("turn.", "event.gap", "conversation.")
"""How the names of times begin that are made of the events of turns."""

AFTER_TIMEOUT = (
    "answers are matched by order, and some came after a timeout: they may belong to earlier turns"
)

UNSURE = (
    "answers are matched by order, but several turns were in flight on a connection. If the target answers in"
    " order, write `ordered = true` in the protocol file; else write the path of the turn's id"
)

CONTRADICTED = (
    "answers are matched by order, but turns ended without required events while several were in flight: the"
    " target does not answer in order"
)

GOES_ON = (
    "more than 1 % of the events came after `count` had ended their turn. Either the target sends events"
    " twice, or the protocol file needs a higher `count` or an `end`"
)

UNASKED = (
    "answers are matched by order, but for more than 1 % of the turns an extra `end` came, so other ends may"
    " have ended the wrong turn. Correct `end` in the protocol file, or write the path of the turn's id"
)

UNMATCHED = (
    "more than 1 % of the events belong to no turn, so answers may have been confused with other events. Name"
    " such events as `ignore` or `heartbeat` in the protocol file"
)


def doubt(threshold: Threshold, manifest: Manifest, measured: Measurement, outcome: Decision) -> str | None:
    """Why a threshold on turns is not decided by what was matched; None where nothing is in doubt."""
    if threshold.name.startswith(TIMES_OF_TURNS):
        return _of_times(manifest, section(manifest, "counts", "measured"))
    if outcome == "missed" and threshold.name.startswith(("turns.complete", "turns.failed")):
        return _of_outcomes(threshold, manifest, measured)
    if outcome == "held" and threshold.name.startswith("turns.complete"):
        counts = section(manifest, "counts", "measured")
        return UNASKED if _unasked(counts) else GOES_ON if _beyond_count(counts) else None
    return None


def untold(name: str, manifest: Manifest, measured: Measurement) -> str | None:
    """Why a run does not tell a metric that it has a number of; None where nothing is in doubt.

    Its times may be those of other turns. Turns may be complete by events that are not theirs, or not
    complete because of such events: there it counts whether a threshold of 99 % would be in doubt.
    """
    if name.startswith(TIMES_OF_TURNS):
        return _of_times(manifest, section(manifest, "counts", "measured"))
    if split_kind(name)[0] != COMPLETE_RATIO:
        return None
    usual = Threshold(name, "", ">=", DEFAULT_RATIO, "ratio", default=True)
    return doubt(usual, manifest, measured, decide(usual, measured))


def _of_times(manifest: Manifest, counts: Manifest) -> str | None:
    events, turns = section(counts, "events"), section(counts, "turns")
    received, due = count_or_zero(events.get("received")), count_or_zero(turns.get("due"))
    if in_doubt(counts) > received * DOUBTFUL:
        return AFTER_TIMEOUT
    if count_or_zero(events.get("order_unsure")) > received * DOUBTFUL:
        return UNSURE
    if contradicting(turns) > due * DOUBTFUL:
        return CONTRADICTED
    if _unasked(counts):
        return UNASKED
    counted = any(each.get("count") is not None for each in events_of_kinds(manifest))
    if counted and count_or_zero(events.get("late")) > received * DOUBTFUL:
        return GOES_ON
    # What answers a message that we broke on purpose answers no turn.
    broken = count_or_zero(section(counts, "chaos").get(BROKEN))
    return UNMATCHED if count_or_zero(events.get("unmatched")) - broken > received * DOUBTFUL else None


def _unasked(counts: Manifest) -> bool:
    """Whether ends came that no turn waited for, beyond those that may answer what we broke on purpose."""
    turns = section(counts, "turns")
    n = count_or_zero(turns.get("ends_unasked")) - count_or_zero(section(counts, "chaos").get(BROKEN))
    return n > count_or_zero(turns.get("due")) * DOUBTFUL


def _beyond_count(counts: Manifest) -> bool:
    """Whether turns that their number of events had ended were not complete, or got events twice.

    By order, an event too many may answer a message that we broke on purpose.
    """
    events = section(counts, "events")
    n = count_or_zero(events.get("beyond_count")) - count_or_zero(section(counts, "chaos").get(BROKEN))
    return n > count_or_zero(events.get("received")) * DOUBTFUL


def _of_outcomes(threshold: Threshold, manifest: Manifest, measured: Measurement) -> str | None:
    """A miss stands if it is one also where the turns that contradict the order were complete."""
    turns = section(manifest, "counts", "measured", "turns")
    n = contradicting(turns)
    if not n or measured.value is None:
        return None
    part: float = n / max(1, count_or_zero(turns.get("due"))) if threshold.name.endswith(".ratio") else n
    better = measured.value + (part if threshold.name.startswith("turns.complete") else -part)
    # 39 of 40 and 1 of 40 are 1, whatever binary fractions make of it.
    held = decide(threshold, replace(measured, value=round(better, 12), bound=None)) == "held"
    return CONTRADICTED if held else None


def contradicting(turns: Manifest) -> int:
    """How many turns failed by events that contradict answers in order."""
    return count_or_zero(section(turns, "failed_by").get("interleaved"))


def warnings(manifest: Manifest) -> Iterator[RunWarning]:
    """Answers that were matched by order without being sure to come in order."""
    counts = section(manifest, "counts")
    events, turns = section(counts, "events"), section(counts, "turns")
    received = count_or_zero(events.get("received"))
    if unsure := count_or_zero(events.get("order_unsure")):
        yield warning("answers_by_order_unsure", {"events": unsure, "received": received})
    if failed := contradicting(turns):
        yield warning(
            "answers_contradict_order", {"turns": failed, "begun": count_or_zero(turns.get("begun"))}
        )
