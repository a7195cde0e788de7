"""The rules of a protocol one by one, to say which of them a message fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loadtest.plan.match import Match, match_words
from loadtest.plan.protocol import Protocol
from loadtest.speak.compiled_protocol import Heard
from loadtest.speak.event_match import Test, compile_match
from loadtest.speak.event_rules import ANY

LISTS = ("ignore", "fail", "refuse", "end", "end_all", "first", "required", "order", "keep")
"""The keys of [events] that are lists of matches, in the order in which they decide."""

UNTIL_READY = frozenset({"ready", "auth_errors"})
"""Keys whose matches only count until the connection is ready."""


class MatchRule(NamedTuple):
    """One match of a protocol: the key that it stands under, its words, and its test."""

    key: str
    words: str
    test: Test

    def __str__(self) -> str:
        return f"{self.key}: {self.words}"

    def fits(self, heard: Heard) -> bool:
        """Whether a message is what the rule says."""
        return self.test(heard.found, heard.kind)


def match_rules(protocol: Protocol) -> tuple[MatchRule, ...]:
    """Every match of a protocol; one that stands twice under a key is there once."""
    typed = bool(protocol.events.type) or protocol.events.format == "opaque"
    found = {
        (key, match_words(match)): MatchRule(key, match_words(match), compile_match(match, typed=typed))
        for key, match in _matches(protocol)
    }
    return tuple(found.values())


def _matches(protocol: Protocol) -> Iterator[tuple[str, Match]]:
    connect, events = protocol.connect, protocol.events
    yield from (("ready", step.wait) for step in connect.ready if step.wait is not None)
    yield from (("auth_errors", match) for match in connect.auth_errors)
    yield from (("heartbeat", beat.on) for beat in connect.answered)
    yield from (("heartbeat", beat.answer) for beat in connect.timed if beat.answer is not None)
    yield from (("answer", beat.on) for beat in events.answer)
    yield from (("adopt", adopt.on) for adopt in events.adopt)
    for key in LISTS:
        yield from ((key, match) for match in getattr(events, key) if match != ANY)
    yield from (("pairs", match) for pair in events.pairs for match in pair)
