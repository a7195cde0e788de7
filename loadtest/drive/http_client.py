"""HTTP requests of users beside their WebSocket: kept connections, verified certificates, bounded in all.

A request runs in the greenlet that asks for it, and nobody else waits. The parser is that of
``geventhttpclient`` (llhttp); sockets, TLS and proxies are ours, so that a request goes where connections go.
"""

from __future__ import annotations

import re
import select
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urljoin, urlsplit

import gevent
from gevent import socket
from gevent.monkey import get_original
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from loadtest.drive.proxy import Proxy, connect_answer
from loadtest.drive.transport import os_reason
from loadtest.plan.host_name import host_problem
from loadtest.speak.connect_refusal import ConnectRefusal

MAX_BODY = 1 << 20
"""Bytes of an answer's body that are read; a larger one is refused."""

MAX_HEAD = 1 << 16
MAX_REDIRECTS = 5
IDLE_KEPT = 64
"""Connections to one host that wait for the next request."""

READ_BYTES = 16_384
WRITE_BYTES = 65_536

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses that lead elsewhere."""

_AGAIN = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that may be sent twice (RFC 9110, 9.2.2)."""

_poll = get_original("select", "poll")
"""gevent's would give other greenlets the turn."""

_STAYS = frozenset({307, 308})
"""Redirects after which method and body stay as they are (RFC 9110, 15.4)."""


class HttpRequestFailed(Exception):  # noqa: N818 - a fact about the target, as ConnectRefusal
    """A request got no answer that can be used; ``reason`` says why, ``answer`` what came."""

    def __init__(self, reason: str, answer: bytes = b"") -> None:
        self.reason = reason
        self.answer = answer
        super().__init__(reason)


class HttpNotSent(HttpRequestFailed):
    """Nothing was sent, by our own doing or by what stands in the request: the target was not asked."""


class HttpTimedOut(HttpRequestFailed):
    """It took longer than it may."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request that is ready to go."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class CookieKeeper(Protocol):
    """The cookies of whoever asks."""

    def sent_to(self, url: str) -> Mapping[str, str]:
        """Those that go with a request to a URL, by name."""

    def take(self, url: str, lines: tuple[str, ...]) -> None:
        """What an answer's ``Set-Cookie`` headers say."""


