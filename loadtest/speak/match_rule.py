"""The rules of a protocol one by one, to say which of them a message fits."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.plan.match import match_words
from loadtest.plan.named_matches import named_matches
from loadtest.plan.protocol import Protocol
from loadtest.speak.compiled_protocol import Heard
from loadtest.speak.event_match import Test, compile_match

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
        for key, match, kind in named_matches(protocol)
    }
    return tuple(found.values())
