"""A capture played to a protocol: what each of its messages would be taken for, and whether its turns end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from typing_extensions import override

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.names import user_values
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import templates
from loadtest.plan.template import Template
from loadtest.speak.compiled_protocol import BoundMessage, CompiledProtocol
from loadtest.speak.event_match import ABSENT, finder
from loadtest.speak.match_rule import MatchRule, match_rules
from loadtest.speak.observed_session import ObservedFrame, ObservedSession, SessionTally
from loadtest.speak.refused import Refused
from loadtest.speak.session import OPEN, SessionState
from loadtest.speak.template_match import TemplateMatch
from loadtest.speak.turn import NEVER, Outcome, Turn

NO_TIMEOUT_NS = 1 << 60
"""A turn of a capture has all the time that the capture lasts."""

NONCE = "capture"

PATHS = ("type", "turn", "user", "sequence")


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
    got ready. ``unused`` are the rules that no message fits, ``empty`` the paths of [events] at which no
    message has anything, as "turn: run_id". ``turns`` are those whose message is in the capture.
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
    return _DECIDING.get(rule.partition(":")[0], "")


class ReplayedProtocol(CompiledProtocol):
    """A protocol whose next turn has the id and the message that a capture says."""

    __slots__ = ("next_id", "next_payload")

    def __init__(self, protocol: Protocol) -> None:
        super().__init__(
            protocol,
            message=protocol.turn.message,
            nonce=NONCE,
            timeout_ns=NO_TIMEOUT_NS,
            keep_frames=False,
        )
        self.next_id: str | None = None
        self.next_payload = b""

    @override
    def turn_id(self, seq: int, values: Mapping[str, Any], intended_ns: int) -> str:
        return super().turn_id(seq, values, intended_ns) if self.next_id is None else self.next_id

    @override
    def payload(self, bound: BoundMessage, turn_id: str, seq: int, row: Mapping[str, Any]) -> bytes:
        return self.next_payload


class _Player:
    """Plays one capture to one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.replay = Replay()
        self._protocol = protocol
        self._rules = match_rules(protocol)
        self._compiled = ReplayedProtocol(protocol)
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
        self._message = TemplateMatch(Template.parse(protocol.turn.message))
        self._turn_id = Template.parse(protocol.turn.id)
        self._sends = _sends(protocol)
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
        shown = len(self.replay.frames)
        try:
            self._session.receive([frame.payload], frame.at_ns)
        except Refused as refusal:
            self.replay.not_ready = str(refusal)
        if len(self.replay.frames) == shown:
            # The session is over: the target had refused.
            self.replay.frames.append(ObservedFrame(frame.at_ns, True, frame.payload, ("after the end",)))
        for key in PATHS:
            for path in getattr(self._protocol.events, key):
                value = finder(path)(self._compiled.object_in(frame.payload))
                self._found[f"{key}: {path}"] += value is not None and value is not ABSENT

    def _send(self, frame: CapturedFrame) -> None:
        self._pass_pauses()
        text = frame.text
        values = self._message.values(text) if self._protocol.turn.message else None
        if values is not None and self._session.state is OPEN:
            self._begin(frame, values)
            return
        label = next((label for label, made in self._sends if made.values(text) is not None), "")
        early = "message before ready" if values is not None else "of no template"
        self.replay.frames.append(ObservedFrame(frame.at_ns, False, frame.payload, (label or early,)))

    def _begin(self, frame: CapturedFrame, values: dict[str, str]) -> None:
        self._compiled.next_id = self._id_of(values)
        self._compiled.next_payload = frame.payload
        turn, _ = self._session.begin(len(self._begun), 0, frame.at_ns, {})
        self._session.sent(turn, frame.at_ns)
        self._begun.append(turn)
        self._lines.append(frame.line)
        self.replay.frames.append(ObservedFrame(frame.at_ns, False, frame.payload, ("message",), (), turn.id))

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


def _sends(protocol: Protocol) -> list[tuple[str, TemplateMatch]]:
    """What is sent beside the messages of turns, each with what it is."""
    connect = protocol.connect
    steps = [(f"ready step {at}", step.send) for at, step in enumerate(connect.ready, 1)]
    beats = [("heartbeat answered", beat.send) for beat in connect.answered]
    beats += [("heartbeat", beat.send) for beat in connect.timed]
    answers = [("request answered", beat.send) for beat in protocol.events.answer]
    return [
        (label, TemplateMatch(Template.parse(text)))
        for label, text in (*steps, *beats, *answers)
        if text is not None
    ]


def replay(protocol: Protocol, frames: Iterable[CapturedFrame]) -> Replay:
    """Play a capture, of at least one frame, to a protocol."""
    return _Player(protocol).play(tuple(frames))
