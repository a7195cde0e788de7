"""A capture played to a protocol: what each of its messages would be taken for, and whether its turns end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from typing_extensions import override

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.kept_values import auto_reply_keeps, step_keeps
from loadtest.plan.match import kept_by
from loadtest.plan.named_matches import named_matches
from loadtest.plan.placeholder_names import user_values
from loadtest.plan.protocol import FIELDS, CountAt, MessageStep, Protocol, TurnShape
from loadtest.plan.protocol_file import templates
from loadtest.plan.template import Template
from loadtest.speak.compiled_protocol import BoundMessage, CompiledProtocol
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.event_match import ABSENT, finder
from loadtest.speak.match_rule import MatchRule, match_rules
from loadtest.speak.observed_session import MESSAGE, ObservedFrame, ObservedSession, SessionTally
from loadtest.speak.session import OPEN, SessionState
from loadtest.speak.template_match import TemplateMatch
from loadtest.speak.turn import NEVER, Outcome, Turn

NO_TIMEOUT_NS = 1 << 60
"""A turn of a capture has all the time that the capture lasts."""

NONCE = "capture"

CHUNK = "chunk"
"""What a chunk of a file is taken for."""

MAX_AHEAD = 256
"""Messages in which the id of a turn is looked for: as many as one may have."""

MAX_LOOKS = 500_000
MAX_ASKING = 32
"""At most so many messages are looked at for ids, and so many turns await further messages of theirs."""


def _paths(protocol: Protocol) -> list[tuple[str, str]]:
    """The paths that a protocol looks at in what comes, each with what it is for."""
    connect, events = protocol.connect, protocol.events
    found = [(key, path) for key in FIELDS for path in getattr(events, key)]
    keeps = [step_keeps(step) for step in connect.ready]
    keeps += [auto_reply_keeps(beat) for beat in (*connect.answered, *events.answer)]
    keeps += [kept_by(each.match) for each in named_matches(protocol)]
    found += [(f"keep {name}", path) for keep in keeps for name, path in keep.items()]
    found += [("adopt", adopt.id) for adopt in events.adopt]
    found += [("count", events.count.path)] if isinstance(events.count, CountAt) else []
    found += [("sent_at", events.sent_at.path)] if events.sent_at is not None else []
    return list(dict.fromkeys(found))


class ReplayedTurn(NamedTuple):
    """A turn of a capture: the line of its message, when that went, and what became of it.

    ``turn.outcome`` is ``Outcome.ABANDONED`` where it had not ended when the capture did.
    """

    line: int
    turn: Turn

    @property
    def ended(self) -> bool:
        """Whether an event of the capture ends it."""
        return self.turn.outcome is not Outcome.ABANDONED


@dataclass(slots=True)
class Replay:
    """What a protocol makes of a capture.

    ``frames`` has one for each of the capture. ``not_ready`` says what the connection waited for, if it never
    got ready. ``unused`` are the rules that no message fits, ``empty`` the paths at which no message has
    anything, as "turn: run_id". ``turns`` are those whose message is in the capture.
    """

    frames: list[ObservedFrame] = field(default_factory=list)
    turns: list[ReplayedTurn] = field(default_factory=list)
    not_ready: str = ""
    unused: list[MatchRule] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @property
    def unending(self) -> list[ReplayedTurn]:
        """The turns that do not end."""
        return [each for each in self.turns if not each.ended]

    def unmatched(self) -> list[ObservedFrame]:
        """The messages that were taken for nothing that the protocol knows."""
        return [frame for frame in self.frames if {"unmatched", "malformed", "foreign"} & set(frame.taken)]

    def contested(self) -> list[ObservedFrame]:
        """The messages that two kinds of rules claim, of which only one decides."""
        return [frame for frame in self.frames if len({_kind(rule) for rule in frame.rules} - {""}) > 1]


_DECIDING = {"fail": "fail", "refuse": "refuse", "end": "end", "end_all": "end", "ignore": "ignore"}


def _kind(rule: str) -> str:
    """What a rule decides about a turn, as "end"; "" if it decides nothing of that kind."""
    return _DECIDING.get(rule.partition(":")[0].partition("[")[0], "")


class ReplayedProtocol(CompiledProtocol):
    """A protocol whose next turn has the id and the message that a capture says."""

    __slots__ = ("next_id", "next_payload")

    def __init__(self, protocol: Protocol) -> None:
        super().__init__(
            protocol,
            message="",
            nonce=NONCE,
            timeout_ns=NO_TIMEOUT_NS,
            keep_frames=False,
            kinds=protocol.turns,
        )
        self.next_id: str | None = None
        self.next_payload = b""

    @override
    def turn_id(self, seq: int, values: Mapping[str, Any], intended_ns: int) -> str:
        return super().turn_id(seq, values, intended_ns) if self.next_id is None else self.next_id

    @override
    def payload(self, bound: BoundMessage, turn_id: str, seq: int, row: Mapping[str, Any]) -> bytes:
        return self.next_payload


def _without_streams(protocol: Protocol) -> Protocol:
    """The protocol whose turns send one text for a file: a capture need not hold it as it would be sent."""
    turns = {name: replace(kind, turn=_texts_of(kind.turn)) for name, kind in protocol.turns.items()}
    return replace(protocol, turn=_texts_of(protocol.turn), turns=turns)


def _texts_of(turn: TurnShape) -> TurnShape:
    """A turn whose files are their first chunk, and which nobody interrupts."""
    steps = [step for step in turn.messages if step.interrupt is None]
    return replace(turn, messages=tuple(map(_text_of, steps)))


def _text_of(step: MessageStep) -> MessageStep:
    return step if step.chunks is None else MessageStep(send=step.chunks.message)


class _SentMessage(NamedTuple):
    """A message of a turn; ``streams``: the first chunk of a file, whose others follow it.

    ``match`` None: chunks are binary frames.
    """

    match: TemplateMatch | None
    streams: bool = False

    @property
    def label(self) -> str:
        """What such a frame is taken for."""
        return CHUNK if self.streams else MESSAGE

    def asks(self, name: str) -> bool:
        """Whether it holds what is called so."""
        return self.match is not None and self.match.asks(name)

    def values(self, frame: CapturedFrame) -> dict[str, str] | None:
        """What a frame has for each name; None: it is not this message."""
        if self.match is None:
            return {} if frame.binary else None
        return self.match.values(frame.text)


class _Opener(NamedTuple):
    """A kind of turn by its messages, in order; ``kind`` is empty for that of [turn]."""

    kind: str
    messages: tuple[_SentMessage, ...]


def _openers(protocol: Protocol) -> list[_Opener]:
    """The kinds of turn that a message may open."""
    shapes = {name: kind.turn for name, kind in protocol.turns.items()} or {"": protocol.turn}
    return [
        _Opener(name, _said(shape)) for name, shape in shapes.items() if shape.sends and shape.send is None
    ]


def _said(shape: TurnShape) -> tuple[_SentMessage, ...]:
    """The messages of a turn; of a file, its chunks are one."""
    if not shape.messages:
        return (_SentMessage(TemplateMatch(Template.parse(shape.message))),)
    sending = [step for step in shape.messages if step.send is not None or step.chunks is not None]
    matches = [TemplateMatch(Template.parse(step.text)) if step.text else None for step in sending]
    streams = [step.chunks is not None for step in sending]
    return tuple(map(_SentMessage, matches, streams))


@dataclass(slots=True)
class _Asking:
    """A turn whose messages have not all come: those that are to come, in order.

    ``stream``: a file of which a chunk has come, and more may.
    """

    turn: Turn
    messages: list[_SentMessage]
    stream: _SentMessage | None


class _Player:
    """Plays one capture to one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.replay = Replay()
        self._protocol = protocol
        self._rules = match_rules(protocol)
        texts_only = _without_streams(protocol)
        self._compiled = ReplayedProtocol(texts_only)
        self._tally = SessionTally()
        texts = [text for _, text, _ in templates(protocol)]
        asked = {name for text in texts for name in Template.parse(text).names}
        values = {name: "" for name in asked if "." in name} | user_values(0, NONCE, ())
        self._session = ObservedSession(
            self._compiled,
            self._tally,
            0,
            {**values, "run.id": NONCE},
            rules=self._rules,
            on_frame=self._take,
        )
        self._openers = _openers(protocol)
        self._asking: list[_Asking] = []
        self._looks_left = MAX_LOOKS
        # What goes out in the capture from here on: the id of a turn may stand in a later message of it.
        self._ahead: deque[CapturedFrame] = deque()
        self._turn_id = Template.parse(protocol.turn.id)
        self._sends = _sends(protocol)
        self._paths = _paths(protocol)
        self._found: Counter[str] = Counter()
        self._lines: list[int] = []
        self._begun: list[Turn] = []

    def _take(self, frame: ObservedFrame) -> None:
        # Of what the session says itself, the capture has its own.
        if frame.inward:
            self.replay.frames.append(frame)

    def play(self, frames: Sequence[CapturedFrame]) -> Replay:
        session = self._session
        session.upgraded(frames[0].at_ns)
        self._ahead.extend(frame for frame in frames if not frame.inward)
        for frame in frames:
            session.outbox = None
            if frame.inward:
                self._hear(frame)
            else:
                self._send(frame)
        if session.state is SessionState.READYING:
            self.replay.not_ready = session.awaited()
        session.lost(frames[-1].at_ns, 0, by_us=True)
        self.replay.turns = list(map(ReplayedTurn, self._lines, self._begun))
        self._look_back()
        return self.replay

    def _pass_pauses(self) -> None:
        """Whoever made the capture need not have paused."""
        session = self._session
        while session.state is SessionState.READYING and session.wakes_ns != NEVER:
            step = self._compiled.steps[session._ready_step]
            if step.wait is not None:
                return
            session.tick(session.wakes_ns)

    def _hear(self, frame: CapturedFrame) -> None:
        self._pass_pauses()
        for asking in self._asking:
            self._session.pass_pauses_of(asking.turn, frame.at_ns)
        shown = len(self.replay.frames)
        try:
            self._session.receive([frame.payload], frame.at_ns)
        except ConnectRefusal as refusal:
            self.replay.not_ready = str(refusal)
        if len(self.replay.frames) == shown:
            # The session is over: the target had refused.
            self.replay.frames.append(ObservedFrame(frame.at_ns, True, frame.payload, ("after the end",)))
        found = self._compiled.object_in(frame.payload)
        for label, path in self._paths:
            value = finder(path)(found)
            self._found[f"{label}: {path}"] += value is not None and value is not ABSENT

    def _send(self, frame: CapturedFrame) -> None:
        self._pass_pauses()
        self._ahead.popleft()
        self._asking = [each for each in self._asking if each.turn.outcome is None][-MAX_ASKING:]
        if any(self._goes_on(asking, frame) for asking in self._asking):
            return
        opened = ((opener, opener.messages[0].values(frame)) for opener in self._openers)
        opener, values = next(((each, found) for each, found in opened if found is not None), (None, None))
        if opener is not None and values is not None and self._session.state is OPEN:
            self._begin(frame, opener, values)
            return
        label = next((label for label, made in self._sends if made.values(frame.text) is not None), "")
        early = "message before ready" if opener is not None else "of no template"
        self._show_sent(frame, label or early)

    def _show_sent(self, frame: CapturedFrame, taken: str, turn_id: str = "") -> None:
        self.replay.frames.append(ObservedFrame(frame.at_ns, False, frame.payload, (taken,), (), turn_id))

    def _begin(self, frame: CapturedFrame, opener: _Opener, values: dict[str, str]) -> None:
        self._compiled.next_id = self._id_of(values) or self._later_id(opener.messages[1:])
        self._compiled.next_payload = frame.payload
        turn, _ = self._session.begin(len(self._begun), 0, frame.at_ns, {}, opener.kind)
        self._session.sent(turn, frame.at_ns)
        self._begun.append(turn)
        self._lines.append(frame.line)
        first, *later = opener.messages
        if later or first.streams:
            self._asking.append(_Asking(turn, later, first if first.streams else None))
        self._show_sent(frame, first.label, turn.id)

    def _goes_on(self, asking: _Asking, frame: CapturedFrame) -> bool:
        """Whether a frame is the next message of a turn; one that comes before its wait is over is told."""
        turn = asking.turn
        if asking.stream is not None and _is_of(turn, asking.stream.values(frame)):
            self._show_sent(frame, CHUNK, turn.id)
            return True
        if not asking.messages or not _is_of(turn, asking.messages[0].values(frame)):
            return False
        awaited = self._session.pass_pauses_of(turn, frame.at_ns)
        if awaited:
            self._show_sent(frame, f"message before {awaited} came", turn.id)
            return True
        self._session.sent(turn, frame.at_ns)
        said = asking.messages.pop(0)
        self._show_sent(frame, said.label, turn.id)
        asking.stream = said if said.streams else None
        if not asking.messages and asking.stream is None:
            self._asking.remove(asking)
        return True

    def _later_id(self, messages: Sequence[_SentMessage]) -> str | None:
        """The id of a turn whose first message does not say it, by the next that does."""
        saying = [each for each in messages if each.asks("turn.id")]
        taken = {each.turn.id for each in self._asking}
        for frame in islice(self._ahead, min(MAX_AHEAD, self._looks_left) if saying else 0):
            self._looks_left -= 1
            values = saying[0].values(frame)
            if values is not None and values["turn.id"] not in taken:
                return values["turn.id"]
        return None

    def _id_of(self, values: dict[str, str]) -> str | None:
        """The id of the turn whose message has these values; None where the message does not say."""
        if "turn.id" in values:
            return values["turn.id"]
        if self._turn_id.names <= values.keys():
            return self._turn_id.render(values)
        return None

    def _look_back(self) -> None:
        fitted = {rule for frame in self.replay.frames for rule in frame.rules}
        self.replay.unused = [rule for rule in self._rules if str(rule) not in fitted]
        self.replay.empty = [place for place, n in self._found.items() if not n]


