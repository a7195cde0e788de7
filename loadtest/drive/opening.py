"""The opening of one connection: TCP, TLS, upgrade; each phase timed apart, each refusal with its layer.

An ``Opening`` lives until the answer to the upgrade is whole, and is then forgotten: what an idle connection
keeps is only what it needs to speak.
"""

from __future__ import annotations

import enum
import errno
import os
import ssl
from typing import TYPE_CHECKING, Any, Protocol

from loadtest.drive.poller import READ, WRITE
from loadtest.drive.transport import TlsTransport, Transport
from loadtest.errors import Layer
from loadtest.speak.session import Refused
from loadtest.speak.upgrade import Upgrade

if TYPE_CHECKING:
    from loadtest.drive.shard import Share


OWN_LIMITS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE}
)
"""What the system says where this machine has no file, memory or local port left; nobody was asked."""


class Phase(enum.Enum):
    """What an opening is waiting for."""

    TCP = Layer.TCP
    TLS = Layer.TLS
    UPGRADE = Layer.UPGRADE


class Opener(Protocol):
    """Whose connection is being opened."""

    def shown(self, user: str | None) -> None:
        """A credential that names this user is being shown to the target."""

    def upgraded(self, transport: Transport, upgrade: Upgrade, at_ns: int) -> None:
        """The target agreed at ``at_ns``; the transport is now the opener's."""

    def refused(self, refusal: Refused) -> None:
        """The target did not let us in; the transport is closed."""

    def not_opened(self, limit: str) -> None:
        """This machine could not open a connection: the name of its error (``EMFILE``). Nothing was sent."""


class Opening:
    """One attempt to open a connection, begun at ``attempted_ns``."""

    __slots__ = ("_opener", "_phase", "_phase_ns", "_share", "_transport", "_upgrade", "_values")

    def __init__(self, share: Share, opener: Opener, values: dict[str, Any], attempted_ns: int) -> None:
        self._share = share
        self._opener = opener
        self._values = values
        self._phase = Phase.TCP
        self._phase_ns = attempted_ns
        self._upgrade: Upgrade | None = None
        self._transport: Transport | None = None

    def begin(self, user: int) -> None:
        """Open a socket; how it goes is told to the opener."""
        share = self._share
        try:
            transport = share.open_transport(user)
        except OSError as error:
            if error.errno in OWN_LIMITS:
                self._opener.not_opened(errno.errorcode[error.errno])
            else:
                self._opener.refused(Refused(Layer.TCP, said(error)))
            return
        self._transport = transport
        share.poller.register(transport.fd, self._on_ready, WRITE)
        share.poller.opening += 1
        share.poller.agenda.add(self._phase_ns + share.connect_timeout_ns, self._overdue)

    @property
    def awaited(self) -> str:
        """What it waits for, as a reason: "tls: no answer yet"."""
        return f"{self._phase.value}: no answer yet"

    def abandon(self) -> None:
        """We leave before it is open."""
        if self._transport is not None:
            self._share.poller.unregister(self._transport.fd)
            self._share.poller.opening -= 1
            self._transport.close()
            self._transport = None

    def _overdue(self, _due_ns: int) -> None:
        seconds = self._share.connect_timeout_ns / 1e9
        self._refuse(Refused(self._phase.value, f"no answer within {seconds:g} s"))

    def _refuse(self, refusal: Refused) -> None:
        if self._transport is not None:
            self.abandon()
            self._opener.refused(refusal)

    def _on_ready(self, _bits: int) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            if self._phase is Phase.UPGRADE:
                self._read(transport)
            elif self._phase is Phase.TLS:
                self._shake(transport)
            else:
                self._connected(transport)
        except ssl.SSLError as error:
            # Also after the handshake: TLS 1.3 refuses a client's certificate when we think that all is done.
            self._refuse(Refused(Layer.TLS, tls_said(error)))
        except OSError as error:
            self._refuse(Refused(self._phase.value, said(error)))

    def _took(self, at_ns: int) -> int:
        """Nanoseconds that the phase took which ends at ``at_ns``; the next one begins."""
        took = max(at_ns - self._phase_ns, 0)
        self._phase_ns = at_ns
        return took

    def _connected(self, transport: Transport) -> None:
        error = transport.connected()
        if error:
            self._refuse(Refused(Layer.TCP, os.strerror(error)))
            return
        self._share.recorder.metrics.tcp.append(self._took(self._share.now()))
        if isinstance(transport, TlsTransport):
            self._phase = Phase.TLS
            self._share.poller.modify(transport.fd, READ)
            self._shake(transport)
        else:
            self._ask(transport)

    def _shake(self, transport: Transport) -> None:
        if isinstance(transport, TlsTransport) and transport.handshake():
            self._share.recorder.metrics.tls.append(self._took(self._share.now()))
            self._ask(transport)

    def _ask(self, transport: Transport) -> None:
        """Send the upgrade request."""
        share = self._share
        door = share.doorkeeper.door(self._values)
        self._opener.shown(door.user)
        upgrade = Upgrade(
            share.host_header,
            door.path,
            door.headers,
            subprotocols=door.subprotocols,
            compression=share.compression,
        )
        self._upgrade = upgrade
        self._phase = Phase.UPGRADE
        whole = transport.send(upgrade.request)
        share.recorder.metrics.bytes_sent += len(upgrade.request)
        share.poller.modify(transport.fd, READ if whole else READ | WRITE)

    def _read(self, transport: Transport) -> None:
        upgrade = self._upgrade
        read = transport.receive()
        if transport.unsent and transport.send(b""):
            self._share.poller.modify(transport.fd, READ)
        if read is None or upgrade is None:
            return
        data, at_ns = read
        if not data:
            self._refuse(upgrade.ended())
            return
        part = self._share.recorder.metrics
        part.bytes_received += len(data)
        try:
            if not upgrade.receive(data):
                return
        except Refused as refusal:
            if upgrade.status is not None:
                part.count(f"connections.upgrade_status.{upgrade.status}")
                self._share.saw_server(upgrade.server, None)
            self._refuse(refusal)
            return
        part.upgrade.append(self._took(at_ns))
        part.connections_established += 1
        self._transport = None
        self._share.poller.opening -= 1
        self._opener.upgraded(transport, upgrade, at_ns)


def said(error: OSError) -> str:
    """What the system said of a failed call."""
    return error.strerror or str(error)


def tls_said(error: ssl.SSLError) -> str:
    """What TLS said of a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not to be trusted: {error.verify_message}"
    reason = str(error.reason or error)
    _, alert, name = reason.partition("_ALERT_")
    return f"the target sent the TLS alert '{name.replace('_', ' ').lower()}'" if alert else reason
