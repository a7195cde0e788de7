"""One connection and one turn, of which every frame is observed: for ``loadtest try``.

The connection, the session and the poller are those of a run; only what is looked at is more.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gevent.event import Event
from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.context import Context, ShardAssignment
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.poller import make_poller
from loadtest.drive.transport import Transport
from loadtest.measure.clock import Clock
from loadtest.plan.scenario import Chaos, Scenario, Traffic
from loadtest.speak.close_codes import NO_CLOSE_FRAME, NO_CODE, NORMAL, WITHOUT_ERROR
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.frames import FrameParser
from loadtest.speak.match_rule import match_rules
from loadtest.speak.observed_session import ObservedFrame, ObservedSession, SessionTally
from loadtest.speak.turn import Outcome, Turn
from loadtest.speak.upgrade import Upgrade
from loadtest.units import NS_PER_S

LINGER_NS = 300_000_000
"""How long after the end of its turn a trial goes on listening: what comes then was taken for no answer."""

AGREED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

MAX_FRAMES = 1_000
MAX_BYTES = 16 << 20


class PreparedStep(NamedTuple):
    """A step of ``[[prepare]]`` that was done: its name, the instant of its answer, and how long it took."""

    name: str
    at_ns: int
    took_ns: int


@dataclass(slots=True)
class Trial:
    """What one connection and one turn brought.

    ``frames`` are in the order in which they went and came, control frames among them, with instants of the
    run's clock. ``prepared`` are the steps by HTTP that were done before.
    ``request`` is the first line of the upgrade, "" where none was sent, ``answer`` what the target
    answered to it, or to a step before it: of a refusal with the beginning of the body.
    ``refusal`` is set where the connection never got ready, ``turn`` where a turn was begun. ``stopped`` says
    why it ended early. ``close`` says how the target ended the connection, if it did, ``broken_off`` that it
    was no usual end. ``secrets`` are the values kept of what came whose names sound like secrets: nothing
    here is without them.
    """

    started_ns: int
    request: str
    frames: list[ObservedFrame] = field(default_factory=list)
    answer: bytes = b""
    answered_ns: int | None = None
    refusal: ConnectRefusal | None = None
    turn: Turn | None = None
    stopped: str = ""
    close: str = ""
    broken_off: bool = False
    secrets: tuple[str, ...] = ()
    prepared: list[PreparedStep] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the turn ended well."""
        return self.turn is not None and self.turn.outcome is Outcome.COMPLETE


class TrialConnection(Connection):
    """A connection whose every frame goes into a trial."""

    __slots__ = ("_bytes", "_closed_by_us", "_trial", "observed")

    def __init__(self, context: Context, values: dict[str, Any], trial: Trial) -> None:
        tally = SessionTally()
        super().__init__(context, 0, values, tally)
        self._trial = trial
        self._bytes = 0
        self._closed_by_us = False
        rules = match_rules(context.assignment.scenario.protocol)
        self.session = self.observed = ObservedSession(
            context.compiled_protocol, tally, 0, values, rules=rules, on_frame=self._take
        )
        self.session.listener = self

    def _take(self, frame: ObservedFrame) -> None:
        """Note a frame; more of them than anybody reads end the trial."""
        trial = self._trial
        self._bytes += len(frame.payload)
        if len(trial.frames) >= MAX_FRAMES:
            self._stop(f"more than {MAX_FRAMES:,} frames were sent and received")
        elif self._bytes > MAX_BYTES:
            self._stop(f"more than {MAX_BYTES >> 20} MiB were sent and received")
        else:
            trial.frames.append(frame)

    def _stop(self, why: str) -> None:
        if not self._trial.stopped:
            self._trial.stopped = why
            self.context.poller.timers.add(self.context.now(), lambda _due: self.close())

    def _note(self, at_ns: int, words: str, *, inward: bool) -> None:
        self._take(ObservedFrame(at_ns, inward, b"", (words,), is_message=False))

    def _ended_by_target(self, words: str, *, broken_off: bool) -> None:
        """The connection is over; an answer to a close of ours is no end by the target."""
        if not self._closed_by_us:
            self._trial.close, self._trial.broken_off = words, broken_off

    @override
    def upgraded(self, transport: Transport, upgrade: Upgrade, at_ns: int) -> None:
        self._trial.answer = AGREED
        self._trial.answered_ns = at_ns
        super().upgraded(transport, upgrade, at_ns)

    @override
    def refused(self, refusal: ConnectRefusal) -> None:
        self._trial.refusal = refusal
        self._trial.answer = self._trial.answer or refusal.answer
        super().refused(refusal)

    @override
    def not_opened(self, limit: str) -> None:
        super().not_opened(limit)
        self._trial.refusal = self.refusal

    @override
    def _handle_control_frames(self, parser: FrameParser, at_ns: int) -> None:
        if parser.closed:
            reason = f": {parser.close_reason}" if parser.close_reason else ""
            broken = f", {parser.broken}" if parser.broken else ""
            code = (
                "without a code" if parser.close_code in {NO_CODE, NO_CLOSE_FRAME} else str(parser.close_code)
            )
            words = f"close {code}{reason}{broken}"
            self._note(at_ns, words, inward=True)
            self._ended_by_target(words, broken_off=bool(broken) or parser.close_code not in WITHOUT_ERROR)
        else:
            for _ in parser.replies:
                self._note(at_ns, "ping, answered", inward=True)
        for _ in parser.pongs:
            self._note(at_ns, "pong", inward=True)
        super()._handle_control_frames(parser, at_ns)

    @override
    def close(self) -> None:
        if self.state is ConnectionState.UPGRADED:
            self._note(self.context.now(), f"close {NORMAL}", inward=False)
        self._closed_by_us = True
        super().close()

    @override
    def _lost(self, code: int) -> None:
        if self._parser is not None and not self._parser.closed:
            words = "connection lost, without a close frame"
            self._note(self.context.now(), words, inward=True)
            self._ended_by_target(words, broken_off=True)
        super()._lost(code)


