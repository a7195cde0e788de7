"""``/metrics`` of a run while it goes on, for a Prometheus that scrapes it."""

from __future__ import annotations

import ipaddress
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

from loadtest.plan.addresses import is_loopback
from loadtest.run.web_server import BoundedServer
from loadtest.show.metric_families import ExportedRun
from loadtest.show.render.exposition import CONTENT_TYPE, exposition

LAST_SCRAPE_WITHIN_S = 20.0
"""The longest that the process waits, after the run, for whoever scraped it to come once more."""

MAX_AT_ONCE = 8
"""Clients that are served at a time."""

BETWEEN_FAMILIES_S = 0.0001
"""Not 0: gevent would come straight back without a look at its sockets."""


class MetricsServer:
    """Serves a run from its start until it was scraped after its end.

    The text is made at most once for each second of the run, family by family, so that messages that fall due
    meanwhile do not wait for all of it.
    """

    def __init__(self, exported: ExportedRun, address: tuple[str, int]) -> None:
        self._exported = exported
        self._host, self._wanted_port = address
        self._server: BoundedServer | None = None
        self._made: tuple[object, bytes] = (None, b"")
        self._making = BoundedSemaphore()
        self._scraped_s: float | None = None
        self._every_s = 0.0
        self._over = False
        self._final = Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._wanted_port if self._server is None else int(self._server.server_port or 0)

    def start(self) -> None:
        """Begin to serve; where the address cannot be had, the run goes on without it."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._wanted_port))
            listener.listen(50)
        except OSError as error:
            listener.close()
            where = f"{self._host or '*'}:{self._wanted_port}"
            why = f"{error.strerror or error}; the run goes on without it"
            sys.stderr.write(f"--prometheus: cannot listen on {where}: {why}\n")
            return
        self._server = BoundedServer(listener, self._serve, spawn=Pool(MAX_AT_ONCE), log=None, error_log=None)
        self._server.start()
        shown = f"[{self._host}]" if ":" in self._host else self._host or "*"
        sys.stderr.write(f"metrics for Prometheus: http://{shown}:{self.port}/metrics\n")

    def over(self) -> None:
        """The load is over: what is scraped from now on does not change any more."""
        self._over = True

    def finish(self) -> None:
        """Whoever scrapes comes once more for the last numbers, then nothing is served any more."""
        if self._server is None:
            return
        if self._scraped_s is not None and not self._final.is_set():
            self._final.wait(min(LAST_SCRAPE_WITHIN_S, self._every_s * 1.5 + 2.0))
        # The answer is on its way.
        gevent.sleep(BETWEEN_FAMILIES_S)
        self._server.stop(1)

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, kind, body = self.answer(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_HOST", "")
        )
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def answer(self, method: str, path: str, host: str) -> tuple[str, str, bytes]:
        """Status line, content type and body of the answer to one request."""
        if not host_is_ours(host, self._host, self.port):
            return "403 Forbidden", "text/plain", b"the metrics are not served under this host name\n"
        if method not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", "text/plain", b"the metrics are read-only\n"
        if path != "/metrics":
            return "404 Not Found", "text/plain", b"there is /metrics\n"
        over = self._over
        body = self._body()
        self._note_scrape()
        if over:
            self._final.set()
        return "200 OK", CONTENT_TYPE, body

    def _note_scrape(self) -> None:
        now_s = time.monotonic()
        if self._scraped_s is not None:
            self._every_s = now_s - self._scraped_s
        self._scraped_s = now_s

    def _body(self) -> bytes:
        """The text of this second; whoever asks while it is made waits for it."""
        with self._making:
            stand = (self._exported.seconds, self._over)
            if self._made[0] != stand:
                common = self._exported.labels
                parts = []
                for family in self._exported.families():
                    parts.append(exposition(family, common))
                    gevent.sleep(BETWEEN_FAMILIES_S)
                self._made = (stand, b"".join(parts))
            return self._made[1]


def host_is_ours(asked: str, bound: str, port: int) -> bool:
    """Whether a ``Host`` header names this server: a foreign name may lead a browser to it.

    Names of loopback, the address that was told, and, where that is not loopback, any address as a number
    and this machine's own name.
    """
    host = asked.lower().removesuffix(f":{port}").strip("[]")
    if host and host in {"localhost", "127.0.0.1", "::1", bound.lower()}:
        return True
    if is_loopback(bound):
        return False
    if host == socket.gethostname().lower():
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
