"""Every match of a protocol with the key that it stands under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loadtest.plan.match import Match, match_words
from loadtest.plan.protocol import KIND_RULES, CountAt, Events, Protocol

LISTS = ("ignore", "fail", "refuse", "end", "end_all", "first", "audio", "required", "order", "keep")
"""The keys of [events] that are lists of matches, in the order in which they decide."""

ANY = "*"
"""In an order: any number of events."""


class NamedMatch(NamedTuple):
    """A match under its key; ``kind`` is the kind of turn it is of, where each has its own; empty: of all.

    The key of what answers a heartbeat of ours is "heartbeat.answer".
    """

    key: str
    match: Match
    kind: str = ""

    def __str__(self) -> str:
        kind = f"[{self.kind}]" if self.kind else ""
        return f"{self.key}{kind}: {match_words(self.match)}"


def named_matches(protocol: Protocol) -> Iterator[NamedMatch]:
    """Every match of a protocol, in the order in which they decide."""
    yield from _of_all(protocol)
    if not protocol.turns:
        yield from _of_events(protocol.events, LISTS)
        return
    yield from _of_events(protocol.events, [key for key in LISTS if key not in KIND_RULES])
    for name, kind in protocol.turns.items():
        yield from _of_events(kind.events, [key for key in LISTS if key in KIND_RULES], name)


def _of_all(protocol: Protocol) -> Iterator[NamedMatch]:
    connect, events = protocol.connect, protocol.events
    yield from (NamedMatch("auth_errors", match) for match in connect.auth_errors)
    yield from (NamedMatch("ready", step.wait) for step in connect.ready if step.wait is not None)
    yield from (NamedMatch("heartbeat", beat.on) for beat in connect.answered)
    for timed in connect.timed:
        if timed.answer is not None:
            yield NamedMatch("heartbeat.answer", timed.answer)
    yield from (NamedMatch("answer", beat.on) for beat in events.answer)
    yield from (NamedMatch("adopt", adopt.on) for adopt in events.adopt)
    yield from (NamedMatch("wait", match) for match in protocol.awaited)


def _of_events(events: Events, keys: Iterable[str], kind: str = "") -> Iterator[NamedMatch]:
    """What the lists under ``keys`` hold; with the ends go the pairs and what is counted."""
    listed = tuple(keys)
    for key in listed:
        yield from (NamedMatch(key, match, kind) for match in getattr(events, key) if match != ANY)
    if "end" in listed:
        yield from (NamedMatch("pairs", match, kind) for pair in events.pairs for match in pair)
        if isinstance(events.count, CountAt) and events.count.of is not None:
            yield NamedMatch("count", events.count.of, kind)
