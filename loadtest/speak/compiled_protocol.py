"""A protocol with its templates parsed and its paths compiled; one a process, shared by all sessions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from loadtest.plan.generated import generated, is_generated
from loadtest.plan.kept_values import auto_reply_keeps, kept_names, step_keeps
from loadtest.plan.match import Match, conditions, kept_by, match_words
from loadtest.plan.period import Period, parse_period
from loadtest.plan.placeholder_names import now_values, user_values
from loadtest.plan.protocol import (
    AutoReply,
    CountAt,
    Events,
    Leave,
    MessageStep,
    Protocol,
    ReadyStep,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.plan.scenario import DataRows
from loadtest.plan.template import EVENT, KEPT, LAST, Template, plain
from loadtest.plan.trace_parent import TRACE_PARENT, trace_parent
from loadtest.plan.unmeasured import has_uuid
from loadtest.secret_names import sounds_secret
from loadtest.speak.chunk_stream import IDS, ChunkStream
from loadtest.speak.deliveries import Deliveries
from loadtest.speak.delivery_log import DeliveryLog
from loadtest.speak.event_age import EventAges
from loadtest.speak.event_match import ABSENT, Getter, Test, compile_match, finder
from loadtest.speak.event_reader import Malformed, Reader, Scalar
from loadtest.speak.event_rules import Decide, EventLabel, EventRules
from loadtest.speak.label_limit import LabelLimit
from loadtest.speak.turn import sequence_number

MAX_VALUE = 16_384
"""Characters of a received value that are sent back; the rest is cut."""

MAX_KEPT_VALUE = 4_096
"""Characters of a value that is kept; a longer one is not: half a value is none."""

MAX_TEXT = 65_536
"""Bytes of an opaque payload that matches look at."""


class Heard(NamedTuple):
    """A message with all that a session asks of it.

    ``found`` is the JSON object or array, {} where it is none; ``kind`` its type, ``flags`` and ``word`` what
    it means.
    """

    found: Any
    kind: str | None
    turn: Scalar
    user: Scalar
    sequence: Scalar
    flags: int
    word: EventLabel


@dataclass(frozen=True, slots=True)
class Awaited:
    """A match, compiled; ``words`` name it."""

    words: str
    test: Test

    def fits(self, heard: Heard) -> bool:
        """Whether a message is what the match says."""
        return self.test(heard.found, heard.kind)


@dataclass(frozen=True, slots=True)
class Keep:
    """Values to keep of the events that a match fits: how each is found, by its name."""

    test: Test
    values: Mapping[str, Getter]


@dataclass(frozen=True, slots=True)
class CompiledReadyStep:
    """A step towards ready, its match and message parsed."""

    wait: Awaited | None
    send: Template | None
    pause_ns: int | None
    within_ns: int
    keep: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What to answer to an application heartbeat, or to a request of the target's own."""

    on: Awaited
    send: Template
    keep: Mapping[str, Getter]


@dataclass(frozen=True, slots=True)
class CompiledMessageStep:
    """A step after the first message of a turn of several; one of all but ``within_ns`` and ``keep``."""

    wait: Awaited | None
    send: Template | None
    pause_ns: int | None
    within_ns: int | None
    keep: Mapping[str, Getter]
    chunks: ChunkStream | None

    @property
    def template(self) -> Template | None:
        """What it sends a text by."""
        return self.send if self.chunks is None else self.chunks.template


@dataclass(frozen=True, slots=True)
class Interruption:
    """What a user sends ``after_ns`` from the first audio of an answer on."""

    after_ns: int
    send: Template


@dataclass(frozen=True, slots=True)
class OwnHeartbeat:
    """A heartbeat by our clock; ``answer`` None: none is awaited."""

    every: Period
    send: Template
    answer: Awaited | None
    within_ns: int
    keep: Mapping[str, Getter]


@dataclass(frozen=True, slots=True)
class LastWord:
    """What is said before a connection is closed; ``wait`` None: the close follows at once."""

    send: Template
    wait: Awaited | None


