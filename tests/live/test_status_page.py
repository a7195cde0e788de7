"""The status page: whom it answers, and what a client that says nothing costs."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from loadtest.live import status_page
from loadtest.live.status_page import MAX_CLIENTS, StatusPage, is_own


@pytest.fixture
def port() -> Iterator[int]:
    served = StatusPage("127.0.0.1", 0, lambda: None)
    yield int(served.url.rstrip("/").rpartition(":")[2])
    served.close()


def _status(port: int, *hosts: str) -> int:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    asking.putrequest("GET", "/", skip_host=True)
    for host in hosts:
        asking.putheader("Host", host)
    asking.endheaders()
    status = asking.getresponse().status
    asking.close()
    return status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "localhost", "LOCALHOST:8790", "[::1]:8790", "10.0.0.7:8790", "monitor.lan:8790"]
)
def test_an_address_and_its_own_names_are_answered(host: str) -> None:
    assert is_own(host, {"monitor.lan"})


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "["]
)
def test_a_foreign_name_is_refused(host: str) -> None:
    assert not is_own(host, {"monitor.lan"})


def test_a_page_elsewhere_cannot_read_it_through_a_name_that_resolves_to_here(port: int) -> None:
    assert _status(port, f"127.0.0.1:{port}") == 503  # nothing was assessed yet
    assert _status(port, "rebound.example") == 421
    assert _status(port) == 421
    assert _status(port, "127.0.0.1", "rebound.example") == 421


def test_a_silent_client_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "SILENT_S", 0.05)
    served = StatusPage("127.0.0.1", 0, lambda: None)
    address = ("127.0.0.1", int(served.url.rstrip("/").rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert silent.recv(1) == b""
    served.close()


def test_any_number_of_clients_takes_a_bounded_number_of_threads(port: int) -> None:
    before = set(threading.enumerate())
    with ExitStack() as clients:
        silent = [
            clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            for _ in range(MAX_CLIENTS + 20)
        ]
        # Those that came first have been let go to make room, and one that asks is answered.
        assert [each.recv(1) for each in silent[:20]] == [b""] * 20
        assert _status(port, "localhost") == 503
        serving = set(threading.enumerate()) - before
        for each in list(serving):
            if len(serving) <= MAX_CLIENTS + 1:
                break
            # Of a client that was let go, the thread may need a moment to end.
            each.join(2.0)
            serving = {each for each in serving if each.is_alive()}
        assert len(serving) <= MAX_CLIENTS + 1
