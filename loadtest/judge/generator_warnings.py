"""Warnings about the load generator, its clock, and the measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadtest.judge.counts import broken_laws, in_doubt, not_opened
from loadtest.judge.generator_summary import (
    COALESCED,
    STARVED,
    coalesced_share,
    few_sent,
    own_lateness_ms,
    saturated,
    stood_still_ms,
)
from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    count_or_zero,
    message_steps,
    model,
    number,
    observed,
    section,
    tick_ns,
    was_observed,
)
from loadtest.judge.offered_load import not_read, shortfall
from loadtest.judge.ranks import needed, part_of
from loadtest.judge.threshold_measurement import COARSE_NS, lookup
from loadtest.judge.thresholds import LATE_PART, late_for, tightest_ms
from loadtest.judge.warnings import KINDS, RunWarning, shown, warning
from loadtest.plan.threshold import Threshold, percentile, split_metric
from loadtest.units import format_count, format_duration, format_ms, format_ratio, parse_duration

COARSE = ("p50", "p90", "p95", "p99")
"""Percentiles that the warning names where they are upper bounds; finer ones are only marked in tables."""

LATE_MS = 10.0
"""The allowed delay where no threshold limits a response time."""

PACE_PART = 0.1
"""The part of the time between two chunks that they may be late: 2 ms of 20."""

BUSY = 0.5
"""Above this part of a core we may have read late, so that events came in one read."""

RENAMED = {"not_linux": "not_linux_no_kernel_stamps"}
"""Facts that the generator notes under another name."""

SILENT = frozenset({"server", "refusals", "closes", "workers"})
"""Facts that stand elsewhere in the report and are no reason for doubt."""

Thresholds = tuple[Threshold, ...]


def saturation(manifest: Manifest) -> Iterator[RunWarning]:
    """A busy process measures itself; in the closed model that slows the load, but does not bend it."""
    cpu = section(manifest, "generator", "cpu")
    busy, seconds = count_or_zero(cpu.get("saturated")), count_or_zero(cpu.get("n"))
    if not busy:
        return
    mean, highest = number(cpu.get("mean")) or 0.0, number(cpu.get("max")) or 0.0
    yield warning(
        "generator_saturated",
        {"mean": mean, "max": highest, "saturated": busy, "seconds": seconds},
        {"mean": format_ratio(mean), "max": format_ratio(highest)},
        spoils=saturated(manifest) and model(manifest) == "open",
    )


def unwatched(manifest: Manifest) -> Iterator[RunWarning]:
    """A generator whose CPU was not read may have been saturated."""
    ready = count_or_zero(section(manifest, "counts", "connections").get("ready"))
    known = number(section(manifest, "generator", "cpu").get("mean")) is not None
    if ready and not known and not was_observed(manifest, "cpu_not_read"):
        yield warning("generator_unwatched", {})


def standstill(manifest: Manifest) -> Iterator[RunWarning]:
    """A generator that was suspended did not measure: what it would have sent and seen is not known."""
    stood = stood_still_ms(manifest)
    if stood is not None:
        longest = number(section(manifest, "generator", "loop_lag").get("max")) or 0.0
        numbers = {"stood_still_ms": stood, "longest_ms": longest}
        told = {name: format_duration(value * NS_PER_MS) for name, value in numbers.items()}
        yield warning("generator_stood_still", numbers, told)


def starvation(manifest: Manifest) -> Iterator[RunWarning]:
    """A generator that was ready to work and had no core."""
    delay = section(manifest, "generator", "run_delay")
    mean, highest = number(delay.get("mean")) or 0.0, number(delay.get("max")) or 0.0
    if mean > STARVED:
        numbers = {"mean": mean, "max": highest, "seconds": count_or_zero(delay.get("n"))}
        told = {"mean": format_ratio(mean), "max": format_ratio(highest)}
        yield warning("generator_starved", numbers, told)


def lateness(manifest: Manifest, thresholds: Thresholds) -> Iterator[RunWarning]:
    """Our own delay, compared with the tightest threshold on response time."""
    tightest = tightest_ms(thresholds)
    allowed = LATE_MS if tightest is None else tightest * LATE_PART
    late = own_lateness_ms(manifest)
    if late is not None and late > allowed:
        names = list(dict.fromkeys(each.name for each in thresholds if late_for(each, manifest) is not None))
        numbers = {"lateness_ms": late, "allowed_ms": allowed, "thresholds": names}
        touched = f". It affects {', '.join(names)}" if names else ""
        share = "The latest message was" if few_sent(manifest) else "One message in a hundred was"
        words = {"lateness_ms": format_ms(late), "allowed_ms": format_ms(allowed)}
        told = {**words, "told": touched, "share": share}
        yield warning("generator_late", numbers, told)


def pace(manifest: Manifest) -> Iterator[RunWarning]:
    """Files that were not sent at their pace: what the target heard is not what was to be measured."""
    late = section(manifest, "metrics", "chunk.lateness")
    p99, largest = number(late.get("p99")), number(late.get("max_exact"))
    late_ms = largest if p99 is None else p99
    every = [
        str(section(step).get("every")) for step in message_steps(manifest) if section(step).get("chunks")
    ]
    if late_ms is None or not every:
        return
    allowed_ms = min(map(parse_duration, every)) / NS_PER_MS * PACE_PART
    if late_ms > allowed_ms:
        numbers = {"lateness_ms": late_ms, "allowed_ms": allowed_ms, "n": count_or_zero(late.get("n"))}
        share = "The latest chunk was" if p99 is None else "One chunk in a hundred was"
        words = {"lateness_ms": format_ms(late_ms), "allowed_ms": format_ms(allowed_ms), "share": share}
        yield warning("pace_not_kept", numbers, words)


def connections_not_opened(manifest: Manifest) -> Iterator[RunWarning]:
    """Connections for which this machine had no file or no local port."""
    connections = section(manifest, "counts", "connections")
    if own := not_opened(connections):
        limits = dict(section(connections, "not_opened"))
        told = ", ".join(f"{format_count(n)} by {limit}" for limit, n in limits.items())
        numbers = {
            "not_opened": own,
            "attempted": count_or_zero(connections.get("attempted")),
            "limits": limits,
        }
        yield warning("connections_not_opened", numbers, {"told": told})


def load_not_reached(manifest: Manifest) -> Iterator[RunWarning]:
    """Planned load that was not offered, by who caused it."""
    missing = shortfall(manifest)
    if missing is None:
        return
    numbers = {"missing": missing.missing, "asked": missing.asked, "what": missing.what}
    part = section(manifest, "counts", "measured", "turns")
    due = count_or_zero(part.get("due"))
    told = {"measured": ""}
    if missing.what == "turns" and due < missing.asked:
        # The ratios speak of the measured part: they differ from what the whole run shows.
        absent = due - count_or_zero(part.get("begun"))
        numbers |= {"measured_missing": absent, "measured_due": due}
        words = f" (of the measured part: {format_count(absent)} of {format_count(due)})"
        told["measured"] = words
    if missing.ours:
        yield warning("load_not_reached_by_generator", numbers, told, spoils=missing.grave)
        return
    unread = not_read(section(manifest, "counts", "turns"))
    done = ["refused or closed connections or let them wait"] if missing.missing > unread else []
    if unread:
        numbers["not_read"] = unread
        done.append(f"did not read: {format_count(unread)} fell due while 16 MiB waited on their connection")
    yield warning("load_not_reached_by_target", numbers, told | {"told": ", or ".join(done)})


def too_few_samples(manifest: Manifest, thresholds: Thresholds) -> Iterator[RunWarning]:
    """Thresholds on percentiles that were sampled, but not often enough."""
    for threshold in thresholds:
        split = split_metric(threshold.name)
        if threshold.stage is not None or split is None or percentile(split[1]) is None:
            continue
        need, n = needed(part_of(split[1])), lookup(threshold.name, manifest).n
        if 0 < n < need:
            yield warning("too_few_samples", {"name": threshold.name, "needed": need, "n": n})


def clock(manifest: Manifest) -> Iterator[RunWarning]:
    """A clock whose steps show in what it measures."""
    tick = tick_ns(manifest)
    injected = count_or_zero(section(manifest, "clock").get("step_ns"))
    told = {"step": format_duration(tick)}
    if injected:
        yield warning("clock_step_injected", {"step_ms": injected / NS_PER_MS}, told)
    elif tick >= COARSE_NS:
        yield warning("clock_coarse", {"step_ms": tick / NS_PER_MS}, told)


def coalescing(manifest: Manifest) -> Iterator[RunWarning]:
    """Events that shared a read, where that affects gaps, or p99 or a coarser percentile of turns."""
    share = coalesced_share(manifest)
    bounded = _bounded(manifest)
    if "turn.first_event" not in section(manifest, "metrics"):
        # Without times, sharing a read distorts nothing.
        return
    if share is not None and (share > COALESCED or any(set(COARSE) & set(of) for of in bounded.values())):
        received = count_or_zero(section(manifest, "generator", "coalesced").get("n"))
        told = "; ".join(_told_once(bounded))
        numbers = {"share": share, "received": received, "bounds": bounded}
        words = {
            "share": format_ratio(share),
            "told": f". These percentiles of turns are upper bounds: {told}" if told else "",
        }
        found = warning("coalesced_reads", numbers, words)
        yield replace(found, remedy=f"{_why_together(manifest)} {found.remedy}")


def _told_once(bounded: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Metrics by the percentiles that they share: "p50, p99 of turn.first_event, turn.completion"."""
    alike: dict[str, list[str]] = {}
    for name, of in bounded.items():
        alike.setdefault(", ".join(of).replace("_", "."), []).append(name)
    for percentiles, names in alike.items():
        yield f"{percentiles} of {', '.join(names)}"


