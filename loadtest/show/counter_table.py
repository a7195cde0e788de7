"""The counters of a report as text: connections, turns, events and bytes over the whole run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loadtest import catalog
from loadtest.catalog import in_report_order
from loadtest.judge.counts import SEQUENCED, cut_short
from loadtest.judge.manifest_access import Manifest, kinds, populations, section
from loadtest.judge.populations import population_manifest
from loadtest.plan.threshold import of_kind, split_kind
from loadtest.show.document import Tone
from loadtest.show.manifest import as_integer
from loadtest.show.metric_table import NOT_MEASURED
from loadtest.show.report_model import CountRow, Ledger
from loadtest.show.sanitize import printable
from loadtest.units import format_bytes, format_count, format_ratio

NONE = "0"
"""The value of a counter that never rose."""

OUTCOMES = {each.key: each.label for each in catalog.OUTCOMES}
"""How a turn can end, in words."""

LABELS = {each.name: each.label for each in catalog.COUNTERS}

GIVEN_UP = {why: LABELS[name] for why, name in catalog.kept_under("ended_by_us").items()}
"""Why we ended a connection, in words."""

NO_CLOSE_FRAME = "1006"
"""RFC 6455 section 7.4.1: the code of a connection that ended without a close frame."""

CONVERSATIONS = {each.key: each.label for each in catalog.CONVERSATION_COUNTERS}
"""How conversations went, in words."""

TURN_TONES = {each.key: each.tone for each in catalog.OUTCOMES}

EVENTS = {each.key: each.label for each in in_report_order(catalog.EVENT_COUNTERS) if each.label}
"""Event counters in words."""

EVENT_TONES = {each.key: each.tone for each in catalog.EVENT_COUNTERS}

CAME_BACK = {key: LABELS[f"connections.{key}"] for key in ("cut", "reconnected", "given_up", "away")}
"""Connections that were lost, and what became of their users, in words."""

CHAOS = {each.key: each.label for each in catalog.CHAOS_COUNTERS if each.label}
"""What went wrong on purpose, in words."""

CODEC = {each.key: each.label for each in catalog.COUNTERS if each.name.startswith("codec.")}
"""What a codec did beside translating, in words."""

HTTP = {each.key: each.label for each in catalog.COUNTERS if each.group == "http"}
"""How requests of turns were answered, in words."""

COMPRESSION = {
    each.key: each.label for each in catalog.COUNTERS if each.group == "compression" and each.label
}
"""Whether compression was negotiated, in words."""

TONES = {each.name: each.tone for each in catalog.COUNTERS}

GOOD_EVENTS = frozenset(key for key, tone in EVENT_TONES.items() if tone == "good")


def ledgers(manifest: Manifest) -> tuple[Ledger, ...]:
    """Connections, turns, events and bytes over the whole run, warm-up and drain included."""
    counts = section(manifest, "counts")
    found = (
        Ledger("Connections", tuple(_connections(section(counts, "connections")))),
        Ledger("Turns", tuple(_turns(section(counts, "turns")))),
        Ledger("Kinds of turn", tuple(_kinds(section(counts, "turns"), kinds(manifest)))),
        *(
            Ledger(f"Population {printable(name)}", tuple(_population(manifest, name)))
            for name in ([] if section(manifest, "part") else populations(manifest))
        ),
        Ledger("Conversations", tuple(_conversations(section(counts, "conversations")))),
        Ledger("Events", tuple(_events(section(counts, "events"), cut_short(counts)))),
        Ledger("Deliveries", tuple(_deliveries(section(counts, "deliveries")))),
        Ledger("On purpose", tuple(_chaos(section(counts, "chaos")))),
        Ledger("Codec", tuple(_codec(section(counts, "codec")))),
        Ledger("Turns by HTTP", tuple(_http(section(counts, "http")))),
        Ledger("Compression", tuple(_compression(section(counts, "compression")))),
        Ledger("Bytes", tuple(_bytes(section(counts, "bytes")))),
    )
    return tuple(ledger for ledger in found if ledger.counts)


def counted(found: Iterable[Ledger]) -> tuple[Ledger, ...]:
    """Of ledgers what is more than none, for a run in which next to nothing happened."""
    some = (
        Ledger(each.title, tuple(row for row in each.counts if not row.reason and row.value != NONE))
        for each in found
    )
    return tuple(each for each in some if each.counts)


def _count(
    label: str, value: object, *, of: object = None, tone: Tone = "plain", what: str = ""
) -> CountRow | None:
    """A counter's row, with its share of ``of``, which is ``what``; None where the run does not have it."""
    n, whole_of = as_integer(value), as_integer(of)
    if n is None:
        return None
    share = format_ratio(n / whole_of) if n and whole_of else ""
    share += f" of {what}" if share and what else ""
    return CountRow(label, format_count(n), share, "", tone if n else "plain")


