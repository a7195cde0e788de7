"""A run with a fault, held against the same run without it: what differs must be what the row says."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.judge.streaming import SHARE
from loadtest.keep.slowest import PER_FAILURE
from tests.faults.plans import INFORMATIONAL, NOISE, NUMBERED, PER_TURN, THRESHOLDS
from tests.faults.rows import AT_LEAST, AT_MOST, UNKNOWN, Bound, Change, Changes, Row
from tests.faults.running import Found

UNTOLD = ("bytes.", "events.coalesced", "events.unmeasured.", "turns.no_first_event")
"""Counters that differ between two runs without faults: times are written with more or fewer digits, and how
many events share a read is the kernel's doing. The reasons of unmeasured counters are text. Which failed
turns had a first event follows from when the fault struck, and is held by itself below."""

RELATIONS = {">=": operator.ge, "<": operator.lt}

NEEDS_NUMBERS = {*(f"events.{name}" for name in (*NUMBERED, "expected")), "turns.numbered"}


def changes_of(row: Row, *, numbered: bool) -> Changes:
    """What a row says of a run with sequence numbers, or of one without, which leaves out what they tell."""
    changes = row.changes if numbered or row.unnumbered is None else row.unnumbered.changes
    return changes if numbered else tuple(change for change in changes if change.counter not in NEEDS_NUMBERS)


def notices_of(row: Row, *, numbered: bool) -> Mapping[str, str]:
    """The notices that a row says must be raised."""
    return row.notices if numbered or row.unnumbered is None else row.unnumbered.notices


def kept_of(row: Row, *, numbered: bool) -> Mapping[str, str]:
    """How many frame logs a row says there are, of kinds that no counter alone tells of."""
    return row.kept if numbered or row.unnumbered is None else row.unnumbered.kept


def names(row: Row, found: Found) -> dict[str, int]:
    """What arithmetic of changes may speak of."""
    stats = found.stats
    return {
        "struck": found.struck(row.name),
        "struck_turns": found.struck_turns(row.name),
        "connections": row.plan.connections,
        "each": row.plan.each,
        "due": row.plan.due,
        "per_turn": PER_TURN,
        "sim_unread": stats["messages"]["unread"],
        "sim_pings": stats["pings"]["received"],
    }


def expected_counts(row: Row, found: Found, base: Found, *, numbered: bool) -> dict[str, Any]:
    """The counters that the run must have, but for bounds; zeros left out."""
    expected = dict(base.counts)
    known = names(row, found)
    for change in changes_of(row, numbered=numbered):
        if change.by == UNKNOWN:
            expected[change.counter] = None
        elif not change.by.startswith((AT_LEAST, AT_MOST)):
            expected[change.counter] = expected.get(change.counter, 0) + evaluated(change.by, known)
    return {name: n for name, n in expected.items() if n != 0 and not name.startswith(UNTOLD)}


def evaluated(arithmetic: str, known: Mapping[str, int]) -> int:
    """Arithmetic of a row, which is ours: no input of anybody else."""
    return int(eval(arithmetic, {"__builtins__": {}}, dict(known)))


def differences(row: Row, found: Found, base: Found, *, numbered: bool) -> Iterator[str]:
    """A sentence for everything that is not as the row says."""
    expected = expected_counts(row, found, base, numbered=numbered)
    counted = {name: n for name, n in found.counts.items() if not name.startswith(UNTOLD)}
    bounded = {change.counter for change, *_ in _bounds(row, found, base, numbered=numbered)}
    for name in sorted((expected | counted).keys() - bounded):
        if expected.get(name, 0) != counted.get(name, 0):
            wanted, without = expected.get(name, 0), base.counts.get(name, 0)
            yield f"{name} is {counted.get(name, 0)}, not {wanted} (without the fault: {without})"
    for change, low, high in _bounds(row, found, base, numbered=numbered):
        if not low <= found.counts.get(change.counter, 0) <= high:
            yield f"{change.counter} is {found.counts.get(change.counter, 0)}, not from {low:g} to {high:g}"
    yield from _unexplained_nulls(found)
    yield from _wrong_notices(row, found, numbered=numbered)
    yield from _wrong_verdict(found, expected)
    logs = {kind: evaluated(by, names(row, found)) for kind, by in kept_of(row, numbered=numbered).items()}
    yield from _wrong_evidence(found, expected, logs)
    yield from _wrong_refusals(row, found)
    yield from _leaking_ledger(found)
    for bound in row.bounds:
        yield from _out_of_bounds(found.manifest, bound)


def _bounds(row: Row, found: Found, base: Found, *, numbered: bool) -> Iterator[tuple[Change, float, float]]:
    """The counters of which only a bound is known, each with the least and the most that it may be."""
    known = names(row, found)
    for change in changes_of(row, numbered=numbered):
        without = base.counts.get(change.counter, 0)
        if change.by.startswith(AT_LEAST):
            yield change, without + evaluated(change.by.removeprefix(AT_LEAST), known), math.inf
        elif change.by.startswith(AT_MOST):
            yield change, 1, without + evaluated(change.by.removeprefix(AT_MOST), known)


def _unexplained_nulls(found: Found) -> Iterator[str]:
    for name, n in found.counts.items():
        if n is None and not found.counts.get(name.replace("events.", "events.unmeasured.")):
            yield f"{name} is null without a reason"


def _wrong_notices(row: Row, found: Found, *, numbered: bool) -> Iterator[str]:
    raised = set(found.notices) - set(NOISE)
    wanted = {*INFORMATIONAL, *notices_of(row, numbered=numbered)}
    for code in sorted(raised - wanted):
        yield f"the notice {code} is raised: {found.notices[code]['message']}"
    # A generator that was away for long, on a machine with other work, does not say how a target sends.
    unable = {"batched_not_streamed"} if _was_away(found) else set()
    for code in sorted(wanted - raised - unable):
        yield f"the notice {code} is not raised"


def _was_away(found: Found) -> bool:
    """Whether the loop stood for longer than the tenth of a turn that tells a batch."""
    lag_ms = found.manifest["generator"]["loop_lag"]["max"]
    service_ms = found.manifest["metrics"].get("turn.completion.service", {}).get("p50")
    return bool(lag_ms and service_ms and lag_ms > SHARE * service_ms)


def verdict_of(counts: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    """Exit code and outcome of each threshold, by the contract's rules, of counters as they should be."""
    outcomes = dict.fromkeys(THRESHOLDS, "held")
    for name in NUMBERED:
        of_events = counts.get(f"events.{name}", 0)
        outcomes[f"events.{name}"] = (
            "not_measured" if of_events is None else "missed" if of_events else "held"
        )
    broke_off = counts.get("turns.lost", 0) + counts.get("turns.timed_out", 0)
    if outcomes["events.lost"] == "held" and broke_off > counts.get("turns.begun", 0) / 100:
        outcomes["events.lost"] = "not_measured"
    for name in ("refused", "closed"):
        if any(counter.startswith(f"connections.{name}.") for counter in counts):
            outcomes[f"connections.{name}"] = "missed"
    if counts.get("turns.complete", 0) < counts["turns.due"]:
        outcomes["turns.complete.ratio"] = "missed"
    # What is judged by default: 1 % may fail.
    if counts.get("connections.ready", 0) < 0.99 * counts.get("connections.due", 0):
        outcomes["connections.ready.ratio"] = "missed"
    if counts.get("events.malformed", 0) > 0.01 * max(
        counts.get("events.received", 0), counts.get("events.expected") or 0
    ):
        outcomes["events.malformed.ratio"] = "missed"
    if counts.get("turns.ended_again", 0) > 0.01 * counts["turns.due"]:
        outcomes["turns.ended_again.ratio"] = "missed"
    return _exit_code(counts, set(outcomes.values())), outcomes


