"""One turn under way: the steps of its script, each performed at its instant, and counted."""

from __future__ import annotations

import asyncio

from loadtest.simulator.connection import ServerClose, SimulatedConnection, Talk
from loadtest.simulator.events import Marks
from loadtest.simulator.script import Act, ScriptStep


class Playback:
    """One turn under way: its steps are performed when they are due."""

    __slots__ = ("_began", "_handle", "_index", "_steps", "_talk", "marks", "turn_id")

    def __init__(self, talk: TurnTalk, turn_id: str, marks: Marks, steps: list[ScriptStep]) -> None:
        self.turn_id = turn_id
        self.marks = marks
        self._talk = talk
        self._steps = steps
        self._index = 0
        self._began = talk.loop.time()
        self._handle: asyncio.TimerHandle | None = None

    def play(self, elapsed_ns: float = 0) -> None:
        """Perform every step due by ``elapsed_ns``, then come back for the rest when that is due."""
        steps, talk = self._steps, self._talk
        while self._index < len(steps) and steps[self._index].at_ns <= elapsed_ns and talk.connection.speaks:
            self._index += 1
            talk.perform(self, steps[self._index - 1])
        if not talk.connection.speaks:
            return
        if self._index == len(steps):
            talk.finish(self, steps[-1].fault)
        else:
            self._handle = talk.loop.call_at(self._began + steps[self._index].at_ns / 1e9, self._wake)

    def _wake(self) -> None:
        self.play(max(self._steps[self._index].at_ns, (self._talk.loop.time() - self._began) * 1e9))
        self._talk.connection.flush()

    def cancel(self) -> None:
        """Nothing more of it is performed."""
        if self._handle is not None:
            self._handle.cancel()


class TurnTalk(Talk):
    """What every path shares: turns that are answered by a script of events."""

    def __init__(self, connection: SimulatedConnection) -> None:
        self.connection = connection
        self.simulation = connection.simulation
        self.counters = connection.counters
        self.faults = connection.simulation.faults
        self.loop = connection.loop
        self._playing: set[Playback] = set()

    def send_event(self, payload: bytes, *, text: bool = True) -> None:
        """Say one event of a turn."""
        self.counters.events += 1
        self.counters.sent += 1
        self.connection.say(payload, text=text)

    def send_other(self, payload: bytes) -> None:
        """Say something that is no event of a turn."""
        self.counters.sent += 1
        self.connection.say(payload)

    def play(self, playback: Playback) -> None:
        """Begin a turn."""
        self._playing.add(playback)
        self.counters.in_flight += 1
        playback.play()

    def finish(self, playback: Playback, fault: str) -> None:
        """The turn had its last step, which was done for ``fault`` or as it should be."""
        self._playing.discard(playback)
        self.counters.in_flight -= 1
        if fault == "blackhole":
            self.counters.unanswered += 1
        else:
            self.counters.completed += 1

    def cut(self, playback: Playback) -> None:
        """The turn is where the connection ends."""
        self._playing.discard(playback)
        self.counters.in_flight -= 1
        self.counters.cut += 1
        code = self.faults.cut.number if self.faults.cut else 1011
        self.connection.end(ServerClose(code, "cut in mid-turn"))

    def left(self) -> None:
        """The connection is gone: the turns under way stay unfinished."""
        for playback in self._playing:
            playback.cancel()
        self.counters.in_flight -= len(self._playing)
        self.counters.left += len(self._playing)
        self._playing.clear()

    def perform(self, playback: Playback, step: ScriptStep) -> None:
        """Do one step of a turn."""
        if step.fault:
            self.counters.count_fault(step.fault, playback.turn_id, step.seq, step.kind)
        if step.act is Act.CLOSE:
            self.cut(playback)
        elif step.act is not Act.MARK:
            self.send_step(playback, step)

    def send_step(self, playback: Playback, step: ScriptStep) -> None:
        """Send what a step says; each path has its own texts."""
        raise NotImplementedError