def _is_of(turn: Turn, values: Mapping[str, str] | None) -> bool:
    """Whether what a frame has for the names of a message is of this turn, or may be."""
    return values is not None and values.get("turn.id", turn.id) == turn.id


def _sends(protocol: Protocol) -> list[tuple[str, TemplateMatch]]:
    """What is sent beside the messages of turns, each with what it is."""
    connect = protocol.connect
    steps = [(f"ready step {at}", step.send) for at, step in enumerate(connect.ready, 1)]
    beats = [("heartbeat answered", beat.send) for beat in connect.answered]
    beats += [("heartbeat", beat.send) for beat in connect.timed]
    answers = [("request answered", beat.send) for beat in protocol.events.answer]
    leave = [] if connect.leave is None else [("leave", connect.leave.send)]
    shapes = [protocol.turn, *(kind.turn for kind in protocol.turns.values())]
    every = [step for shape in shapes for step in shape.messages]
    streams = [(CHUNK, step.text) for step in every if step.chunks is not None]
    streams += [("interruption", step.text) for step in every if step.interrupt is not None]
    return [
        (label, TemplateMatch(Template.parse(text)))
        for label, text in (*steps, *beats, *answers, *streams, *leave)
        if text is not None
    ]


def replay(protocol: Protocol, frames: Iterable[CapturedFrame]) -> Replay:
    """Play a capture, of at least one frame, to a protocol."""
    return _Player(protocol).play(tuple(frames))
