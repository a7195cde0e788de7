"""Locust's web page on loopback: shows the run, and can stop it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PAGE = "Locust's page"

Answer = tuple[dict[str, object], int]


@contextmanager
def web_page(environment: Any, stopped: Callable[[str], object]) -> Iterator[None]:
    """Serve the page; ``stopped`` is called with the page's name when somebody stops the run there."""
    port = free_port("127.0.0.1")
    # Locust's page parses the command line again at every request, and does not know our options.
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        web_ui = environment.create_web_ui("127.0.0.1", port)
        web_ui.app.before_request(lambda: _guarded(port, stopped))
        if not _listens(web_ui):
            sys.stderr.write(
                f"{PAGE}: port {port} of 127.0.0.1 cannot be listened on; the run goes on without it\n"
            )
            yield
            return
        sys.stderr.write(f"{PAGE}: http://127.0.0.1:{port}\n")
        yield
        web_ui.stop()
    finally:
        sys.argv = arguments


def _listens(web_ui: Any) -> bool:
    """Whether the page is served; Locust's server starts in a greenlet of its own, and may fail."""
    while not web_ui.greenlet.ready():
        server = getattr(web_ui, "server", None)
        if server is not None and server.started:
            return True
        web_ui.greenlet.join(timeout=0.001)
    return False


def _guarded(port: int, stopped: Callable[[str], object]) -> Answer | None:
    """Our answer to a request that the page itself must not answer; None if it may."""
    from flask import request

    origin = request.headers.get("Origin")
    refused = refusal(port, request.method, request.path, request.headers.get("Host", ""), origin)
    if refused is not None:
        return {"success": False, "message": refused}, 403
    if request.method != "POST":
        return None
    stopped(PAGE)
    return {"success": True, "message": "the run is ended early, and judged"}, 200


def refusal(port: int, method: str, path: str, host: str, origin: str | None) -> str | None:
    """Why a request is refused; None if it is allowed: reading from this machine, or a stop.

    A foreign name that resolves to loopback, and a form on another page, act with the browser's rights.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    if host.lower() not in own:
        return "this page is served under the address of this machine only"
    if method in {"GET", "HEAD", "OPTIONS"}:
        return None
    if origin is not None and origin.lower() not in {f"http://{each}" for each in own}:
        return "a request from another page is refused"
    return None if path == "/stop" else "the load follows its plan; all that can be done here is to stop it"


def free_port(host: str) -> int:
    """A port that was free a moment ago: through Locust, ZeroMQ cannot tell which port it took."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
