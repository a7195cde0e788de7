"""One turn: a message and the events that answer it, with the ledger of those events."""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, Final

from loadtest.plan.protocol import Events
from loadtest.speak.record import Part

NEVER = -1
"""An instant that did not come."""


class Outcome(enum.IntEnum):
    """How a turn ended; the numbers are those of the turn table."""

    COMPLETE = 0
    FAILED = 1
    TIMED_OUT = 2
    LOST = 3
    REFUSED = 4
    ABANDONED = 5
    NOT_ATTEMPTED = 6


COMPLETE: Final = Outcome.COMPLETE
LOST: Final = Outcome.LOST
"""For the hot loop: Python 3.11 takes 0.17 us to find a member by way of its class, 0.01 us for a name."""

FIRST, END, FAIL, IGNORE, REFUSE, COUNT = 1, 2, 4, 8, 16, 32

WIDEST_GAP = 65_536
"""Maximum missing numbers of a turn that are believed; beyond, its numbers do not count its events."""

FRAMES_KEPT = 512
"""Entries of a turn's frame log; of a longer one, the beginning and the end are kept."""

LARGEST_FRAME = 4096
"""Bytes of a payload that evidence keeps."""


class Rules:
    """The event rules of a protocol, made ready for the hot loop.

    ``kinds`` gives the flags of an event type; a type that is not in it has ``plain``.
    """

    __slots__ = ("count", "keep_types", "kinds", "order", "pairs", "plain", "required")

    def __init__(self, events: Events) -> None:
        # Without a list of first content, any event of the turn is its first.
        self.plain = (0 if events.first else FIRST) | (0 if events.count is None else COUNT)
        flagged = (
            (events.first, FIRST),
            (events.end, END),
            (events.fail, FAIL),
            (events.ignore, IGNORE),
            (events.refuse, REFUSE),
        )
        self.kinds: dict[Any, int] = {}
        for types, flag in flagged:
            for name in types:
                self.kinds[name] = self.kinds.get(name, self.plain) | flag
        self.count = events.count
        self.required = frozenset(events.required)
        self.pairs = events.pairs
        self.order = events.order
        self.keep_types = bool(events.required or events.pairs or events.order)

    def missing(self, types: Sequence[Any]) -> int:
        """How many required event types never came."""
        return len(self.required.difference(types))

    def unpaired(self, types: Sequence[Any]) -> int:
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


def whole(seq: Any) -> int | None:
    """The sequence number that an event carries; JSON has one kind of number, so 3.0 is 3."""
    if isinstance(seq, float) and seq.is_integer():
        return int(seq)
    return seq if isinstance(seq, int) and not isinstance(seq, bool) else None


class MissingNumbers:
    """Sequence numbers below the highest of a turn that have not come, as runs of neighbours.

    A target that numbers all its events with one counter leaves out tens of thousands in every turn: a run
    of any length costs 100 bytes, a list of its numbers 40 each.
    """

    __slots__ = ("_count", "_ends", "_starts")

    def __init__(self) -> None:
        self._count = 0
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return self._run_of(number) is not None

    def add(self, start: int, end: int) -> None:
        """``start`` to ``end - 1`` are missing; all that were missing before are below ``start``."""
        self._starts.append(start)
        self._ends.append(end)
        self._count += end - start

    def remove(self, number: int) -> bool:
        """A number came after all; False: it was not missing."""
        run = self._run_of(number)
        if run is None:
            return False
        start, end = self._starts[run], self._ends[run]
        left = [(a, b) for a, b in ((start, number), (number + 1, end)) if a < b]
        self._starts[run : run + 1] = [a for a, _ in left]
        self._ends[run : run + 1] = [b for _, b in left]
        self._count -= 1
        return True

    def below(self, number: int) -> int:
        """How many below ``number`` are missing; ``number`` itself is not."""
        runs = bisect_right(self._starts, number)
        return sum(self._ends[:runs]) - sum(self._starts[:runs])

    def first(self, n: int) -> list[int]:
        """The lowest ``n``, or all of them."""
        runs = map(range, self._starts, self._ends)
        return list(islice(chain.from_iterable(runs), n))

    def _run_of(self, number: int) -> int | None:
        run = bisect_right(self._starts, number) - 1
        return run if run >= 0 and number < self._ends[run] else None


