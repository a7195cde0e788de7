"""What one connection reads: bytes off the socket, through the frame parser, to the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from loadtest.drive.outgoing import Outgoing
from loadtest.drive.poller import WRITE
from loadtest.speak.frames import NO_CLOSE_FRAME, FrameParser
from loadtest.speak.session import Refused, Session, SessionState

if TYPE_CHECKING:
    from loadtest.drive.shard import Share


MOST_READS = 64
"""Reads in which a connection catches up, 4 MiB: a peer that never stops sending must not hold all others."""

LONGEST_CATCH_UP_NS = 5_000_000
"""How long it may take to catch up: in 4 MiB there is room for two million frames that say nothing."""

MOST_UNSENT = 1_048_576
"""Bytes that wait for a peer who does not read; beyond, its pings are not answered (RFC 6455, 5.5.3)."""


class Incoming(Outgoing):
    """The reading half of a connection."""

    __slots__ = ("_lane",)

    def __init__(self, share: Share, session: Session) -> None:
        super().__init__(share, session)
        self._lane: FrameParser | None = None

    def refused(self, refusal: Refused) -> None:
        """The target did not let us in."""
        raise NotImplementedError

    def _heard(self, messages: list[bytes], at_ns: int) -> None:
        """Messages arrived in one read.

        Raises:
            Refused: while getting ready, the target said no.
        """
        raise NotImplementedError

    def _ponged(self, payload: bytes, at_ns: int) -> None:
        """A pong arrived."""
        raise NotImplementedError

    def _on_ready(self, bits: int) -> None:
        """The socket is ready; called by the poller, for reads before all other work."""
        if bits & ~WRITE:
            self._read()
        if bits & WRITE and self._transport is not None:
            self._write_on(self._transport)

    @override
    def _catch_up(self) -> None:
        recorder = self.share.recorder
        until_ns = self.share.now() + LONGEST_CATCH_UP_NS
        for _ in range(MOST_READS):
            before = recorder.metrics.bytes_received
            self._read()
            if recorder.metrics.bytes_received == before or self.share.now() >= until_ns:
                return

    def _read(self) -> None:
        """Take what has arrived; a line that breaks, or a no, ends the connection."""
        transport = self._transport
        if transport is None:
            return
        try:
            read = transport.receive()
            if read is not None:
                self._arrived(*read)
        except Refused as refusal:
            self.refused(refusal)
        except OSError:
            # ssl.SSLError is one, too.
            self._gone(NO_CLOSE_FRAME)

    def _arrived(self, data: bytes, at_ns: int) -> None:
        """Everything that follows from one read."""
        if not data:
            self._gone(self._lane.close_code if self._lane is not None else NO_CLOSE_FRAME)
            return
        share = self.share
        part = share.recorder.metrics
        part.bytes_received += len(data)
        lag_ns = share.now() - at_ns
        part.receive_lag.append(lag_ns if lag_ns > 0 else 0)  # noqa: FURB136 - max() costs 0.1 us
        self._take(data, at_ns)
        self._after_events()

    def _take(self, data: bytes, at_ns: int) -> None:
        lane = self._lane
        if lane is None:
            return
        messages = lane.receive(data)
        if messages:
            self._heard(messages, at_ns)
        if lane.replies or lane.pongs or lane.closed:
            self._control(lane, at_ns)

    def _control(self, lane: FrameParser, at_ns: int) -> None:
        """Pongs, answers to pings and close frames, as the lane left them."""
        if lane.replies:
            if lane.closed or self._transport is None or len(self._transport.unsent) < MOST_UNSENT:
                self._out += lane.replies
            lane.replies = []
            self._gather()
        for payload in lane.pongs:
            self._ponged(payload, at_ns)
        lane.pongs = []
        if lane.closed:
            self._flush_last()
            if lane.broken is not None and self.session.state is SessionState.OPEN:
                self._heard_no_message(lane.broken)
            self._gone(lane.close_code)

    def _heard_no_message(self, told: str) -> None:
        """What came was no message, but it was meant as one: received, and malformed; ``told`` says why."""
        part = self.share.recorder.metrics
        part.events_received += 1
        part.events_malformed += 1
        part.count("connections.broken_frames")
        self.share.recorder.evidence("broken frame", told.encode(), self.session.user)
