"""Warnings about the target: what it did that a reader of the numbers should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from loadtest import catalog
from loadtest.judge.counts import MISNUMBERED
from loadtest.judge.manifest_access import Manifest, count_or_zero, planned, section
from loadtest.judge.measurement_window import Turns
from loadtest.judge.refusal_diagnosis import likely
from loadtest.judge.streaming import batching
from loadtest.judge.turn_warnings import never_matched
from loadtest.judge.warnings import RunWarning, warning
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import DEFAULT_RATIO, Threshold
from loadtest.units import format_count, format_ms, format_ratio

FAULTS = tuple(each.key for each in sorted(catalog.EVENT_COUNTERS, key=lambda each: each.fault) if each.fault)
"""Event counters that are 0 where events are delivered as the protocol promises."""


CLOSED = "connections.closed."
"""The prefix of the counters of closes, before the close code."""

BROKEN = "malformed.sent"
"""The counter of messages that we broke on purpose."""

MAX_NAMED = 5
"""So many addresses are named in a sentence."""

GIVEN_UP = {
    "silent": "that answered no ping and sent nothing else within ping_timeout",
    "broken": "that broke the WebSocket protocol",
    "codec": "that the codec could not read further",
    "flood": "that flooded us with pings, messages without content, or messages that unpack to far more",
    "too_long": "that sent a message longer than target.max_message",
}
"""Why we gave a connection up, in words."""


def simulated(manifest: Manifest) -> Iterator[RunWarning]:
    """The target was our own simulator."""
    if section(manifest, "target").get("simulated"):
        yield warning("simulated_target", {})


def refusals(manifest: Manifest) -> Iterator[RunWarning]:
    """Connections that the target refused, by layer."""
    connections = section(manifest, "counts", "connections")
    layers = section(connections, "refused")
    if layers:
        refused, attempted = sum(layers.values()), count_or_zero(connections.get("attempted"))
        numbers = {"refused": refused, "attempted": attempted, "layers": dict(layers)}
        reasons = section(manifest, "refusals")
        why = f" ({'; '.join(list(reasons)[:3])})" if reasons else ""
        numbers["reasons"] = dict(reasons)
        where = str(section(manifest, "target").get("address") or "the target")
        found = warning(
            "refused_connections", numbers, {"told": _told(layers, "at {}") + why, "where": where}
        )
        yield replace(found, remedy=f"{likely(manifest)} {found.remedy}".strip())


def never_due(manifest: Manifest) -> Iterator[RunWarning]:
    """Connections of the plan that would be opened only after its end."""
    if n := round(planned(manifest, "never_due") or 0):
        yield warning(
            "connections_never_due",
            {"never_due": n, "planned": round(planned(manifest, "connections") or 0)},
        )


def left_behind(manifest: Manifest) -> Iterator[RunWarning]:
    """What steps before the connection made in the target, and was not taken back."""
    if n := count_or_zero(section(manifest, "counts", "connections").get("not_undone")):
        reasons = dict(section(manifest, "not_undone"))
        told = {"told": f" ({'; '.join(list(reasons)[:3])})" if reasons else ""}
        yield warning("not_undone", {"not_undone": n, "reasons": reasons}, told)


def left_unanswered(manifest: Manifest) -> Iterator[RunWarning]:
    """Connections that we left, of which the target did not answer the last word; a few are none."""
    connections = section(manifest, "counts", "connections")
    n, left = (count_or_zero(connections.get(name)) for name in ("left_unanswered", "left"))
    if n > left * (1 - DEFAULT_RATIO):
        yield warning("left_unanswered", {"left_unanswered": n, "left": left})


def stray_errors(manifest: Manifest) -> Iterator[RunWarning]:
    """Errors that failed no turn, beyond those that may answer what we broke on purpose."""
    counts = section(manifest, "counts")
    n = count_or_zero(section(counts, "events").get("stray_errors"))
    n -= count_or_zero(section(counts, "chaos").get(BROKEN))
    if n > 0:
        yield warning(
            "stray_errors", {"errors": n, "begun": count_or_zero(section(counts, "turns").get("begun"))}
        )


def ended_again(manifest: Manifest) -> Iterator[RunWarning]:
    """Ends of turns that came once more."""
    turns = section(manifest, "counts", "turns")
    if n := count_or_zero(turns.get("ended_again")):
        yield warning("ends_came_again", {"ended_again": n, "due": count_or_zero(turns.get("due"))})


def requests_refused(manifest: Manifest) -> Iterator[RunWarning]:
    """Turns whose events say that they were complete, and whose request by HTTP was refused."""
    turns = section(manifest, "counts", "turns")
    if n := count_or_zero(turns.get("request_refused")):
        yield warning("requests_refused", {"refused": n, "due": count_or_zero(turns.get("due"))})


def closes(manifest: Manifest, totals: Totals) -> Iterator[RunWarning]:
    """Connections that ended before we left, by code, and why, where it was we who gave them up."""
    connections = section(manifest, "counts", "connections")
    codes, ours = section(connections, "closed"), section(connections, "ended_by_us")
    if codes:
        reasons = section(manifest, "closes")
        numbers = {"closed": sum(codes.values()), "codes": dict(codes), "ended_by_us": dict(ours)}
        numbers["reasons"] = dict(reasons)
        why = ", ".join(f"{format_count(n)} {GIVEN_UP[name]}" for name, n in ours.items())
        told = _told(codes, "with code {}") + (f" ({'; '.join(list(reasons)[:3])})" if reasons else "")
        told += f"; given up by us: {why}" if why else ""
        yield warning("unexpected_closes", numbers, {"told": told, "when": _when(totals)})


def _when(totals: Totals) -> str:
    """In which seconds of the run connections were closed, from 1: ", in seconds 6 to 7 of the run"."""
    found = [
        row.second
        for row in totals.seconds
        if any(name.startswith(CLOSED) for counters in row.counters.values() for name in counters)
    ]
    if not found:
        return ""
    first, last = min(found) + 1, max(found) + 1
    return (
        f", in second {first} of the run" if first == last else f", in seconds {first} to {last} of the run"
    )


def failed_addresses(manifest: Manifest) -> dict[str, str]:
    """The addresses of the target's name at which attempts failed: how many of how many."""
    connections = section(manifest, "counts", "connections")
    connected = section(connections, "address_connected")
    told = {}
    for address, n in section(connections, "address_failed").items():
        failed = count_or_zero(n)
        tried = failed + count_or_zero(connected.get(address))
        told[address] = f"{format_count(failed)} of {format_count(tried)}"
    return told


