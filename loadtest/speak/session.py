"""One connection's conversation after the upgrade: ready steps, turns, close. Sans-I/O.

No socket, no clock: payloads and instants are arguments. What is to be sent waits in ``outbox``.

    READYING ── last ready step done ──► OPEN ── lost() ──► CLOSED
        └── refused (auth, ready) ──────────────────────────► CLOSED

Every message that arrives once the session is open is counted as received and, at the latest when its turn
has ended and its ledger is closed, as exactly one of: matched, duplicate, late, resumed (all four: of a turn
of ours), delivered, foreign, unmatched, malformed, ignored, answered, awaited; of the last two, those that
name a turn of ours are matched as well. Heartbeats are counted apart.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from loadtest.errors import Layer
from loadtest.plan.placeholder_names import HEARTBEAT_NUMBER
from loadtest.plan.template import LAST, Template
from loadtest.plan.template import plain as as_text
from loadtest.speak.adopted_ids import AdoptedIds, Owner
from loadtest.speak.chunk_stream import Payload
from loadtest.speak.close_codes import CREDENTIAL_REFUSED, SERVER_AT_FAULT
from loadtest.speak.compiled_protocol import (
    Awaited,
    BoundMessage,
    CompiledProtocol,
    CompiledTurn,
    Heard,
    Heartbeat,
    encoded,
    values_at,
)
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.early_messages import what_came, with_kind_of
from loadtest.speak.error_text import error_text
from loadtest.speak.event_age import EventAges
from loadtest.speak.event_reader import UNREADABLE, Event, Malformed
from loadtest.speak.event_rules import (
    ADOPT,
    ALL_SHIFT,
    ANSWER,
    ASIDE,
    AUDIO,
    BEAT,
    COUNT,
    END,
    ENDS,
    FAIL,
    FIRST,
    IGNORE,
    KEEP,
    NOTED,
    PING,
    REFUSE,
    TALLY,
    EventLabel,
)
from loadtest.speak.heartbeats import Heartbeats
from loadtest.speak.kept_secrets import KeptSecrets
from loadtest.speak.label_limit import NO_LABEL, UNTYPED
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.recent_turns import AfterEnd, RecentTurns
from loadtest.speak.session_recorder import SessionRecorder, TurnListener
from loadtest.speak.subscriptions import MovedTurns, PushedEvents
from loadtest.speak.turn import COMPLETE, FRAMES_KEPT, MAX_FRAME_BYTES, NEVER, Outcome, Turn
from loadtest.speak.turn_notes import TurnNotes
from loadtest.speak.upload import Upload

MAX_ANSWERS_PER_S = 1_000
"""Answers to requests and heartbeats of the target's, per connection: a target that asks for each answer
again would else be answered without end."""

LINGER_NS = 1_000_000_000
"""How long an ended turn with missing numbers waits for them before they count as lost."""

MAX_UNMATCHED_LABELED = 20
"""Unmatched events whose keys are counted, each second: enough to see which path of the protocol is wrong."""

_NOTHING: Final[dict[str, Any]] = {}

_ANSWERED = frozenset({Outcome.COMPLETE, Outcome.FAILED, Outcome.REFUSED})


class SessionState(enum.Enum):
    """Where a session stands."""

    READYING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


OPEN: Final = SessionState.OPEN
CLOSED: Final = SessionState.CLOSED
"""For the hot loop, as ``COMPLETE`` of ``speak.turn``."""


class Session:
    """The conversation of virtual user ``user`` on one connection.

    ``turns`` are in flight, in the order they were begun, by id. ``user_mark`` is how the target names this
    user: given, or learned from the first event that answers us; an event with another mark is foreign.
    ``outbox`` holds what is to be sent: texts, and further messages of turns, each with its turn.
    ``kept`` are the values that were kept, as ``ready.NAME`` and ``kept.NAME``; ``last`` those of the turn
    that ended last, as ``last.NAME``. ``wakes_ns`` is the next instant at which ``tick`` has something to do,
    or ``NEVER``. ``silent``: the target has not answered a heartbeat of ours in time, and is dead.
    ``may_be_silent``: answers lie unread because of us, so that none is missed. ``on_secret`` is called with
    each secret that this connection sends or gets and that was not known before.

    A turn is begun once and ended once: by an event, by time or by the loss of its connection, in whatever
    order these come. A listener may begin turns, or end the session, from within.
    """

    __slots__ = (
        "_adopted",
        "_answers_in_second",
        "_bound_kinds",
        "_bound_message",
        "_came_before_ready",
        "_error_before_ready",
        "_error_words",
        "_heartbeats",
        "_moved",
        "_notes",
        "_overdue_answers",
        "_plainly_by_id",
        "_pushed",
        "_read",
        "_ready_step",
        "_recent_turns",
        "_second_ends_ns",
        "_secrets",
        "_step_ends_ns",
        "_texts_sent",
        "_uploads",
        "kept",
        "last",
        "listener",
        "may_be_silent",
        "on_secret",
        "outbox",
        "protocol",
        "recorder",
        "silent",
        "state",
        "turns",
        "user",
        "user_mark",
        "values",
        "wakes_ns",
    )

    def __init__(
        self, protocol: CompiledProtocol, recorder: SessionRecorder, user: int, values: Mapping[str, Any]
    ) -> None:
        self.protocol = protocol
        self.recorder = recorder
        self.user = user
        self.values = values
        self.user_mark: Any = None
        self.state = SessionState.READYING
        self.outbox: list[str | tuple[Turn, Payload]] | None = None
        self.kept: dict[str, Any] | None = None
        self.last = _NOTHING
        self.wakes_ns = NEVER
        self.turns: dict[Any, Turn] = {}
        self.listener: TurnListener | None = None
        self.silent = False
        self.may_be_silent = False
        self.on_secret: Callable[[str], None] | None = None
        self._heartbeats: Heartbeats | None = None
        self._texts_sent = 0
        self._answers_in_second = 0
        self._second_ends_ns = NEVER
        self._adopted = AdoptedIds(protocol) if protocol.adoptions else None
        # Of turns in flight, by id.
        self._notes: dict[Any, TurnNotes] | None = None
        self._secrets: KeptSecrets | None = None
        self._came_before_ready: dict[str, None] | None = None
        self._ready_step = 0
        self._step_ends_ns = NEVER
        self._error_before_ready = self._error_words = ""
        # Without ids: answers to turns that timed out, which may still come and be taken for another's.
        self._overdue_answers = 0
        self._recent_turns = RecentTurns(protocol.sequence_start)
        # Made with the first turn: by then every value of the ready steps is known.
        self._bound_message: BoundMessage | None = None
        self._bound_kinds: dict[str, BoundMessage] | None = None
        # Turns whose messages are not all sent, by id, in the order they were begun.
        self._uploads: dict[str, Upload] | None = None
        # Each event belongs to the turn it names, all turns are of one kind, and none has more to send.
        self._plainly_by_id = protocol.plainly_by_id
        # Counts the reads from the socket.
        self._read = 0
        self._moved: MovedTurns | None = None
        self._pushed = PushedEvents() if protocol.listens else None

    @property
    def at_rest(self) -> bool:
        """Whether no turn is in flight and none waits for missing numbers: leaving now loses nothing."""
        return not self.turns and not self._recent_turns.waiting

    @property
    def awaits_end(self) -> bool:
        """Whether a turn is in flight that may still end; a subscription does not."""
        return not all(turn.kind.never_ends for turn in self.turns.values())

    def enter_phase(self) -> None:
        """The run has entered another phase: events of turns without an end are counted in it from now on."""
        if self.protocol.never_ends and self.turns:
            self._moved = self._moved or MovedTurns()
            self._moved.move(self.turns.values(), self.recorder.metrics)

    def follow(self, earlier: Session) -> None:
        """Continue an earlier session of the same user: its ended turns are remembered."""
        self._recent_turns = earlier._recent_turns

    def owns(self, turn_id: object) -> bool:
        """Whether a turn of that id is in flight here, or was not long ago."""
        known = turn_id in self.turns or self._recent_turns.knows(turn_id)
        return known or (self._adopted is not None and self._adopted.knows(turn_id))

    # ------------------------------------------------------------------ getting ready

    def upgraded(self, now_ns: int) -> None:
        """The upgrade is done; the ready steps begin."""
        self._advance(now_ns)

    def _advance(self, now_ns: int) -> None:
        """Take every ready step that needs no message from the target."""
        steps = self.protocol.steps
        while self._ready_step < len(steps):
            step = steps[self._ready_step]
            if step.wait is not None:
                self._sleep_until(now_ns + step.within_ns)
                return
            if step.pause_ns is not None and self._step_ends_ns == NEVER:
                self._sleep_until(now_ns + step.pause_ns)
                return
            if step.send is not None:
                self._send_template(step.send, now_ns)
            self._step_ends_ns = NEVER
            self._ready_step += 1
        self.state = SessionState.OPEN
        if self.protocol.deliveries is not None:
            self.protocol.deliveries.opened(self.user, self.recorder)
        if self.protocol.own_heartbeats:
            self._begin_heartbeats(now_ns)
        self.wakes_ns = self._next_wake()

    def _sleep_until(self, instant_ns: int) -> None:
        self._step_ends_ns = instant_ns
        self.wakes_ns = self._next_wake()

    def _tick_ready(self, now_ns: int) -> None:
        """A pause is over, or a wait was too long."""
        if self._step_ends_ns == NEVER or now_ns < self._step_ends_ns:
            return
        step = self.protocol.steps[self._ready_step]
        if step.wait is not None:
            within = f"within {step.within_ns / 1e9:g} s"
            self._refuse(
                Layer.READY,
                f"no message with {step.wait.words} {within}; {self._came_instead()}",
            )
        self._advance(now_ns)

    def awaited(self) -> str:
        """What a session that is not open yet waits for, and what came instead."""
        step, steps = self.protocol.steps[self._ready_step], len(self.protocol.steps)
        what = "for a pause to end" if step.wait is None else f"for a message with {step.wait.words}"
        return f"waited {what} (ready step {self._ready_step + 1} of {steps}); {self._came_instead()}"

    def _came_instead(self) -> str:
        return what_came(self._came_before_ready)

    def _receive_until_open(self, payloads: list[bytes], at_ns: int) -> list[bytes]:
        """Those that came after ready; what comes after the end belongs to nobody, and is not counted."""
        for index, payload in enumerate(payloads):
            if self.state is not SessionState.READYING:
                return payloads[index:] if self.state is SessionState.OPEN else []
            self._receive_before_ready(payload, at_ns)
        return []

    def _receive_before_ready(self, payload: bytes, now_ns: int) -> None:
        """A message that arrived before ready."""
        protocol = self.protocol
        heard = protocol.hear_any(payload)
        if any(each.fits(heard) for each in protocol.auth_errors):
            self._refuse(
                Layer.AUTH, f"the target answered {self._name_of(heard)}{self._quoted(heard, payload)}"
            )
        if heard.flags & FAIL:
            self._error_before_ready = self._name_of(heard)
            # To what a ready step sent, it is an answer: who reads of it asks for its words.
            sent = any(step.send is not None for step in protocol.steps[: self._ready_step])
            self._error_words = self._quoted(heard, payload) if sent else ""
        if self._answer_heartbeat(heard, now_ns):
            return
        step = protocol.steps[self._ready_step]
        if step.wait is None or not step.wait.fits(heard):
            if not self._answer_request(heard, now_ns):
                self.recorder.metrics.count("events.before_ready")
            self._came_before_ready = with_kind_of(heard, protocol, self._came_before_ready)
            return
        if self.user_mark is None:
            self.user_mark = heard.user
        if step.keep:
            self._keep(*protocol.values_to_keep(step.keep, heard.found))
        self._step_ends_ns = NEVER
        self._ready_step += 1
        self._advance(now_ns)

    def _name_of(self, heard: Heard) -> str:
        """What an error is called where it is told."""
        return "an error" if heard.kind is None or self.protocol.opaque else heard.kind

    def _quoted(self, heard: Heard, payload: bytes) -> str:
        """The words of an error, after a colon: of a text that has none as such its beginning."""
        words = error_text(heard.found)
        if not words and self.protocol.of_text:
            words = error_text({"message": self.public(payload[:MAX_FRAME_BYTES]).decode("utf-8", "replace")})
        return f": {words}" if words else ""

    def _refuse(self, layer: Layer, reason: str) -> NoReturn:
        """End the session before it began, so that its end is not reported as a second refusal."""
        self.state = SessionState.CLOSED
        self._step_ends_ns = NEVER
        self.wakes_ns = NEVER
        raise ConnectRefusal(layer, reason)

    # ------------------------------------------------------------------ texts outside of turns

    def say(self, text: str) -> None:
        """Put a message that belongs to no turn into the outbox."""
        if self.outbox is None:
            self.outbox = []
        self.outbox.append(text)

    def leave(self, now_ns: int) -> Awaited | None:
        """Say the last word of a connection that was ready; what has to come before it is closed."""
        word = self.protocol.last_word
        if word is None or self.state is not OPEN:
            return None
        self._send_template(word.send, now_ns)
        return word.wait

    def _send_template(
        self, template: Template, now_ns: int, event: Any = None, more: Mapping[str, Any] = _NOTHING
    ) -> None:
        """Say a text; ``more`` are values that only this one has."""
        text = self.protocol.render_text(
            template,
            self.values,
            {**(self.kept or {}), **self.last, **more},
            user=self.user,
            nth=self._texts_sent,
            now_ns=now_ns,
            event=event,
        )
        self.say(text)
        self._texts_sent += 1

    def _answer_heartbeat(self, heard: Heard, now_ns: int) -> bool:
        """Answer an application heartbeat; True if it was one."""
        beat = _first_that_fits(self.protocol.heartbeat, heard)
        if beat is None:
            return False
        self.recorder.metrics.events_heartbeat += 1
        self._answer(beat, heard, now_ns)
        return True

    def _begin_heartbeats(self, now_ns: int) -> None:
        """The connection is ready: the first heartbeats of ours are due an interval from now."""
        self._heartbeats = Heartbeats(self.protocol.own_heartbeats)
        self._count_unscheduled(self._heartbeats.begin(now_ns, self.kept or _NOTHING))

    def _beat(self, heartbeats: Heartbeats, now_ns: int) -> None:
        """Send the heartbeats that are due; a target that has not answered the last one in time is dead."""
        if heartbeats.overdue(now_ns) and not self.may_be_silent:
            self.recorder.metrics.count("heartbeats.missed")
            self.silent = True
            return
        due, unscheduled = heartbeats.send(now_ns, self.kept or _NOTHING)
        self._count_unscheduled(unscheduled)
        for timer in due:
            self._send_template(timer.beat.send, now_ns, more={HEARTBEAT_NUMBER: timer.number})
            self.recorder.metrics.count("heartbeats.sent")

    def _count_unscheduled(self, unscheduled: int) -> None:
        if unscheduled:
            self.recorder.metrics.count("heartbeats.not_scheduled", unscheduled)

    def _take_heartbeat_answer(self, heartbeats: Heartbeats, heard: Heard, at_ns: int) -> None:
        """An answer to a heartbeat of ours; one that nothing waits for says nothing."""
        metrics = self.recorder.metrics
        metrics.events_received -= 1
        metrics.events_heartbeat += 1
        answered = heartbeats.answered(heard, at_ns)
        if answered is not None:
            beat, took_ns = answered
            metrics.count("heartbeats.answered")
            metrics.heartbeat_rtt.append(took_ns)
            if beat.keep:
                self._keep(*values_at(beat.keep, heard.found))

    def _answer_request(self, heard: Heard, now_ns: int) -> bool:
        """Answer a request of the target's own; True if it was one."""
        beat = _first_that_fits(self.protocol.answers, heard)
        if beat is None:
            return False
        if self._answer(beat, heard, now_ns):
            self.recorder.metrics.count("events.answered")
        return True

    def _answer(self, beat: Heartbeat, heard: Heard, now_ns: int) -> bool:
        """Keep what is to be kept, and say the answer; False if it is withheld."""
        if beat.keep:
            self._keep(*values_at(beat.keep, heard.found))
        if not self._may_answer(now_ns):
            self.recorder.metrics.count("events.unanswered")
            return False
        self._send_template(beat.send, now_ns, heard.found)
        return True

    def _may_answer(self, now_ns: int) -> bool:
        """Whether the target has not yet had its most answers of this second."""
        if now_ns >= self._second_ends_ns:
            self._second_ends_ns = now_ns + 1_000_000_000
            self._answers_in_second = 0
        self._answers_in_second += 1
        return self._answers_in_second <= MAX_ANSWERS_PER_S

    def hide(self, texts: Iterable[str]) -> None:
        """Take these out of what is shown from now on: secrets that came by another way."""
        for text in texts:
            self._secrets = self._secrets or KeptSecrets()
            self._secrets.add(text)

    def _keep(self, values: dict[str, Any], too_large: int = 0) -> None:
        """Keep values; those of secrets are taken out of what is shown from then on."""
        if too_large:
            self.recorder.metrics.count("events.value_too_large", too_large)
        self.kept = {**(self.kept or {}), **values}
        named = self.protocol.secret_names
        self.conceal(as_text(value) for name, value in values.items() if name.partition(".")[2] in named)

    def _keep_of(self, payload: bytes, turn: Turn | None) -> None:
        """Keep values of an event, for the turn after ``turn`` as well."""
        values, too_large = self.protocol.kept_of(self.protocol.hear_any(payload))
        self._keep(values, too_large)
        if turn is not None:
            kept = self._notes_of(turn).kept
            kept.update({LAST + name.partition(".")[2]: value for name, value in values.items()})

    def _notes_of(self, turn: Turn) -> TurnNotes:
        self._notes = self._notes or {}
        return self._notes.setdefault(turn.id, TurnNotes())

    def conceal(self, secrets: Iterable[str]) -> None:
        """From now on these are taken out of what is shown."""
        for secret in secrets:
            self._secrets = self._secrets or KeptSecrets()
            self._secrets.add(secret)
            if self.on_secret is not None:
                self.on_secret(secret)

    def public(self, payload: bytes) -> bytes:
        """A payload without the secrets of this connection."""
        return payload if self._secrets is None else self._secrets.hide(payload)

    def _show(self, kind: str, payload: bytes) -> None:
        """Keep a payload as evidence."""
        self.recorder.evidence(kind, self.public(payload), self.user)

    # ------------------------------------------------------------------ turns: begin, sent, end

    def begin(  # noqa: PLR0917 - an argument by name alone costs 0.1 us a turn
        self,
        seq: int,
        position: int,
        intended_ns: int,
        row: Mapping[str, Any],
        kind_name: str = "",
        written: str | bytes | None = None,
    ) -> tuple[Turn, Payload]:
        """Register the turn ``seq``, due at ``intended_ns``, and return it with the payload to send.

        It is registered before anything is written: the reply may be back before the write returns.
        ``row`` gives ``data.*`` values. ``written`` stands in the place of the protocol's message: bytes
        as they are, a text with its placeholders filled. On a connection that is over the turn is lost at
        once.
        """
        protocol = self.protocol
        turn_id = protocol.turn_id(seq, self.values, intended_ns)
        if kind_name:
            kind = protocol.kinds[kind_name]
            bound = self._bind(kind)
            metrics = self.recorder.metrics_at(intended_ns, kind_name)
        else:
            kind = protocol.plain
            bound = self._bound_message or self._bind(kind)
            metrics = self.recorder.metrics_at(intended_ns)
        if turn_id in self.turns or turn_id in self._recent_turns.waiting:
            self._supersede(turn_id, intended_ns)
        turn = Turn(seq, self.user, position, turn_id, intended_ns, metrics, protocol.sequence_start)
        rules = kind.rules
        if rules.keep_types:
            turn.types = []
        if protocol.keep_frames:
            turn.frames = []
        if protocol.by_order and self.turns:
            # Those before the newest share already.
            next(reversed(self.turns.values())).shared = turn.shared = True
        if protocol.asks_kept:
            row = protocol.with_kept(row, {**(self.kept or {}), **self.last})
        if written is None:
            payload = protocol.payload(bound, turn_id, seq, row)
        else:
            payload = protocol.payload_written(
                written, turn_id, seq, {**self.values, **(self.kept or {}), **row}
            )
        turn.payload_crc = zlib.crc32(payload)
        turn.kind = kind
        turn.count = rules.count
        self.turns[turn_id] = turn
        metrics.turns_begun += 1
        first: Payload = payload
        if kind.later and written is None:
            first = self._begin_upload(turn, row, payload)
        if self.state is CLOSED:
            self._end(turn, Outcome.LOST, intended_ns)
        return turn, first

    def request_values(self, turn: Turn, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is filled into the request of a turn whose message goes by HTTP."""
        kept = {**(self.kept or {}), **self.last}
        return {**self.values, **self.protocol.request_values(turn.kind, turn.id, turn.seq, row, kept)}

    def _bind(self, kind: CompiledTurn) -> BoundMessage:
        """The message of this user for a kind of turn, bound once."""
        if not kind.name:
            self._bound_message = self.protocol.bind_message(kind, self.values, self.kept)
            return self._bound_message
        bound = self._bound_kinds = self._bound_kinds or {}
        if kind.name not in bound:
            bound[kind.name] = self.protocol.bind_message(kind, self.values, self.kept)
        return bound[kind.name]

    def _supersede(self, turn_id: str, at_ns: int) -> None:
        """An id is used again: what comes now belongs to its new turn, so the old one ends here.

        An id in flight cannot be told from its successor: the older turn has failed by ``id``.
        """
        # A listener may begin the same id once more.
        while turn_id in self.turns:
            self._end(self.turns[turn_id], Outcome.FAILED, at_ns, "id")
        if turn_id in self._recent_turns.waiting:
            self._close_ledger(self._recent_turns.waiting[turn_id][1], at_ns)

    def not_sendable(self, turn: Turn, at_ns: int, reason: str) -> None:
        """A message of the turn could not be sent, or was not taken: it has failed, for that reason."""
        if turn.outcome is None:
            self._end(turn, Outcome.FAILED, at_ns, reason)

    def sent(self, turn: Turn, at_ns: int) -> None:
        """The last byte of the turn's message goes to the kernel at ``at_ns``."""
        if turn.uploading:
            self._message_sent(turn, at_ns)
            return
        turn.sent_ns = at_ns
        metrics, protocol = turn.metrics, self.protocol
        metrics.lateness.append(at_ns - turn.intended_ns if at_ns > turn.intended_ns else 0)
        metrics.events_sent += 1
        if protocol.deliveries is not None:
            protocol.deliveries.sent(turn.id, self.user, at_ns, metrics)
        if turn.outcome is not None or protocol.never_ends:
            return
        timeout_at_ns = at_ns + protocol.timeout_ns
        if self.wakes_ns == NEVER or timeout_at_ns < self.wakes_ns:
            self.wakes_ns = timeout_at_ns

    # ------------------------------------------------------------------ turns of several messages

    def _begin_upload(self, turn: Turn, row: Mapping[str, Any], payload: bytes) -> Payload:
        """More messages follow the first, which is returned; those that wait for nothing go out with it."""
        protocol = self.protocol
        turn.uploading = True
        values = {**self.values, **protocol.turn_values(turn.kind, turn.id, turn.seq, row)}
        kind = turn.kind
        upload = Upload(
            turn, kind.later, values, protocol.timeout_ns, streams_ns=kind.streams_ns, opening=kind.opening
        )
        if self._uploads is None:
            self._uploads = {}
            self._plainly_by_id = False
        self._uploads[turn.id] = upload
        self._say_messages(upload)
        if kind.opening is None:
            return payload
        first = kind.opening.payload(0, turn.id, lambda: self._values_of(upload))
        turn.payload_crc = zlib.crc32(first)
        return first

    def _values_of(self, upload: Upload) -> Mapping[str, Any]:
        """What is filled into the messages of a turn, with what is kept by now."""
        return self.protocol.with_kept(upload.values, {**(self.kept or {}), **self.last})

    def _say_messages(self, upload: Upload, now_ns: int = NEVER) -> None:
        """Put the messages that may go out now into the outbox, and the chunks that are due by ``now_ns``."""
        payloads = upload.due_chunks(now_ns, lambda: self._values_of(upload))
        if templates := upload.next_messages():
            known = self._values_of(upload)
            payloads += [encoded(template.render(known)) for template in templates]
        for payload in payloads:
            self.outbox = self.outbox or []
            self.outbox.append((upload.turn, payload))

    def written(self, turn: Turn, at_ns: int) -> None:
        """A message of a turn of several is written, and the kernel may take it later: ``sent`` tells when.

        The time of a turn runs from its first message on, whether or not the target reads it.
        """
        upload = (self._uploads or {}).get(turn.id)
        if upload is not None and upload.turn is turn and self._begin_pace(upload, at_ns):
            self.wakes_ns = self._next_wake()

    def _begin_pace(self, upload: Upload, at_ns: int) -> bool:
        """A message of a turn is written; with the first, its time begins. True: it is the first."""
        if not upload.begin(at_ns):
            return False
        upload.turn.metrics.lateness.append(max(at_ns - upload.turn.intended_ns, 0))
        return True

    def _message_sent(self, turn: Turn, at_ns: int) -> None:
        """One message of a turn of several goes to the kernel; the turn is sent when the last one is."""
        turn.metrics.events_sent += 1
        upload = None if turn.outcome is not None else (self._uploads or {}).get(turn.id)
        if upload is None:
            return
        # A chunk in the midst of a file changes nothing of what is due: 10 us less each.
        in_stream = not self._begin_pace(upload, at_ns) and upload.streams
        if upload.sent(at_ns):
            turn.sent_ns = at_ns
            turn.uploading = False
            if upload.last_chunk_ns != NEVER:
                # Its user has waited from when the last of it was to be heard.
                turn.waited_from_ns = upload.last_chunk_ns
            turn.metrics.upload.append(max(at_ns - upload.first_ns, 0))
            self._forget_upload(turn)
            if self.protocol.deliveries is not None:
                self.protocol.deliveries.sent(turn.id, self.user, at_ns, turn.metrics)
        elif in_stream:
            return
        self.wakes_ns = self._next_wake()

    def only_streams(self, now_ns: int) -> bool:
        """Whether what is due by now are chunks of files alone, which nothing that lies unread can change."""
        uploads = self._uploads
        if uploads is None or self._notes or self._heartbeats is not None or self._recent_turns.waiting:
            return False
        if len(uploads) < len(self.turns):
            return False
        return all(upload.streams and now_ns < upload.overdue_ns for upload in uploads.values())

    def _tick_uploads(self, now_ns: int) -> None:
        """A chunk is due, a pause is over, a wait was too long, or all of it was."""
        for upload in list((self._uploads or {}).values()):
            turn = upload.turn
            if turn.outcome is not None or upload.wakes_ns == NEVER or now_ns < upload.wakes_ns:
                continue
            overdue = now_ns >= upload.overdue_ns
            if overdue or upload.awaited is not None:
                self._time_out(turn, now_ns, "wait" if upload.awaited is not None else "")
            elif upload.streams:
                self._say_messages(upload, now_ns)
            else:
                upload.pass_step(now_ns)
                self._say_messages(upload)

    def _take_awaited(self, payload: bytes, at_ns: int) -> bool:
        """Whether an event is what a turn waits for; then its next message goes out."""
        heard = self.protocol.hear_any(payload)
        turn_id = None if heard.turn is None else as_text(heard.turn)
        named = self.turns.get(turn_id)
        heard = self._as_of_kind(heard, named)
        if heard.flags & (FAIL | REFUSE) or self._names_other_user(heard, named):
            return False
        owner = self._adopted_by(heard, turn_id)
        if owner is not None:
            named = self.turns.get(owner.turn_id)
        if named is None and turn_id is not None and self._is_elsewhere(turn_id):
            return False
        for upload in (self._uploads or {}).values():
            awaited, turn = upload.awaited, upload.turn
            if awaited is None or named not in {None, turn} or not awaited.fits(heard):
                continue
            self.recorder.metrics.count("events.awaited")
            if owner is not None:
                self._count_doubts(owner)
            if upload.keep:
                self._keep(*values_at(upload.keep, heard.found))
            if named is not None and turn.number(heard.sequence, heard.word):
                # It takes its place in its turn, but is not what the turn ends by.
                turn.unmarked += heard.user is None
                turn.count += turn.count > 0
                self._enter(turn, 0, payload, at_ns, at_end=True)
            upload.pass_step(at_ns)
            self._say_messages(upload)
            self.wakes_ns = self._next_wake()
            return True
        return False

    def _adopted_by(self, heard: Heard, turn_id: str | None) -> Owner | None:
        """Whose an event is that carries an id of the target's own, or tells one; None of any other."""
        if self._adopted is None or heard.flags & IGNORE:
            return None
        if not heard.flags & ADOPT and (turn_id is None or turn_id in self.turns):
            return None
        return self._adopted.owner(heard, turn_id, self.turns)

    def _is_elsewhere(self, turn_id: str) -> bool:
        """Whether the id of no turn in flight names another's turn: it is not one that the target made."""
        if self.protocol.by_order:
            return False
        return self._adopted is None or self._is_other_users_turn(turn_id)

    def _names_other_user(self, heard: Heard, turn: Turn | None) -> bool:
        return heard.user is not None and self._is_other_user(heard.user, turn)

    def _forget_upload(self, turn: Turn) -> None:
        uploads = self._uploads or {}
        uploads.pop(turn.id, None)
        if not uploads:
            self._uploads = None
            self._plainly_by_id = self.protocol.plainly_by_id

    # ------------------------------------------------------------------ the end of a turn

    def _end(self, turn: Turn, outcome: Outcome, at_ns: int, reason: str = "") -> None:
        """Give the turn its outcome, once; its ledger closes now, or after waiting for missing numbers."""
        del self.turns[turn.id]
        if turn.uploading:
            self._forget_upload(turn)
            if outcome is COMPLETE:
                # It was answered before all of it was asked.
                outcome, reason = Outcome.FAILED, "unsent"
        turn.outcome = outcome
        turn.reason = reason
        if self._moved is None:
            turn.metrics.events_matched += turn.received
        else:
            self._moved.move_back(turn)
        if self._notes is not None:
            notes = self._notes.pop(turn.id, None)
            self.last = _NOTHING if notes is None else notes.kept
            if notes is not None and notes.interrupted_ns != NEVER and outcome in _ANSWERED:
                turn.metrics.barge_in.append(max(at_ns - notes.interrupted_ns, 0))
        answered = outcome in _ANSWERED
        turn.done_ns = at_ns if answered else NEVER
        if turn.missing and answered and self.state is OPEN:
            # Events that the last one overtook may still come: they are not lost yet.
            self._recent_turns.waiting[turn.id] = (at_ns + LINGER_NS, turn)
            self.wakes_ns = self._next_wake()
        else:
            self._close_ledger(turn, at_ns)
        if self.listener is not None:
            self.listener.turn_ended(turn)

    def _close_ledger(self, turn: Turn, at_ns: int) -> None:
        protocol = self.protocol
        # Only of a turn that came to its end: an error that ends one need not carry a number, nor a mark.
        complete = turn.outcome is COMPLETE
        if complete and protocol.has_sequence and turn.next_seq == turn.start_seq and not turn.misnumbered:
            turn.metrics.count("turns.unnumbered")
        if turn.types is None and not turn.missing and not turn.misnumbered:
            # Of Turn.close_ledger, what there is to do for most: 0.1 us less a turn.
            turn.metrics.events_expected += turn.received
            turn.metrics.turns_numbered += turn.next_seq > turn.start_seq
        else:
            turn.close_ledger(turn.kind.rules)
        # With a mark known, an event that does not carry it is counted as unmarked.
        if self.user_mark is not None and not protocol.ids_name_users:
            if turn.received > turn.unmarked:
                turn.metrics.count("turns.marked")
            elif complete:
                turn.metrics.count("turns.unmarked")
        self._recent_turns.remember(turn, at_ns)
        if self._secrets is not None and turn.frames:
            turn.frames = [each if isinstance(each, int) else self.public(each) for each in turn.frames]
        self.recorder.ended(turn)

    # ------------------------------------------------------------------ time, and the end of the connection

    def tick(self, now_ns: int) -> None:
        """Do what is due: a pause is over, a wait was too long, a turn timed out, a ledger closes.

        A turn whose message is not sent cannot time out (the target was not asked), nor one without an end.

        Raises:
            ConnectRefusal: the target did not become ready in time.
        """
        if self.state is SessionState.READYING:
            self._tick_ready(now_ns)
        for turn in () if self.protocol.never_ends else list(self.turns.values()):
            # A listener may have ended it since.
            if turn.outcome is not None or turn.sent_ns == NEVER or turn.kind.never_ends:
                continue
            if turn.sent_ns + self.protocol.timeout_ns > now_ns:
                if self.protocol.uploads:
                    # One that was begun later may have been sent before.
                    continue
                break
            self._time_out(turn, now_ns)
        if self._uploads is not None:
            self._tick_uploads(now_ns)
        if self._notes is not None:
            self._interrupt_turns(self._notes, now_ns)
        for turn in self._recent_turns.due(now_ns):
            self._close_ledger(turn, now_ns)
        if self._heartbeats is not None and self.state is OPEN:
            self._beat(self._heartbeats, now_ns)
        self.wakes_ns = self._next_wake()

    def _time_out(self, turn: Turn, now_ns: int, reason: str = "") -> None:
        if self.protocol.by_order:
            self._overdue_answers += (turn.count or 1) - turn.received
        if self._adopted is not None:
            self._adopted.timed_out(turn.id)
        if last := self._last_type(turn):
            turn.metrics.count(f"turns.timed_out_after.{last}")
            if last == UNTYPED:
                self._count_untyped(turn)
        self._end(turn, Outcome.TIMED_OUT, now_ns, reason)

    def _last_type(self, turn: Turn) -> str | None:
        """The type of the last event that a turn received, as a label; None where it was not kept."""
        if not turn.received:
            return NO_LABEL
        if turn.types:
            return self.protocol.labels.type_label(self.protocol.rules.type_of(turn.types[-1]))
        last = next((each for each in reversed(turn.frames or ()) if isinstance(each, bytes)), None)
        if last is None:
            return None
        kind = None if self.protocol.opaque else self.protocol.hear_any(last).kind
        return self.protocol.labels.type_label(kind)

    def _count_untyped(self, turn: Turn) -> None:
        """A turn timed out after an event without a type: which keys it had, to correct the protocol by."""
        last = next((each for each in reversed(turn.frames or ()) if isinstance(each, bytes)), None)
        if last is not None:
            keys = self._keys_of(last)
            turn.metrics.count(f"turns.untyped_with.{keys}")

    def _keys_of(self, payload: bytes) -> str:
        """The top-level keys of a payload, as a label."""
        found = self.protocol.object_in(payload)
        return self.protocol.labels.keys_label(found if isinstance(found, dict) else {})

    def _next_wake(self) -> int:
        """The earliest instant at which a step is over, a heartbeat is due, a turn or a ledger ends."""
        instants = [self._step_ends_ns]
        if self._recent_turns.waiting:
            instants.append(self._recent_turns.earliest())
        if self._heartbeats is not None:
            instants += self._heartbeats.instants
        oldest_ns = self._oldest_sent()
        if oldest_ns != NEVER:
            instants.append(oldest_ns + self.protocol.timeout_ns)
        if self._uploads is not None:
            instants += [upload.wakes_ns for upload in self._uploads.values()]
        if self._notes is not None:
            instants += [notes.interrupt_ns for notes in self._notes.values()]
        known = [instant_ns for instant_ns in instants if instant_ns != NEVER]
        return min(known) if known else NEVER

    def _oldest_sent(self) -> int:
        """When the turn was sent that will time out first; ``NEVER`` where none will."""
        oldest_ns = NEVER
        for turn in self.turns.values():
            sent_ns = turn.sent_ns
            if sent_ns == NEVER or turn.kind.never_ends:
                continue
            if oldest_ns == NEVER or sent_ns < oldest_ns:
                oldest_ns = sent_ns
            if not self.protocol.uploads:
                # They were sent in the order in which they were begun.
                break
        return oldest_ns

    def lost(self, now_ns: int, code: int, *, by_us: bool = False) -> ConnectRefusal | None:
        """The connection is over. Every turn in flight ends: lost with it, or abandoned if we left.

        Returns the refusal, if the connection had never been ready.
        """
        state_before = self.state
        self.state = SessionState.CLOSED
        if self.protocol.deliveries is not None:
            self.protocol.deliveries.closed(self.user)
        self._step_ends_ns = NEVER
        while self.turns:
            turn = next(iter(self.turns.values()))
            if by_us:
                self._end(turn, Outcome.ABANDONED, now_ns)
                waited = turn.sent_ns != NEVER and now_ns - turn.sent_ns >= self.protocol.timeout_ns
                if turn.kind.never_ends and turn.first_ns == NEVER and waited:
                    turn.metrics.count("turns.no_first_event")
            else:
                self._end(turn, Outcome.LOST, now_ns, f"code {code}")
        for _, turn in list(self._recent_turns.waiting.values()):
            self._close_ledger(turn, now_ns)
        self.wakes_ns = NEVER
        if state_before is not SessionState.READYING or by_us:
            return None
        error = self._error_before_ready
        after = f" after {error}" if error else ""
        is_auth = code in CREDENTIAL_REFUSED or (error and code not in SERVER_AT_FAULT)
        layer = Layer.AUTH if is_auth else Layer.READY
        return ConnectRefusal(layer, f"closed with code {code}{after} before it was ready{self._error_words}")

    # ------------------------------------------------------------------ receiving: the hot path

    def receive(self, payloads: list[bytes], at_ns: int, together: int = 1) -> None:
        """Messages that arrived in one read, the last segment of which the kernel stamped ``at_ns``.

        All but the last of them are coalesced: they came between the read before and this stamp, which is
        not known to be theirs. The last frame may hold several, as many as ``together`` says: its stamp is
        theirs, since nobody has a part of a frame. 0: something came behind the last message, so that all
        are coalesced. A gap is known only between events of different reads; turns whose first or last event
        is coalesced are counted, since their times are upper bounds.

        Raises:
            ConnectRefusal: while getting ready, the target said no.
        """
        if self.state is not OPEN:
            payloads = self._receive_until_open(payloads, at_ns)
        if not payloads:
            return
        self._read += 1
        messages = len(payloads)
        metrics = self.recorder.metrics
        metrics.events_received += messages
        if together != 1:
            self._receive_together(payloads, at_ns, together)
            return
        if messages > 1:
            metrics.events_coalesced += messages - 1
        if self._plainly_by_id:
            self._receive_by_id(payloads, at_ns)
        else:
            self._receive_otherwise(payloads, at_ns)

    def _receive_together(self, payloads: list[bytes], at_ns: int, together: int) -> None:
        """The last ``together`` of one read's messages are of one frame: each is the last of its read."""
        early = max(len(payloads) - together, 0)
        self.recorder.metrics.events_coalesced += early
        take = self._receive_by_id if self._plainly_by_id else self._receive_otherwise
        if not together:
            take(payloads, at_ns, more=1)
            return
        take(payloads[: early + 1], at_ns)
        for payload in payloads[early + 1 :]:
            take([payload], at_ns)

    def _receive_otherwise(self, payloads: list[bytes], at_ns: int, more: int = 0) -> None:
        """Events of a protocol of which more is to be asked than which turn each names."""
        if self._uploads is not None:
            self._receive_while_uploading(payloads, at_ns, more)
        elif self.protocol.by_order:
            self._receive_in_order(payloads, at_ns, more)
        else:
            self._receive_by_kind(payloads, at_ns, more)

    def _receive_by_id(self, payloads: list[bytes], at_ns: int, more: int = 0) -> None:  # noqa: C901, PLR0912 - a call costs 0.05 us an event
        """Each event belongs to the turn it names: 0.4 us for one of 160 bytes that is as it should be.

        ``more`` came behind them in the same read, here and in the other ways to receive.
        """
        read, last = self._read, None if more else payloads[-1]
        # Events of one read are mostly of one turn and one type: to compare with the one before takes 0.01
        # us, to look up 0.04.
        turn = turn_id = kind_before = kind_flags = None
        decode, more_type, more_user, more_sequence, all_flags, default_flags, decide = (
            self.protocol.for_each_event
        )
        turns = self.turns
        for payload in payloads:
            try:
                event = decode(payload)
            except UNREADABLE:
                self._receive_slowly(payload, at_ns, at_end=payload is last)
                turn = None
                continue
            if turn is None or event.r0 != turn_id:
                turn_id = event.r0
                turn = turns.get(turn_id)
            kind = event.t0 if event.t0 is not None else event.t1
            if kind is None and more_type is not None:
                kind = more_type(event)
            user, seq = event.u0, event.s0
            if decide is None:
                if kind_flags is None or kind != kind_before:
                    kind_before, kind_flags = kind, all_flags.get(kind, default_flags)
                flags = kind_flags
            else:
                flags, kind = decide(event, kind)
            elsewhere = user is None and more_user is not None and more_user(event) is not None
            other_user = user is not self.user_mark and user != self.user_mark
            if turn is None or other_user or flags & ASIDE or elsewhere:
                _, named, user, seq = self.protocol.reader.fields(event)
                heard = Heard(None, None, named, user, seq, flags, kind)
                self._match(heard, payload, at_ns, at_end=payload is last)
                turn = None
                continue
            # Inlined from Turn.number: the event that carries the next number, as all but broken ones do.
            if seq == turn.next_seq:
                turn.next_seq += 1
                turn.received += 1
                if turn.types is not None:
                    turn.types.append(kind)
            elif seq is None and more_sequence is None and turn.types is None:
                turn.received += 1
            elif not self._number(event, turn, kind):
                continue
            if turn.read != read:
                self._first_of_read(turn, at_ns)
            frames = turn.frames
            if frames is not None:
                frames.append(payload if len(payload) <= MAX_FRAME_BYTES else payload[:MAX_FRAME_BYTES])
            # A plain event of a protocol without types of first content means nothing but for the first.
            if flags and (flags != FIRST or turn.first_ns == NEVER):
                self._apply_flags(turn, flags, at_ns, payload is last)
                turn = None

    def _number(self, event: Event, turn: Turn, word: EventLabel) -> bool:
        """Enter an event that does not simply carry the next number; False: a duplicate."""
        seq, more_sequence = event.s0, self.protocol.reader.more_sequence
        if seq is None and more_sequence is not None:
            seq = more_sequence(event)
        return turn.number(seq, word)

    def _first_of_read(self, turn: Turn, at_ns: int) -> None:
        """The first event of a turn in a read: the only one whose gap to the one before is known."""
        if turn.last_ns != NEVER:
            turn.metrics.gap.append(at_ns - turn.last_ns if at_ns > turn.last_ns else 0)
        turn.last_ns = at_ns
        turn.read = self._read
        frames = turn.frames
        if frames is not None:
            if len(frames) > FRAMES_KEPT:
                turn.cut_log()
            frames.append(at_ns)

    def _count_coalesced(self, turn: Turn, flags: int) -> None:
        """An event that is not the last of its read: it came at the read's stamp or before."""
        if flags & FIRST and turn.first_ns == NEVER and not turn.uploading:
            turn.metrics.turns_first_coalesced += 1
        if self._is_end(turn, flags) and not flags & (FAIL | REFUSE):
            turn.metrics.turns_end_coalesced += 1

    def _is_end(self, turn: Turn, flags: int) -> bool:
        """Whether the turn is complete with an event, which is counted already."""
        all_ends = turn.kind.rules.all_ends
        if all_ends and (turn.ends_come | flags >> ALL_SHIFT) == all_ends:
            return True
        return bool(flags & END or (flags & COUNT and turn.received >= turn.count))

    def _apply_flags(self, turn: Turn, flags: int, at_ns: int, at_end: bool) -> None:  # noqa: FBT001 - by name it is 0.03 us slower
        """An event whose type means something: first content, end, failure; ``at_end``: last of its read."""
        if not at_end:
            self._count_coalesced(turn, flags)
        if flags & FIRST and turn.first_ns == NEVER and not turn.uploading:
            turn.first_ns = at_ns
            since_ns, sent_ns = turn.waited_from_ns, turn.sent_ns
            turn.metrics.first_event.append(at_ns - since_ns if at_ns > since_ns else 0)
            # An answer to a message that is not known to be sent yet has no service time.
            if sent_ns != NEVER:
                turn.metrics.first_event_service.append(at_ns - sent_ns if at_ns > sent_ns else 0)
        if flags & FAIL:
            self._end(turn, Outcome.FAILED, at_ns, "event")
        elif flags & REFUSE:
            self._end(turn, Outcome.REFUSED, at_ns, "event")
        elif flags & END or (flags & COUNT and turn.received >= turn.count):
            self._end(turn, COMPLETE, at_ns)
        elif flags >> ALL_SHIFT:
            if turn.ends_come & flags >> ALL_SHIFT:
                turn.metrics.count("turns.ended_again")
            turn.ends_come |= flags >> ALL_SHIFT
            if turn.ends_come == turn.kind.rules.all_ends:
                self._end(turn, COMPLETE, at_ns)

    # ------------------------------------------------------------------ receiving: the rarer ways

    def _receive_while_uploading(self, payloads: list[bytes], at_ns: int, more: int = 0) -> None:
        """As ``receive``, while a turn has messages left to send: it may wait for any of these events."""
        for left, payload in enumerate(payloads, 1 - len(payloads) - more):
            if self._take_awaited(payload, at_ns):
                continue
            if self.protocol.by_order:
                self._receive_in_order([payload], at_ns, more=-left)
            else:
                self._receive_slowly(payload, at_ns, at_end=not left)

    def _receive_in_order(self, payloads: list[bytes], at_ns: int, more: int = 0) -> None:
        """Each event belongs to the oldest turn in flight, unless it is a heartbeat, a request or ignored.

        Nothing in it says which turn it answers: one that comes after its turn timed out is taken for the
        next turn's, and so on; what comes then is counted as in doubt.
        """
        metrics, messages = self.recorder.metrics, len(payloads)
        if self.protocol.in_order_only and len(self.turns) > 1:
            metrics.count("events.order_unsure", messages)
        if self._overdue_answers > 0 and self.turns:
            metrics.count("events.after_timeout", messages)
        for left, payload in enumerate(payloads, 1 - messages - more):
            try:
                heard = self.protocol.hear(payload)
            except Malformed:
                self._count_malformed(payload)
                continue
            heard = heard._replace(turn=next(iter(self.turns), None))
            self._match(heard, payload, at_ns, at_end=not left)

    def _receive_by_kind(self, payloads: list[bytes], at_ns: int, more: int = 0) -> None:
        """Each event belongs to the turn it names, and means what it means to turns of that kind."""
        reader, plain = self.protocol.reader, self.protocol.plain
        for left, payload in enumerate(payloads, 1 - len(payloads) - more):
            try:
                event = reader.decode(payload)
            except UNREADABLE:
                self._receive_slowly(payload, at_ns, at_end=not left)
                continue
            kind, turn_id, user, sequence = reader.fields(event)
            turn = self.turns.get(turn_id if isinstance(turn_id, str) else as_text(turn_id))
            of_kind = plain if turn is None else turn.kind
            heard = Heard(None, kind, turn_id, user, sequence, *of_kind.decide(event, kind))
            self._match(heard, payload, at_ns, at_end=not left)

    def _as_of_kind(self, heard: Heard, turn: Turn | None) -> Heard:
        """What an event that was read whole means to a turn, by the rules of its kind."""
        if turn is None or turn.kind is self.protocol.plain or heard.found is None:
            return heard
        flags, word = turn.kind.decide_whole(heard.found, heard.kind)
        return heard._replace(flags=flags, word=word)

    def _receive_slowly(self, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        """A payload that does not fit the struct: read slowly, or malformed."""
        try:
            heard = self.protocol.hear(payload)
        except Malformed:
            self._count_malformed(payload)
            return
        self._match(heard, payload, at_ns, at_end=at_end)

    def _match(self, heard: Heard, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        """Find the turn of an event whose fields stand at later paths, or that is not simply ours.

        An event to be ignored is ignored whatever else it carries: a broadcast may name other users.
        """
        user, turn_id = heard.user, heard.turn
        if turn_id is not None and not isinstance(turn_id, str):
            # An id that looks like a number is written as one in JSON, and comes back as one.
            turn_id = as_text(turn_id)
        if heard.flags & (BEAT | PING) and not self._is_another_users(
            heard, self.turns.get(turn_id), turn_id
        ):
            self._take_heartbeat(heard, payload, at_ns)
            return
        if self._adopted is not None and not heard.flags & IGNORE and turn_id not in self.turns:
            turn_id = self._owner_of(self._adopted, payload, turn_id)
        turn = self.turns.get(turn_id)
        heard = self._as_of_kind(heard, turn)
        asks = heard.flags & ANSWER and not heard.flags & IGNORE
        if asks and not self._is_another_users(heard, turn, turn_id):
            self._answer_request(self.protocol.hear_any(payload), at_ns)
            if turn is None or self.protocol.by_order:
                return
            # It takes its place in its turn, but is not what the turn waits for.
            heard = heard._replace(flags=heard.flags & ~COUNT)
        if heard.flags & NOTED and self._may_keep(heard, turn, turn_id):
            self._note(heard, payload, turn, at_ns)
        if heard.flags & IGNORE:
            self.recorder.metrics.count("events.ignored")
        elif user is not None and self._is_other_user(user, turn):
            self._count_other_users(turn_id, payload, at_ns)
        elif turn is None:
            self._receive_without_turn(heard, turn_id, payload, at_ns)
        elif turn.number(heard.sequence, heard.word):
            turn.unmarked += user is None
            # A request is none of the events of which one says how many there are.
            total = 0 if heard.flags & ANSWER else self._tallied(turn, payload)
            self._enter(turn, heard.flags | total, payload, at_ns, at_end=at_end)

    def _take_heartbeat(self, heard: Heard, payload: bytes, at_ns: int) -> None:
        """The answer to a heartbeat of ours, or a heartbeat of the target's: no event of a turn."""
        whole = self.protocol.hear_any(payload)
        if heard.flags & BEAT and self._heartbeats is not None:
            self._take_heartbeat_answer(self._heartbeats, whole, at_ns)
            return
        self.recorder.metrics.events_received -= 1
        self._answer_heartbeat(whole, at_ns)

    def _tallied(self, turn: Turn, payload: bytes) -> int:
        """``END`` with the last of as many events as one of them said; else no flag."""
        total = self.protocol.total
        if (
            total is None
            or turn.kind.rules.count
            or not self._notes_of(turn).tally(total, self.protocol.hear_any(payload))
        ):
            return 0
        return END

    def _owner_of(self, adopted: AdoptedIds, payload: bytes, turn_id: Any) -> Any:
        """The id of the turn that an event belongs to where the target has ids of its own."""
        owner = adopted.owner(self.protocol.hear_any(payload), turn_id, self.turns)
        self._count_doubts(owner)
        return owner.turn_id

    def _count_doubts(self, owner: Owner) -> None:
        """Count an event of which only the order says whose it is."""
        if not owner.sure:
            self.recorder.metrics.count("events.order_unsure")
        if owner.after_timeout:
            self.recorder.metrics.count("events.after_timeout")

    def _note(self, heard: Heard, payload: bytes, turn: Turn | None, at_ns: int) -> None:
        """An event of ours has values to keep, or sound."""
        if heard.flags & KEEP:
            self._keep_of(payload, turn)
        if heard.flags & AUDIO and not heard.flags & IGNORE and turn is not None and not turn.uploading:
            self._take_audio(turn, at_ns)

    def _take_audio(self, turn: Turn, at_ns: int) -> None:
        """Audio of a turn that is sent: the first is timed, and from it on a user waits to interrupt."""
        notes = self._notes_of(turn)
        if notes.audio_ns != NEVER:
            return
        notes.audio_ns = at_ns
        turn.metrics.first_audio.append(max(at_ns - turn.waited_from_ns, 0))
        if turn.sent_ns != NEVER:
            turn.metrics.first_audio_service.append(max(at_ns - turn.sent_ns, 0))
        if turn.kind.interruption is not None:
            notes.interrupt_ns = at_ns + turn.kind.interruption.after_ns
            self.wakes_ns = self._next_wake()

    def _interrupt_turns(self, every: Mapping[Any, TurnNotes], now_ns: int) -> None:
        """Interrupt the answers whose user has heard enough."""
        due = [
            (turn, notes, turn.kind.interruption.send)
            for turn_id, notes in every.items()
            if NEVER < notes.interrupt_ns <= now_ns and (turn := self.turns[turn_id]).kind.interruption
        ]
        for turn, notes, template in due:
            notes.interrupt_ns, notes.interrupted_ns = NEVER, now_ns
            turn.metrics.count("turns.interrupted")
            self._send_template(template, now_ns, more={"turn.id": turn.id, "turn.number": turn.seq})

    def _may_keep(self, heard: Heard, turn: Turn | None, turn_id: Any) -> bool:
        """Whether values of an event are ours to keep: it is of a turn in flight, of none, or ignored."""
        ignored = bool(heard.flags & IGNORE)
        # The user that an ignored event names need not be ours, whatever turn it names.
        if self._is_another_users(heard, None if ignored else turn, turn_id):
            return False
        return ignored or turn is not None or turn_id is None

    def _enter(self, turn: Turn, flags: int, payload: bytes, at_ns: int, *, at_end: bool) -> None:
        if turn.read != self._read:
            self._first_of_read(turn, at_ns)
        if turn.frames is not None:
            turn.frames.append(payload[:MAX_FRAME_BYTES])
        if self.protocol.ages is not None:
            self._take_age(self.protocol.ages, payload, at_ns, turn.metrics, turn.sent_ns)
        self._apply_flags(turn, flags, at_ns, at_end)

    def _take_age(
        self, ages: EventAges, payload: bytes, at_ns: int, metrics: PhaseMetrics, asked_ns: int = NEVER
    ) -> None:
        """The age of an event that carries a time; ``asked_ns``: when the message it answers was sent."""
        ages.take(self.protocol.object_in(payload), at_ns, metrics, asked_ns)

    # ------------------------------------------------------------------ events of no turn in flight

    def _is_other_user(self, mark: Any, turn: Turn | None) -> bool:
        """Whether the user that an event names is not ours; an event that answers us gives our mark."""
        if self.user_mark is None:
            if turn is not None:
                self.user_mark = mark
                self._count_unmarked()
            return False
        if mark != self.user_mark and str(mark) == str(self.user_mark):
            self.user_mark = mark
        return bool(mark != self.user_mark)

    def _count_unmarked(self) -> None:
        """The first mark came: no event of a turn had one before, which the hot loop does not count."""
        for turn in (*self.turns.values(), *(turn for _, turn in self._recent_turns.waiting.values())):
            turn.unmarked = turn.received

    def _is_another_users(self, heard: Heard, turn: Turn | None, turn_id: Any) -> bool:
        """Whether an event is another user's, by the user that it names or by what the id of its turn says.

        An id that is only in flight elsewhere says nothing here: a target may number its own requests alike.
        """
        if self._names_other_user(heard, turn):
            return True
        owner = self.protocol.owner_of(turn_id)
        return owner is not None and owner != self.user

    def _is_other_users_turn(self, turn_id: Any) -> bool:
        """Whether an id is of another user's turn: by what the id says, else by the turns of this process."""
        owner = self.protocol.owner_of(turn_id)
        if owner is not None:
            return owner != self.user
        return self.recorder.owned_elsewhere(turn_id, self.user)

    def _receive_without_turn(self, heard: Heard, turn_id: Any, payload: bytes, at_ns: int) -> None:
        """An event that belongs to no turn in flight here: it is counted once, and kept as evidence."""
        metrics = self.recorder.metrics
        found = self._recent_turns.receive(turn_id, heard.sequence, heard.word)
        if heard.flags & (FAIL | REFUSE) and self._is_stray(found, turn_id):
            metrics.count("events.stray_errors")
        if found is AfterEnd.LATE:
            self._count_late(heard, turn_id, payload)
        elif found is AfterEnd.DUPLICATE:
            metrics.events_duplicate += 1
            self._show("duplicate", payload)
        elif found is AfterEnd.RESUMED:
            metrics.count("events.resumed")
            if heard.flags & (END | FAIL | REFUSE):
                metrics.count("turns.resumed")
        elif found is AfterEnd.ENTERED:
            waiting = self._recent_turns.waiting[turn_id][1]
            if not waiting.missing:
                self._close_ledger(waiting, at_ns)
        elif turn_id is not None and self._is_other_users_turn(turn_id):
            self._count_other_users(turn_id, payload, at_ns)
        elif self._pushed is not None:
            self._pushed.receive(self._read, at_ns, metrics)
            if self.protocol.ages is not None:
                self._take_age(self.protocol.ages, payload, at_ns, metrics)
        else:
            if self.protocol.by_order:
                self._count_beyond_order(heard, payload)
            self._count_unmatched(payload)

    def _count_late(self, heard: Heard, turn_id: Any, payload: bytes) -> None:
        """An event of a turn that has ended; the few that end one that had failed are told apart."""
        metrics = self.recorder.metrics
        metrics.events_late += 1
        if self._recent_turns.ends_failed(turn_id):
            metrics.count("events.after_failure")
        self._count_said_again(heard, turn_id, payload)
        self._show("late", payload)

    def _count_said_again(self, heard: Heard, turn_id: Any, payload: bytes) -> None:
        """Count a late event that contradicts that its turn is complete.

        It ends a turn once more, or is one more than `count` says, by the rules of the turn's kind: what ends
        another kind may follow.
        """
        kind = self._recent_turns.complete_kind(turn_id)
        if kind is None:
            return
        flags = self._flags_by_kind(kind, heard, payload)
        if flags & ENDS:
            self.recorder.metrics.count("turns.ended_again")
        elif flags & (COUNT | TALLY):
            self.recorder.metrics.count("events.beyond_count")

    def _count_beyond_order(self, heard: Heard, payload: bytes) -> None:
        """Count an event that could end a turn and came, by order, when none was left to end.

        After a turn that was complete it contradicts that; it may answer an earlier one that timed out.
        """
        kind = None if self._overdue_answers > 0 else self._recent_turns.last_complete_kind()
        if kind is None:
            return
        flags = self._flags_by_kind(kind, heard, payload)
        if flags & ENDS:
            self.recorder.metrics.count("turns.ends_unasked")
        elif flags & (COUNT | TALLY):
            self.recorder.metrics.count("events.beyond_count")

    def _flags_by_kind(self, kind: CompiledTurn, heard: Heard, payload: bytes) -> int:
        """What an event means by the rules of a kind of turn, where there are several."""
        if not self.protocol.kinds:
            return heard.flags
        whole = self.protocol.hear_any(payload)
        return kind.decide_whole(whole.found, whole.kind)[0]

    def _is_stray(self, found: AfterEnd, turn_id: Any) -> bool:
        """Whether an error failed no turn: it names none of ours, or one that is complete already.

        One of a turn that failed before says nothing new, nor may one that answers a turn that timed out.
        """
        if found is AfterEnd.LATE:
            return self._recent_turns.complete_kind(turn_id) is not None
        if found is not AfterEnd.UNKNOWN or self._overdue_answers > 0:
            return False
        return turn_id is None or not self._is_other_users_turn(turn_id)

    def _count_unmatched(self, payload: bytes) -> None:
        """An event of no turn; without ids, it may be the overdue answer to a turn that timed out."""
        metrics = self.recorder.metrics
        metrics.events_unmatched += 1
        self._show("unmatched", payload)
        if not self.protocol.by_order and metrics.events_unmatched <= MAX_UNMATCHED_LABELED:
            keys = self._keys_of(payload)
            metrics.count(f"events.unmatched_with.{keys}")
        if self._overdue_answers and self.protocol.rules.count:
            self._overdue_answers -= 1

    def _count_other_users(self, turn_id: Any, payload: bytes, at_ns: int) -> None:
        """An event of another user: for all of an audience that we are of, or foreign."""
        if self.protocol.is_delivery(turn_id, self.user):
            self.recorder.metrics.count("events.delivered")
            if self.protocol.ages is not None:
                self._take_age(self.protocol.ages, payload, at_ns, self.recorder.metrics)
            if self.protocol.deliveries is not None:
                self.protocol.deliveries.arrived(turn_id, self.user, at_ns)
            return
        self.recorder.metrics.events_foreign += 1
        self._show("foreign", payload)

    def _count_malformed(self, payload: bytes) -> None:
        self.recorder.metrics.events_malformed += 1
        self._show("malformed", payload)


def _first_that_fits(beats: tuple[Heartbeat, ...], heard: Heard) -> Heartbeat | None:
    return next((beat for beat in beats if beat.on.fits(heard)), None)
