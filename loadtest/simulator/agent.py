"""``/ws``: every ``start_agent`` is answered by a stream of events, numbered from 0."""

from __future__ import annotations

import asyncio
import time

import msgspec

from loadtest.simulator import events
from loadtest.simulator.connection import Payload, ServerClose, SimulatedConnection
from loadtest.simulator.events import Id, Marks
from loadtest.simulator.playback import Playback, TurnTalk
from loadtest.simulator.script import Act, ScriptStep, make_script


class _Body(msgspec.Struct):
    """Where the marks of a turn stand: in ``payload``, or in the message itself."""

    run_id: Id | None = None
    thread_id: Id | None = None
    user_id: Id | None = None


class _Incoming(_Body):
    type: str = ""
    payload: _Body | None = None


_decode = msgspec.json.Decoder(_Incoming).decode


class AgentTalk(TurnTalk):
    """``/ws``: every ``start_agent`` is answered by a stream of events."""

    def __init__(self, connection: SimulatedConnection) -> None:
        super().__init__(connection)
        self._turns = 0
        self._first_thread: Id | None = None
        self._kinds = self.simulation.kinds
        self._beating: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """Say ``connection_established``, and begin the heartbeat where one is asked for."""
        user = self.connection.identity.user
        name = f"connection-{self.connection.number}"
        self.connection.say(events.established(name, user, self.simulation.name, time.time()))
        self._beat_later()

    def take(self, data: Payload, *, text: bool) -> None:  # noqa: ARG002 -- JSON is JSON, text or binary
        """Run a turn, answer a ping, acknowledge anything else."""
        try:
            message = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.counters.malformed += 1
            self.send_other(
                events.error("FORMAT_ERROR", "The message is not a JSON object as expected.", time.time())
            )
            return
        kind = message.type
        if kind == "start_agent":
            self._start(message)
        elif kind == "ping":
            if not self.faults.no_pong:
                self.send_other(events.beat("pong", time.time()))
        elif kind in {"pong", "heartbeat_ack"}:
            self.counters.beats_answered += 1
        else:
            self.send_other(events.acknowledgement(kind, time.time()))

    def _start(self, message: _Incoming) -> None:
        self._turns += 1
        if self.faults.ack_only:
            self.counters.count_fault("ack-only", self.connection.number, self._turns)
            self.send_other(events.acknowledgement("start_agent", time.time()))
            return
        marks = self._marks(message)
        turn_id = str(marks.run)
        if not self.simulation.claim(self.connection, str(marks.user)):
            self.connection.end(ServerClose(1011))
            return
        self.counters.begun += 1
        if not self.simulation.may_run():
            self.counters.count_fault("rate-limit", turn_id)
            self._refuse(marks, "RATE_LIMITED", "Too many turns in this second.")
        elif self.counters.in_flight >= self.simulation.options.max_turns:
            self._refuse(marks, "OVERLOADED", "Too many turns are under way.")
        elif self.faults.alters_turns:
            self.simulation.remember(marks)
            self.play(Playback(self, turn_id, marks, make_script(self.faults, turn_id, self._kinds)))
        else:
            self._answer(marks)

    def _refuse(self, marks: Marks, code: str, text: str) -> None:
        self.counters.failed += 1
        self.send_other(events.error(code, text, time.time(), marks.run))

    def _marks(self, message: _Incoming) -> Marks:
        """Whose turn it is: the credential's user, else the message's, else the connection's first thread."""
        body = message.payload or message
        run = body.run_id if body.run_id is not None else f"turn-{self.connection.number}-{self._turns}"
        thread = body.thread_id if body.thread_id is not None else f"thread-{self.connection.number}"
        user: Id | None = self.connection.identity.user
        if user is None:
            self._first_thread = thread if self._first_thread is None else self._first_thread
            user = body.user_id if body.user_id is not None else self._first_thread
        return Marks(run, user, thread)

    def _answer(self, marks: Marks) -> None:
        """The honest turn, whole and at once. Hot."""
        now = time.time()
        numbered = not self.faults.no_seq
        for seq, kind in enumerate(self._kinds):
            self.connection.say(events.render(kind, marks, seq if numbered else None, now))
        self.counters.events += len(self._kinds)
        self.counters.sent += len(self._kinds)
        self.counters.completed += 1

    def send_step(self, playback: Playback, step: ScriptStep) -> None:
        """One event, or what a fault makes of it."""
        seq = None if self.faults.no_seq else step.seq
        if step.act is Act.FOREIGN:
            other = self.simulation.somebody_else(playback.marks)
            self.send_other(events.render(step.kind, other, seq, time.time()))
            return
        event = events.render(step.kind, playback.marks, seq, time.time())
        if step.act is Act.BROKEN:
            self.send_other(events.broken(event))
        elif step.act is Act.HUGE:
            self.send_event(events.pad(event, self.faults.huge_bytes or 0))
        else:
            self.send_event(event)

    def _beat_later(self) -> None:
        if self.simulation.options.heartbeat_ns is not None:
            self._beating = self.loop.call_later(self.simulation.options.heartbeat_ns / 1e9, self._beat)

    def _beat(self) -> None:
        if self.connection.speaks:
            self.counters.beats_sent += 1
            self.connection.say(events.beat("ping", time.time()))
            self.connection.flush()
            self._beat_later()

    def left(self) -> None:
        """The connection is gone: neither turns nor heartbeats go on."""
        super().left()
        if self._beating is not None:
            self._beating.cancel()
