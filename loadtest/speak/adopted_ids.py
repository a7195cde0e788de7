"""Ids that the target chose, each standing for a turn of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.plan.template import plain
from loadtest.speak.compiled_protocol import CompiledProtocol, Heard
from loadtest.speak.event_rules import ADOPT, ANSWER

MAX_IDS = 4_096
"""Ids that a connection remembers: the newest. And turns that timed out without one: the first."""


class Owner(NamedTuple):
    """The id of the turn that an event belongs to; ``sure``: not by order alone, with others in flight.

    ``after_timeout``: by order, after a turn that has no name timed out, which it may answer as well.
    """

    turn_id: Any
    sure: bool
    after_timeout: bool = False


class AdoptedIds:
    """The ids of one connection; those of ended turns are remembered, so that late events are known."""

    __slots__ = ("_overdue", "_owners", "_protocol")

    def __init__(self, protocol: CompiledProtocol) -> None:
        self._protocol = protocol
        self._owners: dict[str, Owner] = {}
        # Turns that timed out without a name, in that order: it may still come.
        self._overdue: dict[str, None] = {}

    def knows(self, server_id: Any) -> bool:
        """Whether an id stands for a turn of this connection."""
        return server_id in self._owners

    def timed_out(self, turn_id: str) -> None:
        """A turn timed out: if it has no name, one that is told from now on may be its own."""
        if len(self._overdue) < MAX_IDS and all(owner.turn_id != turn_id for owner in self._owners.values()):
            self._overdue[turn_id] = None

    def owner(self, heard: Heard, turn_id: Any, in_flight: Mapping[str, Any]) -> Owner:
        """The turn that an event belongs to, whose first id is ``turn_id``; an unknown id stays what it is.

        An event without any id belongs to the turn in flight where there is one, unless it is a heartbeat or
        a request.
        """
        protocol = self._protocol
        named = [plain(each) for each in protocol.reader.turn_ids(heard.found)]
        ours = next((each for each in named if each in in_flight), None)
        if heard.flags & ADOPT and (server_id := protocol.adopted_id(heard)) is not None:
            overdue = next((each for each in named if each in self._overdue), None)
            self._adopt(server_id, ours or overdue, tuple(in_flight))
            named.insert(0, server_id)
        if ours is not None:
            return Owner(ours, sure=True)
        known = next((self._owners[each] for each in named if each in self._owners), None)
        if known is not None:
            return known
        alone = turn_id is None and len(in_flight) == 1 and not self._is_aside(heard)
        if not alone:
            return Owner(turn_id, sure=True)
        return Owner(next(iter(in_flight)), sure=True, after_timeout=bool(self._overdue))

    def _is_aside(self, heard: Heard) -> bool:
        """Whether an event is a heartbeat or a request of the target's own."""
        return bool(heard.flags & ANSWER) or any(beat.on.fits(heard) for beat in self._protocol.heartbeat)

    def _adopt(self, server_id: str, ours: str | None, in_flight: Sequence[str]) -> None:
        """Let an id stand for the turn ``ours``; where its event names none, for the oldest without an id.

        Where every turn in flight has one, and there is only one, it gets a further one. Where none can have
        it, it is that of the first turn that timed out without one. An id that stands for a turn in flight
        stays what it is; one whose turn has ended, as of a session, may get another.
        """
        known = self._owners.get(server_id)
        if server_id in in_flight or (known is not None and known.turn_id in in_flight):
            return
        turn_id = ours or self._oldest_unnamed(in_flight) or next(iter(self._overdue), None)
        if turn_id is None:
            return
        if turn_id not in in_flight:
            del self._overdue[turn_id]
            self._owners[server_id] = Owner(turn_id, sure=True)
        else:
            sure = ours is not None or self._protocol.adopts_in_order or len(in_flight) == 1
            self._owners[server_id] = Owner(turn_id, sure, ours is None and bool(self._overdue))
        if len(self._owners) > MAX_IDS:
            del self._owners[next(iter(self._owners))]

    def _oldest_unnamed(self, in_flight: Sequence[str]) -> str | None:
        named = {owner.turn_id for owner in self._owners.values()}
        unnamed = (turn_id for turn_id in in_flight if turn_id not in named)
        return next(unnamed, in_flight[0] if len(in_flight) == 1 else None)
