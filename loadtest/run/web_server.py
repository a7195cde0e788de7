"""Who may ask a page of ours for what, how many at a time and for how long, and a free port for it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

MAX_AT_ONCE = 32
"""Clients that are served at a time; others wait for one to leave. Each takes an open file from the load."""

SILENT_S = 10.0
"""Seconds after which a client that says nothing, or does not take its answer, is let go."""


class _Handler(WSGIHandler):
    """Serves one client."""

    def handle(self) -> None:
        self.socket.settimeout(SILENT_S)
        super().handle()


class BoundedServer(WSGIServer):
    """A server whose clients cannot hold more than so much of the process, or hold it for ever."""

    handler_class = _Handler

    def __init__(self, listener: Any, application: Any = None, **options: Any) -> None:
        super().__init__(listener, application, **{"spawn": Pool(MAX_AT_ONCE), **options})


def refusal(port: int, method: str, path: str, host: str, origin: str | None) -> str | None:
    """Why a request is refused; None if it is allowed: reading from this machine, or a stop.

    A foreign name that resolves to loopback, and a form on another page, act with the browser's rights.
    """
    own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    if host.lower() not in own:
        return "this page can be opened only at the address of this machine"
    if method in {"GET", "HEAD", "OPTIONS"}:
        return None
    if origin is not None and origin.lower() not in {f"http://{each}" for each in own}:
        return "requests from other pages are refused"
    return None if path == "/stop" else "the load follows its plan; this page can only stop it"


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def guarded(application: Application, names: Iterable[str]) -> Application:
    """Locust's page, which begins and ends loads, for those who ask for it by address or one of these names.

    A foreign name that resolves to this machine is refused, and so is what another page sends.
    """
    known = {"localhost", *(name.lower() for name in names if name)}

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        why = _foreign(environ, known)
        if why is None:
            return application(environ, start_response)
        body = f"{why}\n".encode()
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _foreign(environ: dict[str, Any], known: set[str]) -> str | None:
    host = str(environ.get("HTTP_HOST", ""))
    name = (urlsplit(f"//{host}").hostname or "") if _is_host(host) else ""
    if name not in known and not _is_address(name):
        return (
            "this page can be opened only at an address of this machine or at a name in LOADTEST_PAGE_NAMES"
        )
    # Locust lets every page read its own, and ends a load at a GET: an image on another page could.
    own = f"{environ.get('wsgi.url_scheme', 'http')}://{host}".lower()
    elsewhere = environ.get("HTTP_SEC_FETCH_SITE") == "cross-site" and environ["PATH_INFO"] != "/"
    if elsewhere or environ.get("HTTP_ORIGIN", own).lower() != own:
        return "requests from other pages are refused"
    return None


def _is_host(text: str) -> bool:
    """Whether it can be parsed as one: brackets that do not match cannot."""
    try:
        urlsplit(f"//{text}")
    except ValueError:
        return False
    return True


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def free_port(host: str) -> int:
    """A port that was free a moment ago: through Locust, ZeroMQ cannot tell which port it took."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