def _exit_code(counts: Mapping[str, Any], outcomes: set[str]) -> int:
    if not counts.get("connections.ready"):
        return 3
    if "missed" in outcomes:
        return 1
    return 4 if "not_measured" in outcomes else 0


def _wrong_verdict(found: Found, expected: Mapping[str, Any]) -> Iterator[str]:
    code, outcomes = verdict_of(expected)
    rows = {row["name"]: row["outcome"] for row in found.manifest["verdict"]["thresholds"]}
    if rows.pop("events.foreign", None) is None and expected.get("events.foreign"):
        code = 1
    if found.code != code or found.manifest["verdict"]["exit_code"] != code:
        yield f"it ended with {found.code}, not {code}: {found.manifest['verdict']['reason']}"
    silent = found.counts.get("turns.no_first_event", 0)
    if silent > sum(found.counts.get(f"turns.{name}", 0) for name in BROKEN):
        yield f"{silent} failed turns had no first event, more than failed"
    for name, outcome in outcomes.items():
        if rows[name] != outcome:
            yield f"the threshold on {name} is {rows[name]}, not {outcome}"


BROKEN = ("failed", "timed_out", "lost", "refused")


def _wrong_evidence(found: Found, expected: Mapping[str, Any], logs: Mapping[str, int]) -> Iterator[str]:
    """Frames are kept of the slowest turns, of broken ones, and of what should not have come; of no other."""
    unread = expected.get("connections.ended_by_us.too_long", 0)
    wanted = {
        "slowest": expected.get("turns.complete", 0),
        "broken": sum(expected.get(f"turns.{outcome}", 0) for outcome in BROKEN),
        "foreign": expected.get("events.foreign", 0),
        "malformed": expected.get("events.malformed", 0) - unread,
        "broken frame": unread,
        **logs,
    }
    kept = Counter(row["kind"] for row in found.evidence)
    for kind in sorted(kept.keys() | wanted.keys()):
        n = wanted.get(kind, 0)
        if not min(n, PER_FAILURE) <= kept[kind] <= n:
            yield f"frames of kind {kind}: {kept[kind]} are kept of {n}"


def _wrong_refusals(row: Row, found: Found) -> Iterator[str]:
    reasons = found.manifest.get("refusals") or {}
    for reason in reasons:
        if not row.refusal or not reason.startswith(row.refusal):
            yield f"a refusal is told as {reason!r}"
    if row.refusal and not reasons:
        yield "no refusal is told"


def _leaking_ledger(found: Found) -> Iterator[str]:
    """Every message after ready is exactly one thing."""
    kinds = ("matched", "duplicate", "late", "foreign", "unmatched", "malformed", "ignored")
    told = sum(found.counts.get(f"events.{kind}") or 0 for kind in kinds)
    received = found.counts.get("events.received", 0)
    if told != received:
        yield f"{received} events received, but {told} are told by what they were"


def _out_of_bounds(manifest: Mapping[str, Any], bound: Bound) -> Iterator[str]:
    value = manifest["metrics"].get(bound.metric, {}).get(bound.statistic)
    if value is None or not RELATIONS[bound.relation](value, bound.limit):
        yield f"{bound.metric}.{bound.statistic} is {value} ms, not {bound.relation} {bound.limit:g} ms"
