"""Users written in Python, under a real Locust and against a real server, in this process."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from locust import task
from locust.exception import StopUser

from loadtest.drive.locust_user import AgentUser, Outcome, WebSocketUser
from loadtest.drive.transport import Address
from loadtest.plan.scenario import Load, Traffic
from tests.drive.local import Local, locust_of
from tests.drive.serving import echoes, request_of, says_no, serving, until_left
from tests.drive.standing_in import ECHO, MS, SECOND, agreed, scenario_of

WITHIN_S = 60.0

ASKED = dataclasses.replace(
    ECHO,
    load=Load(model="closed", connections=1, duration_ns=10 * SECOND),
    traffic=Traffic(timeout_ns=60 * SECOND, message='{"run_id":"{turn.id}","question":"{data.question}"}'),
)


@pytest.fixture
def server() -> Iterator[Address]:
    with serving(echoes) as address:
        yield address


@pytest.fixture
def told() -> list[Any]:
    """What a user tells."""
    return []


def run(user_class: type, server: Address, **load: Any) -> Local:
    """One run, to its end."""
    scenario = dataclasses.replace(ASKED, load=dataclasses.replace(ASKED.load, **load))
    with locust_of(user_class, scenario, server) as local:
        local.start()
        local.end()
    assert local.coordinator.result.crash is None
    return local


# ------------------------------------------------------------------ tasks


def test_a_task_waits_for_its_turn(server: Address, told: list[Any]) -> None:
    class Asker(AgentUser):
        abstract = False

        def on_start(self) -> None:
            told.append("started")

        def on_stop(self) -> None:
            told.append("stopped")

        @task
        def ask(self) -> None:
            turn = self.turn(question="Why?")
            told.append((turn.outcome, [json.loads(event)["question"] for event in self.events]))
            self.events.clear()
            told.extend(one.outcome for one in self.burst(3, question="How?"))
            told.append(len(self.events))
            shard = self.environment.loadtest_shard
            shard.stop()
            shard.done.wait(WITHIN_S)
            self.turn(question="Too late?")
            told.append("never")

    local = run(Asker, server)
    assert told == ["started", (Outcome.COMPLETE, ["Why?"]), *[Outcome.COMPLETE] * 3, 3, "stopped"]
    assert local.count("turns.complete") == 4
    assert local.count("turns.due") == 4


def test_a_message_that_is_no_turn_is_sent(server: Address, told: list[Any]) -> None:
    answered = Event()

    class Teller(AgentUser):
        abstract = False

        @task
        def tell(self) -> None:
            self._traffic._connection.tap = lambda payload: (told.append(payload), answered.set())
            for payload in ({"note": 1}, "text", b"bytes"):
                answered.clear()
                self.send(payload)
                assert answered.wait(WITHIN_S)
            self.environment.loadtest_shard.stop()
            raise StopUser

    run(Teller, server)
    assert told == [b'{"note":1}', b"text", b"bytes"]


def test_a_user_who_has_nothing_more_to_do_waits_for_the_end(server: Address, told: list[Any]) -> None:
    asked = Event()

    class Once(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            told.append(self.turn(question="Once?").outcome)
            asked.set()
            raise StopUser

    with locust_of(Once, ASKED, server) as local:
        local.start()
        assert asked.wait(WITHIN_S)
        gevent.idle()
        assert local.environment.runner.user_count == 1
        local.coordinator.stop()
        local.end()
    assert told == [Outcome.COMPLETE]
    assert local.count("turns.due") == 1


def test_users_are_numbered_and_each_has_a_connection_of_its_own(server: Address, told: list[Any]) -> None:
    class Many(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            turn = self.turn(question="Who?")
            told.append((turn.user, turn.seq))
            if len(told) == 3:
                self.environment.loadtest_shard.stop()
            raise StopUser

    run(Many, server, connections=3)
    assert sorted(told) == [(0, 0), (1, 1), (2, 2)]


def test_a_user_whose_connection_never_gets_ready_does_nothing(told: list[Any]) -> None:
    class ConnectRefusal(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            told.append("asked")

    with serving(says_no) as address:
        local = run(ConnectRefusal, address)
    assert told == []
    assert local.count("connections.refused.upgrade") == 1


# ------------------------------------------------------------------ without tasks


class Plain(WebSocketUser):
    abstract = False


def test_a_user_without_tasks_is_counted_and_never_started(server: Address) -> None:
    scenario = scenario_of(
        load=Load(connections=3, duration_ns=100 * MS),
        traffic=Traffic(every_ns=50 * MS),
        events=ECHO.protocol.events,
    )
    with locust_of(Plain, scenario, server) as local:
        local.start()
        users = local.environment.runner.user_greenlets
        assert len(users) == 3
        assert not any(greenlet.started for greenlet in users)
        local.end()
        local.environment.runner.stop()
        assert len(users) == 0


@pytest.mark.parametrize("traffic", [None, SimpleNamespace(over=True)])
def test_a_user_without_a_run_can_do_nothing(traffic: Any) -> None:
    user = Plain(environment=None)
    user._traffic = traffic
    for call in (user.turn, lambda: user.burst(2), lambda: user.send("x"), lambda: user.events):
        with pytest.raises(StopUser):
            call()


def test_locust_may_stop_a_user_before_the_run_has_begun(server: Address, told: list[Any]) -> None:
    class Waiting(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            told.append("asked")

    with locust_of(Waiting, ASKED, server) as local:
        local.environment.loadtest_begun = Event()
        local.start()
        gevent.sleep(0)
        local.environment.runner.stop()
        assert len(local.environment.runner.user_greenlets) == 0
    assert told == []


def test_a_workers_users_wait_for_the_word_of_the_master(server: Address, told: list[Any]) -> None:
    class Asker(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            told.append(self.turn(question="Now?").outcome)
            self.environment.loadtest_shard.stop()
            raise StopUser

    with locust_of(Asker, ASKED, server) as local:
        begun = local.environment.loadtest_begun = Event()
        local.start()
        assert not local.coordinator.over.wait(0.2)
        assert told == []
        begun.set()
        local.end()
    assert told == [Outcome.COMPLETE]


# ------------------------------------------------------------------ tasks that find something wrong


def test_a_task_that_raises_is_counted_and_told_once(
    server: Address, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Asserting(AgentUser):
        abstract = False

        def wait_time(self) -> float:
            return 0.01

        @task
        def ask(self) -> None:
            self.turn(question="Why?")
            told.append(self)
            if len(told) == 4:
                gevent.spawn(self.environment.loadtest_shard.stop)
            assert False, "it is wrong"  # noqa: B011, PT015 - as a user writes it

    ended = run(Asserting, server, connections=2, duration_ns=60 * SECOND)
    raised = ended.count("tasks.raised")
    assert raised > 2
    assert ended.count("tasks.raised_by.AssertionError") == raised
    ((why, n),) = ended.coordinator.result.observed["tasks_raised"].items()
    assert n == raised
    assert why.startswith("AssertionError: it is wrong")
    assert "test_locust_user.py:" in why
    assert " in ask)" in why
    assert caplog.text.count("Traceback") == 1


def test_on_start_that_raises_is_counted_and_ends_its_user_alone(server: Address) -> None:
    class Unprepared(AgentUser):
        abstract = False

        def on_start(self) -> None:
            # The run goes on without this user, and ends when that was counted.
            gevent.spawn(self.environment.loadtest_shard.stop)
            raise ZeroDivisionError

        @task
        def ask(self) -> None:
            self.turn(question="Why?")

    ended = run(Unprepared, server, duration_ns=60 * SECOND)
    assert ended.count("tasks.raised") == ended.count("tasks.raised_by.ZeroDivisionError") == 1
    assert ended.count("connections.ready") == 1


def test_a_task_may_fail_what_it_got_and_go_on(server: Address, told: list[Any]) -> None:
    class Choosy(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            turn = self.turn(question="Why?")
            self.fail("not the answer")
            told.append(turn.outcome)
            self.environment.loadtest_shard.stop()
            self.environment.loadtest_shard.done.wait(WITHIN_S)

    ended = run(Choosy, server)
    assert told == [Outcome.COMPLETE]
    assert (ended.count("tasks.failed"), ended.count("tasks.raised")) == (1, 0)
    ((reason, n),) = ended.coordinator.result.observed["tasks_failed"].items()
    assert (reason.startswith("not the answer ("), n) == (True, 1)


def test_a_turn_that_we_leave_does_not_come_back_to_its_task(told: list[Any]) -> None:
    class Waiting(AgentUser):
        abstract = False

        @task
        def ask(self) -> None:
            gevent.spawn_later(0.1, self.environment.loadtest_shard.stop)
            told.append(self.turn(question="Why?"))

    with serving(lambda sock: (sock.sendall(agreed(request_of(sock))), until_left(sock))) as silent:
        ended = run(Waiting, silent)
    assert ended.count("turns.begun") == ended.count("turns.abandoned") == 1
    assert told == []
