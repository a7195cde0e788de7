"""Pings of one connection (RFC 6455 section 5.5.2): round trips, and peers that died without a word."""

from __future__ import annotations

import struct

from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import NEVER

_PAYLOAD = struct.Struct("!q")


class Pulse:
    """At most one ping is out at a time; its payload is the instant it was sent."""

    __slots__ = ("_sent_ns",)

    def __init__(self) -> None:
        self._sent_ns = NEVER

    @property
    def waiting(self) -> bool:
        """Whether the last ping is not answered yet."""
        return self._sent_ns != NEVER

    def ping(self, now_ns: int, part: PhaseMetrics) -> bytes:
        """The payload of the next ping."""
        self._sent_ns = now_ns
        part.pings_sent += 1
        return _PAYLOAD.pack(now_ns)

    def pong(self, payload: bytes, at_ns: int, part: PhaseMetrics) -> None:
        """A pong arrived; one that answers no ping of ours says nothing."""
        if self.waiting and payload == _PAYLOAD.pack(self._sent_ns):
            part.pings_answered += 1
            part.ping_rtt.append(max(at_ns - self._sent_ns, 0))
            self._sent_ns = NEVER