class NoCookies:
    """Sends none, keeps none."""

    def sent_to(self, _url: str) -> Mapping[str, str]:
        """No cookie."""
        return {}

    def take(self, url: str, lines: tuple[str, ...]) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer. ``headers`` by lower name, the last of each; ``set_cookies`` every one of that header."""

    url: str
    status: int
    headers: Mapping[str, str]
    set_cookies: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Writing:
    """Who asks when a request is written: ``tell`` gets the instant, by ``now``, of its last byte.

    That is stamped immediately before the system call that takes the last piece of it, of 64 KiB at most.
    """

    now: Callable[[], int]
    on_written: Callable[[int], None]


class _BoundedResponse(HTTPSocketResponse):
    """An answer that is parsed no further than we are ready to keep."""

    def __init__(self, sock: Any, method: str) -> None:
        self._left = MAX_HEAD + MAX_BODY
        super().__init__(sock, block_size=READ_BYTES, method=method)

    def feed(self, data: bytes) -> None:  # type: ignore[override]  # the parser's takes text as well
        """Parse what came.

        Raises:
            HttpRequestFailed: more came than is kept.
        """
        self._left -= len(data)
        if self._left < 0 or (not self.headers_complete and self._left < MAX_BODY):
            what = "the head of the answer is larger than 64 KiB" if not self.headers_complete else _TOO_LARGE
            raise HttpRequestFailed(what)
        super().feed(data)


_TOO_LARGE = f"the answer is larger than {MAX_BODY >> 20} MiB"

HALVED = "the request contains half of a character (a lone surrogate), which cannot be sent"

Origin = tuple[str, str, int]
"""Scheme, host and port of a URL."""


def origin_of(url: str) -> Origin:
    """Where a URL of HTTP or WebSocket leads; ``ws`` counts as ``http``, ``wss`` as ``https``.

    Raises:
        ValueError: it is no URL, or names no host that could be looked up.
    """
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme.lower(), parts.scheme.lower())
    if scheme not in {"http", "https"} or not parts.hostname or host_problem(parts.hostname):
        raise ValueError(f"not an HTTP URL: {url}")
    return scheme, parts.hostname, parts.port or (443 if scheme == "https" else 80)


class HttpClient:
    """Sends the requests of all users of a process.

    ``tls`` makes the context of TLS, ``address_of`` says where an origin is connected to, ``proxy_of``
    through what.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        address_of: Callable[[Origin], tuple[str, int]],
        proxy_of: Callable[[Origin], Proxy | None],
    ) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._address_of = address_of
        self._proxy_of = proxy_of
        self._idle: dict[Origin, list[Any]] = {}

    def close(self) -> None:
        """Close what is kept."""
        for sock in (sock for kept in self._idle.values() for sock in kept):
            sock.close()
        self._idle = {}

    def send(
        self,
        call: HttpCall,
        cookies: CookieKeeper,
        *,
        within_ns: int,
        follow: bool = True,
        writing: Writing | None = None,
    ) -> HttpAnswer:
        """The answer, after at most ``MAX_REDIRECTS`` redirects, within ``within_ns`` in all.

        What is sent to another origin than the first one has no body and none of the headers. ``follow``
        false: a redirect is the answer. ``writing`` is told when the request is written.

        Raises:
            HttpRequestFailed: there was no answer, or none that can be used.
        """
        seconds = within_ns / 1e9
        overdue = HttpTimedOut(f"no answer within {seconds:g} s")
        with gevent.Timeout(seconds, overdue):
            answer = self._answer(call, cookies, writing)
            for _ in range(MAX_REDIRECTS if follow else 0):
                where = answer.headers.get("location", "")
                if answer.status not in REDIRECTS or not where:
                    break
                call = _followed(call, answer.status, where)
                answer = self._answer(call, cookies)
            if follow and answer.status in REDIRECTS and answer.headers.get("location"):
                raise HttpRequestFailed(f"the server redirected more than {MAX_REDIRECTS} times")
            return answer

    def _answer(self, call: HttpCall, cookies: CookieKeeper, writing: Writing | None = None) -> HttpAnswer:
        """One request and its answer; what a kept connection loses is sent again, but for POST and PATCH."""
        try:
            origin = origin_of(call.url)
        except ValueError:
            raise HttpRequestFailed("with its values filled in, the URL is not a valid HTTP URL") from None
        request = _request(call, cookies.sent_to(call.url))
        with _told():
            while kept := self._idle.get(origin):
                sock = kept.pop()
                if _has_ended(sock):
                    sock.close()
                    continue
                try:
                    answer = self._exchange(origin, sock, call, request, writing)
                except (HTTPConnectionClosed, ConnectionError):
                    if call.method not in _AGAIN:
                        raise
                    continue
                break
            else:
                answer = self._exchange(origin, self._open(origin), call, request, writing)
        if answer.set_cookies:
            cookies.take(call.url, answer.set_cookies)
        return answer

    def _exchange(
        self, origin: Origin, sock: Any, call: HttpCall, request: bytes, writing: Writing | None
    ) -> HttpAnswer:
        """One request on one connection, which is kept for the next one where it can be."""
        keep = False
        try:
            _write(sock, request, writing)
            response = _BoundedResponse(sock, call.method)
            body = bytes(response.read(MAX_BODY + 1))
            if len(body) > MAX_BODY:
                raise HttpRequestFailed(_TOO_LARGE)
            if not response.message_complete:
                raise HttpRequestFailed("the server closed the connection in the middle of its answer")
            keep = not response.should_close()
            items = [(str(name).lower(), str(value).strip()) for name, value in response.items()]
            set_cookies = tuple(value for name, value in items if name == "set-cookie")
            return HttpAnswer(call.url, int(response.status_code), dict(items), set_cookies, body)
        finally:
            kept = self._idle.setdefault(origin, [])
            if keep and len(kept) < IDLE_KEPT:
                kept.append(sock)
            else:
                sock.close()

    def _open(self, origin: Origin) -> Any:
        """A new connection.

        Raises:
            OSError: it cannot be made.
            HttpRequestFailed: the proxy does not make it.
        """
        scheme, host, _ = origin
        proxy = self._proxy_of(origin)
        sock = socket.create_connection(self._address_of(origin) if proxy is None else proxy.address)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy is not None:
                _through(sock, proxy, origin)
            if scheme == "https":
                self._tls = self._tls or self._make_tls()
                sock = self._tls.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        return sock