def _why_together(manifest: Manifest) -> str:
    """Why events were read together, as far as the generator's CPU shows."""
    cpu = number(section(manifest, "generator", "cpu").get("mean"))
    if cpu is None:
        return "Whether the generator was busy is not known, because its CPU was not read."
    if saturated(manifest) or cpu > BUSY:
        return f"The generator was busy (CPU {format_ratio(cpu)}): use more --processes."
    idle = f"Nothing to do: the generator was not busy (CPU {format_ratio(cpu)})"
    return f"{idle}, so the target wrote the events together, or nearly so."


def _bounded(manifest: Manifest) -> dict[str, list[str]]:
    """The percentiles of turns that are upper bounds, by metric."""
    found = {name: section(metric).get("bounds", []) for name, metric in section(manifest, "metrics").items()}
    percentiles = {name: [each for each in of if percentile(each) is not None] for name, of in found.items()}
    return {name: of for name, of in percentiles.items() if of}


def order_in_doubt(manifest: Manifest) -> Iterator[RunWarning]:
    """Replies matched by order after a turn of theirs had timed out."""
    counts = section(manifest, "counts")
    if doubtful := in_doubt(counts):
        timed_out = count_or_zero(section(counts, "turns").get("timed_out"))
        received = count_or_zero(section(counts, "events").get("received"))
        numbers = {"events": doubtful, "received": received, "timed_out": timed_out}
        yield warning("replies_by_order_after_timeout", numbers)