def _present(*found: CountRow | None) -> Iterator[CountRow]:
    return (row for row in found if row is not None)


def _connections(counts: Manifest) -> Iterator[CountRow]:
    attempted = counts.get("attempted")
    yield from _present(
        _count("attempted", attempted),
        _count("established", counts.get("established"), of=attempted),
        _count("ready", counts.get("ready"), of=attempted),
        _count("peak concurrent", counts.get("peak")),
    )
    for limit, n in section(counts, "not_opened").items():
        label = f"not opened by this machine ({printable(limit)})"
        yield from _present(_count(label, n, of=attempted, tone="doubt"))
    for layer, n in section(counts, "refused").items():
        yield from _present(_count(f"refused at {printable(layer)}", n, of=attempted, tone="bad"))
    for why, n in section(counts, "ended_by_us").items():
        yield from _present(_count(GIVEN_UP.get(why, printable(why)), n, of=attempted, tone="bad"))
    for code, n in closed_by_target(counts).items():
        label = f"closed by the target, code {printable(code)}"
        yield from _present(_count(label, n, of=counts.get("ready"), tone="bad", what="those ready"))
    name, left = "connections.left_unanswered", counts.get("left")
    unanswered = counts.get("left_unanswered")
    yield from _present(_count(LABELS[name], unanswered, of=left, tone=TONES[name], what="those left"))
    for key, label in CAME_BACK.items():
        yield from _present(_count(label, counts.get(key), tone=TONES[f"connections.{key}"]))


def closed_by_target(counts: Manifest) -> dict[str, int]:
    """Closes by code, without the connections that we gave up: they count as ended without a close frame."""
    closed = {code: as_integer(n) or 0 for code, n in section(counts, "closed").items()}
    ours = sum(as_integer(n) or 0 for n in section(counts, "ended_by_us").values())
    if NO_CLOSE_FRAME in closed:
        closed[NO_CLOSE_FRAME] -= min(ours, closed[NO_CLOSE_FRAME])
    return {code: n for code, n in closed.items() if n}


def _deliveries(counts: Manifest) -> Iterator[CountRow]:
    due = counts.get("due")
    for each in catalog.DELIVERY_COUNTERS:
        of = due if each.share_of else None
        yield from _present(_count(each.label, counts.get(each.key), of=of, tone=each.tone))


def _chaos(counts: Manifest) -> Iterator[CountRow]:
    for key, label in CHAOS.items():
        yield from _present(_count(label, counts.get(key)))


def _turns(counts: Manifest) -> Iterator[CountRow]:
    due = counts.get("due")
    yield from _present(_count("due", due), _count("begun", counts.get("begun"), of=due))
    for key, label in OUTCOMES.items():
        yield from _present(_count(label, counts.get(key), of=due, tone=TURN_TONES[key]))
    for name in ("resumed", "ended_again", "ends_unasked", "request_refused"):
        yield from _present(_count(LABELS[f"turns.{name}"], counts.get(name)))


