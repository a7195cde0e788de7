"""What events mean for their turn: first content, end, failure; required, paired, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from typing_extensions import override

from loadtest.plan.match import FieldTest, Match, conditions, kept_by
from loadtest.plan.named_matches import ANY
from loadtest.plan.protocol import AutoReply, CountAt, Events, TimedBeat
from loadtest.speak.event_match import Getter, compile_conditions, finder

FIRST, END, FAIL, IGNORE, REFUSE, COUNT, ANSWER = 1, 2, 4, 8, 16, 32, 64
"""Flags of an event; ``COUNT``: the turn ends with the protocol's number of events."""

KEEP, BEAT, ADOPT, TALLY, PING, AUDIO = 128, 256, 512, 1024, 2048, 4096
"""Values of it are kept; it answers a heartbeat of ours; it tells the target's own id of a turn; its turn
ends with as many events as one says; it is a heartbeat of the target's; it carries sound."""

NOTED = KEEP | AUDIO
"""Something about it is noted beside the ledger."""

ASIDE = IGNORE | ANSWER | KEEP | BEAT | ADOPT | TALLY | PING | AUDIO
"""An event that is no simple part of a turn."""

ALL_SHIFT = 13
"""From this bit on, one flag for each entry of ``end_all``."""

ENDS = END | -1 << ALL_SHIFT
"""The flags of an event that ends its turn well, alone or with others."""

EventLabel = Any
"""What a turn keeps of an event to judge it by: its type, or what of the ledger's matches it fits."""

Decide = Callable[[Any, str | None], tuple[int, EventLabel]]
"""Flags and word of an event, from where its fields are and its type."""

Rule = tuple[tuple[FieldTest, ...], int]
"""Conditions, and the flag of an event that they fit."""


class Fits(frozenset[Any]):
    """The type of an event and the places of the ledger's conditions that it fits: equal to each of them.

    So rules are judged on words by comparing, which costs nothing more where words are plain types.
    """

    __slots__ = ()

    @override
    def __eq__(self, key: object) -> bool:
        return frozenset.__eq__(self, key) if isinstance(key, Fits) else key in self

    @override
    def __ne__(self, key: object) -> bool:
        return not self == key

    __hash__ = frozenset.__hash__


