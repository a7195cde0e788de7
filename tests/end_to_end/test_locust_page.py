"""Locust's own page of ``locust -f``: for who asks for it by its address, and bounded."""

from __future__ import annotations

import http.client
import signal
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from loadtest.run.web_server import MAX_AT_ONCE, free_port
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import LOCUST, wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


def asked(port: int, path: str, host: str = "", **headers: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}", **headers})
        return connection.getresponse().status


def page(port: int) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/", headers={"Host": f"127.0.0.1:{port}"})
        return connection.getresponse().read().decode()


def is_there(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_locusts_page_is_guarded(launch: Launch) -> None:
    port = free_port("127.0.0.1")
    words = ("-f", ROOT / "locustfiles" / "echo.py", "--web-host", "127.0.0.1", "--web-port", str(port))
    target = "ws://somebody:pass-word-1@127.0.0.1:9/?access_token=to-ken-2"
    launched = launch(*words, "--host", target, command=LOCUST)
    wait_until(lambda: is_there(port))
    shown = page(port)
    assert "127.0.0.1:9/" in shown
    assert "pass-word-1" not in shown
    assert "to-ken-2" not in shown
    assert asked(port, "/stats/requests") == 200
    assert asked(port, "/", host="evil.example") == 403
    # Ours is below it, and has nothing to show before a run has begun.
    assert asked(port, "/loadtest/live/") == 404
    assert asked(port, "/loadtest/live/", host="evil.example") == 403
    assert asked(port, "/stats/requests", Origin="http://evil.example") == 403
    with ExitStack() as stack:
        for _ in range(5 * MAX_AT_ONCE):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        taken = len(list(Path(f"/proc/{launched.process.pid}/fd").iterdir()))
    assert asked(port, "/stats/requests") == 200
    assert taken < MAX_AT_ONCE + 60
    launched.signal(signal.SIGTERM)
    launched.end()