def _kinds(counts: Manifest, of: tuple[str, ...]) -> Iterator[CountRow]:
    """By kind of turn how many were due, and how they ended, as far as any did."""
    for kind in of:
        due = counts.get(of_kind("due", kind))
        yield from _present(_count(f"of kind {printable(kind)}", due, of=counts.get("due"), what="all"))
        for key, label in OUTCOMES.items():
            n = counts.get(of_kind(key, kind))
            if n or key == "complete":
                yield from _present(_count(f"{printable(kind)} {label}", n, of=due, tone=TURN_TONES[key]))


def _population(manifest: Manifest, name: str) -> Iterator[CountRow]:
    """Of one population its connections, its turns with their kinds, and the events it received."""
    of = population_manifest(manifest, name)
    counts = section(of, "counts")
    connections, turns, events = (section(counts, group) for group in ("connections", "turns", "events"))
    due = as_integer(turns.get("due"))
    yield from _connections(connections)
    if due:
        yield from _turns(turns)
        yield from _kinds(turns, kinds(of))
    yield from _present(_count("events received", events.get("received")))
    yield from _deliveries(section(counts, "deliveries"))


def _conversations(counts: Manifest) -> Iterator[CountRow]:
    """How conversations went, all together and then by name."""
    for name, n in counts.items():
        whole_name, kind = split_kind(f"conversations.{name}")
        key = whole_name.removeprefix("conversations.")
        label = CONVERSATIONS.get(key, printable(key))
        told = label if kind is None else f"{printable(kind)} {label}"
        ended = counts.get("ended" if kind is None else of_kind("ended", kind))
        of = ended if key in {"complete", "broken_off"} else None
        if key != "ended":
            yield from _present(_count(told, n, of=of, tone=TONES.get(f"conversations.{key}", "plain")))


def _events(counts: Manifest, cut: int) -> Iterator[CountRow]:
    """Events; those that ``cut`` turns, which broke off, were still to receive are known to nobody."""
    unmeasured = section(counts, "unmeasured")
    for key, name in EVENTS.items():
        if key in unmeasured and as_integer(counts.get(key)) is None:
            yield CountRow(name, NOT_MEASURED, "", printable(unmeasured[key]), "doubt")
            continue
        label = f"{name}, at least: {format_count(cut)} turns broke off" if key == "lost" and cut else name
        base = "expected" if key in SEQUENCED else "received"
        of = counts.get(base) if key not in GOOD_EVENTS else None
        tone: Tone = "plain" if key in GOOD_EVENTS else EVENT_TONES[key]
        yield from _present(_count(label, counts.get(key), of=of, tone=tone))


def _codec(counts: Manifest) -> Iterator[CountRow]:
    for key, label in CODEC.items():
        yield from _present(_count(label, counts.get(key), tone=TONES[f"codec.{key}"]))


def _http(counts: Manifest) -> Iterator[CountRow]:
    for key, label in HTTP.items():
        yield from _present(_count(label, counts.get(key), tone=TONES[f"http.{key}"]))


def _compression(counts: Manifest) -> Iterator[CountRow]:
    """What was negotiated, and of each way the bytes of messages, those of their frames, and the ratio."""
    for key, label in COMPRESSION.items():
        yield from _present(_count(label, counts.get(key), tone=TONES[f"compression.{key}"]))
    for way in ("sent", "received"):
        payload, wire = (as_integer(counts.get(f"{way}_{what}")) for what in ("payload", "wire"))
        if payload and wire:
            share = f"{payload / wire:.2f} times the {format_bytes(wire)} of their frames"
            yield CountRow(f"messages {way}", format_bytes(payload), share, "", "plain")


def _bytes(counts: Manifest) -> Iterator[CountRow]:
    for key in ("sent", "received"):
        n = as_integer(counts.get(key))
        if n is not None:
            yield CountRow(key, format_bytes(n) if n else NONE, "", "", "plain")
