"""What comes and is not simply an event of a turn in flight: late, twice, another user's, or nobody's."""

from __future__ import annotations

from typing import Any

from loadtest.speak.ended import Place
from loadtest.speak.flight import Flight
from loadtest.speak.turn import END, FAIL, REFUSE, Turn

UNMATCHED_TOLD = 20
"""Events of no turn whose keys are told, each second: enough to see which path of the protocol is wrong."""


class Astray(Flight):
    """What a ``Session`` does with events that went astray: each is counted once, and kept as evidence."""

    __slots__ = ()

    def owns(self, turn_id: object) -> bool:
        """Whether a turn of that id is in flight here, or was not long ago."""
        return turn_id in self.turns or self._ended.knows(turn_id)

    def _names_another(self, user: Any, turn: Turn | None) -> bool:
        """Whether the user that an event names is not ours; what answers us tells us our name."""
        if self.mark is None:
            if turn is not None:
                self.mark = user
            return False
        if user != self.mark and str(user) == str(self.mark):
            self.mark = user
        return bool(user != self.mark)

    def _is_anothers(self, turn_id: Any) -> bool:
        """Whether an id is of another user's turn: by what it says, else by the turns of this process."""
        owner = self.grammar.owner_of(turn_id)
        if owner is not None:
            return owner != self.number
        return self.record.owned_elsewhere(turn_id, self.number)

    def _outside(self, kind: Any, turn_id: Any, seq: Any, payload: bytes, at_ns: int) -> None:
        """An event that belongs to no turn in flight here."""
        part = self.record.part
        if self.grammar.heartbeat and self._beat(self.grammar.object_in(payload), kind, at_ns):
            part.events_received -= 1
            return
        place = self._ended.place(turn_id, seq, kind)
        if place is Place.LATE:
            part.events_late += 1
            self.record.evidence("late", payload, self.number)
        elif place is Place.DUPLICATE:
            part.events_duplicate += 1
            self.record.evidence("duplicate", payload, self.number)
        elif place is Place.RESUMED:
            part.count("events.resumed")
            if self.grammar.rules.kinds.get(kind, 0) & (END | FAIL | REFUSE):
                part.count("turns.resumed")
        elif place is Place.ENTERED:
            waiting = self._ended.waiting[turn_id][1]
            if not waiting.holes:
                self._settle(waiting)
        elif turn_id is not None and self._is_anothers(turn_id):
            self._foreign(payload)
        else:
            self._unasked(payload)

    def _unasked(self, payload: bytes) -> None:
        """An event of no turn; without ids, one that an earlier turn was owed, if its turns have so many."""
        part = self.record.part
        part.events_unmatched += 1
        self.record.evidence("unmatched", payload, self.number)
        if not self.grammar.by_order and part.events_unmatched <= UNMATCHED_TOLD:
            keys = self.grammar.sights.keys(self.grammar.object_in(payload))
            part.count(f"events.unmatched_with.{keys}")
        if self._owed and self.grammar.rules.count is not None:
            self._owed -= 1

    def _foreign(self, payload: bytes) -> None:
        self.record.part.events_foreign += 1
        self.record.evidence("foreign", payload, self.number)

    def _malformed(self, payload: bytes) -> None:
        self.record.part.events_malformed += 1
        self.record.evidence("malformed", payload, self.number)