@dataclass(frozen=True, slots=True)
class CompiledTurn:
    """A kind of turn; ``name`` is empty for that of [turn].

    ``template`` is the first message, ``later`` are the steps after it, where there are several. ``rules``
    are those of its events; ``decide`` gives flags and word of an event as the reader decodes it,
    ``decide_whole`` of one that is read whole. ``never_ends``: it goes on until its user leaves.
    ``opening`` is the file that the turn begins with: the first of ``later`` then, and ``template`` is empty.
    ``streams_ns`` is how long its files take.
    """

    name: str
    template: Template
    later: tuple[CompiledMessageStep, ...]
    rules: EventRules
    decide: Decide
    decide_whole: Decide
    never_ends: bool
    interruption: Interruption | None = None
    opening: ChunkStream | None = None
    streams_ns: int = 0

    @property
    def asked(self) -> frozenset[str]:
        """The names that its messages ask for."""
        texts = [step.send.names for step in self.later if step.send is not None]
        texts += [step.chunks.asked for step in self.later if step.chunks is not None]
        texts += [] if self.interruption is None else [self.interruption.send.names]
        return self.template.names.union(*texts)


@dataclass(frozen=True, slots=True)
class Adoption:
    """Where an event that the match fits has the target's own id of a turn."""

    on: Awaited
    id: Getter


@dataclass(frozen=True, slots=True)
class Total:
    """Where an event says how many its turn has, and which are counted; ``of`` None: all."""

    at: Getter
    of: Awaited | None

    def number_in(self, found: Any) -> int | None:
        """The number that an event says; None where it says none that can be one."""
        number = sequence_number(self.at(found))
        return number if number is not None and number >= 0 else None


class BoundMessage:
    """The message of one user, with all filled in that is the same in each turn.

    ``around`` is the text around the turn's id, where nothing else is to be filled: joining it costs 0.1 us,
    rendering 0.7.
    """

    __slots__ = ("around", "template")

    def __init__(self, template: Template, *, id_is_uuid: bool) -> None:
        self.template = template
        self.around = template.around(IDS) if id_is_uuid else None


