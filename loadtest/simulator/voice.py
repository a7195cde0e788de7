"""``/voice``: a voice agent. It hears a turn in chunks, thinks, and speaks until it is interrupted."""

from __future__ import annotations

import base64

import msgspec

from loadtest.simulator.connection import Payload, SimulatedConnection
from loadtest.simulator.events import COMPLETED, PARTIAL, Id, Marks, broken, encode, pad
from loadtest.simulator.playback import Playback, TurnTalk
from loadtest.simulator.script import Act, ScriptStep, make_script

THINKS_NS = 300_000_000
"""From the end of what the user says to the first sound of the answer, unless ``delay`` says another time."""

FRAMES = 50
FRAME_NS = 20_000_000
"""A second of speech, one frame every 20 ms, unless ``gap`` says another time."""

MAX_CALLS = 1_000
"""Turns of one connection that are listened to at a time; the oldest is forgotten."""

KINDS = (*[PARTIAL] * FRAMES, COMPLETED)
"""The steps of an answer by the names that faults know them by."""

_SILENCE = base64.b64encode(bytes([0xFF]) * 160).decode()
"""20 ms of G.711 mu-law, 8,000 bytes a second."""


class _UserMessage(msgspec.Struct):
    """What the user says; the sound itself is not looked at."""

    type: str = ""
    turn: Id = ""


class _Speech(msgspec.Struct, omit_defaults=True):
    type: str
    turn: Id
    audio: str
    seq: int | None = None


class _DoneEvent(msgspec.Struct, omit_defaults=True):
    type: str
    turn: Id
    heard: int
    seq: int | None = None
    reason: str = ""


_decode = msgspec.json.Decoder(_UserMessage).decode


class _HeardTurn:
    """One turn: how many chunks of it were heard, and of its answer how many frames were said."""

    __slots__ = ("heard", "playback", "said")

    def __init__(self) -> None:
        self.heard = 0
        self.said = 0
        self.playback: Playback | None = None


class VoiceTalk(TurnTalk):
    """``/voice``: hears ``audio``, answers ``commit`` by ``speech`` and ``done``, ends with ``stop``."""

    def __init__(self, connection: SimulatedConnection) -> None:
        super().__init__(connection)
        self._calls: dict[Id, _HeardTurn] = {}

    def ready(self) -> None:
        """Nothing stands at the beginning."""

    def take(self, data: Payload, *, text: bool) -> None:  # noqa: ARG002 -- JSON is JSON, text or binary
        """Hear a chunk, answer a turn, or stop speaking."""
        try:
            said = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.counters.malformed += 1
            self.send_other(b'{"type":"error","message":"not a JSON object"}')
            return
        if said.type == "audio":
            self._call(said.turn).heard += 1
        elif said.type == "commit":
            self._answer(said.turn, self._call(said.turn))
        elif said.type == "stop":
            self._stop(said.turn)

    def _call(self, turn: Id) -> _HeardTurn:
        if turn not in self._calls and len(self._calls) >= MAX_CALLS:
            self._forget(next(iter(self._calls)))
        return self._calls.setdefault(turn, _HeardTurn())

    def _forget(self, turn: Id) -> None:
        """End what is said of a turn, if anything is."""
        playback = self._calls.pop(turn).playback
        if playback is not None:
            playback.cancel()
            super().finish(playback, "")

    def _answer(self, turn: Id, call: _HeardTurn) -> None:
        if call.playback is not None:
            return
        self.counters.begun += 1
        thinks_ns = 0 if self.faults.delay else THINKS_NS
        frame_ns = 0 if self.faults.gap else FRAME_NS
        script = make_script(self.faults, str(turn), KINDS)
        # Nothing here names a user whose event could leak.
        script = [step for step in script if step.act is not Act.FOREIGN]
        steps = [step._replace(at_ns=step.at_ns + thinks_ns + step.seq * frame_ns) for step in script]
        call.playback = Playback(self, str(turn), Marks(turn, "", ""), steps)
        self.play(call.playback)

    def _stop(self, turn: Id) -> None:
        """The user interrupts: the answer ends here; before it began, or after its end, there is none."""
        call = self._calls.get(turn)
        if call is not None and call.playback is not None:
            self.send_event(
                encode(_DoneEvent("done", turn, call.heard, self._numbered(call.said), "interrupted"))
            )
            self._forget(turn)

    def _numbered(self, seq: int) -> int | None:
        return None if self.faults.no_seq else seq

    def finish(self, playback: Playback, fault: str) -> None:
        """The answer is over."""
        self._calls.pop(playback.marks.run, None)
        super().finish(playback, fault)

    def send_step(self, playback: Playback, step: ScriptStep) -> None:
        """A frame of speech, or the end."""
        turn = playback.marks.run
        call = self._calls[turn]
        call.said = step.seq + 1
        if step.kind == COMPLETED:
            event = encode(_DoneEvent("done", turn, call.heard, self._numbered(step.seq)))
        else:
            event = encode(_Speech("speech", turn, _SILENCE, self._numbered(step.seq)))
        if step.act is Act.BROKEN:
            self.send_other(broken(event))
        elif step.act is Act.HUGE:
            self.send_event(pad(event, self.faults.huge_bytes or 0))
        else:
            self.send_event(event)
