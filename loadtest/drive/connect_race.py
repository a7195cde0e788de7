"""Attempts to connect to the addresses of a target, of which the first that connects wins (RFC 8305)."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from loadtest.drive.context import Context
from loadtest.drive.dns_lookups import host_of
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.poller import WRITE
from loadtest.drive.transport import Address, Transport, os_reason
from loadtest.errors import Layer
from loadtest.speak.connect_refusal import ConnectRefusal

ATTEMPT_DELAY_NS = 250_000_000
"""How long an address has before the next one is tried as well (RFC 8305, section 5)."""

OWN_LIMITS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE}
)
"""Errors of a machine that has no file, memory or local port left; the target was not asked."""


class RaceListener(Protocol):
    """The attempt to open a connection: it is told how its race ends."""

    def connected(self, transport: Transport, began_ns: int) -> None:
        """An address took the connection; the attempt at it began at ``began_ns``."""

    def none_connected(self, refusal: ConnectRefusal) -> None:
        """No address took it."""

    def none_asked(self, limit: str) -> None:
        """This machine could not open any; ``limit``: the error's name (``EMFILE``)."""


class Runner(NamedTuple):
    """An attempt at one address that goes on."""

    address: Address
    transport: Transport
    began_ns: int


class ConnectRace:
    """The attempts of one user at the addresses of an endpoint, each later by ``ATTEMPT_DELAY_NS``.

    One that fails has the next one begin at once. Of a target with several addresses it is counted which
    connected, which failed or were slower than one that began later, and which were called off.
    """

    __slots__ = (
        "_addresses",
        "_context",
        "_endpoint",
        "_limit",
        "_listener",
        "_next",
        "_reasons",
        "_runners",
        "_user",
    )

    def __init__(
        self,
        context: Context,
        listener: RaceListener,
        endpoint: Endpoint,
        user: int,
        *,
        again: bool = False,
    ) -> None:
        self._context = context
        self._listener = listener
        self._endpoint = endpoint
        self._addresses: Sequence[Address] = context.addresses_of(user, endpoint, again=again)
        self._user = user
        self._next = 0
        self._runners: list[Runner] = []
        # Why addresses failed, each with the address.
        self._reasons: dict[str, str] = {}
        self._limit = ""

    def begin(self) -> None:
        """Try the first address; the listener is told how it ends, perhaps at once."""
        self._try_next()

    def leave(self) -> None:
        """End without a winner: the listener is told nothing."""
        for runner in self._runners:
            self._count("connections.address_failed", runner.address)
            self._end(runner)
        self._runners = []

    def _try_next(self) -> None:
        context, addresses = self._context, self._addresses
        while self._next < len(addresses):
            address = addresses[self._next]
            self._next += 1
            began_ns = context.now()
            try:
                transport = context.open_transport(self._user, address, self._endpoint)
            except OSError as error:
                self._note(address, error.errno or 0, os_reason(error))
                continue
            self._run(Runner(address, transport, began_ns))
            return
        if not self._runners:
            self._lost()

    def _run(self, runner: Runner) -> None:
        """Wait for an attempt; the next one begins when it has had its time alone."""
        poller = self._context.poller
        self._runners.append(runner)
        poller.register(runner.transport.fd, lambda _bits: self._on_ready(runner), WRITE)
        number = self._next
        if number < len(self._addresses):
            poller.timers.add(runner.began_ns + ATTEMPT_DELAY_NS, lambda _due: self._is_slow(number))

    def _is_slow(self, number: int) -> None:
        """An address has had its time alone, unless the race is over or has gone on."""
        if self._runners and self._next == number:
            self._try_next()

    def _on_ready(self, runner: Runner) -> None:
        if runner not in self._runners:
            return
        self._runners.remove(runner)
        error = runner.transport.connected()
        if error:
            self._end(runner)
            self._note(runner.address, error, os.strerror(error))
            self._try_next()
            return
        self._count("connections.address_connected", runner.address)
        for other in self._runners:
            if other.began_ns < runner.began_ns:
                self._count("connections.address_failed", other.address)
            else:
                self._count("connections.address_called_off", other.address)
            self._end(other)
        self._runners = []
        # Nothing is begun any more, whatever timer still runs.
        self._next = len(self._addresses)
        self._listener.connected(runner.transport, runner.began_ns)

    def _end(self, runner: Runner) -> None:
        self._context.poller.unregister(runner.transport.fd)
        runner.transport.close()

    def _note(self, address: Address, number: int, reason: str) -> None:
        """An attempt failed: by the target, or by a limit of this machine."""
        if number in OWN_LIMITS:
            self._limit = errno.errorcode[number]
        else:
            self._count("connections.address_failed", address)
            self._reasons[host_of(address)] = reason

    def _lost(self) -> None:
        """Every address failed."""
        if self._limit and not self._reasons:
            self._listener.none_asked(self._limit)
            return
        self._listener.none_connected(ConnectRefusal(Layer.TCP, self._reason()))

    def _reason(self) -> str:
        found = list(dict.fromkeys(self._reasons.values()))
        if len(self._reasons) == 1:
            return found[0]
        if len(found) == 1:
            return f"{found[0]} (at each of {len(self._reasons)} addresses)"
        return "; ".join(f"{host}: {reason}" for host, reason in self._reasons.items())

    def _count(self, name: str, address: Address) -> None:
        """Count what became of an attempt at an address, where there are several."""
        lookups = self._context.lookups
        if lookups.counts_by_address or len(self._endpoint.addresses) > 1:
            by_address = f"{name}.{lookups.label(address)}"
            self._context.recorder.metrics.count(by_address)
