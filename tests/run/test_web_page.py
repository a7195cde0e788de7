"""Locust's page may be looked at, and may stop the run, from this machine; nothing else is done there."""

from __future__ import annotations

import http.client
import re
from contextlib import closing
from types import SimpleNamespace

import gevent
import pytest

from loadtest.run import web_page
from loadtest.run.web_page import refusal
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import quick

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
        ("GET", "/", "evil.example", None, "the address of this machine only"),
        ("GET", "/", "evil.example:8089", None, "the address of this machine only"),
        ("GET", "/", "127.0.0.1:80", None, "the address of this machine only"),
        ("GET", "/", "", None, "the address of this machine only"),
        ("POST", "/stop", AT, "http://evil.example", "another page"),
        ("POST", "/stop", AT, "null", "another page"),
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


def test_a_page_that_cannot_be_served_is_told_of_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Environment:
        def create_web_ui(self, _host: str, _port: int) -> object:
            refused = gevent.spawn(gevent.sleep, 0)
            return SimpleNamespace(app=SimpleNamespace(before_request=lambda _: None), greenlet=refused)

    monkeypatch.setattr(web_page, "free_port", lambda _host: 8089)
    with web_page.web_page(Environment(), lambda _by: None):
        pass
    assert (
        "port 8089 of 127.0.0.1 cannot be listened on; the run goes on without it" in capsys.readouterr().err
    )


@pytest.mark.long
def test_a_run_that_is_stopped_there_says_so(launch: Launch) -> None:
    started = launch("run", "agent-burst", "--ui", *quick("30s"))
    address = re.compile(r"http://127\.0\.0\.1:(\d+)")
    started.until(lambda: address.search(started.err) is not None)
    found = address.search(started.err)
    assert found
    for method, path, status in (("POST", "/swarm", 403), ("GET", "/", 200), ("POST", "/stop", 200)):
        with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)) as page:
            page.request(method, path)
            assert page.getresponse().status == status
    ended = started.end()
    assert ended.code == 130, ended.screen
    assert ended.manifest["duration_s"] < 25
    assert ended.manifest["verdict"]["reason"].startswith("Stopped on Locust's page")
