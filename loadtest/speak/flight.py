"""Turns in flight on one connection: begun once, ended once."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Protocol

from loadtest.errors import Layer
from loadtest.speak.ended import Ended
from loadtest.speak.grammar import Grammar, Message
from loadtest.speak.opening import CLOSED, OPEN, Opening, Refused, State
from loadtest.speak.record import Record
from loadtest.speak.sights import NOTHING, UNTYPED
from loadtest.speak.turn import COMPLETE, NEVER, Outcome, Turn

AUTH_CLOSE_CODES = frozenset({1008, 4001, 4002, 4003, 4401, 4403})
"""Close codes by which servers refuse a credential after the upgrade (4000 and above by custom)."""

SERVER_CLOSE_CODES = frozenset({1001, 1011, 1012, 1013, 1014})
"""Close codes by which servers say that they are at fault themselves, whatever error they told before: going
away, internal error, restart, try again later, bad gateway."""

LINGER_NS = 1_000_000_000
"""How long an ended turn with missing numbers waits for them before they count as lost."""

_ANSWERED = frozenset({Outcome.COMPLETE, Outcome.FAILED, Outcome.REFUSED})


class Listener(Protocol):
    """Who wants to know when a turn of this conversation ends."""

    def turn_ended(self, turn: Turn) -> None:
        """The turn has its outcome; its ledger may still wait for late events."""


class Flight(Opening):
    """What a ``Session`` does with turns: it begins them, and gives each its outcome, once.

    A turn is given its outcome by an event, by time or by the loss of its connection, in whatever order these
    come; a listener may begin turns, or end the conversation, from within.
    """

    __slots__ = ("_ended", "_message", "_owed", "listener", "turns")

    def __init__(self, grammar: Grammar, record: Record, number: int, values: Mapping[str, Any]) -> None:
        super().__init__(grammar, record, number, values)
        self.turns: dict[Any, Turn] = {}
        self.listener: Listener | None = None
        # Without ids: answers to turns that timed out, which may still come and be taken for another's.
        self._owed = 0
        self._ended = Ended(grammar.sequence_start)
        # Made with the first turn: by then every value of the ready steps is known.
        self._message: Message | None = None

    @property
    def at_rest(self) -> bool:
        """Whether no turn is in flight and none waits for missing numbers: leaving now loses nothing."""
        return not self.turns and not self._ended.waiting

    def follow(self, earlier: Flight) -> None:
        """Go on where an earlier conversation of the same user broke off: its ended turns are remembered."""
        self._ended = earlier._ended

    def begin(self, seq: int, position: int, intended_ns: int, row: Mapping[str, Any]) -> tuple[Turn, bytes]:
        """Register the turn ``seq``, due at ``intended_ns``, and return it with the payload to send.

        It is registered before anything is written: the reply may be back before the write returns.
        ``row`` gives ``data.*`` values. On a connection that is over the turn is lost at once.
        """
        grammar = self.grammar
        turn_id = grammar.turn_id(seq, self.values, intended_ns)
        part = self.record.part_of(intended_ns)
        if turn_id in self.turns or turn_id in self._ended.waiting:
            self._supersede(turn_id, intended_ns)
        turn = Turn(seq, self.number, position, turn_id, intended_ns, part, grammar.sequence_start)
        if grammar.rules.keep_types:
            turn.types = []
        if grammar.keep_frames:
            turn.frames = []
        if self._message is None:
            self._message = grammar.bound(self.values, self.kept)
        payload = grammar.payload(self._message, turn_id, seq, row)
        turn.payload_crc = zlib.crc32(payload)
        self.turns[turn_id] = turn
        part.turns_begun += 1
        if self.state is CLOSED:
            self._end(turn, Outcome.LOST, intended_ns)
        return turn, payload

    def _supersede(self, turn_id: str, at_ns: int) -> None:
        """An id is used again: what comes now belongs to its new turn, so the old one ends here.

        An id in flight cannot be told from its successor: the older turn has failed by ``id``.
        """
        # A listener may begin the same id once more.
        while turn_id in self.turns:
            self._end(self.turns[turn_id], Outcome.FAILED, at_ns, "id")
        if turn_id in self._ended.waiting:
            self._settle(self._ended.waiting[turn_id][1])

    def sent(self, turn: Turn, at_ns: int) -> None:
        """The last byte of the turn's message goes to the kernel at ``at_ns``."""
        turn.sent_ns = at_ns
        turn.part.lateness.append(at_ns - turn.intended_ns if at_ns > turn.intended_ns else 0)
        turn.part.events_sent += 1
        over_ns = at_ns + self.grammar.timeout_ns
        if turn.outcome is None and (self.wakes_ns == NEVER or over_ns < self.wakes_ns):
            self.wakes_ns = over_ns

    def _end(self, turn: Turn, outcome: Outcome, at_ns: int, reason: str = "") -> None:
        """Give the turn its outcome, once; its ledger closes now, or after waiting for missing numbers."""
        del self.turns[turn.id]
        turn.outcome = outcome
        turn.reason = reason
        turn.part.events_matched += turn.received
        answered = outcome in _ANSWERED
        turn.done_ns = at_ns if answered else NEVER
        if turn.holes and answered and self.state is OPEN:
            # What was overtaken by the end may still come: it is not lost yet.
            self._ended.waiting[turn.id] = (at_ns + LINGER_NS, turn)
            self.wakes_ns = self._next_wake()
        else:
            self._settle(turn)
        if self.listener is not None:
            self.listener.turn_ended(turn)

    def _settle(self, turn: Turn) -> None:
        grammar = self.grammar
        # Only of a turn that came to its end: an error that ends one need not carry a number, nor a mark.
        complete = turn.outcome is COMPLETE
        if complete and grammar.numbers and turn.next_seq == turn.start_seq:
            turn.part.count("turns.unnumbered")
        turn.settle(grammar.rules)
        # With a mark known, an event that does not carry it is counted as unmarked.
        if self.mark is not None and not grammar.names_owners:
            if turn.received > turn.unmarked:
                turn.part.count("turns.marked")
            elif complete:
                turn.part.count("turns.unmarked")
        self._ended.remember(turn)
        self.record.ended(turn)

    def tick(self, now_ns: int) -> None:
        """Do what is due: a pause is over, a wait was too long, a turn timed out, a ledger closes.

        A turn whose message is not sent yet cannot time out: nobody was asked.

        Raises:
            Refused: the target did not become ready in time.
        """
        if self.state is State.READYING:
            self._tick_ready(now_ns)
        for turn in list(self.turns.values()):
            # A listener may have ended it since.
            if turn.outcome is not None or turn.sent_ns == NEVER:
                continue
            if turn.sent_ns + self.grammar.timeout_ns > now_ns:
                break
            if self.grammar.by_order:
                self._owed += (self.grammar.rules.count or 1) - turn.received
            if last := self._last_type(turn):
                turn.part.count(f"turns.timed_out_after.{last}")
                if last == UNTYPED:
                    self._untyped(turn)
            self._end(turn, Outcome.TIMED_OUT, now_ns)
        for turn in self._ended.due(now_ns):
            self._settle(turn)
        self.wakes_ns = self._next_wake()

    def _last_type(self, turn: Turn) -> str | None:
        """The type of the last event that a turn received, fit to be told; None where it was not kept."""
        if not turn.received:
            return NOTHING
        if turn.types:
            return self.grammar.sights.name(turn.types[-1])
        last = next((each for each in reversed(turn.frames or ()) if isinstance(each, bytes)), None)
        if last is None:
            return None
        return self.grammar.sights.name(self.grammar.type_in(self.grammar.object_in(last)))

    def _untyped(self, turn: Turn) -> None:
        """A turn timed out after an event without a type: which keys it had, to correct the protocol by."""
        last = next((each for each in reversed(turn.frames or ()) if isinstance(each, bytes)), None)
        if last is not None:
            keys = self.grammar.sights.keys(self.grammar.object_in(last))
            turn.part.count(f"turns.untyped_with.{keys}")

    def _next_wake(self) -> int:
        """The earliest instant at which a ready step is over, a turn times out or a ledger closes."""
        instants = [super()._next_wake(), self._ended.earliest()]
        oldest = next((turn for turn in self.turns.values() if turn.sent_ns != NEVER), None)
        if oldest is not None:
            instants.append(oldest.sent_ns + self.grammar.timeout_ns)
        return min((instant_ns for instant_ns in instants if instant_ns != NEVER), default=NEVER)

    def lost(self, now_ns: int, code: int, *, by_us: bool = False) -> Refused | None:
        """The connection is over. Every turn in flight ends: lost with it, or abandoned if we left.

        Returns the refusal, if the connection had never been ready.
        """
        was = self.state
        self.state = State.CLOSED
        self._step_ends_ns = NEVER
        while self.turns:
            turn = next(iter(self.turns.values()))
            if by_us:
                self._end(turn, Outcome.ABANDONED, now_ns)
            else:
                self._end(turn, Outcome.LOST, now_ns, f"code {code}")
        for _, turn in list(self._ended.waiting.values()):
            self._settle(turn)
        self.wakes_ns = NEVER
        if was is not State.READYING or by_us:
            return None
        after = f" after {self._saw_error}" if self._saw_error else ""
        told = code in AUTH_CLOSE_CODES or (self._saw_error and code not in SERVER_CLOSE_CODES)
        layer = Layer.AUTH if told else Layer.READY
        return Refused(layer, f"closed with code {code}{after} before it was ready")
