"""Each part of a running system broken for real, in turn: its row, its triggers, NO-GO, exit 1."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.parts import Served
from tests.end_to_end.system import RUNNING, System, row, started, write_tests

pytestmark = pytest.mark.long

Broken = Callable[[System], AbstractContextManager[dict[str, dict[str, Any]]]]
"""Breaks a part, yields what of the policy must be changed for it, and mends it again."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("broken")) as whole:
        yield whole


@contextmanager
def auth_says_no(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    system.auth.status = 503
    yield {}
    system.auth.status = 200


@contextmanager
def auth_is_sick(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    system.auth.body = {"status": "degraded"}
    yield {}
    system.auth.body = {"status": "healthy", "uptime_seconds": 2373}


@contextmanager
def auth_hangs(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    system.auth.delay_s = 3
    yield {"auth": {"timeout": "300ms"}}
    system.auth.delay_s = 0


def faulty(*faults: str) -> Broken:
    @contextmanager
    def breaking(_: System) -> Iterator[dict[str, dict[str, Any]]]:
        with Simulator.start(faults=faults) as backend:
            target = f"ws://127.0.0.1:{backend.port}/ws"
            yield {"websocket": {"target": target, "set": ["traffic.timeout=1s"]}}

    return breaking


@contextmanager
def file_is_garbage(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    path = system.folder / "app.db"
    before = path.read_bytes()
    path.write_bytes(b"garbage" * 1000)
    yield {}
    path.write_bytes(before)


@contextmanager
def file_is_locked(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    with closing(sqlite3.connect(system.folder / "app.db")) as holder:
        holder.execute("begin exclusive")
        yield {"files": {"timeout": "400ms"}}


@contextmanager
def containers_are_only_created(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    path = system.folder / "ps.json"
    before = path.read_text()
    path.write_text(json.dumps([{**each, "State": "created", "Status": "Created"} for each in RUNNING]))
    yield {}
    path.write_text(before)


@contextmanager
def image_cannot_be_pulled(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    path = system.folder / "ps.json"
    before = path.read_text()
    limit = {"State": "created", "Error": "toomanyrequests: You have reached your pull rate limit"}
    path.write_text(json.dumps([{**each, **limit} for each in RUNNING]))
    yield {}
    path.write_text(before)


@contextmanager
def some_tests_fail(system: System) -> Iterator[dict[str, dict[str, Any]]]:
    write_tests(system.folder, passed=3, failed=2)
    yield {}
    write_tests(system.folder, passed=3, failed=0)


@contextmanager
def command_fails(_: System) -> Iterator[dict[str, dict[str, Any]]]:
    yield {"command": {"command": [sys.executable, "-c", "raise SystemExit('smoke test failed')"]}}


def frozen(name: str) -> Broken:
    @contextmanager
    def breaking(system: System) -> Iterator[dict[str, dict[str, Any]]]:
        served = server(system, name)
        os.killpg(served.process.pid, signal.SIGSTOP)
        yield {name: {"timeout": "1s"}}
        os.killpg(served.process.pid, signal.SIGCONT)

    return breaking


def server(system: System, name: str) -> Served:
    if name not in system.served:
        pytest.skip(f"the server of {name} is not installed here")
    return system.served[name]


CASES: list[tuple[str, str, Broken, str]] = [
    ("auth", "status", auth_says_no, "HTTP status 503"),
    ("auth", "answer", auth_is_sick, 'status is "degraded", expected "healthy"'),
    ("auth", "timeout", auth_hangs, "did not answer in time"),
    ("websocket", "refuses", faulty("refuse"), "none of 12 connections was ever ready"),
    ("websocket", "timeout", faulty("ack-only"), "nothing was ever answered"),
    ("files", "query", file_is_garbage, "not a database"),
    ("files", "query", file_is_locked, "database is locked"),
    ("containers", "created", containers_are_only_created, "auth: created but not running"),
    ("containers", "image", image_cannot_be_pulled, "the image cannot be pulled"),
    ("tests", "tests", some_tests_fail, "3 of 5 tests passed (60.0 %)"),
    ("command", "exit", command_fails, "ended with 1: smoke test failed"),
    ("database", "timeout", frozen("database"), ""),
    ("redis", "timeout", frozen("redis"), "did not answer in time"),
]


@pytest.mark.parametrize(("name", "error", "breaking", "said"), CASES)
def test_each_part_broken_in_turn(
    system: System, capsys: pytest.CaptureFixture[str], name: str, error: str, breaking: Broken, said: str
) -> None:
    system.forget()
    others = [each for each in system.parts if each not in {"websocket", name}]
    with breaking(system) as changes:
        code, found = system.ready(capsys, name, *others, **changes)
    broken = row(found, name)
    assert (broken["status"], code, found["verdict"]) == ("down", 1, "NO-GO"), broken["said"]
    assert (broken["error"], said in broken["said"]) == (error, True), broken["said"]
    assert {row(found, each)["status"] for each in others} == {"healthy"}
    pulled = {each["title"] for each in found["triggers"] if each["outcome"] == "TRIGGERED"}
    assert pulled == {"impact", "users"}, "the function that needs all parts is out; all else holds"
    assert broken["score"] in {0, 0.6}
    first = found["actions"][0]
    assert (first["urgency"], first["component"]) == ("IMMEDIATE", name)
    assert found["risks"][0]["level"] == "critical"


def test_a_system_of_which_nothing_is_left_pulls_every_trigger(
    system: System, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last of this module: its servers are gone afterwards."""
    system.forget()
    system.backend.stop()
    system.auth.stop()
    for served in system.served.values():
        served.process.send_signal(signal.SIGINT)
        served.process.wait(20)
    (system.folder / "app.db").unlink()
    begun = time.monotonic()
    for number in range(1, 6):
        code, found = system.ready(capsys, *(each for each in system.parts if each != "websocket"))
        outcomes = {each["title"]: each["outcome"] for each in found["triggers"]}
        assert (code, found["figures"]["failures.in_a_row"]["value"]) == (1, number)
        assert outcomes.pop("row") == ("TRIGGERED" if number == 5 else "not triggered")
        assert set(outcomes.values()) == {"TRIGGERED"}
    assert time.monotonic() - begun < 60
    gone = {each["name"]: each["error"] for each in found["components"] if each["status"] == "down"}
    assert gone == {"auth": "refused", "backend": "refused", "files": "missing file",
                    **dict.fromkeys(system.served, "refused")}  # fmt: skip