def try_turn(
    scenario: Scenario, endpoint: Endpoint, learn: Callable[[list[str]], None] | None = None
) -> Trial:
    """Open one connection, send one turn, and return what came and went.

    It is over when the turn has ended, by the timeout of the scenario at the latest, and a moment has passed
    in which more may come. The instants of ``Trial.frames`` are of one clock with ``started_ns``.
    ``learn`` is given secrets that come up before the connection.
    """
    clock = Clock(wall=sys.platform == "linux")
    run_id = f"try-{secrets.token_hex(4)}"
    context = Context(ShardAssignment(run_id, _alone(scenario), endpoint, range(1)), clock, make_poller)
    trial = Trial(clock.now(), f"GET {endpoint.path} HTTP/1.1")
    done = Event()
    crashes: list[Exception] = []

    def crashed(error: Exception) -> None:
        crashes.append(error)
        done.set()

    context.on_secrets = learn
    context.begin(trial.started_ns)
    context.poller.on_crash = crashed
    values = context.user_values(0)
    try:
        if context.before is not None:
            context.before.on_done = lambda *step: trial.prepared.append(PreparedStep(*step))
            context.before.run(0, values)
        _connect(context, trial, values, done.set)
        context.poller.start()
        context.poller.wake()
        done.wait()
    except ConnectRefusal as refusal:
        # Before any upgrade.
        trial.refusal, trial.answer, trial.request = refusal, refusal.answer, ""
    finally:
        context.poller.stop()
        if context.before is not None:
            context.before.undo(0, values)
            context.before.close()
    if crashes:
        raise crashes[0]
    return trial


def _alone(scenario: Scenario) -> Scenario:
    """The scenario of one user who sends one turn, and breaks nothing on purpose."""
    load = replace(scenario.load, connections=1, stages=(), warmup_ns=0, reconnect=None)
    traffic = replace(
        scenario.traffic or Traffic(every_ns=NS_PER_S), burst=1, turns=1, ping_ns=None, rate=None
    )
    traffic = replace(traffic, every_ns=traffic.every_ns or NS_PER_S)
    return replace(scenario, load=load, traffic=traffic, chaos=Chaos())


def _connect(context: Context, trial: Trial, values: dict[str, Any], over: Callable[[], None]) -> None:
    """Have the one connection opened; ``over`` is called when it has ended."""
    connection = TrialConnection(context, values, trial)
    timers = context.poller.timers

    def ready(_connection: Connection) -> None:
        trial.turn = connection.begin(0, 0, context.now(), context.row(0))
        # A turn without an end would go on for ever.
        timers.add(context.now() + context.longest_turn_ns + LINGER_NS, lambda _due: connection.close())

    def ended(_turn: Turn) -> None:
        timers.add(context.now() + LINGER_NS, lambda _due: connection.close())

    def closed(_connection: Connection) -> None:
        trial.secrets = connection.observed.secrets
        over()

    connection.on_ready = ready
    connection.on_turn = ended
    connection.on_closed = closed
    timers.add(context.now(), lambda _due: connection.connect())
