"""A session that says of every message what it was taken for, and by which rules of the protocol.

It decides nothing itself: it looks at what a session counted, and at its turns, before a message and after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from loadtest.speak.chunk_stream import Payload
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.match_rule import UNTIL_READY, MatchRule
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.session import CLOSED, Session, SessionState
from loadtest.speak.turn import NEVER, Outcome, Turn
from loadtest.speak.upload import Upload

MEASURED = 1
"""The phase of the run that everything is counted in."""

ASIDE: dict[str, str] = {
    "events_heartbeat": "heartbeat",
    "events_malformed": "malformed",
    "events_foreign": "foreign",
    "events.delivered": "delivery",
    "events_late": "late",
    "events_duplicate": "duplicate",
    "events.resumed": "resumed",
    "events_unmatched": "unmatched",
    "events.ignored": "ignored",
    "events.answered": "request",
    "events.awaited": "awaited",
}
"""What a message was taken for, by the counter that rises with it."""

EVENT, FIRST, END, FAILED, REFUSED = "event", "first", "end", "failed", "refused"
BEFORE_READY, MESSAGE, SENT = "before ready", "message", "sent"

_ENDS = {Outcome.COMPLETE: END, Outcome.FAILED: FAILED, Outcome.REFUSED: REFUSED}


class ObservedFrame(NamedTuple):
    """A message, what it was ``taken`` for, the ``rules`` that it fits, and the id of its turn ("": none).

    ``is_message`` is False of a control frame, which has words and no payload. ``as_it_is``: we send the
    payload in a frame as it is, whatever the protocol says of frames.
    """

    at_ns: int
    inward: bool
    payload: bytes
    taken: tuple[str, ...]
    rules: tuple[str, ...] = ()
    turn_id: str = ""
    is_message: bool = True
    as_it_is: bool = False


class SessionTally:
    """A ``SessionRecorder`` that counts what one observed session does; ``ended`` are its turns."""

    def __init__(self) -> None:
        self.metrics = PhaseMetrics(MEASURED)
        self.turns: list[Turn] = []

    def metrics_at(self, intended_ns: int, kind: str = "") -> PhaseMetrics:  # noqa: ARG002 - of a recorder
        """The one record there is."""
        return self.metrics

    def metrics_in(self, phase: int) -> PhaseMetrics:  # noqa: ARG002 - of a recorder
        """The one record there is."""
        return self.metrics

    def ended(self, turn: Turn) -> None:
        """A turn has ended and its ledger is closed."""
        self.turns.append(turn)

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:  # noqa: ARG002 - as above
        """There is no other user."""
        return False

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        """Every message is shown anyway."""

    def counted(self) -> tuple[int, ...]:
        """The counters of ``ASIDE``, in its order."""
        metrics = self.metrics
        return tuple(metrics.other.get(name, 0) if "." in name else getattr(metrics, name) for name in ASIDE)


class _Before(NamedTuple):
    """How things stood before a message."""

    state: SessionState
    step: int
    counted: tuple[int, ...]
    turns: tuple[tuple[Turn, int, int, Outcome | None], ...]


class ObservedSession(Session):
    """A session whose every message is given to ``on_frame``, in the order in which they came and went.

    A text that the session says is observed at the instant of what made it say so; the message of a turn when
    it is sent.
    """

    __slots__ = ("_now_ns", "_on_frame", "_payloads", "_rules", "_said", "_tally")

    def __init__(
        self,
        protocol: CompiledProtocol,
        tally: SessionTally,
        user: int,
        values: Mapping[str, Any],
        *,
        rules: Sequence[MatchRule],
        on_frame: Callable[[ObservedFrame], None],
    ) -> None:
        super().__init__(protocol, tally, user, values)
        self._tally = tally
        self._rules = rules
        self._on_frame = on_frame
        self._now_ns = 0
        # Messages of turns that are not sent yet.
        self._payloads: dict[str, deque[Payload]] = {}
        # What is said while a message is taken: it is told after that message.
        self._said: list[ObservedFrame] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that it kept and whose names sound like secrets."""
        return () if self._secrets is None else self._secrets.texts

    @override
    def upgraded(self, now_ns: int) -> None:
        self._now_ns = now_ns
        super().upgraded(now_ns)

    @override
    def tick(self, now_ns: int) -> None:
        self._now_ns = now_ns
        super().tick(now_ns)

    @override
    def begin(
        self,
        seq: int,
        position: int,
        intended_ns: int,
        row: Mapping[str, Any],
        kind_name: str = "",
        written: str | bytes | None = None,
    ) -> tuple[Turn, Payload]:
        turn, payload = super().begin(seq, position, intended_ns, row, kind_name, written)
        # Further messages may stand there already.
        self._payloads.setdefault(turn.id, deque()).appendleft(payload)
        return turn, payload

    @override
    def _say_messages(self, upload: Upload, now_ns: int = NEVER) -> None:
        known = len(self.outbox or ())
        super()._say_messages(upload, now_ns)
        added = (self.outbox or [])[known:]
        later = [each[1] for each in added if not isinstance(each, str)]
        self._payloads.setdefault(upload.turn.id, deque()).extend(later)

    @override
    def sent(self, turn: Turn, at_ns: int) -> None:
        super().sent(turn, at_ns)
        payload = self._payloads[turn.id].popleft()
        frame = ObservedFrame(at_ns, False, bytes(payload), (MESSAGE,), (), turn.id)
        self._on_frame(frame._replace(as_it_is=isinstance(payload, memoryview)))

    @override
    def say(self, text: str) -> None:
        super().say(text)
        frame = ObservedFrame(self._now_ns, False, text.encode("utf-8", "surrogateescape"), (SENT,))
        if self._said is None:
            self._on_frame(frame)
        else:
            self._said.append(frame)

    def pass_pauses_of(self, turn: Turn, at_ns: int) -> str:
        """End the pauses before a turn's next message, which need not last; what it waits for, or ""."""
        upload = (self._uploads or {}).get(turn.id)
        while upload is not None and upload.until_ns != NEVER:
            if upload.awaited is not None:
                return upload.awaited.words
            upload.pass_step(at_ns)
            self._say_messages(upload)
        return ""

    @override
    def receive(self, payloads: list[bytes], at_ns: int, together: int = 1) -> None:
        for payload in payloads:
            if self.state is not CLOSED:
                self._receive_one(payload, at_ns)

    def _receive_one(self, payload: bytes, at_ns: int) -> None:
        self._now_ns = at_ns
        before = self._before()
        said: list[ObservedFrame] = []
        self._said = said
        try:
            super().receive([payload], at_ns)
        finally:
            self._said = None
            taken, turn = self._taken(before)
            kind = "" if turn is None else turn.kind.name
            rules = self._fitting(payload, before.state, kind)
            turn_id = "" if turn is None else turn.id
            self._on_frame(ObservedFrame(at_ns, True, payload, taken, rules, turn_id))
            for frame in said:
                self._on_frame(frame)

    def _before(self) -> _Before:
        turns = (*self.turns.values(), *(turn for _, turn in self._recent_turns.waiting.values()))
        known = tuple((turn, turn.received, turn.first_ns, turn.outcome) for turn in turns)
        return _Before(self.state, self._ready_step, self._tally.counted(), known)

    def _taken(self, before: _Before) -> tuple[tuple[str, ...], Turn | None]:
        """What the message was taken for, and its turn."""
        now = self._tally.counted()
        counted = [
            word for word, old, new in zip(ASIDE.values(), before.counted, now, strict=True) if old != new
        ]
        if before.state is SessionState.READYING:
            return self._taken_until_ready(before, counted), None
        for turn, received, first_ns, outcome in before.turns:
            if turn.received != received or turn.outcome is not outcome:
                words = _of_turn(turn, first=turn.first_ns != first_ns, ended=turn.outcome is not outcome)
                return (*counted, *words), turn
        return tuple(counted) or (EVENT,), None

    def _taken_until_ready(self, before: _Before, counted: list[str]) -> tuple[str, ...]:
        if self.state is CLOSED:
            return (REFUSED,)
        if self._ready_step > before.step:
            return (f"ready step {before.step + 1}",)
        return tuple(counted) or (BEFORE_READY,)

    def _fitting(self, payload: bytes, state: SessionState, kind: str) -> tuple[str, ...]:
        """The rules that the message fits, of those that could decide about it."""
        heard = self.protocol.hear_any(payload)
        readying = state is SessionState.READYING
        return tuple(
            str(rule)
            for rule in self._rules
            if (readying or rule.key not in UNTIL_READY) and rule.is_of(kind) and rule.fits(heard)
        )


def _of_turn(turn: Turn, *, first: bool, ended: bool) -> tuple[str, ...]:
    """What an event was for its turn."""
    words = [FIRST] if first else []
    if ended and turn.outcome is Outcome.FAILED and turn.reason != "event":
        # By its events it ended well, but it breaks a rule about all of them.
        words += [END, f"{FAILED} by `{turn.reason}`"]
    elif ended and turn.outcome in _ENDS:
        words.append(_ENDS[turn.outcome])
    return tuple(words) or (EVENT,)
