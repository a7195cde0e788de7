"""How one kind of backend is spoken to, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from loadtest.plan.match import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step towards ready; exactly one of ``wait``, ``send`` and ``pause_ns`` is set.

    ``keep`` names values to take from the awaited message: ``{thread = "data.thread_id"}`` makes
    ``{kept.thread}`` and ``{ready.thread}`` usable in later steps and in messages.
    """

    wait: Match | None = None
    send: str | None = None
    pause_ns: int | None = None
    within_ns: int = 10_000_000_000
    keep: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What is answered outside of turns: when ``on`` arrives, ``send`` is the answer.

    In ``send``, ``{event.PATH}`` stands for what stands there in what arrived. ``keep`` names values to take
    from it.
    """

    on: Match
    send: str
    keep: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """From the upgrade to ready."""

    path: str = "/"
    subprotocols: tuple[str, ...] = ()
    ready: tuple[Step, ...] = ()
    heartbeat: tuple[Beat, ...] = ()
    auth_errors: tuple[Match, ...] = ()
    """Events that mean the credential was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnShape:
    """What opens a turn. ``id`` and ``message`` are templates."""

    id: str = "{uuid}"
    message: str = ""
    encoding: Literal["text", "binary"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What answers a turn. Paths are dotted keys and indices; the first one present is taken.

    ``format`` "json": payloads are JSON objects, or arrays where a path begins with an index; "opaque": any
    bytes, matched in order, whose type is the whole payload as text.
    ``match`` "id": an event belongs to the turn its ``turn`` path names; "order": to the oldest in flight.
    ``ordered``: the target answers in order, so that several turns in flight can be told apart by it.
    ``count``: the turn ends after this many events (an echo: 1); None: it ends by type.
    ``end_all``: the turn ends when each of these has come, in whatever order.
    ``refuse``: events by which the target declines the turn (a rate limit).
    ``sequence_start``: the number that the first event of a turn carries.
    ``ignore``: events that belong to no turn and are not counted as unmatched (a broadcast, an ack).
    ``answer``: requests of the target's own, which are answered and counted apart.
    ``keep``: events of which values are kept, and that mean nothing by that.
    ``audience``: a template; users for whom it gives the same text get each other's events.
    """

    format: Literal["json", "opaque"] = "json"
    match: Literal["id", "order"] = "id"
    ordered: bool = False
    type: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    first: tuple[Match, ...] = ()
    end: tuple[Match, ...] = ()
    end_all: tuple[Match, ...] = ()
    fail: tuple[Match, ...] = ()
    required: tuple[Match, ...] = ()
    pairs: tuple[tuple[Match, Match], ...] = ()
    order: tuple[Match, ...] = ()
    ignore: tuple[Match, ...] = ()
    refuse: tuple[Match, ...] = ()
    answer: tuple[Beat, ...] = ()
    keep: tuple[Match, ...] = ()
    count: int | None = None
    sequence_start: int = 0
    audience: str = ""

    @property
    def matches(self) -> tuple[Match, ...]:
        """Every match that is held against an event of a turn."""
        pairs = (each for pair in self.pairs for each in pair)
        listed = (self.first, self.end, self.end_all, self.fail, self.required, self.order, self.refuse)
        return (*(each for of in listed for each in of), *pairs, *self.keep)

    @property
    def ends(self) -> bool:
        """Whether a turn can be complete; one without an end goes on until its user leaves."""
        return bool(self.end or self.end_all) or self.count is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A backend described as data: connect, turn, events."""

    name: str
    about: str = ""
    connect: Connect = field(default_factory=Connect)
    turn: TurnShape = field(default_factory=TurnShape)
    events: Events = field(default_factory=Events)