def addresses(manifest: Manifest) -> Iterator[RunWarning]:
    """Addresses of the target's name that did not take a connection, while others did."""
    found = failed_addresses(manifest)
    connections = section(manifest, "counts", "connections")
    connected = section(connections, "address_connected")
    # One address that took no connection for a while is told by the refusals.
    if found and connected and len({*found, *connected}) > 1:
        told = ", ".join(f"{address} in {n} attempts" for address, n in found.items())
        total = len({*_first_addresses(manifest), *later_addresses(manifest), *found})
        share = f"{format_count(len(found))} of the {format_count(total)}"
        yield warning("address_failed", {"addresses": total, "failed": found}, {"told": told, "share": share})


def later_addresses(manifest: Manifest) -> list[str]:
    """The addresses that the target's name had in mid-run, and not at the beginning."""
    found = section(manifest, "counts", "connections", "address_found")
    return [address for address in found if address not in _first_addresses(manifest)]


def _first_addresses(manifest: Manifest) -> list[str]:
    target = section(manifest, "target")
    every = target.get("addresses")
    shown = every if isinstance(every, list) else [target["address"]] if target.get("address") else []
    return [str(each).rpartition(":")[0].strip("[]") for each in shown]


def _some_of(addresses: Sequence[str]) -> str:
    more = len(addresses) - MAX_NAMED
    return ", ".join(addresses[:MAX_NAMED]) + (f" and {format_count(more)} more" if more > 0 else "")


def lookups(manifest: Manifest) -> Iterator[RunWarning]:
    """The target's name, looked up again in mid-run, led elsewhere, or nowhere."""
    connections = section(manifest, "counts", "connections")
    n, failed = (count_or_zero(connections.get(name)) for name in ("lookups", "lookups_failed"))
    if later := later_addresses(manifest):
        yield warning("address_changed", {"lookups": n, "found": later}, {"told": _some_of(later)})
    if failed:
        reasons = dict(section(manifest, "lookups_failed"))
        told = {"told": f": {'; '.join(list(reasons)[:3])}" if reasons else ""}
        yield warning("lookups_failed", {"failed": failed, "lookups": n + failed, "reasons": reasons}, told)


def isolation(manifest: Manifest) -> Iterator[RunWarning]:
    """Events of other users."""
    events = section(manifest, "counts", "events")
    if foreign := count_or_zero(events.get("foreign")):
        yield warning(
            "foreign_events", {"foreign": foreign, "received": count_or_zero(events.get("received"))}
        )


def unreadable(manifest: Manifest) -> Iterator[RunWarning]:
    """Messages that are not of the protocol."""
    events = section(manifest, "counts", "events")
    if malformed := count_or_zero(events.get("malformed")):
        yield warning(
            "malformed_events", {"malformed": malformed, "received": count_or_zero(events.get("received"))}
        )


def not_taken(manifest: Manifest) -> Iterator[RunWarning]:
    """Messages that the target let wait: it had not acknowledged as many as it takes."""
    if n := count_or_zero(section(manifest, "counts", "codec").get("not_taken")):
        yield warning("messages_not_taken", {"not_taken": n})