class EventRules:
    """The event rules of a protocol, compiled for the hot loop.

    ``flags`` gives what an event type means; a type that is not in it has ``default_flags``. ``count`` is 0
    where turns do not end by their number of events. ``matches``
    are the rules that ask for more than a type, ``ledger`` the conditions of such entries among those that
    are required, paired or in order. Without both, types and ``flags`` decide everything. ``heartbeats`` are
    sent by our clock, ``pings`` are those of the target.
    """

    __slots__ = (
        "all_ends",
        "count",
        "default_flags",
        "flags",
        "keep_types",
        "ledger",
        "matches",
        "order",
        "pairs",
        "required",
    )

    def __init__(
        self, events: Events, heartbeats: Sequence[TimedBeat] = (), pings: Sequence[AutoReply] = ()
    ) -> None:
        typed = bool(events.type) or events.format == "opaque"
        # Without a list of first content, any event of the turn is its first.
        tallied = isinstance(events.count, CountAt)
        counts = TALLY if tallied else 0 if events.count is None else COUNT
        self.default_flags = (0 if events.first else FIRST) | counts
        flagged: list[tuple[Iterable[Match], int]] = [
            (events.first, FIRST),
            (events.audio, AUDIO),
            (events.end, END),
            (events.fail, FAIL),
            (events.ignore, IGNORE),
            (events.refuse, REFUSE),
            ([beat.on for beat in events.answer], ANSWER),
            ([beat.answer for beat in heartbeats if beat.answer is not None], BEAT),
            ([beat.on for beat in pings], PING),
            ([adopt.on for adopt in events.adopt], ADOPT),
            ([match for match in (*events.matches, *events.ignore) if kept_by(match)], KEEP),
            *(([match], 1 << (ALL_SHIFT + place)) for place, match in enumerate(events.end_all)),
        ]
        self.flags: dict[Any, int] = {}
        matches: list[Rule] = []
        for found, flag in flagged:
            for match in found:
                wanted = conditions(match, typed=typed)
                types = _only_types(wanted)
                if types is None:
                    matches.append((wanted, flag))
                for name in types or ():
                    self.flags[name] = self.flags.get(name, self.default_flags) | flag
        for name, meant in self.flags.items():
            self.flags[name] = _without_first(meant)
        self.matches = tuple(matches)
        self.all_ends = (1 << len(events.end_all)) - 1
        self.count = events.count if isinstance(events.count, int) else 0
        ledger: list[tuple[FieldTest, ...]] = []
        self.required = frozenset(_key(each, ledger, typed) for each in events.required)
        self.pairs = tuple((_key(a, ledger, typed), _key(b, ledger, typed)) for a, b in events.pairs)
        self.order = tuple(ANY if each == ANY else _key(each, ledger, typed) for each in events.order)
        self.ledger = tuple(ledger)
        self.keep_types = bool(events.required or events.pairs or events.order)

    def decider(self, getter_of: Callable[[str], Getter] = finder, *, but: Iterable[Rule] = ()) -> Decide:
        """Decides what an event means; paths are looked up by ``getter_of``.

        ``but`` are rules that do not fit, which is known before.
        """
        left_out = tuple(but)
        flagged = [
            (compile_conditions(wanted, getter_of), flag)
            for wanted, flag in self.matches
            if (wanted, flag) not in left_out
        ]
        ledger = [compile_conditions(wanted, getter_of) for wanted in self.ledger]
        flags_of, default_flags = self.flags, self.default_flags

        def decide(source: Any, kind: str | None) -> tuple[int, EventLabel]:
            flags = flags_of.get(kind, default_flags)
            for test, flag in flagged:
                if test(source, kind):
                    flags |= flag
            word: EventLabel = kind
            if ledger:
                fits = (place for place, test in enumerate(ledger) if test(source, kind))
                word = Fits([kind, *fits])
            return _without_first(flags), word

        return decide

    def type_of(self, word: EventLabel) -> str | None:
        """The event type in a word."""
        if not isinstance(word, Fits):
            return None if word is None else str(word)
        return next((each for each in word if isinstance(each, str)), None)

    def count_missing(self, words: Sequence[EventLabel]) -> int:
        """How many required events never came."""
        if self.ledger:
            return len(self.required.difference(*words))
        return len(self.required.difference(words))

    def count_unpaired(self, words: Sequence[EventLabel]) -> int:
        """How many events of a pair stand alone: opened and never closed, or closed and never opened."""
        alone = 0
        for opening, closing in self.pairs:
            is_open = 0
            for word in words:
                if word == opening:
                    is_open += 1
                elif word == closing:
                    alone += is_open == 0
                    is_open -= is_open > 0
            alone += is_open
        return alone

    def in_order(self, words: Sequence[EventLabel]) -> bool:
        """Whether the events follow the order pattern, in which ``*`` stands for any number of them."""
        return not self.order or self._follows(words)

    def _follows(self, words: Sequence[EventLabel]) -> bool:
        """Glob matching over whole words: one pass with one step back, as for file names."""
        pattern = self.order
        at = place = 0
        star, resume = -1, 0
        while at < len(words):
            if place < len(pattern) and pattern[place] == ANY:
                star, resume = place, at
                place += 1
            elif place < len(pattern) and words[at] == pattern[place]:
                at += 1
                place += 1
            elif star >= 0:
                resume += 1
                at, place = resume, star + 1
            else:
                return False
        return all(rest == ANY for rest in pattern[place:])


def _without_first(flags: int) -> int:
    """An error is no answer, however fast it comes: it has no time to first event."""
    return flags & ~FIRST if flags & (FAIL | REFUSE) else flags


def _only_types(wanted: tuple[FieldTest, ...]) -> tuple[str, ...] | None:
    """The types that a match names; None if it asks for anything else."""
    if len(wanted) == 1 and wanted[0].path is None and wanted[0].how == "in":
        return wanted[0].wanted
    return None


def _key(match: Match, ledger: list[tuple[FieldTest, ...]], typed: bool) -> str | int:  # noqa: FBT001 - one caller
    """A type that stands for itself, or the place in the ledger's conditions."""
    wanted = conditions(match, typed=typed)
    types = _only_types(wanted)
    if types is not None and len(types) == 1:
        return types[0]
    if wanted not in ledger:
        ledger.append(wanted)
    return ledger.index(wanted)
