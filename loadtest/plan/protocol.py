"""How one kind of backend is spoken to, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from loadtest.plan.chunks import Chunks
from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.match import Match
from loadtest.plan.prepare import HttpRequest

FIELDS = ("type", "turn", "user", "sequence")
"""What is looked for in every event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyStep:
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
class AutoReply:
    """What is answered outside of turns: when ``on`` arrives, ``send`` is the answer.

    In ``send``, ``{event.PATH}`` stands for what stands there in what arrived. ``keep`` names values to take
    from it.
    """

    on: Match
    send: str
    keep: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedBeat:
    """A heartbeat by our clock: ``send`` goes out ``every`` so often from ready on.

    ``every`` is a duration, or ``{kept.NAME}`` and a unit. Where an ``answer`` is asked for, a target that
    has not given it ``within_ns`` is dead.
    """

    every: str
    send: str
    answer: Match | None = None
    within_ns: int = 10_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The last word of a user who leaves a ready connection: ``send``, and then the close frame.

    Where there is a ``wait``, the close frame goes out when such an event has come.
    """

    send: str
    wait: Match | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """From the upgrade to ready, and the last word before the close.

    ``heartbeat`` holds those of the target, which we answer, and ours.
    """

    path: str = "/"
    subprotocols: tuple[str, ...] = ()
    ready: tuple[ReadyStep, ...] = ()
    heartbeat: tuple[AutoReply | TimedBeat, ...] = ()
    auth_errors: tuple[Match, ...] = ()
    """Events that mean the credential was refused."""
    leave: Leave | None = None

    @property
    def answered(self) -> tuple[AutoReply, ...]:
        """The heartbeats of the target, which we answer."""
        return tuple(beat for beat in self.heartbeat if isinstance(beat, AutoReply))

    @property
    def timed(self) -> tuple[TimedBeat, ...]:
        """The heartbeats that we send by our clock."""
        return tuple(beat for beat in self.heartbeat if isinstance(beat, TimedBeat))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """The user interrupts an answer: ``send`` goes out ``after_ns`` from its first audio on."""

    after_ns: int
    send: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStep:
    """One step of a turn of several messages; exactly one of its fields but ``within_ns`` is set.

    ``within_ns`` None: a wait may take as long as the turn may. ``interrupt`` comes last: it belongs to no
    request but to the answer.
    """

    send: str | None = None
    wait: Match | None = None
    pause_ns: int | None = None
    within_ns: int | None = None
    chunks: Chunks | None = None
    interrupt: Interrupt | None = None

    @property
    def text(self) -> str | None:
        """The template of what it sends; None where that is no text."""
        if self.chunks is not None:
            return self.chunks.message or None
        return self.send if self.interrupt is None else self.interrupt.send


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnShape:
    """What opens a turn. ``id`` and ``message`` are templates.

    ``messages`` in place of ``message``: several, with pauses and waits between them; the first step and the
    last one are messages. ``send`` in the place of both: the message goes by HTTP.
    """

    id: str = "{uuid}"
    message: str = ""
    messages: tuple[MessageStep, ...] = ()
    send: HttpRequest | None = None
    encoding: Literal["text", "binary"] = "text"

    @property
    def texts(self) -> tuple[str, ...]:
        """The templates of all messages, in the order they are sent; none where nothing is to be sent."""
        if self.send is not None:
            return (self.send.text,)
        if self.messages:
            return tuple(text for step in self.messages if (text := step.text) is not None)
        return (self.message,) if self.message else ()

    @property
    def sends(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.send or self.message or self.messages)

    @property
    def streams_ns(self) -> int:
        """How long its files take at their pace."""
        return sum(step.chunks.lasts_ns for step in self.messages if step.chunks is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """The id that the target chose for a turn: it stands at the path ``id`` in events that fit ``on``."""

    on: Match
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountAt:
    """How many events a turn has stands at ``path`` in one of them; ``of`` says which count, None: all."""

    path: str
    of: Match | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAt:
    """The time at which the target sent an event stands at ``path`` in it.

    ``unit`` is that of a number since 1970, or "iso" for a text such as "2026-11-30T04:00:00.123Z".
    """

    path: str
    unit: Literal["s", "ms", "us", "ns", "iso"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What answers a turn. Paths are dotted keys and indices; the first one present is taken.

    ``format`` "json": payloads are JSON objects, or arrays where a path begins with an index; "opaque": any
    bytes, matched in order, whose type is the whole payload as text; "text": texts whose fields are the named
    groups of ``pattern``, and whose type is the whole text where no such group fits.
    ``match`` "id": an event belongs to the turn its ``turn`` path names; "order": to the oldest in flight.
    ``ordered``: the target answers in order, so that several turns in flight can be told apart by it.
    ``count``: the turn ends after this many events (an echo: 1), or after as many as one of them says; None:
    it ends by type.
    ``adopt``: the target names turns by ids of its own, which stand for ours from these events on.
    ``end_all``: the turn ends when each of these has come, in whatever order.
    ``refuse``: events by which the target declines the turn (a rate limit).
    ``audio``: events that carry sound, of which the first is timed apart.
    ``sequence_start``: the number that the first event of a turn carries.
    ``ignore``: events that belong to no turn and are not counted as unmatched (a broadcast, an ack).
    ``answer``: requests of the target's own, which are answered and counted apart.
    ``keep``: events of which values are kept, and that mean nothing by that.
    ``sent_at``: where an event has the time at which the target sent it, for its age.
    ``audience``: a template; users for whom it gives the same text get each other's events.
    """

    format: Literal["json", "opaque", "text"] = "json"
    pattern: str = ""
    match: Literal["id", "order"] = "id"
    ordered: bool = False
    type: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    first: tuple[Match, ...] = ()
    audio: tuple[Match, ...] = ()
    end: tuple[Match, ...] = ()
    end_all: tuple[Match, ...] = ()
    fail: tuple[Match, ...] = ()
    required: tuple[Match, ...] = ()
    pairs: tuple[tuple[Match, Match], ...] = ()
    order: tuple[Match, ...] = ()
    ignore: tuple[Match, ...] = ()
    refuse: tuple[Match, ...] = ()
    answer: tuple[AutoReply, ...] = ()
    keep: tuple[Match, ...] = ()
    adopt: tuple[Adopt, ...] = ()
    count: int | CountAt | None = None
    sequence_start: int = 0
    sent_at: SentAt | None = None
    audience: str = ""

    @property
    def matches(self) -> tuple[Match, ...]:
        """Every match that is held against an event of a turn."""
        pairs = (each for pair in self.pairs for each in pair)
        lists = (self.first, self.audio, self.end, self.end_all, self.fail, self.required, self.order)
        listed = (*lists, self.refuse)
        counted = (self.count.of,) if isinstance(self.count, CountAt) and self.count.of is not None else ()
        adopted = (adopt.on for adopt in self.adopt)
        return (*(each for of in listed for each in of), *pairs, *adopted, *counted, *self.keep)

    @property
    def ends(self) -> bool:
        """Whether a turn can be complete; one without an end goes on until its user leaves."""
        return bool(self.end or self.end_all) or self.count is not None


