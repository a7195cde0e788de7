"""One attempt to open a connection: TCP, proxy, TLS, upgrade; each step timed, each refusal with its layer.

A ``ConnectAttempt`` lives until the answer to the upgrade is complete and is then forgotten: an idle
connection keeps only what it needs to send and receive.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent

from loadtest.drive.before_connect import BeforeConnect
from loadtest.drive.connect_race import ConnectRace
from loadtest.drive.context import Context
from loadtest.drive.credentials import Credentials
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.http_client import HttpRequestFailed, origin_of, redirected, sendable
from loadtest.drive.poller import READ, WRITE
from loadtest.drive.proxy import connect_answer
from loadtest.drive.transport import TlsTransport, Transport, os_reason
from loadtest.errors import Layer
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.upgrade import Upgrade

FOLLOWED = frozenset({301, 302, 307, 308})
"""Redirects that an upgrade may follow (RFC 6455, 4.1)."""

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

    def refused(self, refusal: ConnectRefusal) -> None:
        """The target refused; the transport is closed."""

    def not_opened(self, limit: str) -> None:
        """This machine could not open a connection; ``limit``: the error's name (``EMFILE``)."""


class ConnectAttempt:
    """One attempt to open a connection, begun at ``attempted_ns``."""

    __slots__ = (
        "_again",
        "_answer",
        "_context",
        "_endpoint",
        "_goes_on",
        "_layer",
        "_listener",
        "_race",
        "_redirects",
        "_step_ns",
        "_transport",
        "_upgrade",
        "_url",
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
        self._again = False
        self._endpoint: Endpoint = context.assignment.endpoint
        # Where it leads, if that is not the target's own URL: another path, and what redirects said.
        self._url: str | None = None
        self._redirects = 0
        # What the proxy has answered so far.
        self._answer = b""

    def begin(self, user: int, *, again: bool = False) -> None:
        """Try the target's addresses; the listener is told how it goes.

        ``again``: the user has tried before, and goes where the target's name leads by now.
        """
        context = self._context
        self._user, self._again = user, again
        self._goes_on = True
        context.poller.connecting += 1
        overdue_ns = self._step_ns + context.connect_timeout_ns
        if context.before is not None and not self._has_place():
            return
        self._begin_race()
        if self._goes_on:
            context.poller.timers.add(overdue_ns, self._overdue)

    def _begin_race(self) -> None:
        self._layer = Layer.TCP
        self._race = ConnectRace(self._context, self, self._endpoint, self._user, again=self._again)
        self._race.begin()

    def _has_place(self) -> bool:
        """Find where this connection leads, of which the host was looked up before; False: it is refused."""
        before = self._context.before
        assert before is not None  # noqa: S101 - asked by the caller
        try:
            url = before.url_for(self._values)
            self._endpoint = before.find(url)
        except ConnectRefusal as refusal:
            self._refuse(refusal)
            return False
        if url != self._context.assignment.endpoint.url:
            self._url = url
        return True

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
        # The timer of the timeout holds this attempt for seconds: 0.5 KiB less a connection.
        self._upgrade = None

    # ------------------------------------------------------------------ what the race reports

    def connected(self, transport: Transport, began_ns: int) -> None:
        """TCP has connected to an address, the attempt at which began at ``began_ns``."""
        context = self._context
        self._race = None
        self._transport = transport
        self._step_ns = began_ns
        context.recorder.metrics.tcp.append(transport.connect_ns(self._end_step(context.now())))
        context.poller.hand_over(transport.fd, self._on_ready)
        self._guarded(self._secure if self._endpoint.proxy is None else self._ask_proxy)

    def none_connected(self, refusal: ConnectRefusal) -> None:
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
        self._refuse(ConnectRefusal(self._layer, f"no answer within {seconds:g} s"))

    def _refuse(self, refusal: ConnectRefusal) -> None:
        if self._goes_on:
            self.abandon()
            self._listener.refused(refusal)

    def _on_ready(self, _bits: int) -> None:
        if self._layer is Layer.PROXY:
            self._guarded(self._read_proxy)
        else:
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
            self._refuse(ConnectRefusal(Layer.TLS, tls_reason(error)))
        except ConnectRefusal as refusal:
            self._refuse(refusal)
        except OSError as error:
            self._refuse(ConnectRefusal(self._layer, os_reason(error)))

    def _end_step(self, at_ns: int) -> int:
        """Nanoseconds that the step took which ends at ``at_ns``; the next one begins."""
        took_ns = max(at_ns - self._step_ns, 0)
        self._step_ns = at_ns
        return took_ns

    def _ask_proxy(self, transport: Transport) -> None:
        """TCP has connected to the proxy: have it connect to the target."""
        endpoint, context = self._endpoint, self._context
        assert endpoint.proxy is not None  # noqa: S101 - asked by the caller
        self._layer = Layer.PROXY
        self._answer = b""
        # Plain, also where TLS follows: the proxy is spoken to without.
        complete = Transport.send(transport, endpoint.proxy.request(*endpoint.authority))
        context.poller.modify(transport.fd, READ if complete else READ | WRITE)

    def _read_proxy(self, transport: Transport) -> None:
        read = Transport.receive(transport)
        if transport.unsent and Transport.send(transport, b""):
            self._context.poller.modify(transport.fd, READ)
        if read is None:
            return
        data, at_ns = read
        self._answer += data
        try:
            connected = connect_answer(self._answer, ended=not data)
        except ConnectRefusal as refusal:
            self._refuse(refusal)
            return
        if connected:
            self._context.recorder.metrics.proxy.append(self._end_step(at_ns))
            self._secure(transport)

    def _secure(self, transport: Transport) -> None:
        """TCP is done, through a proxy where there is one: TLS follows, or the upgrade."""
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
        credentials = self._credentials()
        self._listener.identified(credentials.user)
        if credentials.secrets:
            self._listener.entrusted(credentials.secrets)
        upgrade = Upgrade(
            self._endpoint.host_header,
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

    def _credentials(self) -> Credentials:
        """What the upgrade carries: to a host that a redirect named, nothing of the target's."""
        context, provider, url = self._context, self._context.credential_provider, self._url
        if url is None:
            cookies = context.cookies_of(self._user, self._endpoint.url)
            return provider.credentials(self._values, cookies, host=self._endpoint.host_header)
        parts = urlsplit(url)
        path = sendable(parts.path or "/") + (f"?{sendable(parts.query)}" if parts.query else "")
        cookies = context.cookies_of(self._user, url)
        if self._redirects and origin_of(url) != origin_of(context.assignment.endpoint.url):
            return provider.for_other_host(self._values, cookies, path)
        return provider.credentials(self._values, cookies, path, self._endpoint.host_header)

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
        except ConnectRefusal as refusal:
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

    def _answered_no(self, upgrade: Upgrade, refusal: ConnectRefusal) -> None:
        self._keep_cookies(upgrade)
        if upgrade.status is not None:
            self._context.recorder.metrics.count(f"connections.upgrade_status.{upgrade.status}")
            self._listener.answered(upgrade)
        follow = self._context.assignment.scenario.target.follow_redirects
        if follow and upgrade.status in FOLLOWED and upgrade.location:
            if self._redirects < follow:
                self._redirect(upgrade.location)
                return
            refusal = ConnectRefusal(
                refusal.layer, f"{refusal.reason}, after {follow} redirects (the limit, follow_redirects)"
            )
        self._refuse(refusal)

    def _redirect(self, where: str) -> None:
        """Begin again at the URL that the target names, within the time of this attempt."""
        context = self._context
        try:
            url = redirected(self._url or self._endpoint.url, where)
        except HttpRequestFailed as refused:
            self._refuse(ConnectRefusal(Layer.UPGRADE, refused.reason))
            return
        self._redirects += 1
        context.recorder.metrics.count("connections.redirected")
        if self._transport is not None:
            context.poller.unregister(self._transport.fd)
            self._transport.close()
            self._transport = None
        self._upgrade = None
        scheme = "wss" if origin_of(url)[0] == "https" else "ws"
        self._url = f"{scheme}://{url.partition('://')[2]}"
        assert context.before is not None  # noqa: S101 - there is one where redirects are followed
        known = context.before.endpoint_at(self._url)
        if known is None:
            self._layer = Layer.RESOLVE
            gevent.spawn(self._look_up, context.before, self._url)
        else:
            self._go_to(known)

    def _look_up(self, before: BeforeConnect, url: str) -> None:
        """Find a host that nobody was sent to before, in a greenlet of its own: callbacks must not wait."""
        context = self._context
        try:
            found = before.find(url)
        except ConnectRefusal as refusal:
            refused = refusal
            context.poller.timers.add(context.now(), lambda _due: self._refuse(refused))
        else:
            context.poller.timers.add(context.now(), lambda _due: self._go_to(found))
        context.poller.wake()

    def _go_to(self, endpoint: Endpoint) -> None:
        if self._goes_on:
            self._endpoint = endpoint
            self._begin_race()

    def _keep_cookies(self, upgrade: Upgrade) -> None:
        if upgrade.set_cookies:
            url = self._url or self._endpoint.url
            self._listener.entrusted(self._context.keep_cookies(self._user, url, upgrade.set_cookies))


def tls_reason(error: ssl.SSLError) -> str:
    """Why a TLS handshake failed, in the words of the TLS library."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    reason = str(error.reason or error)
    _, alert, name = reason.partition("_ALERT_")
    return f"the target sent the TLS alert '{name.replace('_', ' ').lower()}'" if alert else reason
