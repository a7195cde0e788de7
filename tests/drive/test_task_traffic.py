"""A user's greenlet waits for what its connection brings; connections come, go and come back."""

from __future__ import annotations

from itertools import count
from typing import Any

import gevent
import pytest
from locust.exception import StopUser

from loadtest.drive.task_errors import Tasks
from loadtest.drive.task_traffic import EVENTS_KEPT, TaskTraffic
from loadtest.plan.mix import Mix
from loadtest.speak.turn import Outcome
from tests.drive.fakes import FakeConnection, S, World


@pytest.fixture
def world() -> World:
    return World()


def traffic_of(world: World) -> tuple[TaskTraffic, FakeConnection]:
    traffic = TaskTraffic(world, None, count())  # type: ignore[arg-type]  # a fake context; no task fails here
    return traffic, connected(world, traffic)


def connected(world: World, traffic: TaskTraffic) -> FakeConnection:
    connection = world.new_connection(0, {})
    connection.on_turn = traffic.ended
    connection.on_ready = traffic.ready
    connection.on_closed = lambda _connection: traffic.away()
    return connection


def begun(task: Any) -> gevent.Greenlet:
    """A task that has come as far as it can alone."""
    greenlet = gevent.spawn(task)
    gevent.sleep(0)
    gevent.sleep(0)
    return greenlet


def test_a_task_waits_for_ready_then_for_the_answer(world: World) -> None:
    traffic, connection = traffic_of(world)
    task = begun(lambda: traffic.turn({"question": "Why?"}))
    assert not connection.begun
    connection.ready()
    gevent.sleep(0)
    assert len(connection.begun) == 1
    assert not task.ready()
    connection.answer()
    assert task.get(timeout=60).outcome is Outcome.COMPLETE
    assert world.count("turns.due") == 1


def test_a_burst_is_over_with_its_last_answer(world: World) -> None:
    traffic, connection = traffic_of(world)
    connection.ready()
    task = begun(lambda: traffic.burst(3, {}))
    assert [position for _, position, _ in connection.begun] == [0, 1, 2]
    connection.answer(2)
    connection.answer(0)
    gevent.sleep(0)
    assert not task.ready()
    connection.answer(1)
    assert len(task.get(timeout=60)) == 3


def test_a_turn_that_was_lost_is_returned_and_the_next_waits_for_another_connection(world: World) -> None:
    traffic, first = traffic_of(world)
    first.ready()

    def ask_twice() -> list[Outcome]:
        return [traffic.turn({}).outcome, traffic.turn({}).outcome]

    task = begun(ask_twice)
    first.lose()
    gevent.sleep(0)
    gevent.sleep(0)
    assert not task.ready()
    second = connected(world, traffic)
    second.ready()
    gevent.sleep(0)
    second.answer()
    assert task.get(timeout=60) == [Outcome.LOST, Outcome.COMPLETE]


def test_a_connection_that_is_lost_again_at_once_is_waited_for_again(world: World) -> None:
    traffic, first = traffic_of(world)
    task = begun(lambda: traffic.turn({}))
    first.ready()
    first.lose()
    gevent.sleep(0)
    assert not task.ready(), "it was ready and gone before the greenlet had its turn"
    second = connected(world, traffic)
    second.ready()
    gevent.sleep(0)
    second.answer()
    assert task.get(timeout=60).outcome is Outcome.COMPLETE


@pytest.mark.parametrize("end", ["gone", "finish"])
def test_tasks_stop_when_there_is_no_connection_and_none_to_come(world: World, end: str) -> None:
    traffic, connection = traffic_of(world)
    connection.ready()
    connection.lose()
    task = begun(lambda: traffic.turn({}))
    assert not task.ready()
    getattr(traffic, end)()
    with pytest.raises(StopUser):
        task.get(timeout=60)
    assert not traffic.wait_ready()
    assert traffic.over is (end == "finish")


def test_tasks_stop_at_the_end_of_the_run(world: World) -> None:
    traffic, connection = traffic_of(world)
    connection.ready()
    assert traffic.wait_ready()
    world.poller.run(100 * S)
    with pytest.raises(StopUser):
        traffic.turn({})
    with pytest.raises(StopUser):
        traffic.send("late")


def test_messages_that_are_no_turn_are_said(world: World) -> None:
    traffic, connection = traffic_of(world)
    said: list[Any] = []
    connection.send = said.append  # type: ignore[attr-defined]  # only here
    connection.ready()
    for payload in ("text", b"bytes", {"type": "ping"}):
        traffic.send(payload)
    assert said == ["text", b"bytes", '{"type":"ping"}']


def test_events_that_nobody_takes_are_not_kept_for_ever(world: World) -> None:
    traffic, connection = traffic_of(world)
    connection.ready()
    for number in range(EVENTS_KEPT + 1):
        connection.tap(str(number).encode())
    assert len(traffic.events) == EVENTS_KEPT
    assert traffic.events.popleft() == b"1"


def test_a_turn_that_cannot_be_written_is_not_due(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that no JSON can hold: the task is told, and the counts of turns still add up."""
    traffic, connection = traffic_of(world)
    connection.ready()

    def unwritable(*_: Any, **_named: Any) -> None:
        raise ValueError("a message that is JSON cannot hold bytes")

    monkeypatch.setattr(type(connection), "begin", unwritable)
    with pytest.raises(ValueError, match="cannot hold bytes"):
        traffic.turn({"packet": b"\xff"})
    assert world.count("turns.due") == world.count("turns.begun") == 0


def test_the_turns_of_a_task_are_of_the_kinds_of_the_mix() -> None:
    world = World(mix=Mix({"ask": 1, "stop": 1}, 1))
    traffic, connection = traffic_of(world)
    connection.ready()
    begun(lambda: traffic.burst(20, {}))
    drawn = [world.mix.kind(seq) for seq in range(20)] if world.mix else []
    due = {kind: world.recorder.metrics_at(0, kind).turns_due for kind in ("ask", "stop")}
    assert due == {kind: drawn.count(kind) for kind in due}


def test_what_a_task_says_is_without_the_secrets_of_its_connection(world: World) -> None:
    told: list[str] = []
    tasks = Tasks(lambda _name: None, lambda kind, reason: told.append(f"{kind}: {reason}"), str)
    traffic = TaskTraffic(world, tasks, count())  # type: ignore[arg-type]  # a fake context
    assert traffic.public("nothing is known yet") == "nothing is known yet"
    connection = connected(world, traffic)
    connection.secret = "ticket-0001"
    connection.ready()
    traffic.failed("ticket-0001 was not taken", None)
    # Also when that connection is gone: the task may speak of it afterwards.
    traffic.away()
    tasks.raised(ValueError("no ticket-0001"), traffic.public)
    assert told == [
        "tasks_failed: [redacted] was not taken",
        "tasks_raised: ValueError: no [redacted] (nowhere)",
    ]