def not_encoded(manifest: Manifest) -> Iterator[RunWarning]:
    """Messages of which the codec could make no frame."""
    if unsendable := count_or_zero(section(manifest, "counts", "codec").get("unsendable")):
        yield warning("messages_not_encoded", {"unsendable": unsendable})


def not_requested(manifest: Manifest) -> Iterator[RunWarning]:
    """Turns by HTTP whose request was not sent."""
    if unsent := count_or_zero(section(manifest, "counts", "http").get("unsent")):
        yield warning("requests_not_sent", {"unsent": unsent})


def ledger(manifest: Manifest) -> Iterator[RunWarning]:
    """Counters that contradict each other."""
    laws = broken_laws(manifest, section(manifest, "counts"))
    if laws:
        yield warning("ledger_does_not_add_up", {"laws": laws}, {"told": "; ".join(laws)})


def ending(manifest: Manifest) -> Iterator[RunWarning]:
    """A run that did not come to its own end."""
    if manifest.get("interrupted"):
        yield warning("interrupted", {})
    if manifest.get("status") == "cut short":
        seconds = number(section(manifest, "load", "achieved").get("duration_s"))
        yield warning("cut_short", {} if seconds is None else {"seconds": seconds})


def noted(manifest: Manifest, already: frozenset[str]) -> Iterator[RunWarning]:
    """What the generator noted while it ran, each fact once, except what was found ``already``."""
    seen: list[tuple[str, Mapping[str, Any]]] = []
    for row in observed(manifest):
        code = RENAMED.get(str(row["code"]), str(row["code"]))
        fact = (code, section(row, "numbers"))
        if code not in already | SILENT and fact not in seen:
            seen.append(fact)
            yield _observed(row, *fact)


def _observed(row: Mapping[str, Any], code: str, numbers: Mapping[str, Any]) -> RunWarning:
    """A fact with the message of its kind and its numbers; without a kind, with its own message."""
    kind = KINDS.get(code)
    message = str(row.get("message") or (kind.message if kind else f"The generator noted {code}."))
    told = ", ".join(f"{name} {shown(value)}" for name, value in numbers.items())
    spoils = bool(row.get("spoils")) or (kind is not None and kind.spoils == "yes")
    remedy = str(row.get("remedy") or (kind.remedy if kind else "See run.log."))
    return RunWarning(code, f"{message} ({told})" if told else message, remedy, numbers, spoils)
