"""One conversation after the other, in a world whose time a test lets pass."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.conversation_traffic import ConversationTraffic
from loadtest.plan.conversation import Conversation, ConversationPlan, ConversationStep, Think
from loadtest.speak.turn import Outcome
from tests.drive.fakes import MS, FakeConnection, S, World

ASK, STOP = ConversationStep(turn="ask"), ConversationStep(turn="stop")
PAUSE = ConversationStep(think=Think(low_ns=100 * MS))
STEPS = (ASK, PAUSE, STOP)


def talking(
    steps: tuple[ConversationStep, ...] = STEPS, **settings: Any
) -> tuple[World, FakeConnection, Any]:
    world = World(schedule=SimpleNamespace(stride=3), **settings)
    plan = ConversationPlan((Conversation(name="chat", steps=steps),), 1)
    connection = world.new_connection(1, {})
    traffic = ConversationTraffic(world, plan, connection, count(), world.may_be_done)  # type: ignore[arg-type]  # fakes
    connection.on_turn, connection.on_ready = traffic.ended, traffic.ready
    traffic.start()
    return world, connection, traffic


def told(world: World, name: str = "chat") -> dict[str, int]:
    """How conversations of a name went."""
    found = world.recorder.metrics_at(0, name).other
    return {key.removeprefix("conversations."): n for key, n in found.items()}


def test_each_turn_waits_for_the_last_one_and_for_time_to_think() -> None:
    world, connection, traffic = talking(think_ns=S)
    connection.ready()
    assert connection.begun == [(1, 0, 0)]
    assert traffic.busy
    world.poller.run(50 * MS)
    connection.answer()
    world.poller.run(149 * MS)
    assert len(connection.begun) == 1
    world.poller.run(150 * MS)
    assert connection.begun[1:] == [(4, 0, 150 * MS)]
    assert told(world) == {"begun": 1}
    world.poller.run(200 * MS)
    connection.answer()
    assert told(world) == {"begun": 1, "ended": 1, "complete": 1}
    assert list(world.recorder.metrics_at(0, "chat").conversation) == [200 * MS]
    world.poller.run(1_200 * MS)
    assert connection.begun[2:] == [(7, 0, 1_200 * MS)]
    assert [world.recorder.metrics_at(0, kind).turns_due for kind in ("ask", "stop")] == [2, 1]


def test_time_to_think_at_both_ends_counts_between_conversations() -> None:
    world, connection, _ = talking((PAUSE, ASK, PAUSE))
    connection.ready()
    assert connection.begun == []
    world.poller.run(100 * MS)
    connection.answer()
    world.poller.run(299 * MS)
    assert len(connection.begun) == 1
    world.poller.run(300 * MS)
    assert len(connection.begun) == 2


def test_a_connection_that_is_lost_between_two_turns_breaks_the_conversation_off() -> None:
    for reconnects in (False, True):
        world, connection, traffic = talking()
        connection.ready()
        world.poller.run(50 * MS)
        connection.answer()
        connection.state = ConnectionState.CLOSED
        if reconnects:
            traffic.away()
        else:
            traffic.gone()
        assert told(world) == {"begun": 1, "ended": 1, "broken_off": 1}
        if reconnects:
            connection.state = ConnectionState.UPGRADED
            traffic.ready(connection)
            world.poller.run(150 * MS)
            assert len(connection.begun) == 2
            assert told(world)["begun"] == 2, "the next conversation, and not the rest of the first"


def test_a_conversation_that_goes_on_when_the_schedule_is_over_is_not_broken_off() -> None:
    world, connection, traffic = talking()
    connection.ready()
    connection.answer()
    traffic.schedule_over()
    traffic.gone()
    assert told(world) == {"begun": 1}


def test_a_turn_that_goes_wrong_breaks_the_conversation_off() -> None:
    world, connection, _ = talking()
    connection.ready()
    world.poller.run(50 * MS)
    connection.answer(outcome=Outcome.FAILED)
    world.poller.run(60 * MS)
    assert told(world) == {"begun": 2, "ended": 1, "broken_off": 1}
    assert connection.begun[1][0] == 1 + 3 * 2


def test_a_connection_that_is_lost_while_its_user_thinks_breaks_the_conversation_off() -> None:
    world, connection, traffic = talking()
    connection.ready()
    connection.answer()
    connection.state = ConnectionState.CLOSED
    world.poller.run(S)
    assert told(world) == {"begun": 1, "ended": 1, "broken_off": 1}
    again = world.new_connection(1, {})
    again.on_turn, again.on_ready = traffic.ended, traffic.ready
    again.ready()
    assert len(again.begun) == 1


def test_a_user_who_is_back_before_it_has_thought_goes_on() -> None:
    world, connection, traffic = talking()
    connection.ready()
    connection.answer()
    again = world.new_connection(1, {})
    again.on_turn, again.on_ready = traffic.ended, traffic.ready
    again.ready()
    assert again.begun == []
    world.poller.run(S)
    assert len(again.begun) == 1
    again.answer(outcome=Outcome.LOST)


def test_a_connection_that_is_lost_in_a_turn_waits_for_the_next_one() -> None:
    world, connection, _ = talking()
    connection.ready()
    connection.state = ConnectionState.CLOSED
    connection.answer(outcome=Outcome.LOST)
    world.poller.run(S)
    assert told(world) == {"begun": 1, "ended": 1, "broken_off": 1}
    connection.ready()
    assert len(connection.begun) == 2


def test_the_end_of_the_run_is_no_end_of_a_conversation() -> None:
    world, connection, traffic = talking()
    connection.ready()
    traffic.schedule_over()
    assert not traffic.busy
    connection.answer()
    world.poller.run(S)
    assert (told(world), len(connection.begun)) == ({"begun": 1}, 1)


def test_nothing_falls_due_after_the_end() -> None:
    world, connection, traffic = talking(end_ns=100 * MS)
    connection.ready()
    world.poller.run(50 * MS)
    connection.answer()
    world.poller.run(S)
    assert len(connection.begun) == 1
    assert not traffic.busy


def test_a_user_who_has_had_all_its_turns_is_done() -> None:
    world, connection, traffic = talking((ASK,), turns_per_connection=2)
    connection.ready()
    connection.answer()
    connection.answer()
    assert len(connection.begun) == 2
    assert not traffic.busy
    traffic.gone()
    assert world.asked


def test_a_turn_of_somebody_else_changes_nothing() -> None:
    world, connection, traffic = talking()
    connection.ready()
    other = connection.begin(99, 0, 0, {})
    traffic.ended(other)
    assert told(world) == {"begun": 1}
