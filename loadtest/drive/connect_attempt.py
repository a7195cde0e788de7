"""One attempt to open a connection: TCP, TLS, upgrade; each step timed, each refusal with its layer.

A ``ConnectAttempt`` lives until the answer to the upgrade is complete and is then forgotten: an idle
connection keeps only what it needs to send and receive.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from loadtest.drive.connect_race import ConnectRace, os_reason
from loadtest.drive.context import Context
from loadtest.drive.poller import READ, WRITE
from loadtest.drive.transport import TlsTransport, Transport
from loadtest.errors import Layer
from loadtest.speak.refused import Refused
from loadtest.speak.upgrade import Upgrade

BODY_WITHIN_NS = 1_000_000_000
"""How long the beginning of the body of a refusal is waited for."""


class ConnectListener(Protocol):
    """Is told how an attempt goes: the connection that is being opened."""

    def identified(self, user: str | None) -> None:
        """The credential that is sent to the target names this user."""

    def entrusted(self, secrets: Iterable[str]) -> None:
        """Secrets that were not known before go to the target, or came from it."""

    def answered(self, upgrade: Upgrade) -> None:
        """The target has answered the upgrade by a refusal."""

    def upgraded(self, transport: Transport, upgrade: Upgrade, at_ns: int) -> None:
        """The target agreed at ``at_ns``; the transport now belongs to the listener."""

    def refused(self, refusal: Refused) -> None:
        """The target refused; the transport is closed."""

    def not_opened(self, limit: str) -> None:
        """This machine could not open a connection; ``limit``: the error's name (``EMFILE``)."""


