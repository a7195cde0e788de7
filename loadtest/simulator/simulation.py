"""What all connections of one simulator share: faults, counters, identities, the rate limit, the clock."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from loadtest.simulator.connection import SimulatedConnection
from loadtest.simulator.counters import Counters
from loadtest.simulator.events import Marks, turn_events
from loadtest.simulator.faults import parse_faults
from loadtest.simulator.options import Options
from loadtest.simulator.script import DELTAS


def _version() -> str:
    try:
        return version("loadtest-ws")
    except PackageNotFoundError:
        return "source"


class Simulation:
    """The state of one server from its start on. ``secret`` is the JWT secret; None: no token is checked."""

    def __init__(self, options: Options, secret: str | None) -> None:
        self.options = options
        self.secret = secret
        self.faults = parse_faults(options.faults, options.seed)
        self.counters = Counters()
        streamed = self.faults.stream_ns is not None
        self.kinds = turn_events(max(options.partials, DELTAS) if streamed else options.partials)
        self.name = f"loadtest-simulator/{_version()}"
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self._identities: Counter[str] = Counter()
        self._seen: list[Marks] = []
        self._second = -1
        self._turns_this_second = 0

    def age_s(self) -> float:
        """Seconds since the server began to listen."""
        return self.loop.time() - self.started

    def is_cold(self) -> bool:
        """Whether the start-up that the fault ``cold-start`` simulates is still going on."""
        cold_ns = self.faults.cold_start_ns
        return cold_ns is not None and self.age_s() * 1e9 < cold_ns

    def claim(self, connection: SimulatedConnection, identity: str) -> bool:
        """Count this connection for its identity; False where the identity has all it may have."""
        limit = self.faults.max_per_identity
        if limit is None or connection.claimed is not None:
            return True
        if self._identities[identity] >= limit:
            self.counters.count_fault("max-per-identity", connection.number, identity)
            return False
        connection.claimed = identity
        self._identities[identity] += 1
        return True

    def release(self, connection: SimulatedConnection) -> None:
        """The connection is gone; its identity may have another."""
        if connection.claimed is None:
            return
        self._identities[connection.claimed] -= 1
        if not self._identities[connection.claimed]:
            del self._identities[connection.claimed]
        connection.claimed = None

    def may_run(self) -> bool:
        """Whether the rate limit lets one more turn run in this second of the server's life."""
        if self.faults.rate_limit is None:
            return True
        second = int(self.age_s())
        if second != self._second:
            self._second, self._turns_this_second = second, 0
        self._turns_this_second += 1
        return self._turns_this_second <= self.faults.rate_limit

    def remember(self, marks: Marks) -> None:
        """Whose turn ran last, and before that somebody else's: whom ``leak`` takes its events from."""
        if not self._seen or self._seen[-1].user != marks.user:
            self._seen = [*self._seen[-1:], marks]

    def somebody_else(self, marks: Marks) -> Marks:
        """A turn of another user: a real one where there was one."""
        for seen in self._seen:
            if seen.user != marks.user:
                return seen
        return Marks("run-of-somebody-else", "somebody-else", "thread-of-somebody-else")

    def health(self) -> dict[str, Any]:
        """What ``GET /health`` answers."""
        return {
            "status": "starting" if self.is_cold() else "ok",
            "simulated": True,
            "server": self.name,
            "uptime_s": self.age_s(),
            "time": time.time(),
            "seed": self.options.seed,
            "faults": list(self.options.faults),
            **self.counters.as_dict(),
        }