class Turn:
    """One turn in flight, and its ledger.

    Instants are nanoseconds of the run's clock, ``NEVER`` where it did not come to that. ``received`` counts
    distinct events; numbers begin at ``start_seq``, ``next_seq`` is the one that the next event should carry
    (``start_seq``: none carried a number yet), and ``holes`` are those below it that have not come.
    ``misnumbered`` says why the numbers cannot be followed, if they cannot: then what is lost, duplicate or
    out of order is not known. ``frames`` holds instants and the payloads that arrived at them, where evidence
    is kept; ``left_out`` payloads were cut from its middle. ``unmarked`` events carried no user mark, though
    one was known. ``read`` is the read that brought the last event.
    """

    __slots__ = (
        "done_ns",
        "duplicate",
        "first_ns",
        "frames",
        "holes",
        "id",
        "intended_ns",
        "last_ns",
        "left_out",
        "lost",
        "misnumbered",
        "next_seq",
        "out_of_order",
        "outcome",
        "part",
        "payload_crc",
        "position",
        "read",
        "reason",
        "received",
        "sent_ns",
        "seq",
        "start_seq",
        "types",
        "unmarked",
        "user",
    )

    def __init__(  # noqa: PLR0917 - by position it is 0.1 us faster, and there is one caller
        self,
        seq: int,
        user: int,
        position: int,
        turn_id: str,
        intended_ns: int,
        part: Part,
        start_seq: int = 0,
    ) -> None:
        self.seq = seq
        self.user = user
        self.position = position
        self.id = turn_id
        self.intended_ns = intended_ns
        self.part = part
        self.payload_crc = 0
        self.sent_ns = NEVER
        self.first_ns = NEVER
        self.last_ns = NEVER
        self.done_ns = NEVER
        self.read = 0
        self.received = 0
        self.start_seq = start_seq
        self.next_seq = start_seq
        self.holes: MissingNumbers | None = None
        self.misnumbered = ""
        self.lost = 0
        self.duplicate = 0
        self.out_of_order = 0
        self.outcome: Outcome | None = None
        self.reason = ""
        self.types: list[Any] | None = None
        self.frames: list[int | bytes] | None = None
        self.left_out = 0
        self.unmarked = 0

    def number(self, carried: Any, kind: Any) -> bool:
        """Enter an event whose number is not the next one; False: a duplicate.

        An event that carries no number is entered as it comes. So is every event from the first number on
        that cannot be right, since then no number of this turn says how many events there were.
        """
        if carried is None or self.misnumbered:
            self._enter(kind)
            return True
        seq = whole(carried)
        holes = self.holes
        most = self.next_seq + WIDEST_GAP - (len(holes) if holes else 0)
        if seq is None or not self.start_seq <= seq <= most:
            return self._misnumber(seq, kind)
        if seq >= self.next_seq:
            if seq > self.next_seq:
                if holes is None:
                    holes = self.holes = MissingNumbers()
                holes.add(self.next_seq, seq)
            self.next_seq = seq + 1
            self._enter(kind)
            return True
        if holes and holes.remove(seq):
            self.out_of_order += 1
            self.part.events_out_of_order += 1
            self._enter(kind, None if self.types is None else seq - self.start_seq - holes.below(seq))
            return True
        self.duplicate += 1
        self.part.events_duplicate += 1
        return False

    def _misnumber(self, seq: int | None, kind: Any) -> bool:
        """The numbers of this turn do not count its events: what they said is missing may never have been."""
        if seq is None:
            self.misnumbered = "not_whole"
        else:
            self.misnumbered = "below_start" if seq < self.start_seq else "gap_too_wide"
        self.holes = None
        self.part.count(f"turns.misnumbered_by.{self.misnumbered}")
        self._enter(kind)
        return True

    def _enter(self, kind: Any, place: int | None = None) -> None:
        """Count an event; one that was overtaken takes its place among the types."""
        self.received += 1
        if self.types is not None:
            self.types.insert(len(self.types) if place is None else place, kind)

    def cut_log(self) -> None:
        """Drop the later half of the frame log: a turn that never ends must not keep everything."""
        frames = self.frames or []
        middle = frames[FRAMES_KEPT // 2 :]
        self.left_out += sum(isinstance(entry, bytes) for entry in middle)
        del frames[FRAMES_KEPT // 2 :]

    def settle(self, rules: Rules) -> None:
        """Close the ledger of an ended turn: what is still missing is lost; rules are judged on what came.

        Pairs and order say nothing about a turn of which events were lost, so they are judged on whole ones.
        """
        part = self.part
        part.events_expected += self.received
        if self.next_seq > self.start_seq or self.misnumbered:
            part.turns_numbered += 1
        if self.misnumbered:
            # As of a turn without numbers: what comes later is late, and no duplicate.
            self.next_seq = self.start_seq
        if self.holes:
            self.lost = len(self.holes)
            part.events_lost += self.lost
            part.events_expected += self.lost
        if self.outcome is not COMPLETE or self.types is None:
            return
        missing = rules.missing(self.types)
        part.events_missing_required += missing
        lossy = self.lost or self.misnumbered
        unpaired = 0 if lossy else rules.unpaired(self.types)
        part.events_unpaired += unpaired
        if missing:
            self._fail("required")
        elif unpaired:
            self._fail("pairs")
        elif not lossy and not rules.in_order(self.types):
            self._fail("order")

    def _fail(self, reason: str) -> None:
        self.outcome = Outcome.FAILED
        self.reason = reason
