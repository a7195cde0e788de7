"""The rules of a protocol one by one, to say which of them a message fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loadtest.plan.match import Match, match_words
from loadtest.plan.protocol import KIND_RULES, CountAt, Events, Protocol
from loadtest.speak.compiled_protocol import Heard
from loadtest.speak.event_match import Test, compile_match
from loadtest.speak.event_rules import ANY

LISTS = ("ignore", "fail", "refuse", "end", "end_all", "first", "required", "order", "keep")
"""The keys of [events] that are lists of matches, in the order in which they decide."""

UNTIL_READY = frozenset({"ready", "auth_errors"})
"""Keys whose matches only count until the connection is ready."""


class MatchRule(NamedTuple):
    """One match of a protocol: the key that it stands under, its words, and its test.

    ``kind`` is the kind of turn that it is of, where each has its own; empty: it is of all.
    """

    key: str
    words: str
    test: Test
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.key}[{self.kind}]: {self.words}" if self.kind else f"{self.key}: {self.words}"

    def is_of(self, kind: str) -> bool:
        """Whether it could decide about an event of a turn of that kind; empty: of none."""
        return self.kind in {"", kind}

    def fits(self, heard: Heard) -> bool:
        """Whether a message is what the rule says."""
        return self.test(heard.found, heard.kind)


def match_rules(protocol: Protocol) -> tuple[MatchRule, ...]:
    """Every match of a protocol; one that stands twice under a key is there once."""
    typed = bool(protocol.events.type) or protocol.events.format == "opaque"
    found = {
        (key, kind, match_words(match)): MatchRule(
            key, match_words(match), compile_match(match, typed=typed), kind
        )
        for key, kind, match in _matches(protocol)
    }
    return tuple(found.values())


def _matches(protocol: Protocol) -> Iterator[tuple[str, str, Match]]:
    """Every match with its key, and the kind of turn that it is of."""
    yield from ((key, "", match) for key, match in _of_all(protocol))
    if not protocol.turns:
        yield from ((key, "", match) for key, match in _of_events(protocol.events, LISTS))
        return
    shared = [key for key in LISTS if key not in KIND_RULES]
    yield from ((key, "", match) for key, match in _of_events(protocol.events, shared))
    for name, kind in protocol.turns.items():
        own = [key for key in LISTS if key in KIND_RULES]
        yield from ((key, name, match) for key, match in _of_events(kind.events, own))


def _of_events(events: Events, keys: Iterable[str]) -> Iterator[tuple[str, Match]]:
    """What the lists under ``keys`` hold, with pairs and the number of events beside the ends."""
    listed = set(keys)
    for key in LISTS:
        if key in listed:
            yield from ((key, match) for match in getattr(events, key) if match != ANY)
    if "end" in listed:
        yield from (("pairs", match) for pair in events.pairs for match in pair)
        if isinstance(events.count, CountAt) and events.count.of is not None:
            yield "count", events.count.of


def _of_all(protocol: Protocol) -> Iterator[tuple[str, Match]]:
    connect, events = protocol.connect, protocol.events
    yield from (("ready", step.wait) for step in connect.ready if step.wait is not None)
    yield from (("auth_errors", match) for match in connect.auth_errors)
    yield from (("heartbeat", beat.on) for beat in connect.answered)
    yield from (("heartbeat", beat.answer) for beat in connect.timed if beat.answer is not None)
    yield from (("answer", beat.on) for beat in events.answer)
    yield from (("adopt", adopt.on) for adopt in events.adopt)
    yield from (("wait", match) for match in protocol.awaited)