class ConnectAttempt:
    """One attempt to open a connection, begun at ``attempted_ns``."""

    __slots__ = (
        "_context",
        "_goes_on",
        "_layer",
        "_listener",
        "_race",
        "_step_ns",
        "_transport",
        "_upgrade",
        "_user",
        "_values",
    )

    def __init__(
        self, context: Context, listener: ConnectListener, values: dict[str, Any], attempted_ns: int
    ) -> None:
        self._context = context
        self._listener = listener
        self._values = values
        # The step that goes on, by its layer, and when it began.
        self._layer = Layer.TCP
        self._step_ns = attempted_ns
        self._upgrade: Upgrade | None = None
        self._race: ConnectRace | None = None
        self._transport: Transport | None = None
        self._goes_on = False
        self._user = 0

    def begin(self, user: int) -> None:
        """Try the target's addresses; the listener is told how it goes."""
        context = self._context
        self._user = user
        self._goes_on = True
        context.poller.connecting += 1
        overdue_ns = self._step_ns + context.connect_timeout_ns
        self._race = ConnectRace(context, self, context.addresses_of(user), user)
        self._race.begin()
        if self._goes_on:
            context.poller.timers.add(overdue_ns, self._overdue)

    @property
    def awaited(self) -> str:
        """What it waits for, as a reason: "tls: no answer yet"."""
        return f"{self._layer}: no answer yet"

    def abandon(self) -> None:
        """We leave before the connection is open."""
        self._end()
        if self._race is not None:
            self._race.leave()
            self._race = None
        if self._transport is not None:
            self._context.poller.unregister(self._transport.fd)
            self._transport.close()
            self._transport = None

    def _end(self) -> None:
        """Nothing is waited for any more."""
        self._context.poller.connecting -= self._goes_on
        self._goes_on = False

    # ------------------------------------------------------------------ what the race reports

    def connected(self, transport: Transport, began_ns: int) -> None:
        """TCP has connected to an address, the attempt at which began at ``began_ns``."""
        context = self._context
        self._race = None
        self._transport = transport
        self._step_ns = began_ns
        context.recorder.metrics.tcp.append(self._end_step(context.now()))
        context.poller.hand_over(transport.fd, self._on_ready)
        self._guarded(self._secure)

    def none_connected(self, refusal: Refused) -> None:
        """No address of the target took the connection."""
        self._end()
        self._race = None
        self._listener.refused(refusal)

    def none_asked(self, limit: str) -> None:
        """This machine could not open a connection."""
        self._end()
        self._race = None
        self._listener.not_opened(limit)

    def _overdue(self, _due_ns: int) -> None:
        seconds = self._context.connect_timeout_ns / 1e9
        self._refuse(Refused(self._layer, f"no answer within {seconds:g} s"))

    def _refuse(self, refusal: Refused) -> None:
        if self._goes_on:
            self.abandon()
            self._listener.refused(refusal)

    def _on_ready(self, _bits: int) -> None:
        self._guarded(self._read_answer if self._layer is Layer.UPGRADE else self._handshake)

    def _guarded(self, step: Callable[[Transport], None]) -> None:
        """Go one step on; an error in it is a refusal."""
        transport = self._transport
        if transport is None:
            return
        try:
            step(transport)
        except ssl.SSLError as error:
            # Also after the handshake: TLS 1.3 refuses a client's certificate when our side is already done.
            self._refuse(Refused(Layer.TLS, tls_reason(error)))
        except OSError as error:
            self._refuse(Refused(self._layer, os_reason(error)))

    def _end_step(self, at_ns: int) -> int:
        """Nanoseconds that the step took which ends at ``at_ns``; the next one begins."""
        took_ns = max(at_ns - self._step_ns, 0)
        self._step_ns = at_ns
        return took_ns

    def _secure(self, transport: Transport) -> None:
        """TCP is done: TLS follows, or the upgrade."""
        if isinstance(transport, TlsTransport):
            self._layer = Layer.TLS
            self._context.poller.modify(transport.fd, READ)
            self._handshake(transport)
        else:
            self._send_upgrade(transport)

    def _handshake(self, transport: Transport) -> None:
        if isinstance(transport, TlsTransport) and transport.handshake():
            self._context.recorder.metrics.tls.append(self._end_step(self._context.now()))
            self._send_upgrade(transport)

    def _send_upgrade(self, transport: Transport) -> None:
        context = self._context
        credentials = context.credential_provider.credentials(self._values, context.cookies_of(self._user))
        self._listener.identified(credentials.user)
        if credentials.secrets:
            self._listener.entrusted(credentials.secrets)
        upgrade = Upgrade(
            context.host_header,
            credentials.path,
            credentials.headers,
            subprotocols=credentials.subprotocols,
            compression=context.compression,
        )
        self._upgrade = upgrade
        self._layer = Layer.UPGRADE
        complete = transport.send(upgrade.request)
        context.recorder.metrics.bytes_sent += len(upgrade.request)
        context.poller.modify(transport.fd, READ if complete else READ | WRITE)

    def _read_answer(self, transport: Transport) -> None:
        upgrade = self._upgrade
        read = transport.receive()
        if transport.unsent and transport.send(b""):
            self._context.poller.modify(transport.fd, READ)
        if read is None or upgrade is None:
            return
        data, at_ns = read
        if not data:
            self._answered_no(upgrade, upgrade.ended())
            return
        metrics = self._context.recorder.metrics
        metrics.bytes_received += len(data)
        waits = upgrade.refusal is not None
        try:
            if not upgrade.receive(data):
                if upgrade.refusal is not None and not waits:
                    timers = self._context.poller.timers
                    timers.add(self._context.now() + BODY_WITHIN_NS, self._body_overdue)
                return
        except Refused as refusal:
            self._answered_no(upgrade, refusal)
            return
        self._keep_cookies(upgrade)
        metrics.upgrade.append(self._end_step(at_ns))
        metrics.connections_established += 1
        self._transport = None
        self._end()
        self._listener.upgraded(transport, upgrade, at_ns)

    def _body_overdue(self, _due_ns: int) -> None:
        """The target refused, and does not say all that it announced about it."""
        if self._upgrade is not None and self._goes_on:
            self._answered_no(self._upgrade, self._upgrade.ended())

    def _answered_no(self, upgrade: Upgrade, refusal: Refused) -> None:
        self._keep_cookies(upgrade)
        if upgrade.status is not None:
            self._context.recorder.metrics.count(f"connections.upgrade_status.{upgrade.status}")
            self._listener.answered(upgrade)
        self._refuse(refusal)

    def _keep_cookies(self, upgrade: Upgrade) -> None:
        if upgrade.set_cookies:
            self._listener.entrusted(self._context.keep_cookies(self._user, upgrade.set_cookies))


def tls_reason(error: ssl.SSLError) -> str:
    """Why a TLS handshake failed, in the words of the TLS library."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not to be trusted: {error.verify_message}"
    reason = str(error.reason or error)
    _, alert, name = reason.partition("_ALERT_")
    return f"the target sent the TLS alert '{name.replace('_', ' ').lower()}'" if alert else reason
