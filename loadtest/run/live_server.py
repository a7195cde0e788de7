"""The live page of a run, on loopback: its numbers as ``/api/live``, a stop button, in the end the report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gevent
from gevent import socket
from gevent.event import Event

from loadtest.keep.folder import REPORT
from loadtest.run.web_page import BoundedServer, refusal
from loadtest.show.live_run import LiveRun
from loadtest.show.render.html import environment
from loadtest.show.render.json import as_json

PAGE = "the live page"
HOST = "127.0.0.1"

STATIC = Path(__file__).resolve().parents[1] / "show" / "static"
FILES = {
    "/live.js": ("live.js", "text/javascript"),
    "/uplot.js": ("uPlot.iife.min.js", "text/javascript"),
    "/uplot.css": ("uPlot.min.css", "text/css"),
}

LOOKED_AT_S = 5.0
"""A page that asked for numbers within this time before the end is open, and becomes the report."""

HANDED_OVER_WITHIN_S = 10.0
"""How long the process waits at most for an open page to fetch the report."""

SENT_WITHIN_S = 0.3

HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Answer = tuple[str, str, bytes]
"""Status line, content type, body."""


class LivePage:
    """Serves a run from its start until its report was handed over; ``stopped`` ends the run."""

    def __init__(
        self, live: LiveRun, folder: Path, stopped: Callable[[str], object], port: int | None = None
    ) -> None:
        self._live = live
        self._folder = folder
        self._stopped = stopped
        self._looked_at_s: float | None = None
        self._handed_over = Event()
        self._wanted_port = port or 0
        self._server: BoundedServer | None = None
        self._ended_s = 0.0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._wanted_port if self._server is None else int(self._server.server_port or 0)

    def start(self) -> None:
        """Begin to serve; where the port is taken, the run goes on without a page."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._wanted_port))
            listener.listen(50)
        except OSError as error:
            listener.close()
            why = f"cannot be listened on ({error.strerror}); the run goes on without it"
            sys.stderr.write(f"{PAGE}: port {self._wanted_port} of {HOST} {why}\n")
            return
        self._server = BoundedServer(listener, self._serve, log=None, error_log=None)
        self._server.start()
        sys.stderr.write(f"{PAGE}: http://{HOST}:{self.port}/\n")

    def over(self) -> None:
        """The load is over; what comes now is the verdict and the report."""
        self._live.state = "judging"
        self._ended_s = time.monotonic()

    def finish(self) -> None:
        """The report is written: an open page fetches it, then nothing is served any more."""
        if self._server is None:
            return
        self._live.state = "ended"
        # While the report was written nobody was answered: a page that is open asks again right now.
        if self._looked_at_s is not None and self._ended_s - self._looked_at_s < LOOKED_AT_S:
            self._handed_over.wait(HANDED_OVER_WITHIN_S)
            gevent.sleep(SENT_WITHIN_S)
        self._server.stop(1)

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        status, kind, body = self.answer(
            method,
            path,
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_HOST", ""),
            environ.get("HTTP_ORIGIN"),
        )
        length = ("Content-Length", str(len(body)))
        headers = [*HEADERS, ("Content-Type", f"{kind}; charset=utf-8"), length]
        if path == "/":
            headers.append(("Content-Security-Policy", POLICY))
        start_response(status, headers)
        return [b""] if method == "HEAD" else [body]

    def answer(self, method: str, path: str, query: str, host: str, origin: str | None) -> Answer:
        """The answer to one request."""
        refused = refusal(self.port, method, path, host, origin)
        if refused is not None:
            return "403 Forbidden", "text/plain", f"{refused}\n".encode()
        if method == "POST":
            self._stopped(PAGE)
            return "200 OK", "application/json", b'{"stopping": true}\n'
        match path:
            case "/":
                body = environment().get_template("live.html").render().encode()
                found: Answer = ("200 OK", "text/html", body)
            case "/api/live":
                found = ("200 OK", "application/json", self._numbers(query))
            case "/report":
                found = self._report()
            case _ if path in FILES:
                name, kind = FILES[path]
                found = ("200 OK", kind, (STATIC / name).read_bytes())
            case _:
                found = ("404 Not Found", "text/plain", b"there are / and /api/live\n")
        return found

    def _numbers(self, query: str) -> bytes:
        self._looked_at_s = time.monotonic()
        asked = parse_qs(query).get("since", ["0"])[0]
        since = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 0
        return as_json({**self._live.document(since), "folder": str(self._folder)}).encode()

    def _report(self) -> Answer:
        self._handed_over.set()
        try:
            return "200 OK", "text/html", (self._folder / REPORT).read_bytes()
        except OSError:
            return "404 Not Found", "text/plain", b"the run has no report yet\n"
