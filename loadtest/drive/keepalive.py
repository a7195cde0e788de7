"""The pings of one connection, and which of them are answered."""

from __future__ import annotations

import struct

from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import NEVER

MAX_UNANSWERED = 100
"""Pings of a connection that may be unanswered; beyond, no further one is sent until a pong comes."""


class Keepalive:
    """The pings of one connection (RFC 6455, 5.5.2): their round trips, and which are unanswered.

    Each ping is timed, also while earlier ones are unanswered: a stall stands in the distribution once for
    every ping that it delayed. A pong answers its ping and all before it, since a peer may answer only the
    latest (5.5.3). The payload of a ping is the instant it was sent. ``ping_ns`` is when the next one is
    due, ``look_ns`` when to look whether the peer still lives; ``NEVER``: nothing says that it may not.
    """

    __slots__ = ("_sent", "look_ns", "ping_ns")

    _PAYLOAD = struct.Struct("!q")

    def __init__(self, ping_ns: int) -> None:
        # The instants of the pings that are not answered yet.
        self._sent: list[int] = []
        self.ping_ns = ping_ns
        self.look_ns = NEVER

    @property
    def oldest_ns(self) -> int:
        """When the oldest unanswered ping was sent; ``NEVER`` if none is unanswered."""
        return self._sent[0] if self._sent else NEVER

    @property
    def wakes_ns(self) -> int:
        """When there is something to do next."""
        return self.ping_ns if self.look_ns == NEVER else min(self.ping_ns, self.look_ns)

    @property
    def is_full(self) -> bool:
        """Whether so many pings are unanswered that no further one is sent."""
        return len(self._sent) >= MAX_UNANSWERED

    def ping(self, now_ns: int, metrics: PhaseMetrics) -> bytes:
        """The payload of the next ping."""
        self._sent.append(now_ns)
        metrics.pings_sent += 1
        return self._PAYLOAD.pack(now_ns)

    def pong(self, payload: bytes, at_ns: int, metrics: PhaseMetrics) -> None:
        """A pong arrived; one that answers no ping of ours is ignored."""
        if len(payload) != self._PAYLOAD.size:
            return
        (sent_ns,) = self._PAYLOAD.unpack(payload)
        if sent_ns not in self._sent:
            return
        answered = self._sent.index(sent_ns) + 1
        for each_ns in self._sent[:answered]:
            metrics.ping_rtt.append(max(at_ns - each_ns, 0))
        metrics.pings_answered += answered
        del self._sent[:answered]

    def unanswered_since(self, since_ns: int) -> int:
        """How many pings are unanswered that were sent after ``since_ns``."""
        return sum(sent_ns > since_ns for sent_ns in self._sent)