def _write(sock: Any, request: bytes, writing: Writing | None) -> None:
    """Write a request, and tell when its last byte went, where somebody asks."""
    if writing is None:
        sock.sendall(request)
        return
    left, at_ns = memoryview(request), 0
    while left:
        at_ns = writing.now()
        left = left[sock.send(left[:WRITE_BYTES]) :]
    writing.on_written(at_ns)


def _has_ended(sock: Any) -> bool:
    """Whether the other side has closed a connection that waits, or sent what nobody asked for."""
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _through(sock: Any, proxy: Proxy, origin: Origin) -> None:
    """Have the proxy connect to a host."""
    _, host, port = origin
    sock.sendall(proxy.request(host, port))
    data = b""
    while True:
        chunk = sock.recv(READ_BYTES)
        data += chunk
        try:
            if connect_answer(data, ended=not chunk):
                return
        except ConnectRefusal as refusal:
            raise HttpRequestFailed(refusal.reason) from None


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong on a connection, in words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise HttpRequestFailed(f"the certificate is not trusted: {error.verify_message}") from None
    except HTTPConnectionClosed:
        raise HttpRequestFailed("closed without an answer") from None
    except HTTPParseError:
        raise HttpRequestFailed("the answer is not valid HTTP") from None
    except ssl.SSLError as error:
        raise HttpRequestFailed(f"TLS: {error.reason or error}") from None
    except OSError as error:
        raise HttpRequestFailed(os_reason(error)) from None
    except UnicodeError:
        # Resolvers raise it of a name that they cannot write, and it is no OSError.
        raise HttpRequestFailed("the name of the host cannot be resolved") from None


def _followed(call: HttpCall, status: int, where: str) -> HttpCall:
    """The request that a redirect asks for; to another origin without the headers.

    Raises:
        HttpRequestFailed: it leads nowhere, from TLS to none, or would take a body to another origin.
    """
    url = redirected(call.url, where)
    method, body = call.method, call.body
    headers = dict(call.headers)
    if status not in _STAYS and method not in {"GET", "HEAD"}:
        method, body = "GET", None
        headers = {name: text for name, text in headers.items() if name.lower() != "content-type"}
    if origin_of(url) == origin_of(call.url):
        return HttpCall(method, url, headers, body)
    if body:
        raise HttpRequestFailed(
            f"HTTP {status} redirects to another origin (scheme, host or port); loadtest sends no body there"
        )
    return HttpCall(method, url)


def redirected(url: str, where: str) -> str:
    """The URL that a ``Location`` names.

    Raises:
        HttpRequestFailed: it leads nowhere, or from TLS to none.
    """
    try:
        target = urljoin(url, where)
        before, after = origin_of(url), origin_of(target)
    except ValueError:
        raise HttpRequestFailed("the server redirects to an address that is not an HTTP URL") from None
    if before[0] == "https" and after[0] == "http":
        raise HttpRequestFailed("the server redirects from https to http, which loadtest does not follow")
    return target


def _request(call: HttpCall, cookies: Mapping[str, str]) -> bytes:
    """Its bytes.

    Raises:
        HttpRequestFailed: it holds what no UTF-8 has.
    """
    parts = urlsplit(call.url)
    host = parts.netloc.rpartition("@")[2]
    path = sendable(parts.path or "/") + (f"?{sendable(parts.query)}" if parts.query else "")
    given = {name.lower() for name in call.headers}
    ours = {"Host": host, "User-Agent": "loadtest", "Accept": "*/*"}
    fields = {name: text for name, text in ours.items() if name.lower() not in given} | dict(call.headers)
    if cookies and "cookie" not in given:
        fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if call.body is not None or call.method in {"POST", "PUT", "PATCH"}:
        fields["Content-Length"] = str(len(call.body or b""))
    lines = [f"{call.method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    try:
        head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise HttpRequestFailed(HALVED) from None
    return head + b"\r\n\r\n" + (call.body or b"")


_UNSENDABLE = re.compile(r"[^!-~]+")


def sendable(text: str) -> str:
    """A path or a query with everything that is not ASCII in percent signs (RFC 3986), the rest as it is."""
    return _UNSENDABLE.sub(lambda found: quote(found[0], errors="surrogateescape"), text)
