"""What the simulator did, counted when it did it. Tests compare the generator's counts with these."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

LISTED = 10_000
"""How many injections of one fault are listed; the count goes on beyond."""


@dataclass(slots=True)
class Injections:
    """How often a fault was injected, and into what."""

    n: int = 0
    struck: list[list[str | int]] = field(default_factory=list)

    def add(self, about: tuple[str | int, ...]) -> None:
        """One more, of this turn, event or connection."""
        self.n += 1
        if len(self.struck) < LISTED:
            self.struck.append(list(about))


@dataclass(slots=True)
class Counters:
    """Counters of one server's life.

    Laws: ``attempted`` = ``established`` + refused; ``established`` = ``open`` + closed by client, server
    and without a close frame; ``begun`` = ``completed`` + ``failed`` + ``unanswered`` + ``cut`` + ``left``
    + ``in_flight``.
    """

    attempted: int = 0
    established: int = 0
    ready: int = 0
    open: int = 0
    peak: int = 0
    slow_readers: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    closed_by_client: Counter[int] = field(default_factory=Counter)
    closed_by_server: Counter[int] = field(default_factory=Counter)
    closed_without_frame: int = 0
    received: int = 0
    sent: int = 0
    unread: int = 0
    malformed: int = 0
    events: int = 0
    begun: int = 0
    completed: int = 0
    failed: int = 0
    unanswered: int = 0
    cut: int = 0
    left: int = 0
    in_flight: int = 0
    beats_sent: int = 0
    beats_answered: int = 0
    pings: int = 0
    pongs: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    injections: dict[str, Injections] = field(default_factory=dict)

    def count_fault(self, fault: str, *about: str | int) -> None:
        """Count an injection of the fault into this."""
        self.injections.setdefault(fault, Injections()).add(about)

    def opened(self) -> None:
        """A connection got its 101."""
        self.established += 1
        self.open += 1
        self.peak = max(self.peak, self.open)

    def as_dict(self) -> dict[str, Any]:
        """The counters as ``/health`` shows them."""
        return {
            "connections": {
                "attempted": self.attempted,
                "established": self.established,
                "ready": self.ready,
                "open": self.open,
                "peak": self.peak,
                "refused": _by_code(self.refused),
                "closed_by_client": _by_code(self.closed_by_client),
                "closed_by_server": _by_code(self.closed_by_server),
                "closed_without_frame": self.closed_without_frame,
                "slow_readers": self.slow_readers,
            },
            "messages": {
                "received": self.received,
                "sent": self.sent,
                "unread": self.unread,
                "malformed": self.malformed,
            },
            "events": {"sent": self.events},
            "turns": {
                "begun": self.begun,
                "completed": self.completed,
                "failed": self.failed,
                "unanswered": self.unanswered,
                "cut": self.cut,
                "left": self.left,
                "in_flight": self.in_flight,
            },
            "heartbeats": {"sent": self.beats_sent, "answered": self.beats_answered},
            "pings": {"received": self.pings, "answered": self.pongs},
            "bytes": {"received": self.bytes_received, "sent": self.bytes_sent},
        }

    def faults_done(self) -> dict[str, Any]:
        """By fault, how often it was injected and into what, as ``/stats`` shows it beside the counters."""
        return {
            name: {
                "n": injections.n,
                "struck": injections.struck,
                "unlisted": injections.n - len(injections.struck),
            }
            for name, injections in sorted(self.injections.items())
        }


def _by_code(counter: Counter[int]) -> dict[str, int]:
    return {str(code): n for code, n in sorted(counter.items())}