def compression(manifest: Manifest) -> Iterator[RunWarning]:
    """Connections on which the target did not agree to the compression that was offered."""
    counts = section(manifest, "counts", "compression")
    agreed, not_agreed = (count_or_zero(counts.get(name)) for name in ("negotiated", "not_negotiated"))
    if not_agreed:
        numbers = {"not_negotiated": not_agreed, "offered": agreed + not_agreed}
        yield warning("compression_not_negotiated", numbers)


def delivery(manifest: Manifest) -> Iterator[RunWarning]:
    """Events that were not delivered as the protocol promises."""
    events = section(manifest, "counts", "events")
    counted = {name: count_or_zero(events.get(name)) for name in FAULTS}
    # An answer to a message that we broke on purpose belongs to no turn.
    counted["unmatched"] -= min(
        counted["unmatched"], count_or_zero(section(manifest, "counts", "chaos").get(BROKEN))
    )
    # Who says that a turn failed may go on to say what belongs to its end, such as that it is idle again.
    counted["late"] -= min(counted["late"], count_or_zero(events.get("after_failure")))
    if never_matched(manifest):
        # That has a warning of its own, and the protocol causes it.
        counted["unmatched"] = 0
    faults = {name: n for name, n in counted.items() if n}
    if faults:
        words = (f"{format_count(n)} {name.replace('_', ' ')}" for name, n in faults.items())
        yield warning("delivery_faults", faults, {"told": ", ".join(words)})


NOT_FOLLOWED = {
    "gap_too_wide": "with a gap of more than 65,536",
    "below_start": "below `sequence_start`",
    "not_whole": "that is not a whole number",
}
"""Why the sequence numbers of a turn cannot be followed, in words."""


def sequence(manifest: Manifest) -> Iterator[RunWarning]:
    """Sequence numbers that do not count the events of their turn."""
    turns = section(manifest, "counts", "turns")
    by = section(turns, MISNUMBERED)
    if by and "lost" not in section(manifest, "unmeasured"):
        numbers = {"turns": sum(by.values()), "begun": count_or_zero(turns.get("begun")), "by": dict(by)}
        told = ", ".join(
            f"{format_count(by[name])} {words}" for name, words in NOT_FOLLOWED.items() if name in by
        )
        yield warning("sequence_not_followed", numbers, {"told": told})


def pings(manifest: Manifest) -> Iterator[RunWarning]:
    """Pings that nobody answered, beyond those still in time when their connection ended, and one for each.

    A connection that we gave up as silent is told at once.
    """
    counts = section(manifest, "counts")
    connections = section(counts, "connections")
    sent, answered, in_flight = (
        count_or_zero(section(counts, "pings").get(name)) for name in ("sent", "answered", "in_flight")
    )
    missed = count_or_zero(section(counts, "heartbeats").get("missed"))
    if missed:
        beats = count_or_zero(section(counts, "heartbeats").get("sent"))
        yield warning("heartbeats_unanswered", {"missed": missed, "sent": beats})
    silent = count_or_zero(section(connections, "ended_by_us").get("silent")) - missed
    if silent > 0 or sent - answered - in_flight > count_or_zero(connections.get("peak")):
        yield warning("pings_unanswered", {"unanswered": sent - answered, "sent": sent})


def answers(manifest: Manifest) -> Iterator[RunWarning]:
    """Requests of the target that had no answer, as there were too many of them in a second."""
    events = section(manifest, "counts", "events")
    if withheld := count_or_zero(events.get("unanswered")):
        told = {"withheld": withheld, "answered": count_or_zero(events.get("answered"))}
        yield warning("answers_withheld", told)


def streaming(manifest: Manifest, totals: Totals, turns: Turns | None) -> Iterator[RunWarning]:
    """All events at the end."""
    found = batching(manifest, totals, turns)
    if found:
        told = {"share": format_ratio(found.first_event_share), "service": format_ms(found.service_ms)}
        yield warning("batched_not_streamed", asdict(found), told)


def planned_rates(manifest: Manifest, thresholds: tuple[Threshold, ...]) -> Iterator[RunWarning]:
    """Thresholds on rates that were limited by the configured rate."""
    for name in dict.fromkeys(threshold.name for threshold in thresholds if threshold.stage is None):
        group, _, which = name.partition(".")
        rate = section(manifest, "rates", which)
        if group == "rates" and rate.get("bound") == "plan":
            yield warning(
                "rate_limited_by_plan", {"name": name, "value": rate.get("value"), "n": rate.get("n")}
            )


def _told(groups: Mapping[str, Any], form: str) -> str:
    return ", ".join(f"{format_count(n)} {form.format(name)}" for name, n in groups.items())
