"""One turn: a message and the events that answer it, with the ledger of those events."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from loadtest.speak.event_rules import EventRules
from loadtest.speak.missing_numbers import MissingNumbers
from loadtest.speak.phase_metrics import PhaseMetrics

if TYPE_CHECKING:
    from loadtest.speak.compiled_protocol import CompiledTurn

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

MAX_GAP = 65_536
"""Maximum missing numbers of a turn that are believed; beyond, its numbers do not count its events."""

FRAMES_KEPT = 512
"""Entries of a turn's frame log; of a longer one, the beginning and the end are kept."""

MAX_FRAME_BYTES = 4096
"""Bytes of a payload that evidence keeps."""


def sequence_number(seq: Any) -> int | None:
    """The sequence number that an event carries; JSON has one kind of number, so 3.0 is 3."""
    if isinstance(seq, float) and seq.is_integer():
        return int(seq)
    return seq if isinstance(seq, int) and not isinstance(seq, bool) else None


class Turn:
    """One turn in flight, and its ledger.

    Instants are nanoseconds of the run's clock, ``NEVER`` where it did not come to that. ``intended_ns``:
    when it was due. ``waited_from_ns``: from when its response time counts, which is the same instant; of a
    file that is sent at its pace, the one at which the last chunk was due. ``received`` counts distinct
    events; numbers begin at ``start_seq``, ``next_seq`` is the one that the next event should carry
    (``start_seq``: none carried a number yet), and ``missing`` are those below it that have not come.
    ``misnumbered`` says why the numbers cannot be followed, if they cannot: then what is lost, duplicate or
    out of order is not known. ``frames`` holds instants and the payloads that arrived at them, where
    evidence is kept; ``left_out`` payloads were cut from its middle. ``unmarked`` events carried no user
    mark, though one was known. ``read`` is the read that brought the last event. ``ends_come`` are the bits
    of the entries of ``end_all`` that have come. ``shared``: answers are told apart by their order alone,
    and another turn was in flight at the same time. ``uploading``: not all of its messages are sent.
    ``kind``: what it sends and how its events are read. ``count`` is the number of events that ends it, 0
    where none does.
    """

    __slots__ = (
        "count",
        "done_ns",
        "duplicate",
        "ends_come",
        "first_ns",
        "frames",
        "id",
        "intended_ns",
        "kind",
        "last_ns",
        "left_out",
        "lost",
        "metrics",
        "misnumbered",
        "missing",
        "next_seq",
        "out_of_order",
        "outcome",
        "payload_crc",
        "position",
        "read",
        "reason",
        "received",
        "sent_ns",
        "seq",
        "shared",
        "start_seq",
        "types",
        "unmarked",
        "uploading",
        "user",
        "waited_from_ns",
    )

    kind: CompiledTurn
    count: int

    def __init__(  # noqa: PLR0917 - by position it is 0.1 us faster, and there is one caller
        self,
        seq: int,
        user: int,
        position: int,
        turn_id: str,
        intended_ns: int,
        metrics: PhaseMetrics,
        start_seq: int = 0,
    ) -> None:
        self.seq = seq
        self.user = user
        self.position = position
        self.id = turn_id
        self.intended_ns = self.waited_from_ns = intended_ns
        self.metrics = metrics
        self.payload_crc = 0
        self.sent_ns = NEVER
        self.first_ns = NEVER
        self.last_ns = NEVER
        self.done_ns = NEVER
        self.read = 0
        self.received = 0
        self.start_seq = start_seq
        self.next_seq = start_seq
        self.missing: MissingNumbers | None = None
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
        self.ends_come = 0
        self.shared = False
        self.uploading = False

    def number(self, carried: Any, kind: Any) -> bool:
        """Enter an event whose number is not the next one; False: a duplicate.

        An event that carries no number is entered as it comes. So is every event from the first number on
        that cannot be right, since then no number of this turn says how many events there were.
        """
        if carried is None or self.misnumbered:
            self._enter(kind)
            return True
        seq = sequence_number(carried)
        missing = self.missing
        most = self.next_seq + MAX_GAP - (len(missing) if missing else 0)
        if seq is None or not self.start_seq <= seq <= most:
            return self._misnumber(seq, kind)
        if seq >= self.next_seq:
            if seq > self.next_seq:
                if missing is None:
                    missing = self.missing = MissingNumbers()
                missing.add(self.next_seq, seq)
            self.next_seq = seq + 1
            self._enter(kind)
            return True
        if missing and missing.remove(seq):
            self.out_of_order += 1
            self.metrics.events_out_of_order += 1
            self._enter(kind, None if self.types is None else seq - self.start_seq - missing.below(seq))
            return True
        self.duplicate += 1
        self.metrics.events_duplicate += 1
        return False

    def _misnumber(self, seq: int | None, kind: Any) -> bool:
        """The numbers of this turn do not count its events: what they said is missing may never have been."""
        if seq is None:
            self.misnumbered = "not_whole"
        else:
            self.misnumbered = "below_start" if seq < self.start_seq else "gap_too_wide"
        self.missing = None
        self.metrics.count(f"turns.misnumbered_by.{self.misnumbered}")
        self._enter(kind)
        return True

    def _enter(self, kind: Any, place: int | None = None) -> None:
        """Count an event; one that was overtaken takes its place among the types."""
        self.received += 1
        if self.types is not None:
            self.types.insert(len(self.types) if place is None else place, kind)

    @property
    def last_frame(self) -> bytes:
        """The payload that came last, or its beginning; empty where none came, or evidence is not kept."""
        return next((each for each in reversed(self.frames or ()) if isinstance(each, bytes)), b"")

    def cut_log(self) -> None:
        """Drop the later half of the frame log: a turn that never ends must not keep everything."""
        frames = self.frames or []
        middle = frames[FRAMES_KEPT // 2 :]
        self.left_out += sum(isinstance(entry, bytes) for entry in middle)
        del frames[FRAMES_KEPT // 2 :]

    def close_ledger(self, rules: EventRules) -> None:
        """Close the ledger of an ended turn: what is still missing is lost; rules are judged on what came.

        Pairs and order say nothing about a turn of which events were lost, so they are judged on whole ones.
        """
        metrics = self.metrics
        metrics.events_expected += self.received
        if self.next_seq > self.start_seq or self.misnumbered:
            metrics.turns_numbered += 1
        if self.misnumbered:
            # As of a turn without numbers: what comes later is late, and no duplicate.
            self.next_seq = self.start_seq
        if self.missing:
            self.lost = len(self.missing)
            metrics.events_lost += self.lost
            metrics.events_expected += self.lost
        if self.outcome is not COMPLETE or self.types is None:
            return
        missing = rules.count_missing(self.types)
        metrics.events_missing_required += missing
        lossy = self.lost or self.misnumbered
        unpaired = 0 if lossy else rules.count_unpaired(self.types)
        metrics.events_unpaired += unpaired
        if missing:
            self._fail("required")
        elif unpaired:
            self._fail("pairs")
        elif not lossy and not rules.in_order(self.types):
            self._fail("order")

    def _fail(self, reason: str) -> None:
        """Failed by its events; of several in flight by order alone, they may be another turn's."""
        self.outcome = Outcome.FAILED
        self.reason = "interleaved" if self.shared else reason
