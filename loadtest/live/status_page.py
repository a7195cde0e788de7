"""The status page of a watch: the last assessment as HTML that refreshes itself, and as JSON; on loopback.

Any page that a browser on this machine shows may try to reach it, and so may any process. A foreign name that
resolves to this machine (DNS rebinding) is refused, a client that says nothing is let go, and no number of
clients takes more than ``MAX_CLIENTS`` threads.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Container
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loadtest.errors import ConfigError, Problem
from loadtest.readiness.assessment import Assessment
from loadtest.readiness.views.badge import badge
from loadtest.readiness.views.html import html
from loadtest.readiness.views.page_model import build_page
from loadtest.readiness.views.prometheus import prometheus
from loadtest.show.render.json import as_json

REFRESH_S = 5

PATHS = b"/, /details, /ready.json, /metrics, /badge.svg and /badge/COMPONENT.svg\n"

MAX_CLIENTS = 32
"""Clients at once; one more takes the place of the one that has been there longest."""

SILENT_S = 10.0
"""Seconds after which a client that sends nothing, or takes nothing, is let go."""

Response = tuple[HTTPStatus, str, bytes]


class _Server(ThreadingHTTPServer):
    """A thread per client, and only so many of them."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], answering: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        super().__init__(address, answering)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin the thread of a client."""
        with self._lock:
            self._clients.append(request)
            while len(self._clients) > MAX_CLIENTS:
                # Its thread sees the end of its connection, and ends.
                with suppress(OSError):
                    self._clients.pop(0).shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client that was answered, or has gone."""
        with self._lock, suppress(ValueError):
            self._clients.remove(request)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        """Ignore a client that disconnects: the screen belongs to the watch."""


class StatusPage:
    """Serves what ``latest`` returns, from a thread of its own, until it is closed."""

    def __init__(self, host: str, port: int, latest: Callable[[], Assessment | None]) -> None:
        names = {host.lower(), socket.gethostname().lower()}

        class Answer(BaseHTTPRequestHandler):
            timeout = SILENT_S

            def do_GET(self) -> None:
                asked = self.headers.get_all("Host") or []
                if len(asked) == 1 and is_own(asked[0], names):
                    status, kind, body = answer(self.path, latest())
                else:
                    status, kind, body = REFUSED
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("X-Frame-Options", "DENY")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - the library's name; the body is left out below

            def log_message(self, *_: Any) -> None:
                """Log nothing: the screen belongs to the watch."""

        try:
            self._server = _Server((host, port), Answer)
        except OSError as error:
            raise ConfigError([Problem("--serve", f"cannot listen on {host}:{port}: {error.strerror}")])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}/" if ":" in str(host) else f"http://{host!s}:{port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


REFUSED: Response = (
    HTTPStatus.MISDIRECTED_REQUEST,
    "text/plain",
    b"this page answers to an address of its machine only; for a name, start it with --serve NAME:PORT\n",
)


def is_own(host: str, names: Container[str]) -> bool:
    """Whether a Host header names this machine: by an address, as localhost, or by one of its ``names``.

    A foreign name is what a page elsewhere would use to read this one; an address it cannot use for that.
    """
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def answer(path: str, found: Assessment | None) -> Response:
    """The response to a GET: status, content type and body."""
    path = path.partition("?")[0]
    one = path.removeprefix("/badge/").removesuffix(".svg") if path.startswith("/badge/") else ""
    if path not in {"/", "/details", "/ready.json", "/metrics", "/badge.svg"} and not one:
        return HTTPStatus.NOT_FOUND, "text/plain", b"there are " + PATHS
    if found is None:
        text = f'<meta http-equiv="refresh" content="{REFRESH_S}">nothing was assessed yet\n'
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/html", text.encode()
    kind, made = _made(path, found, one)
    if made is None:
        return HTTPStatus.NOT_FOUND, "text/plain", b"there is no such component\n"
    return HTTPStatus.OK, kind, made.encode("utf-8", "replace")


def _made(path: str, found: Assessment, one: str) -> tuple[str, str | None]:
    """Content type and text of a path that there is; ``one`` is the component of a badge."""
    if path == "/metrics":
        return "text/plain; version=0.0.4", prometheus(found)
    if path == "/ready.json":
        return "application/json", as_json(found.plain())
    if one or path == "/badge.svg":
        return "image/svg+xml", badge(found, one)
    return "text/html", _page(found, opened=path == "/details")


def _page(found: Assessment, *, opened: bool) -> str:
    """The page that reloads itself and so folds itself again, or the one that stays as it is."""
    again_s = None if opened else REFRESH_S
    return html(build_page(found), refresh_s=again_s, opened=opened, details="" if opened else "/details")