KIND_RULES = ("first", "audio", "end", "end_all", "fail", "refuse", "required", "pairs", "order", "count")
"""The fields of ``Events`` that a kind of turn may have of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnKind:
    """One kind of turn: what opens it, and what its events mean. What it does not say is inherited."""

    turn: TurnShape
    events: Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A backend described as data: connect, turn, events. ``turns`` are kinds of turn, by name.

    ``framing`` and ``codec`` say how frames hold messages, where a message is not simply a frame.
    ``held_against`` names the software of others that it was run against, ``follows`` the public description
    that it was made after.
    """

    name: str
    about: str = ""
    framing: Framing | None = None
    codec: CodecChoice | None = None
    held_against: str = ""
    follows: str = ""
    connect: Connect = field(default_factory=Connect)
    turn: TurnShape = field(default_factory=TurnShape)
    events: Events = field(default_factory=Events)
    turns: Mapping[str, TurnKind] = field(default_factory=dict)

    @property
    def all_events(self) -> tuple[Events, ...]:
        """What events mean, to the plain turn and to those of every kind."""
        return (self.events, *(kind.events for kind in self.turns.values()))

    @property
    def awaited(self) -> tuple[Match, ...]:
        """What turns of several messages wait for."""
        turns = (self.turn, *(kind.turn for kind in self.turns.values()))
        return tuple(step.wait for turn in turns for step in turn.messages if step.wait is not None)
