"""One connection's conversation after the upgrade: ready, turns, close. Payloads and instants in, facts out.

No socket, no clock: every instant is an argument. What is to be sent waits in ``outbox``.

    READYING ── last ready step done ──► OPEN ── lost() ──► CLOSED
        └── refused (auth, ready) ──────────────────────────► CLOSED

Every message that arrives once it is open is counted as received and, at the latest when its turn has ended
and its ledger is closed, as exactly one of: matched, duplicate, late, resumed (all four: of a turn of ours),
foreign, unmatched, malformed, ignored. Heartbeats are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.plan.template import plain as as_text
from loadtest.speak.astray import Astray
from loadtest.speak.flight import AUTH_CLOSE_CODES, LINGER_NS, Listener
from loadtest.speak.grammar import Grammar
from loadtest.speak.opening import OPEN, Refused, State
from loadtest.speak.reader import UNREADABLE, Event, Fields, Malformed, decode_object
from loadtest.speak.record import Record
from loadtest.speak.turn import (
    COMPLETE,
    END,
    FAIL,
    FIRST,
    FRAMES_KEPT,
    IGNORE,
    LARGEST_FRAME,
    NEVER,
    REFUSE,
    Outcome,
    Turn,
)

__all__ = ["AUTH_CLOSE_CODES", "LINGER_NS", "Listener", "Refused", "Session", "State"]


class Session(Astray):
    """One conversation.

    ``turns`` are in flight, in the order they were begun, by id. ``mark`` is how the target names this user:
    given, or learned from the first event that answers us; an event with another mark is foreign.
    ``wakes_ns`` is the next instant at which ``tick`` has something to do, or ``NEVER``.
    """

    __slots__ = ("_read",)

    def __init__(self, grammar: Grammar, record: Record, number: int, values: Mapping[str, Any]) -> None:
        super().__init__(grammar, record, number, values)
        self._read = 0

    def receive(self, payloads: list[bytes], at_ns: int) -> None:
        """Messages that arrived in one read, the last segment of which the kernel stamped ``at_ns``.

        All but the last of them are coalesced: they came between the read before and this stamp, which is
        not known to be theirs. A gap is known only between events of different reads; turns whose first or
        last event is coalesced are counted, since their times are upper bounds.

        Raises:
            Refused: while getting ready, the target said no.
        """
        if self.state is not OPEN:
            payloads = self._receive_until_open(payloads, at_ns)
        if not payloads:
            return
        self._read += 1
        messages = len(payloads)
        part = self.record.part
        part.events_received += messages
        if messages > 1:
            part.events_coalesced += messages - 1
        if not self.grammar.by_order:
            self._receive_by_id(payloads, at_ns)
            return
        if self._owed > 0 and self.turns:
            part.count("events.after_timeout", messages)
        if self.grammar.opaque:
            self._receive_opaque(payloads, at_ns)
        else:
            self._receive_in_order(payloads, at_ns)

    def _receive_by_id(self, payloads: list[bytes], at_ns: int) -> None:
        """Each event belongs to the turn it names: 0.4 us for one of 160 bytes that is as it should be."""
        read, last = self._read, payloads[-1]
        decode, more_type, more_user, more_sequence, kinds, plain = self.grammar.asked_of_each
        turns = self.turns
        for payload in payloads:
            try:
                event = decode(payload)
            except UNREADABLE:
                self._receive_odd(payload, at_ns, at_end=payload is last)
                continue
            turn = turns.get(event.r0)
            kind = event.t0 if event.t0 is not None else event.t1
            if kind is None and more_type is not None:
                kind = more_type(event)
            user, seq = event.u0, event.s0
            flags = kinds.get(kind, plain)
            elsewhere = user is None and more_user is not None and more_user(event) is not None
            if turn is None or user != self.mark or flags & IGNORE or elsewhere:
                self._place(self.grammar.reader.fields(event), payload, at_ns, at_end=payload is last)
                continue
            # Inlined from Turn.number: the event that carries the next number, as all but broken ones do.
            if seq == turn.next_seq:
                turn.next_seq += 1
                turn.received += 1
                if turn.types is not None:
                    turn.types.append(kind)
            elif seq is None and more_sequence is None and turn.types is None:
                turn.received += 1
            elif not self._is_new(event, turn, kind):
                continue
            if turn.read != read:
                self._first_of_read(turn, at_ns)
            if turn.frames is not None:
                turn.frames.append(payload if len(payload) <= LARGEST_FRAME else payload[:LARGEST_FRAME])
            # A plain event of a protocol without types of first content means nothing but for the first.
            if flags and (flags != FIRST or turn.first_ns == NEVER):
                self._marked(turn, flags, at_ns, payload is last)

    def _is_new(self, event: Event, turn: Turn, kind: Any) -> bool:
        """Enter an event that does not simply carry the next number; False: a duplicate."""
        seq, more_sequence = event.s0, self.grammar.reader.more_sequence
        if seq is None and more_sequence is not None:
            seq = more_sequence(event)
        return turn.number(seq, kind)

    def _first_of_read(self, turn: Turn, at_ns: int) -> None:
        """The first event of a turn in a read: the only one whose gap to the one before is known."""
        if turn.last_ns != NEVER:
            turn.part.gap.append(at_ns - turn.last_ns if at_ns > turn.last_ns else 0)
        turn.last_ns = at_ns
        turn.read = self._read
        frames = turn.frames
        if frames is not None:
            if len(frames) > FRAMES_KEPT:
                turn.cut_log()
            frames.append(at_ns)

    def _coalesced(self, turn: Turn, flags: int) -> None:
        """An event that is not the last of its read: it came at the read's stamp or before."""
        if flags & FIRST and turn.first_ns == NEVER:
            turn.part.turns_first_coalesced += 1
        count = self.grammar.rules.count
        ends = flags & END or (count is not None and turn.received >= count)
        if ends and not flags & (FAIL | REFUSE):
            turn.part.turns_end_coalesced += 1

    def _marked(self, turn: Turn, flags: int, at_ns: int, at_end: bool) -> None:  # noqa: FBT001 - by name it is 0.03 us slower
        """An event whose type means something: first content, end, failure; ``at_end``: last of its read."""
        if not at_end:
            self._coalesced(turn, flags)
        if flags & FIRST and turn.first_ns == NEVER:
            turn.first_ns = at_ns
            intended_ns, sent_ns = turn.intended_ns, turn.sent_ns
            turn.part.first_event.append(at_ns - intended_ns if at_ns > intended_ns else 0)
            # An answer to a message that is not known to be sent yet has no service time.
            if sent_ns != NEVER:
                turn.part.first_event_service.append(at_ns - sent_ns if at_ns > sent_ns else 0)
        count = self.grammar.rules.count
        if flags & FAIL:
            self._end(turn, Outcome.FAILED, at_ns, "event")
        elif flags & REFUSE:
            self._end(turn, Outcome.REFUSED, at_ns, "event")
        elif flags & END or (count is not None and turn.received >= count):
            self._end(turn, COMPLETE, at_ns)

    # ------------------------------------------------------------------ the rarer ways of an event

    def _receive_until_open(self, payloads: list[bytes], at_ns: int) -> list[bytes]:
        """Those that came after ready; what comes after the end is nobody's, and not counted."""
        for index, payload in enumerate(payloads):
            if self.state is not State.READYING:
                return payloads[index:] if self.state is State.OPEN else []
            self._receive_early(payload, at_ns)
        return []

    def _receive_opaque(self, payloads: list[bytes], at_ns: int) -> None:
        """Each event belongs to the oldest turn in flight.

        Nothing in it says which turn it answers: one that comes after its turn timed out is taken for the
        next turn's, and so on; what comes then is counted as in doubt.
        """
        for left, payload in enumerate(payloads, 1 - len(payloads)):
            turn = next(iter(self.turns.values()), None)
            if turn is None:
                self._unasked(payload)
            else:
                turn.number(None, None)
                self._enter(turn, None, payload, at_ns, at_end=not left)

    def _receive_in_order(self, payloads: list[bytes], at_ns: int) -> None:
        """As opaque payloads, but what their fields say is heeded: heartbeats, marks, types, numbers."""
        for left, payload in enumerate(payloads, 1 - len(payloads)):
            try:
                found = decode_object(payload)
            except Malformed:
                self._malformed(payload)
                continue
            kind, _, user, seq = self.grammar.reader.fields_in(found)
            if self._beat(found, kind, at_ns):
                self.record.part.events_received -= 1
            else:
                fields = kind, next(iter(self.turns), None), user, seq
                self._place(fields, payload, at_ns, at_end=not left)

    def _receive_odd(self, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        """A payload that does not fit the struct: read slowly, or malformed."""
        try:
            fields = self.grammar.reader.read_slowly(payload)
        except Malformed:
            self._malformed(payload)
            return
        self._place(fields, payload, at_ns, at_end=at_end)

    def _place(self, fields: Fields, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        """An event whose fields stand at later paths, or that is not simply ours.

        A type to be ignored is so whatever else the event carries: a broadcast may name other users.
        """
        kind, turn_id, user, seq = fields
        if turn_id is not None and not isinstance(turn_id, str):
            # An id that looks like a number is written as one in JSON, and comes back as one.
            turn_id = as_text(turn_id)
        turn = self.turns.get(turn_id)
        if self.grammar.rules.kinds.get(kind, 0) & IGNORE:
            self.record.part.count("events.ignored")
        elif user is not None and self._names_another(user, turn):
            self._foreign(payload)
        elif turn is None:
            self._outside(kind, turn_id, seq, payload, at_ns)
        elif turn.number(seq, kind):
            turn.unmarked += user is None
            self._enter(turn, kind, payload, at_ns, at_end=at_end)

    def _enter(self, turn: Turn, kind: Any, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        if turn.read != self._read:
            self._first_of_read(turn, at_ns)
        if turn.frames is not None:
            turn.frames.append(payload[:LARGEST_FRAME])
        rules = self.grammar.rules
        self._marked(turn, rules.kinds.get(kind, rules.plain), at_ns, at_end)
