"""A page of a run may be looked at, and may stop the run, from this machine; nothing else is done there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import gevent
import pytest
from gevent import socket

from loadtest.run import web_server
from loadtest.run.web_server import MAX_AT_ONCE, BoundedServer, guarded, refusal

AT = "127.0.0.1:8089"
HOME = f"http://{AT}"


@pytest.mark.parametrize(
    ("method", "path", "host", "origin"),
    [
        ("GET", "/", AT, None),
        ("GET", "/stats/requests", "LOCALHOST:8089", "http://elsewhere"),
        ("POST", "/stop", AT, None),
        ("POST", "/stop", AT, HOME),
        ("POST", "/stop", "localhost:8089", "http://localhost:8089"),
    ],
)
def test_a_look_and_a_stop_from_this_machine_are_answered(
    method: str, path: str, host: str, origin: str | None
) -> None:
    assert refusal(8089, method, path, host, origin) is None


@pytest.mark.parametrize(
    ("method", "path", "host", "origin", "why"),
    [
        ("GET", "/", "evil.example", None, "only at the address of this machine"),
        ("GET", "/", "evil.example:8089", None, "only at the address of this machine"),
        ("GET", "/", "127.0.0.1:80", None, "only at the address of this machine"),
        ("GET", "/", "", None, "only at the address of this machine"),
        ("POST", "/stop", AT, "http://evil.example", "other pages"),
        ("POST", "/stop", AT, "null", "other pages"),
        ("POST", "/swarm", AT, HOME, "the load follows its plan"),
        ("POST", "/stop/", AT, HOME, "the load follows its plan"),
        ("DELETE", "/user", AT, HOME, "the load follows its plan"),
    ],
)
def test_whatever_else_is_asked_there_is_refused(
    method: str, path: str, host: str, origin: str | None, why: str
) -> None:
    told = refusal(8089, method, path, host, origin)
    assert told is not None
    assert why in told


# ------------------------------------------------------------------ Locust's own page


def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "4")])
    return [b"page"]


def answered(method: str = "GET", path: str = "/", host: str = "127.0.0.1:8089", **headers: str) -> str:
    said: list[str] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": host, "wsgi.url_scheme": "http"}
    environ |= {f"HTTP_{name}": value for name, value in headers.items()}
    guarded(served, ["load.example"])(environ, lambda status, _headers: said.append(status))
    return said[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"host": "127.0.0.1:8089"},
        {"host": "[::1]:8089"},
        {"host": "10.0.0.7:8089"},
        {"host": "LOCALHOST:8089"},
        {"host": "Load.example"},
        {"method": "POST", "path": "/swarm", "ORIGIN": "http://127.0.0.1:8089"},
        {"path": "/", "SEC_FETCH_SITE": "cross-site"},
        {"path": "/stop", "SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_locusts_page_answers_who_asks_for_it_by_address(asked: dict[str, str]) -> None:
    assert answered(**asked) == "200 OK"


@pytest.mark.parametrize(
    "asked",
    [
        {"host": "evil.example:8089"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "[::1"},
        {"method": "POST", "path": "/swarm", "ORIGIN": "http://evil.example"},
        {"path": "/stats/requests", "ORIGIN": "http://evil.example"},
        {"path": "/stop", "SEC_FETCH_SITE": "cross-site"},
    ],
)
def test_locusts_page_refuses_foreign_names_and_other_pages(asked: dict[str, str]) -> None:
    assert answered(**asked) == "403 Forbidden"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(web_server, "SILENT_S", 0.5)
    server = BoundedServer(("127.0.0.1", 0), served, log=None, error_log=None)
    server.start()
    try:
        yield int(server.server_port)
    finally:
        server.stop(0)


def test_silent_clients_hold_neither_the_page_nor_the_process(port: int) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            for _ in range(MAX_AT_ONCE + 8)
        ]
        # All places are taken: this one waits until a silent client is let go, and is then answered.
        last = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        last.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        with gevent.Timeout(60):
            answer = b"".join(iter(lambda: last.recv(4096), b""))
            assert answer.endswith(b"page")
            assert all(b"".join(iter(lambda each=each: each.recv(4096), b"")) == b"" for each in silent)
