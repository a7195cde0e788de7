"""The status page of a watch: the last assessment as HTML that refreshes itself, and as JSON; on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loadtest.errors import ConfigError, Problem
from loadtest.readiness.assessment import Assessment
from loadtest.readiness.views.html import html
from loadtest.readiness.views.prometheus import prometheus
from loadtest.readiness.views.telling import tell
from loadtest.show.render.json import as_json

REFRESH_S = 5


class StatusPage:
    """Serves what ``latest`` returns, from a thread of its own, until it is closed."""

    def __init__(self, host: str, port: int, latest: Callable[[], Assessment | None]) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = answer(self.path, latest())
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - the library's name; the body is left out below

            def log_message(self, *_: Any) -> None:
                """Log nothing: the screen belongs to the watch."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Ignore a client that disconnects: the screen belongs to the watch."""

        try:
            self._server = Server((host, port), Answer)
        except OSError as error:
            raise ConfigError([Problem("--serve", f"{host}:{port} cannot be listened on: {error.strerror}")])
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def answer(path: str, found: Assessment | None) -> tuple[HTTPStatus, str, bytes]:
    """The response to a GET: status, content type and body."""
    path = path.partition("?")[0]
    if path not in {"/", "/ready.json", "/metrics"}:
        return HTTPStatus.NOT_FOUND, "text/plain", b"there are /, /ready.json and /metrics\n"
    if found is None:
        text = f'<meta http-equiv="refresh" content="{REFRESH_S}">nothing was assessed yet\n'
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/html", text.encode()
    if path == "/metrics":
        return HTTPStatus.OK, "text/plain; version=0.0.4", prometheus(found).encode("utf-8", "replace")
    if path == "/ready.json":
        return HTTPStatus.OK, "application/json", as_json(found.plain()).encode()
    return HTTPStatus.OK, "text/html", html(tell(found), refresh_s=REFRESH_S).encode("utf-8", "replace")
