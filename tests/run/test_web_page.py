"""A page of a run may be looked at, and may stop the run, from this machine; nothing else is done there."""

from __future__ import annotations

import pytest

from loadtest.run.web_page import refusal

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
