"""``--target`` of a policy: what moves to the other system, and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.errors import Problem
from loadtest.readiness.retarget import retargeted


def moved(components: dict[str, Any], target: str) -> dict[str, object]:
    problems: list[Problem] = []
    found = retargeted({"components": components}, target, problems)
    assert problems == []
    return {".".join(each.path[1:]): each.value for each in found}


CHAT = {"probe": "websocket", "target": "ws://127.0.0.1:8765/ws"}


@pytest.mark.parametrize(
    ("url", "target", "expected"),
    [
        ("http://127.0.0.1:8765/health?q=1", "ws://b:9/chat", "http://b:9/health?q=1"),
        ("http://u:{env.P}@127.0.0.1:8765/health", "wss://me:pw@b/chat", "https://u:{env.P}@b/health"),
        ("http://127.0.0.1:8765/health", "ws://[::1]:9/", "http://[::1]:9/health"),
        ("http://127.0.0.1:8081/health", "ws://b:9/", None),
        ("http://{env.HOST}:{env.PORT}/health", "ws://b:9/", None),
    ],
)
def test_an_http_part_at_the_same_place_moves_with_it(url: str, target: str, expected: str | None) -> None:
    found = moved({"chat": CHAT, "api": {"probe": "http", "url": url}}, target)
    assert found == {"chat.target": target} | ({"api.url": expected} if expected else {})


def test_ports_that_are_not_written_are_those_of_the_scheme() -> None:
    chat = {"probe": "websocket", "target": "wss://a.example/ws"}
    api = {"probe": "http", "url": "https://a.example:443/health"}
    assert moved({"chat": chat, "api": api}, "ws://b:9/")["api.url"] == "http://b:9/health"


def test_other_kinds_and_what_is_no_part_stay() -> None:
    parts = {"chat": {"probe": "websocket"}, "store": {"probe": "redis", "url": "redis://127.0.0.1:8765"}}
    assert moved({**parts, "odd": 1}, "ws://b:9/") == {"chat.target": "ws://b:9/"}


@pytest.mark.parametrize("target", ["simulator", "http://b:9/", "ws://", "ws://b:port/", "ws://[x/"])
def test_what_is_no_websocket_is_told(target: str) -> None:
    problems: list[Problem] = []
    assert retargeted({"components": {"chat": CHAT}}, target, problems) == []
    assert "is not a ws:// or wss:// URL" in problems[0].sentence


def test_a_policy_without_a_websocket_is_told() -> None:
    problems: list[Problem] = []
    retargeted({"components": 3}, "ws://b:9/", problems)
    assert "the policy has no WebSocket component" in problems[0].sentence
