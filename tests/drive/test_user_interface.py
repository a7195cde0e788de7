"""What a user's tasks may do beside turns: wait for events, write messages, fail turns, log in first."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from locust import task
from locust.exception import StopUser

import loadtest
from loadtest.drive.locust_user import AgentUser, Outcome
from loadtest.drive.transport import Address
from loadtest.plan.scenario import Reconnect, Target
from tests.drive.local import Local, locust_of
from tests.drive.serving import echoes, request_of, says_no, serving, until_left
from tests.drive.standing_in import MS, agreed
from tests.drive.test_locust_user import ASKED


@pytest.fixture
def server() -> Iterator[Address]:
    with serving(echoes) as address:
        yield address


@pytest.fixture
def told() -> list[Any]:
    return []


def run(user_class: type, server: Address, scenario: Any = ASKED) -> Local:
    with locust_of(user_class, scenario, server) as local:
        local.start()
        local.end()
    assert local.coordinator.result.crash is None
    return local


def test_an_outcome_is_imported_from_loadtest() -> None:
    assert loadtest.Outcome is Outcome


def test_a_task_waits_for_an_event(server: Address, told: list[Any]) -> None:
    class Listener(AgentUser):
        abstract = False

        @task
        def listen(self) -> None:
            for number in range(3):
                self.send({"type": "note", "n": number})
            told.append(json.loads(self.receive({"n": 1}, within="30s"))["n"])
            told.append(json.loads(self.receive({"has": "n"}, within=30.0))["n"])
            told.append(json.loads(self.receive({"n": 2}))["n"])
            told.append(len(self.events))
            with pytest.raises(TimeoutError, match="no event with n = 3 within 1 ms"):
                self.receive({"n": 3}, within="1ms")
            for wrong in ({}, 5, "", {"has": 7}):
                with pytest.raises(ValueError, match="a match must be an event type or a table"):
                    self.receive(wrong)  # type: ignore[arg-type]  # that is what is tested
            self.environment.loadtest_shard.stop()
            self.receive({"n": 4}, within="60s")
            told.append("never")

    local = run(Listener, server)
    assert told == [1, 0, 2, 0]
    assert local.count("tasks.raised") == 0


def test_a_turn_tells_its_events_and_can_be_failed(server: Address, told: list[Any]) -> None:
    class Checker(AgentUser):
        abstract = False

        @task
        def check(self) -> None:
            long = "x" * 10_000
            first, second = self.burst(2, question=long)
            told.extend(json.loads(turn.events[0])["run_id"] == turn.id for turn in (first, second))
            told.append(json.loads(first.events[0])["question"] == long)
            told.append((first.outcome, first.received, first.seq))
            second.fail("not what was asked")
            self.environment.loadtest_shard.stop()
            raise StopUser

    local = run(Checker, server)
    assert told == [True, True, True, (Outcome.COMPLETE, 1, 0)]
    assert local.count("tasks.failed") == 1
    assert local.count("turns.complete") == 2
    ((reason, n),) = local.coordinator.result.observed["tasks_failed"].items()
    assert n == 1
    assert reason.startswith("turn 1: not what was asked (")
    assert "in check)" in reason


def test_a_task_writes_its_own_message(server: Address, told: list[Any]) -> None:
    class Writer(AgentUser):
        abstract = False

        @task
        def write(self) -> None:
            turn = self.turn(payload='{"run_id":"{turn.id}","own":"{data.word}"}', word='"q"')
            told.append((turn.outcome, json.loads(turn.events[0]) == {"run_id": turn.id, "own": '"q"'}))
            turn = self.turn(payload=b'{"run_id":"of-no-turn","x":"{turn.id}"}')
            told.append((turn.outcome, turn.events))
            told.append(self.receive({"run_id": "of-no-turn"}))
            self.environment.loadtest_shard.stop()
            raise StopUser

    scenario = dataclasses.replace(ASKED, traffic=dataclasses.replace(ASKED.traffic, timeout_ns=200 * MS))
    run(Writer, server, scenario)
    assert told == [
        (Outcome.COMPLETE, True),
        (Outcome.TIMED_OUT, []),
        b'{"run_id":"of-no-turn","x":"{turn.id}"}',
    ]


# ------------------------------------------------------------------ before a connection is opened

TICKETS = dataclasses.replace(
    ASKED,
    target=Target(url="ws://127.0.0.1:9", query={"ticket": "{user.ticket}"}, before_connect=("ticket",)),
    load=dataclasses.replace(
        ASKED.load, reconnect=Reconnect(initial_delay_ns=MS, max_delay_ns=MS, jitter=0.0, tries=5)
    ),
)


def test_every_attempt_has_a_ticket_of_its_own(told: list[Any]) -> None:
    def once_more(sock: Any) -> None:
        """Refuses the first attempt."""
        request = request_of(sock)
        told.append(request.split(b" ")[1].decode())
        if b"ticket=t1" in request:
            sock.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
        else:
            sock.sendall(agreed(request))
        until_left(sock)

    class Ticketed(AgentUser):
        abstract = False
        tickets = 0

        def before_connect(self) -> dict[str, object]:
            self.tickets += 1
            return {"ticket": f"t{self.tickets}"}

        @task
        def leave(self) -> None:
            self.environment.loadtest_shard.stop()
            raise StopUser

    with serving(once_more) as address:
        local = run(Ticketed, address, TICKETS)
    assert [path.partition("ticket=")[2] for path in told] == ["t1", "t2"]
    assert local.count("connections.attempted") == 2
    assert local.count("connections.ready") == 1


def test_a_login_that_fails_is_counted_and_refuses_the_attempt(server: Address) -> None:
    class Locked(AgentUser):
        abstract = False

        def before_connect(self) -> None:
            raise PermissionError("no such user")

        @task
        def never(self) -> None:
            raise AssertionError

    local = run(Locked, server, dataclasses.replace(TICKETS, load=ASKED.load))
    assert local.count("tasks.raised") == local.count("tasks.raised_by.PermissionError") == 1
    assert local.count("connections.attempted") == local.count("connections.refused.auth") == 1


def test_a_user_without_a_login_connects_as_before() -> None:
    class ConnectRefusal(AgentUser):
        abstract = False

        @task
        def never(self) -> None:
            raise AssertionError

    with serving(says_no) as address:
        local = run(ConnectRefusal, address)
    assert local.count("connections.refused.upgrade") == 1
