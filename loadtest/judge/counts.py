"""The counters of a run as sections of ``run.json``, and the laws they must keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loadtest import catalog
from loadtest.judge.manifest_access import Manifest, count_or_zero, kinds, populations, section, was_observed
from loadtest.judge.measurement_window import Span, peak_within
from loadtest.measure.interval import OUTCOMES, PHASES
from loadtest.measure.tagging import POPULATION_PREFIX
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import of_kind
from loadtest.units import format_count

EVENTS = catalog.keys("events", always=True)
"""Event counters. ``received`` are application messages after ready, heartbeats apart."""

CONNECTIONS = catalog.keys("connections", always=True)

ENDED_BY_US = catalog.kept_under("ended_by_us")
"""Why we ended connections that count as closed without a close frame (1006): a ping was never answered, or
what came was no WebSocket (RFC 6455), or a longer message than is taken."""

SEQUENCED = tuple(each.key for each in catalog.EVENT_COUNTERS if each.numbered)
"""Event counters that need sequence numbers."""

MISNUMBERED = "misnumbered_by"
"""Turns by the reason why their sequence numbers cannot be followed; what was lost in them is not known."""

Counters = dict[str, int]


BY_KIND = tuple(each.name for each in catalog.TURN_COUNTERS if each.by_kind and each.always)
"""Counters that every kind of turn has of its own, also where they are 0."""

RARE_BY_KIND = tuple(
    each.name for each in catalog.TURN_COUNTERS if each.by_kind and not each.always and not each.kept_as
)


def count_all(manifest: Manifest, totals: Totals, span: Span) -> dict[str, Any]:
    """The section ``counts``: the whole run, and under ``measured`` the same of the measured part.

    A counter that the protocol gives no way to know is null, with its reason in ``unmeasured``.
    """
    everything = _summed(totals, PHASES)
    unmeasured = unmeasured_counters(manifest, everything)
    whole = _counted(everything, unmeasured, totals.peak_ready())
    in_measured = _summed(totals, ("measured",))
    measured = _counted(in_measured, unmeasured, peak_within(totals, span))
    for counted, counters in ((whole, everything), (measured, in_measured)):
        counted["turns"] |= _by_kind(manifest, counters)
    return {**whole, "measured": measured}


def _summed(totals: Totals, phases: tuple[str, ...]) -> Counters:
    """The counters of some phases; of the whole run, so that those of populations are not among them."""
    summed: Counters = {}
    for phase in phases:
        for name, n in totals.counters.get(phase, {}).items():
            if not name.startswith(POPULATION_PREFIX):
                summed[name] = summed.get(name, 0) + n
    return summed


def _counted(counters: Counters, unmeasured: dict[str, str], peak: int) -> dict[str, Any]:
    chaos = _under(counters, "chaos.")
    beats = _seen(counters, "heartbeats", catalog.keys("heartbeats", always=False))
    codec = _seen(counters, "codec", catalog.keys("codec", always=False))
    packed, http = _compression(counters), _seen(counters, "http", catalog.keys("http", always=False))
    return {
        **({"chaos": chaos} if chaos else {}),
        "connections": _connections(counters, peak),
        "events": _events(counters, unmeasured),
        "turns": _turns(counters),
        **_conversations(counters),
        **_deliveries(counters),
        **_tasks(counters),
        "bytes": _plain(counters, "bytes"),
        "pings": {
            **_plain(counters, "pings"),
            **_seen(counters, "pings", catalog.keys("pings", always=False)),
        },
        **({"heartbeats": beats} if beats else {}),
        **({"codec": codec} if codec else {}),
        **({"http": http} if http else {}),
        **({"compression": packed} if packed else {}),
    }


def _compression(counters: Counters) -> dict[str, Any]:
    """What compression was negotiated, and how many times smaller it made what went each way."""
    found: dict[str, Any] = _seen(counters, "compression", catalog.keys("compression", always=False))
    for way in ("sent", "received"):
        payload, wire = (found.get(f"{way}_{what}", 0) for what in ("payload", "wire"))
        if payload and wire:
            found[f"{way}_ratio"] = round(payload / wire, 3)
    return found


def _connections(counters: Counters, peak: int) -> dict[str, Any]:
    ended = {name: counters.get(counter, 0) for name, counter in ENDED_BY_US.items()}
    return {
        **_plain(counters, "connections"),
        **_seen(counters, "connections", catalog.keys("connections", always=False)),
        **_split(counters, "connections"),
        "ended_by_us": {name: n for name, n in ended.items() if n},
        "peak": peak,
    }


def _turns(counters: Counters) -> dict[str, Any]:
    # It is 0 where every failed turn had a first event, and absent where nobody looked.
    silent = "turns.no_first_event"
    looked = {"no_first_event": counters[silent]} if silent in counters else {}
    # Of turns without what none of them carried there is nothing to say: it is unmeasured.
    unknown = {f"un{name}" for name in ("numbered", "marked") if not counters.get(f"turns.{name}")}
    rare = tuple(
        name for name in catalog.keys("turns", always=False) if name not in unknown | {"no_first_event"}
    )
    seen = _seen(counters, "turns", rare)
    return {**_plain(counters, "turns"), **looked, **seen, **_split(counters, "turns")}


def _by_kind(manifest: Manifest, counters: Counters) -> Counters:
    """The outcomes of turns by kind, as "complete[ask]"; none of a part where no row has a kind."""
    if section(manifest, "part").get("without_kinds"):
        return {}
    counted: Counters = {}
    for kind in kinds(manifest):
        for name in (*BY_KIND, *RARE_BY_KIND):
            recorded = of_kind(name, kind)
            if name in BY_KIND or recorded in counters:
                counted[recorded.removeprefix("turns.")] = counters.get(recorded, 0)
    return counted


def _conversations(counters: Counters) -> dict[str, Counters]:
    """How conversations went, all together and by name; where there were any."""
    names = [each.key for each in catalog.CONVERSATION_COUNTERS]
    if not any(f"conversations.{key}" in counters for key in names):
        return {}
    by_name = {key: n for key, n in _under(counters, "conversations.").items() if "[" in key}
    return {"conversations": {**{key: counters.get(f"conversations.{key}", 0) for key in names}, **by_name}}


def _deliveries(counters: Counters) -> dict[str, Counters]:
    """The copies that were due to other users of an audience; where there were any."""
    names = catalog.keys("deliveries")
    seen = _seen(counters, "deliveries", names)
    return {"deliveries": {name: seen.get(name, 0) for name in names}} if seen else {}


def _tasks(counters: Counters) -> dict[str, dict[str, Any]]:
    """What the tasks of users written in Python raised, and what they say has failed; where there was any."""
    seen = _seen(counters, "tasks", catalog.keys("tasks", always=False))
    by = _under(counters, "tasks.raised_by.")
    return {"tasks": {"raised": 0, "failed": 0, **seen, "by": by}} if seen else {}


def _events(counters: Counters, unmeasured: dict[str, str]) -> dict[str, Any]:
    if why := misnumbered({MISNUMBERED: _under(counters, f"turns.{MISNUMBERED}.")}):
        unmeasured = dict.fromkeys(("expected", *SEQUENCED), why) | unmeasured
    # What was counted is never hidden: a counter is null only while nothing was counted under it. How many
    # events were expected is not counted but computed; without numbers it equals those received.
    seen = {name for name in unmeasured if counters.get(f"events.{name}")} - {"expected"}
    unknown = {name: why for name, why in unmeasured.items() if name not in seen}
    counted = {name: None if name in unknown else counters.get(f"events.{name}", 0) for name in EVENTS}
    rare = _seen(counters, "events", catalog.keys("events", always=False))
    return {**counted, **rare, **_split(counters, "events"), "unmeasured": unknown}


def misnumbered(turns: Manifest) -> str:
    """Why loss, duplicates and order are not known of some turns; empty where they are known of all."""
    n = sum(section(turns, MISNUMBERED).values())
    return f"{_n(n)} {'turn' if n == 1 else 'turns'} carried unusable sequence numbers" if n else ""


def _plain(counters: Counters, group: str) -> Counters:
    """The counters of a group that are always there."""
    return {name: counters.get(f"{group}.{name}", 0) for name in catalog.keys(group, always=True)}


def _split(counters: Counters, group: str) -> dict[str, Counters]:
    """The split counters of a group: those that are always there, and others where any rose."""
    always = catalog.keys(group, always=True, split=True)
    found = {name: _under(counters, f"{group}.{name}.") for name in catalog.keys(group, split=True)}
    return {name: by for name, by in found.items() if by or name in always}


def _seen(counters: Counters, group: str, names: tuple[str, ...]) -> Counters:
    """The counters of a group that are not 0."""
    return {name: n for name in names if (n := counters.get(f"{group}.{name}", 0))}


def _under(counters: Counters, prefix: str) -> Counters:
    """What was counted under names that start so, by the rest of the name."""
    found = {name.removeprefix(prefix): n for name, n in sorted(counters.items()) if name.startswith(prefix)}
    return {name: n for name, n in found.items() if n}


def unmeasured_counters(manifest: Manifest, counters: Counters) -> dict[str, str]:
    """Reason by event counter, of those that the protocol, or this target, gives no way to know.

    Loss, duplicates and order follow from sequence numbers; so does how many events were to come.
    """
    reasons = {name: str(why) for name, why in section(manifest, "unmeasured").items() if name in EVENTS}
    if not counters.get("turns.numbered"):
        answered = counters.get("events.matched") or counters.get("events.received")
        why = "no event carried a sequence number" if answered else "no event answered a turn"
        reasons = dict.fromkeys(SEQUENCED, why) | reasons
    if not counters.get("turns.marked"):
        reasons = dict(section(manifest, "unless_marked")) | reasons
    return ({"expected": reasons["lost"]} if "lost" in reasons else {}) | reasons


def broken_laws(manifest: Manifest, counts: Manifest) -> list[str]:
    """Each law of the ledger that the counters break, with the numbers; empty when all add up.

    While a run goes on, and when it was cut, turns in flight have no outcome yet; of a part of a run
    whose turns were not placed by their intended instant nothing adds up; a lost worker's counters are
    missing, and what could not be kept. Then only those laws are checked that hold at any instant.
    """
    missing = any(was_observed(manifest, code) for code in ("worker_lost", "results_not_written"))
    open_ended = missing or manifest.get("status") in {"running", "cut short"}
    by_second = section(manifest, "part").get("turns_by") == "second"
    broken = [] if section(manifest, "part") else list(_connection_laws(counts))
    if by_second:
        return broken
    for words, turns in (("", section(counts, "turns")), (" measured", section(counts, "measured", "turns"))):
        broken += _turn_laws(words, turns, open_ended=open_ended)
        apart = populations(manifest)
        broken += _kind_laws(words, turns, apart or kinds(manifest), "population" if apart else "kind")
    return broken


def _turn_laws(words: str, turns: Manifest, *, open_ended: bool) -> Iterator[str]:
    due, begun, missed = (turns.get(name, 0) for name in ("due", "begun", "not_attempted"))
    ended = sum(turns.get(name, 0) for name in OUTCOMES if name != "not_attempted")
    if due < begun + missed or (due > begun + missed and not open_ended):
        yield f"{_n(due)}{words} turns were due, but {_n(begun)} were begun and {_n(missed)} not attempted"
    if begun < ended or (begun > ended and not open_ended):
        yield f"{_n(begun)}{words} turns were begun, but {_n(ended)} ended"


def _kind_laws(words: str, turns: Manifest, of: tuple[str, ...], by: str) -> Iterator[str]:
    """The kinds of turn add up to all turns; where there are populations, these do."""
    for name in ("due", *OUTCOMES):
        parts = [turns[key] for kind in of if (key := of_kind(name, kind)) in turns]
        if parts and sum(parts) != turns.get(name, 0):
            yield f"{_n(turns.get(name, 0))}{words} turns {name}, but {_n(sum(parts))} by {by}"


def _connection_laws(counts: Manifest) -> Iterator[str]:
    connections, events = section(counts, "connections"), section(counts, "events")
    attempted, established, ready, _ = (connections.get(name, 0) for name in CONNECTIONS)
    refused = sum(section(connections, "refused").values())
    own = not_opened(connections)
    if not ready <= established <= attempted:
        yield (
            f"{_n(ready)} connections were ready and {_n(established)} established, but {_n(attempted)}"
            " attempted"
        )
    if ready + refused + own > attempted:
        told = f" and {_n(own)} not opened by this machine" if own else ""
        yield (
            f"{_n(ready)} connections were ready and {_n(refused)} refused{told}, but only {_n(attempted)}"
            " attempted"
        )
    matched, received = events.get("matched") or 0, events.get("received") or 0
    if matched > received:
        yield f"{_n(matched)} events were matched, but only {_n(received)} received"


def in_doubt(counts: Manifest) -> int:
    """How many events may answer an earlier turn: matched by order, after a timeout on their connection."""
    return count_or_zero(section(counts, "events").get("after_timeout"))


def cut_short(counts: Manifest) -> int:
    """How many turns broke off before their end, so that nobody knows what was still to come of them.

    Turns of users whom the plan made read slowly are not among them: they tell nothing of the target.
    """
    turns, chaos = section(counts, "turns"), section(counts, "chaos")
    return sum(
        turns.get(outcome, 0) - chaos.get(f"slow.turns.{outcome}", 0) for outcome in ("lost", "timed_out")
    )


def not_opened(connections: Manifest) -> int:
    """How many attempts this machine could not make because files or local ports had run out."""
    return sum(section(connections, "not_opened").values())


def _n(count: int) -> str:
    return format_count(count)
