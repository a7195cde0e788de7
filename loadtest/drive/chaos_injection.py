"""What goes wrong on purpose at the client; what, when and for whom was decided by the plan (``plan.chaos``).

Connections are cut as by a network, users leave in mid-turn, messages are broken, users read slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.context import Context
from loadtest.drive.poller import READ, WRITE
from loadtest.measure.interval import PHASES, Interval, add_counters, add_histograms
from loadtest.measure.recorder import PhaseRecord, Recorder
from loadtest.plan.chaos import Broken, broken_before, broken_message, cut_users, is_left
from loadtest.speak.close_codes import GOING_AWAY, NO_CLOSE_FRAME
from loadtest.speak.turn import Outcome, Turn
from loadtest.units import NS_PER_S

_UNFINISHED = frozenset({None, Outcome.LOST, Outcome.ABANDONED})

SLOW_TAG = "slow:"
"""Prefix of each metric of the users who read slowly."""

CAUSED_BY_US = (
    "events.coalesced",
    "events.late",
    "events.after_failure",
    "turns.first_coalesced",
    "turns.end_coalesced",
    "turns.slow_send",
)
"""Counters that say how these users read or write and nothing of the target: only counted apart."""

ALSO_APART = (
    "turns.begun",
    "turns.complete",
    "turns.failed",
    "turns.timed_out",
    "turns.lost",
    "turns.refused",
    "turns.no_first_event",
)
"""Counters of these users that are also counted apart, so that those of all others can be computed."""


class ChaosInjection:
    """The chaos of one shard: it makes the connections, and cuts them when it is time.

    ``connections`` gives the current connection of each user. ``slow_recorder`` records the users who read
    slowly, ``bytes_per_s`` is how fast they read; ``broken`` are the broken messages.
    """

    def __init__(self, context: Context, connections: Callable[[], Iterable[Connection]]) -> None:
        chaos = context.chaos
        self.context = context
        self.slow_recorder = SlowReaderRecorder(context.recorder)
        self.bytes_per_s = chaos.slow_readers.bytes_per_s if chaos.slow_readers else 0
        protocol = context.compiled_protocol
        message = next(iter(protocol.kinds.values()), protocol.plain).template.text
        self.broken = {kind: broken_message(kind, message) for kind in Broken}
        self._connections = connections
        self._cuts = 0
        if chaos.cut is not None:
            context.poller.timers.add(context.start_ns + chaos.cut.at_ns, self._cut)

    def new_connection(self, user: int, values: dict[str, Any]) -> ChaosConnection:
        """A connection of a user, not opened yet."""
        return ChaosConnection(self, user, values, slow=user in self.context.slow)

    def _cut(self, due_ns: int) -> None:
        """Cut the connections whose turn it is; one that is not ready cannot be cut."""
        context, cut = self.context, self.context.chaos.cut
        if cut is None or context.finishing:
            return
        users = cut_users(context.chaos, context.seed, context.planned_users, self._cuts)
        self._cuts += 1
        for connection in list(self._connections()):
            if connection.user - context.assignment.first in users and isinstance(
                connection, ChaosConnection
            ):
                connection.cut()
        if cut.every_ns is not None:
            context.poller.timers.add(due_ns + cut.every_ns, self._cut)


class ChaosConnection(Connection):
    """A connection that can be cut, whose user may leave in mid-turn and may send broken messages.

    ``slow``: once it is ready, the user reads no more than ``ChaosInjection.bytes_per_s``. Such a user is
    never pinged: its pongs would lie unread because of us, and look like a dead peer. Nor does it miss the
    answer to a heartbeat.
    """

    __slots__ = ("_chaos", "_leaving", "_may_read_ns", "_slow")

    def __init__(self, chaos: ChaosInjection, user: int, values: dict[str, Any], *, slow: bool) -> None:
        super().__init__(chaos.context, user, values, chaos.slow_recorder if slow else None)
        self._chaos = chaos
        self._slow = slow
        self.session.may_be_silent = slow
        self._may_read_ns = 0
        # Turns in whose middle the user leaves.
        self._leaving: list[Turn] | None = None

    def cut(self) -> None:
        """End as if the network had failed: no close frame, a reset. Turns in flight are lost."""
        if not self.is_open or self._transport is None:
            return
        self.context.recorder.metrics.count("connections.cut")
        self._transport.reset_on_close()
        self._end_session(NO_CLOSE_FRAME, by_us=False)
        self._dispose()

    # ------------------------------------------------------------------ broken messages, leaving in mid-turn

    @override
    def begin(
        self,
        seq: int,
        position: int,
        intended_ns: int,
        row: dict[str, Any],
        kind: str = "",
        written: str | bytes | None = None,
    ) -> Turn:
        context = self.context
        broken = broken_before(context.chaos, context.seed, seq)
        if broken is not None:
            context.recorder.metrics.count("chaos.malformed.sent")
            context.recorder.metrics.count(f"chaos.malformed.sent.{broken.value}")
            self.send_as_it_is(self._chaos.broken[broken])
        turn = super().begin(seq, position, intended_ns, row, kind, written)
        if is_left(context.chaos, context.seed, seq):
            self._leaving = [*(self._leaving or ()), turn]
        return turn

    @override
    def _after_events(self) -> None:
        if self._leaving is not None:
            self._leave_if_due(self._leaving)
        super()._after_events()

    def _leave_if_due(self, turns: list[Turn]) -> None:
        """Leave in the middle of a turn: after its first event, unless that brought its end as well."""
        self._leaving = None
        waiting = [turn for turn in turns if turn.outcome is None]
        metrics = self.context.recorder.metrics
        too_late = sum(turn.outcome not in _UNFINISHED for turn in turns)
        if too_late:
            metrics.count("chaos.leavers.too_late", too_late)
        if any(turn.received for turn in waiting):
            metrics.count("chaos.leavers.left")
            self._leave()
        elif waiting:
            self._leaving = waiting

    def _leave(self) -> None:
        """As a closed browser tab: send a close frame and wait for nothing. Turns in flight are abandoned."""
        self._end_session(GOING_AWAY, by_us=True)
        self.context.recorder.metrics.connections_left += 1
        if self._parser is not None:
            self._out.append(self._parser.close(GOING_AWAY))
        self._flush_last()
        self._dispose()

    # ------------------------------------------------------------------ reading slowly

    @override
    def _on_ready(self, bits: int) -> Connection | None:
        if self._slow and bits & ~(READ | WRITE):
            # The peer is gone, and the poller would say so again and again.
            self._may_read_ns = 0
        return super()._on_ready(bits)

    @override
    def _receive(self) -> int:
        if not self._slow:
            return super()._receive()
        now_ns = self.context.now()
        if now_ns < self._may_read_ns and self.is_open:
            self._watch(0)
            return 0
        metrics = self.context.recorder.metrics
        lags = len(metrics.receive_lag)
        size = super()._receive()
        # How long these bytes lay unread is not a delay of the generator.
        del metrics.receive_lag[lags:]
        if size and self.is_open:
            self._may_read_ns = now_ns + size * NS_PER_S // self._chaos.bytes_per_s
            self._watch(0)
            self.context.poller.timers.add(self._may_read_ns, self._read_on)
        return size

    def _read_on(self, due_ns: int) -> None:
        if due_ns == self._may_read_ns:
            self._watch(READ)

    def _watch(self, bits: int) -> None:
        """Have the poller watch for reads or not; for writes as long as something is unsent."""
        transport = self._transport
        if transport is not None:
            self.context.poller.modify(transport.fd, bits | (WRITE if transport.unsent else 0))

    @override
    def close(self) -> None:
        super().close()
        if self._slow:
            self._may_read_ns = 0
            self._watch(READ)

    @override
    def _keep_alive(self, due_ns: int) -> None:
        if not self._slow:
            super()._keep_alive(due_ns)


class SlowReaderRecorder:
    """A ``SessionRecorder`` for users whom we make slow: counted with all others, their times kept apart."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._phases = tuple(PhaseRecord(index) for index in range(len(PHASES)))

    @property
    def metrics(self) -> PhaseRecord:
        """The metrics of the current phase of the run."""
        return self._phases[self._recorder.metrics.phase]

    def metrics_at(self, intended_ns: int, kind: str = "") -> PhaseRecord:  # noqa: ARG002 - no plan has both
        """The metrics of the phase in which an intended instant lies."""
        return self._phases[self._recorder.metrics_at(intended_ns).phase]

    def metrics_in(self, phase: int) -> PhaseRecord:
        """The metrics of one phase of the run."""
        return self._phases[phase]

    def ended(self, turn: Turn) -> None:
        """A turn has ended: it stands in the turn table, but not among the slowest of the run."""
        if turn.outcome is Outcome.COMPLETE:
            turn.frames = None
        self._recorder.ended(turn)

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:
        """Whether a turn id belongs to another virtual user's turn in flight."""
        return self._recorder.owned_elsewhere(turn_id, user)

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        """Keep a payload that should not have come."""
        self._recorder.evidence(kind, payload, user)

    def add_to(self, interval: Interval) -> None:
        """Add everything since the last call: counters to those of all, histograms under their own tags."""
        for phase in self._phases:
            counters = phase.take_counters()
            apart = {name: counters.pop(name) for name in CAUSED_BY_US if name in counters}
            apart |= {name: counters[name] for name in ALSO_APART if name in counters}
            counters |= {f"chaos.slow.{name}": n for name, n in apart.items()}
            if counters:
                add_counters(interval.counters, {PHASES[phase.phase]: counters})
            found = {SLOW_TAG + tag: histogram for tag, histogram in phase.take_histograms().items()}
            add_histograms(interval.histograms, found)
