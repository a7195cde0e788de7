"""Connections that misbehave on purpose, as users and networks do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.poller import READ, WRITE
from loadtest.plan.chaos import broken_before, is_left
from loadtest.speak.frames import NO_CLOSE_FRAME
from loadtest.speak.session import Session
from loadtest.speak.turn import Outcome, Turn

if TYPE_CHECKING:
    from loadtest.drive.mischief import Mischief

NS = 1_000_000_000

_UNFINISHED = frozenset({None, Outcome.LOST, Outcome.ABANDONED})

GOING_AWAY = 1001
"""RFC 6455 section 7.4.1: the close code of a browser that navigates away."""


class UnrulyConnection(Connection):
    """A connection that can be cut, whose user may leave in mid-turn, and may send broken messages."""

    __slots__ = ("_left", "_mischief")

    def __init__(self, mischief: Mischief, number: int, values: dict[str, Any]) -> None:
        super().__init__(mischief.share, number, values)
        self._mischief = mischief
        self._left: list[Turn] | None = None

    def drop(self) -> None:
        """Be gone as if the network had failed: no close frame, a reset. Turns in flight are lost."""
        if not self.is_open or self._transport is None:
            return
        self.share.recorder.metrics.count("connections.cut")
        self._transport.reset_on_close()
        self._end_session(NO_CLOSE_FRAME, by_us=False)
        self._dispose()

    @override
    def begin(self, seq: int, position: int, intended_ns: int, row: dict[str, Any]) -> Turn:
        share = self.share
        kind = broken_before(share.chaos, share.seed, seq)
        if kind is not None:
            share.recorder.metrics.count("chaos.malformed.sent")
            share.recorder.metrics.count(f"chaos.malformed.sent.{kind.value}")
            self.say(self._mischief.broken[kind])
        turn = super().begin(seq, position, intended_ns, row)
        if is_left(share.chaos, share.seed, seq):
            self._left = [*(self._left or ()), turn]
        return turn

    @override
    def _after_events(self) -> None:
        if self._left is not None:
            self._see_whom_to_leave()
        super()._after_events()

    def _see_whom_to_leave(self) -> None:
        """Leave in the middle of a turn: after its first event, unless that brought its end as well."""
        turns, self._left = self._left or [], None
        waiting = [turn for turn in turns if turn.outcome is None]
        part = self.share.recorder.metrics
        too_late = sum(turn.outcome not in _UNFINISHED for turn in turns)
        if too_late:
            part.count("chaos.leavers.too_late", too_late)
        if any(turn.received for turn in waiting):
            part.count("chaos.leavers.left")
            self._go_away()
        elif waiting:
            self._left = waiting

    def _go_away(self) -> None:
        """As a closed browser tab: say so, and do not wait for an answer. Turns in flight are abandoned."""
        self._end_session(GOING_AWAY, by_us=True)
        self.share.recorder.metrics.connections_left += 1
        if self._lane is not None:
            self._out.append(self._lane.close(GOING_AWAY))
        self._flush_last()
        self._dispose()


class SlowConnection(UnrulyConnection):
    """The connection of a user who reads no more than so many bytes a second once it is ready.

    It is never pinged: that its pongs lie unread is our doing, and would look like a dead peer.
    """

    __slots__ = ("_may_read_ns",)

    def __init__(self, mischief: Mischief, number: int, values: dict[str, Any]) -> None:
        super().__init__(mischief, number, values)
        self.session = Session(self.share.compiled_protocol, mischief.aside, number, values)
        self.session.listener = self
        self._may_read_ns = 0

    @override
    def _on_ready(self, bits: int) -> None:
        if bits & ~(READ | WRITE):
            # The peer is gone, and the poller would tell us again and again.
            self._may_read_ns = 0
        super()._on_ready(bits)

    @override
    def _read(self) -> None:
        now_ns = self.share.now()
        if now_ns < self._may_read_ns and self.is_open:
            self._listen(0)
            return
        part = self.share.recorder.metrics
        lags, taken = len(part.receive_lag), part.bytes_received
        super()._read()
        # How long bytes lay unread is not the generator's delay here.
        del part.receive_lag[lags:]
        taken = part.bytes_received - taken
        if taken and self.is_open:
            self._may_read_ns = now_ns + taken * NS // self._mischief.bytes_per_s
            self._listen(0)
            self.share.poller.agenda.add(self._may_read_ns, self._read_on)

    def _read_on(self, due_ns: int) -> None:
        if due_ns == self._may_read_ns:
            self._listen(READ)

    def _listen(self, bits: int) -> None:
        """Ask the poller for reads or for none; for writes as long as something is unsent."""
        transport = self._transport
        if transport is not None:
            self.share.poller.modify(transport.fd, bits | (WRITE if transport.unsent else 0))

    @override
    def close(self) -> None:
        super().close()
        self._may_read_ns = 0
        self._listen(READ)

    @override
    def _ping(self, _due_ns: int) -> None:
        return
