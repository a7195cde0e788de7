"""The live page of a run, on loopback: its numbers as ``/api/live``, a stop button, in the end the report."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event

from loadtest.run.live_answers import Answer, LiveAnswers, headers_of
from loadtest.run.web_server import BoundedServer, refusal
from loadtest.show.live_run import LiveRun

PAGE = "the live page"
HOST = "127.0.0.1"

LOOKED_AT_S = 5.0
"""A page that asked for numbers within this time before the end is open, and becomes the report."""

HANDED_OVER_WITHIN_S = 10.0
"""How long the process waits at most for an open page to fetch the report."""

SENT_WITHIN_S = 0.3

BAR = (
    "<style>@media print { #loadtest-bar { display: none; } }</style>"
    '<div id="loadtest-bar" style="display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; '
    "justify-content: center; padding: 8px 14px; border-bottom: 1px solid; font: 15px system-ui; "
    'overflow-wrap: anywhere">'
)
"""The beginning of what stands above the report while the page stays."""


class LivePage:
    """Serves a run from its start until its report was handed over; ``stopped`` ends the run."""

    def __init__(
        self, live: LiveRun, folder: Path, stopped: Callable[[str], object], port: int | None = None
    ) -> None:
        self._live = live
        self._folder = folder
        self._stopped = stopped
        self._answers = LiveAnswers(live, folder)
        self._handed_over = Event()
        self._stays = False
        self._closed = Event()
        # A form of a page without a referrer has no origin to be known by: it has what nobody else can know.
        self._close_at = f"/close/{secrets.token_urlsafe(16)}"
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
            why = f"{error.strerror}; the run goes on without it"
            sys.stderr.write(f"{PAGE}: cannot listen on port {self._wanted_port} of {HOST}: {why}\n")
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
        looked_at_s = self._answers.looked_at_s
        if looked_at_s is not None and self._ended_s - looked_at_s < LOOKED_AT_S:
            self._handed_over.wait(HANDED_OVER_WITHIN_S)
            gevent.sleep(SENT_WITHIN_S)
        self._server.stop(1)

    def stay(self) -> None:
        """The report is written, and is served until the page is closed."""
        if self._server is None:
            return
        self._stays = True
        self._live.state = "ended"
        sys.stderr.write(
            f"{PAGE} shows the report until Ctrl-C or its button (with --ui-close: until the run ends): "
            f"http://{HOST}:{self.port}/\n"
        )
        self._closed.wait()
        gevent.sleep(SENT_WITHIN_S)
        self._server.stop(1)

    def close(self) -> None:
        """End ``stay``; also from a handler of signals, while the loop waits."""
        gevent.get_hub().loop.run_callback_threadsafe(self._closed.set)

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
        start_response(status, [*headers_of(path.removeprefix("/"), kind), length])
        return [b""] if method == "HEAD" else [body]

    def answer(self, method: str, path: str, query: str, host: str, origin: str | None) -> Answer:
        """The answer to one request."""
        closes = (
            method == "POST"
            and self._stays
            and secrets.compare_digest(path.encode(), self._close_at.encode())
        )
        refused = refusal(self.port, "GET" if closes else method, path, host, origin)
        if refused is not None:
            return "403 Forbidden", "text/plain", f"{refused}\n".encode()
        if closes:
            self.close()
            return self._report("Closed: this page is no longer served.")
        if method == "POST":
            self._stopped(PAGE)
            return "200 OK", "application/json", b'{"stopping": true}\n'
        if path == "/report":
            self._handed_over.set()
            button = "<button>Close and end the command</button>"
            return self._report(f'<form method="post" action="{self._close_at}">{button}</form>')
        return self._answers.answer(path.removeprefix("/"), query)

    def _report(self, more: str) -> Answer:
        """The report; while the page stays, with a line above it that says where it is kept, and ``more``."""
        status, kind, body = self._answers.answer("report", "")
        if not self._stays or kind != "text/html":
            return status, kind, body
        kept = f"<span>This report is stored in <code>{escape(str(self._folder))}</code>.</span>"
        bar = f"{BAR}{kept}{more}</div>".encode()
        return status, kind, re.sub(rb"<body[^>]*>", lambda found: found[0] + bar, body, count=1)
