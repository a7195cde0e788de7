"""What the types of events mean for their turn: first content, end, failure; required, paired, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.plan.protocol import Events

FIRST, END, FAIL, IGNORE, REFUSE, COUNT = 1, 2, 4, 8, 16, 32
"""Flags of an event type; ``COUNT``: the turn ends with the protocol's number of events."""


class EventRules:
    """The event rules of a protocol, compiled for the hot loop.

    ``flags`` gives what an event type means; a type that is not in it has ``default_flags``.
    """

    __slots__ = ("count", "default_flags", "flags", "keep_types", "order", "pairs", "required")

    def __init__(self, events: Events) -> None:
        # Without a list of first content, any event of the turn is its first.
        self.default_flags = (0 if events.first else FIRST) | (0 if events.count is None else COUNT)
        flagged = (
            (events.first, FIRST),
            (events.end, END),
            (events.fail, FAIL),
            (events.ignore, IGNORE),
            (events.refuse, REFUSE),
        )
        self.flags: dict[Any, int] = {}
        for types, flag in flagged:
            for name in types:
                self.flags[name] = self.flags.get(name, self.default_flags) | flag
        # An error is no answer, however fast it comes: it has no time to first event.
        for name in (*events.fail, *events.refuse):
            self.flags[name] &= ~FIRST
        self.count = events.count
        self.required = frozenset(events.required)
        self.pairs = events.pairs
        self.order = events.order
        self.keep_types = bool(events.required or events.pairs or events.order)

    def count_missing(self, types: Sequence[Any]) -> int:
        """How many required event types never came."""
        return len(self.required.difference(types))

    def count_unpaired(self, types: Sequence[Any]) -> int:
        """How many events of a pair stand alone: opened and never closed, or closed and never opened."""
        alone = 0
        for opening, closing in self.pairs:
            is_open = 0
            for name in types:
                if name == opening:
                    is_open += 1
                elif name == closing:
                    alone += is_open == 0
                    is_open -= is_open > 0
            alone += is_open
        return alone

    def in_order(self, types: Sequence[Any]) -> bool:
        """Whether the types follow the order pattern, in which ``*`` stands for any number of events."""
        return not self.order or _follows(self.order, types)


def _follows(pattern: Sequence[str], types: Sequence[Any]) -> bool:
    """Glob matching over whole words: one pass with one step back, as for file names."""
    at = word = 0
    star, resume = -1, 0
    while at < len(types):
        if word < len(pattern) and pattern[word] == "*":
            star, resume = word, at
            word += 1
        elif word < len(pattern) and types[at] == pattern[word]:
            at += 1
            word += 1
        elif star >= 0:
            resume += 1
            at, word = resume, star + 1
        else:
            return False
    return all(rest == "*" for rest in pattern[word:])