class CompiledProtocol:
    """Everything about a protocol that a session needs while it runs.

    ``nonce`` makes turn ids unique to the run: ``{uuid}`` is drawn from it and the turn's number, so that
    the same run plan gives the same payloads however it is spread over processes. ``unix_offset_ns`` added
    to an instant of the run's clock is Unix time, for ``{now_ms}`` and the like; ``seed`` decides what is
    drawn at random. ``users`` is how many virtual users the whole run has (turns are numbered round them), 0
    where that is not known. ``ids_name_users``: the id of a turn tells whose it is, also of turns of other
    processes. ``has_sequence``: events may carry sequence numbers, ``names_users``: users. ``labels`` limits
    the names of types and keys that are counted. ``in_order_only``: events are matched by order, and nothing
    says that the target answers in order. ``plain`` is the turn of [turn], ``kinds`` are the others that
    are sent, by name; ``uploads``: some have several messages; ``plainly_by_id``: events name their turns,
    which are all of one kind. ``identities`` are the rows of users, for the audience, from ``first_user``
    on; ``audience_elsewhere`` knows that of any user, where others speak other protocols. ``keeps`` are the
    values to keep of events; ``asks_kept``: a first message asks for values that change from turn to turn.
    ``secret_names`` are names of kept values that sound like secrets. ``own_heartbeats`` are sent by our
    clock. ``adoptions`` say where the target's own ids of turns stand, ``adopts_in_order`` that they come in
    the order of our messages; ``total`` where an event says how many its turn has. ``never_ends``: a turn
    goes on until its user leaves (a subscription). ``listens``: no turn is ever begun, and events are what
    the target sends of itself. ``audience_is_here``: this process has all users, so that ``deliveries`` can
    account for the copies that are due to them. ``ages`` takes the age of events, where they carry a time.
    """

    __slots__ = (
        "_audience",
        "_changing",
        "_draws",
        "_first_user",
        "_id_is_uuid",
        "_identities",
        "_nonce",
        "_of_whole",
        "_opaque_fields",
        "_seed",
        "_turn_id",
        "_typed",
        "_unheard",
        "_unix_offset_ns",
        "_unkept",
        "_users",
        "_uuid",
        "_uuid_of_texts",
        "adoptions",
        "adopts_in_order",
        "ages",
        "answers",
        "asks_kept",
        "audience_elsewhere",
        "auth_errors",
        "by_order",
        "deliveries",
        "for_each_event",
        "has_sequence",
        "heartbeat",
        "ids_name_users",
        "in_order_only",
        "keep_frames",
        "keeps",
        "kinds",
        "labels",
        "last_word",
        "listens",
        "names_users",
        "never_ends",
        "of_text",
        "opaque",
        "own_heartbeats",
        "plain",
        "plainly_by_id",
        "reader",
        "rules",
        "secret_names",
        "sequence_start",
        "steps",
        "timeout_ns",
        "total",
        "uploads",
    )

    def __init__(
        self,
        protocol: Protocol,
        *,
        message: str,
        nonce: str,
        timeout_ns: int,
        keep_frames: bool = True,
        unix_offset_ns: int = 0,
        users: int = 0,
        identities: DataRows = (),
        first_user: int = 0,
        audience_is_here: bool = False,
        seed: int = 0,
        kinds: Iterable[str] = (),
        listens: bool = False,
    ) -> None:
        events, beats = protocol.events, (protocol.connect.timed, protocol.connect.answered)
        self.rules = EventRules(events, *beats)
        rules_of = {name: EventRules(protocol.turns[name].events, *beats) for name in kinds}
        self.reader = Reader(events, self.rules, tuple(rules_of.values()))
        self._of_whole = self.rules.decider()
        reader = self.reader
        # In one look: the hot loop has as many lines before its first event as it needs for one.
        self.for_each_event = (
            reader.decode,
            reader.more_type,
            reader.more_user,
            reader.more_sequence,
            self.rules.flags,
            self.rules.default_flags,
            reader.decide,
        )
        self.labels = LabelLimit()
        self.opaque, self.of_text = events.format == "opaque", events.format == "text"
        self.by_order = self.opaque or events.match == "order"
        self.in_order_only = self.by_order and not events.ordered
        self._typed = bool(events.type) or self.opaque
        awaited = self._awaited

        def beat(each: AutoReply) -> Heartbeat:
            return Heartbeat(awaited(each.on), Template.parse(each.send), _finders(auto_reply_keeps(each)))

        def ready_step(step: ReadyStep) -> CompiledReadyStep:
            wait = None if step.wait is None else awaited(step.wait)
            return CompiledReadyStep(wait, _parse(step.send), step.pause_ns, step.within_ns, step_keeps(step))

        self.auth_errors = tuple(map(awaited, protocol.connect.auth_errors))
        self.steps = tuple(map(ready_step, protocol.connect.ready))
        self.heartbeat = tuple(map(beat, protocol.connect.answered))
        self.own_heartbeats = tuple(_own_heartbeat(each, awaited) for each in protocol.connect.timed)
        self.answers = tuple(map(beat, events.answer))
        self.last_word = _last_word(protocol.connect.leave, awaited)
        self._compile_adoption(events, awaited)
        self._opaque_fields = self.opaque and _asks_for_fields(protocol)
        alike = self.opaque and not self.heartbeat and not rules_of
        self._unheard = _unheard(self.rules) if alike else None
        self.ages = None if events.sent_at is None else EventAges(events.sent_at, unix_offset_ns)
        self._turn_id = Template.parse(protocol.turn.id)
        self._id_is_uuid = protocol.turn.id == "{uuid}"
        self._compile_turns(protocol, message, rules_of)
        self.timeout_ns = timeout_ns
        self.listens = listens
        self.keep_frames = keep_frames
        self.has_sequence, self.names_users = bool(protocol.events.sequence), bool(protocol.events.user)
        self.sequence_start = protocol.events.sequence_start
        self.ids_name_users = users > 0 and has_uuid(protocol)
        self._users = users
        self._uuid = uuid_prefix(nonce)
        self._uuid_of_texts = uuid_prefix(f"{nonce} said")
        self._unix_offset_ns = unix_offset_ns
        self._compile_kept(protocol)
        self._nonce, self._seed = nonce, seed
        self._identities, self._first_user = identities, first_user
        self.audience_elsewhere: Callable[[int], str] | None = None
        self._audience = Template.parse(events.audience) if events.audience else None
        self.deliveries = self._deliveries(events) if audience_is_here else None

    def log_deliveries(self, now: Callable[[], int]) -> None:
        """Log what this process sees of copies, where other processes have users of the audience as well.

        Only an id that holds ``{uuid}`` says in another process which turn an event is of.
        """
        if self._audience is not None and self.ids_name_users:
            self.deliveries = DeliveryLog(self.seq_of, self.timeout_ns, now)

    def _deliveries(self, events: Events) -> Deliveries | DeliveryLog | None:
        """The accounts of copies that are due, where the protocol has an audience."""
        if self._audience is None:
            return None
        return Deliveries(self.audience_of, self.timeout_ns, counts_twice=events.count == 1)

    def _awaited(self, match: Match) -> Awaited:
        return Awaited(match_words(match), compile_match(match, typed=self._typed))

    def _compile_turns(self, protocol: Protocol, message: str, rules_of: Mapping[str, EventRules]) -> None:
        """The turn of [turn], and those of every kind that is sent."""
        self.plain = self._compile_turn(
            "", TurnKind(turn=protocol.turn, events=protocol.events), message, self.rules
        )
        self.kinds = {
            name: self._compile_turn(name, protocol.turns[name], "", rules)
            for name, rules in rules_of.items()
        }
        self.never_ends = all(each.never_ends for each in self.kinds.values() or [self.plain])
        self.uploads = any(each.later for each in self.kinds.values() or [self.plain])
        # Ages are not looked at in the hot loop.
        self.plainly_by_id = not self.by_order and not self.kinds and self.ages is None

    def _compile_turn(self, name: str, kind: TurnKind, message: str, rules: EventRules) -> CompiledTurn:
        """A kind of turn; ``message`` stands for its own, if it is not empty."""
        turn, endless = kind.turn, not kind.events.ends
        steps = () if message or turn.message else turn.messages
        first = turn.send.text if turn.send is not None else steps[0].send if steps else None
        template = Template.parse(message or turn.message or first or "")
        compiled = CompiledTurn(
            name, template, (), rules, self.reader.decider_of(rules), rules.decider(), endless
        )
        return self._with_steps(compiled, steps, turn) if len(steps) > 1 or _opening(steps) else compiled

    def _with_steps(
        self, compiled: CompiledTurn, steps: tuple[MessageStep, ...], turn: TurnShape
    ) -> CompiledTurn:
        """The turn with what follows its first message; of a file that opens it, all but the first chunk."""
        opens = _opening(steps)
        said = next((step.interrupt for step in steps if step.interrupt is not None), None)
        asked = steps if opens else steps[1:]
        later = tuple(self._message_step(step) for step in asked if step.interrupt is None)
        return replace(
            compiled,
            later=later,
            interruption=None if said is None else Interruption(said.after_ns, Template.parse(said.send)),
            opening=later[0].chunks if opens else None,
            streams_ns=turn.streams_ns,
        )

    def _message_step(self, step: MessageStep) -> CompiledMessageStep:
        wait = None if step.wait is None else self._awaited(step.wait)
        keep = _finders(kept_by(step.wait))
        chunks = None if step.chunks is None else ChunkStream(step.chunks, id_is_uuid=self._id_is_uuid)
        return CompiledMessageStep(wait, _parse(step.send), step.pause_ns, step.within_ns, keep, chunks)

    def _compile_adoption(self, events: Events, awaited: Callable[[Match], Awaited]) -> None:
        """Where the target names turns, and where it says how many events one has."""
        self.adoptions = tuple(Adoption(awaited(each.on), finder(each.id)) for each in events.adopt)
        self.adopts_in_order = events.ordered
        self.total = _total(events.count, awaited)

    def _compile_kept(self, protocol: Protocol) -> None:
        """What is kept of events, and which placeholders stand for it."""
        kept_of = [match for events in protocol.all_events for match in (*events.matches, *events.ignore)]
        each = {repr(match): match for match in kept_of if kept_by(match)}.values()
        self.keeps = tuple(
            Keep(compile_match(match, typed=self._typed), _finders(kept_by(match))) for match in each
        )
        kept = kept_names(protocol)
        self._unkept = {name: "" if name.startswith("ready.") else None for name in kept}
        changing = {KEPT + name for keep in self.keeps for name in keep.values}
        beats = [beat.keep for beat in (*self.heartbeat, *self.answers)]
        beats += [beat.keep for beat in self.own_heartbeats]
        changing |= {KEPT + name for keep in beats for name in keep}
        sent = [self.plain, *self.kinds.values()]
        changing |= {KEPT + name for kind in sent for step in kind.later for name in step.keep}
        self._changing = changing | {name for name in kept if name.startswith(LAST)}
        self._draws = any(
            is_generated(name) or name == TRACE_PARENT for kind in sent for name in kind.template.names
        )
        self.asks_kept = any(kind.template.names & self._changing for kind in sent)
        names = (name.partition(".")[2] for name in kept)
        self.secret_names = frozenset(name for name in names if sounds_secret(name))

    @property
    def asked(self) -> frozenset[str]:
        """The names that the messages of turns ask for."""
        return self.plain.asked.union(*(kind.asked for kind in self.kinds.values()))

    def uuid(self, seq: int) -> str:
        """The ``{uuid}`` of turn ``seq``: in the form of RFC 9562 version 4, unique in the run."""
        return f"{self._uuid}{seq:012x}"

    def turn_id(self, seq: int, values: Mapping[str, Any], intended_ns: int) -> str:
        """The id of turn ``seq``; in it, now is the instant the turn is due."""
        if self._id_is_uuid:
            return f"{self._uuid}{seq:012x}"
        known = {**self._now(intended_ns), **values, "uuid": self.uuid(seq), "turn.number": seq}
        return self._turn_id.render(known)

    def owner_of(self, turn_id: object) -> int | None:
        """The virtual user whose turn of this run an id names; None: it does not tell."""
        seq = self.seq_of(turn_id)
        return None if seq is None else seq % self._users

    def seq_of(self, turn_id: object) -> int | None:
        """The number of the turn of this run that an id names; None: it does not tell."""
        if not self.ids_name_users or not isinstance(turn_id, str):
            return None
        _, found, rest = turn_id.partition(self._uuid)
        digits = rest[:12]
        return int(digits, 16) if found and _NUMBER.fullmatch(digits) else None

    def is_delivery(self, turn_id: object, user: int) -> bool:
        """Whether an event of a turn of another user is also for ``user``: both are of one audience."""
        owner = None if self._audience is None else self.owner_of(turn_id)
        return owner is not None and self.audience_of(owner) == self.audience_of(user)

    def audience_of(self, user: int) -> str:
        """What the audience's template gives for a user: those for whom it is the same are one audience."""
        if self.audience_elsewhere is not None:
            return self.audience_elsewhere(user)
        return self.own_audience_of(user)

    def own_audience_of(self, user: int) -> str:
        """As ``audience_of``, by this protocol, of a user who speaks it."""
        of_user = user_values(user, self._nonce, self._identities, self._first_user)
        values = {"run.id": self._nonce, **of_user}
        return "" if self._audience is None else self._audience.render(values)

    def bind_message(
        self, kind: CompiledTurn, values: Mapping[str, Any], kept: Mapping[str, Any] | None
    ) -> BoundMessage:
        """The first message of a kind of turn, of one user.

        What the ready steps kept is bound, what may change is not.
        """
        known = {**self._unkept, **values, **(kept or {})}
        bound = {name: value for name, value in known.items() if name not in self._changing}
        return BoundMessage(kind.template.bind(bound), id_is_uuid=self._id_is_uuid)

    def with_kept(self, row: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """The values of one turn's message, with those that were kept."""
        return {**row, **self._unkept, **kept}

    def payload(self, bound: BoundMessage, turn_id: str, seq: int, row: Mapping[str, Any]) -> bytes:
        """What opens turn ``seq`` of the user whose message is ``bound``."""
        if bound.around is not None:
            return turn_id.encode().join(bound.around)
        # As turn_values, inlined: a call costs 0.05 us a turn.
        uuid = turn_id if self._id_is_uuid else self.uuid(seq)
        found: dict[str, Any] = {"turn.id": turn_id, "turn.number": seq, "uuid": uuid}
        if self._draws:
            found |= self._drawn(bound.template, "turn", seq) | self._traced(bound.template, turn_id)
        return encoded(bound.template.render({**row, **found} if row else found))

    def turn_values(
        self, kind: CompiledTurn, turn_id: str, seq: int, row: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What is filled into the messages after the first of turn ``seq`` alone."""
        uuid = turn_id if self._id_is_uuid else self.uuid(seq)
        found = {**row, "turn.id": turn_id, "turn.number": seq, "uuid": uuid}
        for place, step in enumerate(kind.later, 1):
            if (template := step.template) is not None:
                found |= self._drawn(template, "turn", seq, place) | self._traced(template, turn_id)
        return found

    def request_values(
        self, turn: CompiledTurn, turn_id: str, seq: int, row: Mapping[str, Any], kept: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What is filled into the request by which turn ``seq`` goes, beside the values of its user."""
        values = {**self.with_kept(row, kept), "turn.id": turn_id, "turn.number": seq, "uuid": self.uuid(seq)}
        return values | self._drawn(turn.template, "turn", seq) | self._traced(turn.template, turn_id)

    def _traced(self, template: Template, turn_id: str) -> dict[str, str]:
        """The trace context of a turn, where a message asks for it."""
        asked = TRACE_PARENT in template.names
        return {TRACE_PARENT: trace_parent(self._nonce, turn_id)} if asked else {}

    def payload_written(
        self, written: str | bytes, turn_id: str, seq: int, values: Mapping[str, Any]
    ) -> bytes:
        """What a user's own code wrote to open turn ``seq``: of a text the known placeholders are filled."""
        if isinstance(written, bytes):
            return written
        template = Template.parse(written)
        unknown = {name: f"{{{name}}}" for name in template.names}
        found = {"turn.id": turn_id, "turn.number": seq, "uuid": self.uuid(seq)}
        found |= self._traced(template, turn_id)
        return encoded(template.render({**unknown, **values, **found}))

    def render_text(
        self,
        template: Template,
        values: Mapping[str, Any],
        kept: Mapping[str, Any] | None,
        *,
        user: int,
        nth: int,
        now_ns: int,
        event: Any = None,
    ) -> str:
        """The ``nth`` text that this user says outside of turns: a ready step, the answer to a heartbeat.

        What no ready step has kept yet is an empty text; ``event`` is the message that is answered.
        """
        known = {
            "uuid": f"{self._uuid_of_texts}{user & 0xFFFFFF:06x}{nth & 0xFFFFFF:06x}",
            **self._now(now_ns, template.names),
        }
        asked = {name: _value_of(event, name) for name in template.names if name.startswith(EVENT)}
        asked |= self._drawn(template, "text", user, nth)
        return template.render({**self._unkept, **known, **values, **(kept or {}), **asked})

    def _now(self, instant_ns: int, asked: Container[str] = ()) -> dict[str, str]:
        return now_values((instant_ns + self._unix_offset_ns) // 1_000_000, asked)

    def _drawn(self, template: Template, *about: str | int) -> dict[str, str]:
        """The values of a template that are drawn, in the message that ``about`` names."""
        names = (name for name in template.names if is_generated(name))
        return {name: generated(name, self._seed, self._nonce, *about) for name in names}

    def hear(self, payload: bytes) -> Heard:
        """A message that is read whole.

        Raises:
            Malformed: it is none of this protocol; never where payloads are opaque.
        """
        if self._unheard is not None:
            return self._unheard
        if self.opaque:
            return self._hear_opaque(payload)
        return self.hear_message(self.reader.read(payload))

    def hear_message(self, found: Any) -> Heard:
        """A message that is decoded."""
        kind, turn, user, sequence = self.reader.fields_in(found)
        return Heard(found, kind, turn, user, sequence, *self._of_whole(found, kind))

    def _hear_opaque(self, payload: bytes) -> Heard:
        """The type of an opaque payload is all of it; fields are looked for only if a match asks for any."""
        kind = payload[:MAX_TEXT].decode("utf-8", "replace")
        found = self.object_in(payload) if self._opaque_fields else {}
        return Heard(found, kind, None, None, None, *self._of_whole(found, kind))

    def compile_match(self, match: Match) -> Callable[[Heard], bool]:
        """The test of a match on what was heard."""
        return Awaited(match_words(match), compile_match(match, typed=self._typed)).fits

    def hear_any(self, payload: bytes) -> Heard:
        """As ``hear``, for matches outside of turns; what is no message has neither fields nor a type."""
        try:
            return self._hear_opaque(payload) if self.opaque else self.hear(payload)
        except Malformed:
            return Heard({}, None, None, None, None, *self._of_whole({}, None))

    def object_in(self, payload: bytes) -> Any:
        """The JSON object in a payload; of anything else, an empty one."""
        try:
            return self.reader.read(payload)
        except Malformed:
            return {}

    def values_to_keep(self, wanted: Mapping[str, str], found: Any) -> tuple[dict[str, Any], int]:
        """What a ready step keeps, as ``kept.NAME`` and as the text ``ready.NAME``; how many are too large.

        What is absent, or too large, is an empty text as ``ready.NAME``.
        """
        values, too_large = values_at(_finders(wanted), found)
        ready = {f"ready.{name}": plain(values.get(KEPT + name, "")) for name in wanted}
        return {**ready, **values}, too_large

    def kept_of(self, heard: Heard) -> tuple[dict[str, Any], int]:
        """What is kept of an event, as ``kept.NAME``; and how many values were too large to be."""
        kept: dict[str, Any] = {}
        too_large = 0
        for keep in self.keeps:
            if keep.test(heard.found, heard.kind):
                values, larger = values_at(keep.values, heard.found)
                kept |= values
                too_large += larger
        return kept, too_large

    def adopted_id(self, heard: Heard) -> str | None:
        """The target's own id of a turn that an event tells; None where none stands there."""
        for adoption in self.adoptions:
            value = adoption.id(heard.found) if adoption.on.fits(heard) else None
            if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                return plain(value)[:MAX_KEPT_VALUE]
        return None


def _opening(steps: tuple[MessageStep, ...]) -> bool:
    """Whether a turn begins with a file."""
    return bool(steps) and steps[0].chunks is not None


def _finders(paths: Mapping[str, str]) -> dict[str, Getter]:
    return {name: finder(path) for name, path in paths.items()}


def values_at(wanted: Mapping[str, Getter], found: Any) -> tuple[dict[str, Any], int]:
    """The values that are there, as ``kept.NAME``; and how many are too large to keep."""
    there = {KEPT + name: value for name, get in wanted.items() if not _nothing(value := get(found))}
    kept = {name: value for name, value in there.items() if _fits_in(value)}
    return kept, len(there) - len(kept)


def _fits_in(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_KEPT_VALUE
    try:
        return len(plain(value)) <= MAX_KEPT_VALUE
    except RecursionError:
        return False


def _last_word(leave: Leave | None, awaited: Callable[[Match], Awaited]) -> LastWord | None:
    if leave is None:
        return None
    return LastWord(Template.parse(leave.send), None if leave.wait is None else awaited(leave.wait))


def _own_heartbeat(beat: TimedBeat, awaited: Callable[[Match], Awaited]) -> OwnHeartbeat:
    answer = None if beat.answer is None else awaited(beat.answer)
    every, send = parse_period(beat.every), Template.parse(beat.send)
    return OwnHeartbeat(every, send, answer, beat.within_ns, _finders(kept_by(beat.answer)))


def _total(count: int | CountAt | None, awaited: Callable[[Match], Awaited]) -> Total | None:
    if not isinstance(count, CountAt):
        return None
    return Total(finder(count.path), None if count.of is None else awaited(count.of))


def encoded(text: str) -> bytes:
    """What is sent for a text; bytes that a template took as they are become what they were."""
    return text.encode("utf-8", "surrogateescape")


def _unheard(rules: EventRules) -> Heard | None:
    """What every opaque payload is where no rule asks for more; None if one does."""
    if rules.flags or rules.matches or rules.keep_types:
        return None
    return Heard({}, None, None, None, None, rules.default_flags, None)


def _value_of(event: Any, name: str) -> Any:
    """What ``{event.PATH}`` stands for; None where nothing does."""
    value = finder(name.removeprefix(EVENT))(event)
    if _nothing(value):
        return None
    return value[:MAX_VALUE] if isinstance(value, str) else value


def _nothing(value: Any) -> bool:
    return value is None or value is ABSENT


def _asks_for_fields(protocol: Protocol) -> bool:
    """Whether anything of an opaque protocol looks into payloads that are JSON."""
    connect, events = protocol.connect, protocol.events
    matches: list[Match] = [*connect.auth_errors, *(beat.on for beat in (*connect.answered, *events.answer))]
    matches += [beat.answer for beat in connect.timed if beat.answer is not None]
    matches += [step.wait for step in (*connect.ready, connect.leave) if step and step.wait is not None]
    matches += protocol.awaited
    for each in protocol.all_events:
        matches += [*each.matches, *each.ignore]
    keeps = bool(kept_names(protocol))
    return keeps or any(each.path is not None for match in matches for each in conditions(match))


_NUMBER = re.compile(r"[0-9a-f]{12}")


def uuid_prefix(nonce: str) -> str:
    """The 24 leading characters of every ``{uuid}`` of a run."""
    digits = hashlib.sha256(nonce.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:18]}-"


def _parse(text: str | None) -> Template | None:
    return None if text is None else Template.parse(text)
