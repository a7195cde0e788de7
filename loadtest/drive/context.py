"""What all connections of one process have in common: the terms on which they open and speak."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from loadtest.drive.credentials import Doorkeeper
from loadtest.drive.endpoint import Place
from loadtest.drive.sources import own_sources
from loadtest.drive.transport import Instants, TlsTransport, Transport
from loadtest.measure.clock import Clock
from loadtest.plan.chaos import slow_users
from loadtest.plan.names import data_values
from loadtest.plan.scenario import Chaos, Scenario
from loadtest.plan.schedule import Schedule
from loadtest.speak.compiled_protocol import CompiledProtocol

NS = 1_000_000_000
CLOSE_TIMEOUT_NS = 2 * NS
"""How long a connection that we close waits for the target's close frame."""

SLOW_BUFFER = 4096
"""Bytes that the kernel may take for a user who reads slowly: the target is to notice it soon."""

_NO_ROW: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one process is to do: its virtual users, and the instant all processes start at."""

    run_id: str
    scenario: Scenario
    place: Place
    users: range
    worker: int = 0


class Terms:
    """CompiledProtocol, credentials, sources, limits and clock of the connections of one process.

    Raises:
        ConfigError: this machine has none of the source addresses.
    """

    def __init__(self, assignment: Assignment, clock: Clock) -> None:
        scenario, place = assignment.scenario, assignment.place
        target, traffic = scenario.target, scenario.traffic
        self.assignment = assignment
        self.clock = clock
        self.now = clock.now
        protocol = scenario.protocol
        message = (
            traffic.message if traffic is not None and traffic.message is not None else protocol.turn.message
        )
        self.timeout_ns = traffic.timeout_ns if traffic is not None else CLOSE_TIMEOUT_NS
        self.planned_users = Schedule(scenario.load, traffic).users
        self.compiled_protocol = CompiledProtocol(
            protocol,
            message=message,
            nonce=assignment.run_id,
            timeout_ns=self.timeout_ns,
            unix_offset_ns=0 if clock.wall else time.time_ns() - clock.now(),
            users=self.planned_users,
            identities=target.identities,
        )
        offered = protocol.connect.subprotocols if target.subprotocols is None else target.subprotocols
        self.doorkeeper = Doorkeeper(target, place.path, tuple(offered))
        self.host_header = place.host_header
        self.sources = own_sources(target.source_addresses)
        self.compression = target.compression
        self.connect_timeout_ns = target.connect_timeout_ns
        self.close_timeout_ns = CLOSE_TIMEOUT_NS
        self.max_message_bytes = target.max_message_bytes
        self.binary = protocol.turn.encoding == "binary"
        self.ping_ns = traffic.ping_ns if traffic is not None and traffic.ping_ns is not None else 0
        self.burst = traffic.burst if traffic is not None else 1
        self.think_ns = (traffic.every_ns or 0) if traffic is not None else 0
        self.turns_per_connection = (traffic.turns or None) if traffic is not None else None
        rows = traffic.data if traffic is not None else ()
        self._rows: list[dict[str, Any]] = [data_values(number, rows) for number in range(len(rows))]
        self._wants_now = bool(self.compiled_protocol.template.names & {"now_ms", "now_s"})
        floor = self.clock.floor if self.clock.step_ns else None
        self._instants = Instants(self.now, floor, self.clock.wall)
        self.seed = scenario.load.seed
        self.chaos = scenario.chaos
        self.slow = slow_users(self.chaos, self.seed, self.planned_users)

    @property
    def reads_may_wait(self) -> bool:
        """One reply a message, at planned instants, timed by the kernel: nothing hangs on when it is read."""
        scenario = self.assignment.scenario
        return (
            self.clock.wall
            and scenario.load.model == "open"
            and scenario.protocol.events.count == 1
            and self.burst == 1
            and scenario.chaos == Chaos()
        )

    def row(self, seq: int) -> dict[str, Any]:
        """The values that only this turn has."""
        row = self._rows[seq % len(self._rows)] if self._rows else _NO_ROW
        if self._wants_now:
            now_s = time.time()
            row = {**row, "now_ms": int(now_s * 1000), "now_s": f"{now_s:.3f}"}
        return row

    def source_of(self, user: int) -> str | None:
        """Where the connections of a user of this process come from; None: the system chooses.

        By the user's place among those of this process, so that every address has its share of them.
        """
        if not self.sources:
            return None
        return self.sources[self.assignment.users.index(user) % len(self.sources)]

    def open_transport(self, user: int) -> Transport:
        """A socket on its way to the target.

        Raises:
            OSError: it failed at once.
        """
        place = self.assignment.place
        buffer = SLOW_BUFFER if user in self.slow else None
        if place.tls is None:
            return Transport(place.address, self._instants, self.source_of(user), receive_buffer=buffer)
        return TlsTransport(
            place.address,
            self._instants,
            self.source_of(user),
            context=place.tls,
            server_name=place.server_name,
            receive_buffer=buffer,
        )
