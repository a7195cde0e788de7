"""A connection that is left with a last word: before the close frame, and what the close waits for."""

from __future__ import annotations

import pytest
from websockets.frames import Opcode

from loadtest.drive.connection_state import ConnectionState
from loadtest.plan.protocol import Connect, Leave, ReadyStep
from tests.drive.spoken import Spoken
from tests.drive.standing_in import START, close_frame
from tests.drive.test_connection import CLOSED
from tests.speak.talk import said

BYE = (Opcode.TEXT, b"bye")


def leaving(wait: str | None) -> Spoken:
    spoken = Spoken(connect=Connect(path="/ws", leave=Leave(send="bye", wait=wait)))
    spoken.begin()
    spoken.connection.close()
    return spoken


def test_the_close_frame_follows_a_last_word_that_waits_for_nothing() -> None:
    spoken = leaving(None)
    assert spoken.frames[-2:] == [BYE, CLOSED]
    assert len(spoken.frames) == 3
    spoken.arrive(close_frame(1000))
    assert spoken.closed == 1


def test_the_close_frame_waits_for_the_answer_and_nothing_else_is_counted() -> None:
    spoken = leaving("over")
    assert spoken.frames[-1] == BYE
    assert spoken.counts("connections.")["left"] == 1
    spoken.hear(said("ack"))
    assert spoken.frames[-1] == BYE
    spoken.hear(said("ack"), said("over"))
    assert spoken.frames[-2:] == [BYE, CLOSED]
    spoken.hear(said("over"))
    spoken.arrive(close_frame(1000))
    assert (spoken.connection.state, spoken.closed) == (ConnectionState.CLOSED, 1)
    assert [opcode for opcode, _ in spoken.frames].count(Opcode.CLOSE) == 1
    assert spoken.counts("connections.left_unanswered") == {}
    assert spoken.counts("events.received") == {}
    spoken.poller.pass_until(START + 2 * spoken.context.close_timeout_ns)
    assert spoken.closed == 1


@pytest.mark.parametrize("code", [1000, 1001, 1005])
def test_a_target_that_closes_instead_of_answering_is_left(code: int) -> None:
    spoken = leaving("over")
    spoken.arrive(b"\x88\x00" if code == 1005 else close_frame(code))
    assert spoken.closed == 1
    assert spoken.counts("connections.closed.") == {}
    spoken.poller.pass_until(START + 2 * spoken.context.close_timeout_ns)
    assert spoken.counts("connections.left_unanswered") == {}


ENDS: dict[str, bytes | Exception] = {
    "a fault of its own": close_frame(1011),
    "a restart": close_frame(1012),
    "a code of its own": close_frame(4400),
    "no close frame": b"",
    "a reset": ConnectionResetError(),
    "a message too long": b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),
    "a frame that is none": b"\x83\x00",
}


@pytest.mark.parametrize("how", ENDS)
def test_who_ends_otherwise_has_not_answered(how: str) -> None:
    spoken = leaving("over")
    spoken.arrive(ENDS[how])
    assert spoken.closed == 1
    assert spoken.counts("connections.left_unanswered") == {"": 1}
    spoken.poller.pass_until(START + 2 * spoken.context.close_timeout_ns)
    assert spoken.counts("connections.left_unanswered") == {"": 1}
    assert spoken.counts("connections.closed.") == {}


@pytest.mark.parametrize("how", ENDS)
def test_who_answered_may_end_as_it_likes(how: str) -> None:
    spoken = leaving("over")
    spoken.hear(said("over"))
    spoken.arrive(ENDS[how])
    assert spoken.closed == 1
    assert spoken.counts("connections.left_unanswered") == {}


def test_a_last_word_without_an_answer_is_counted_and_the_close_frame_goes_out() -> None:
    spoken = leaving("over")
    spoken.poller.pass_until(START + spoken.context.close_timeout_ns - 1)
    assert (spoken.closed, spoken.frames[-1]) == (0, BYE)
    spoken.poller.pass_until(START + spoken.context.close_timeout_ns)
    assert spoken.frames[-1] == CLOSED
    assert spoken.counts("connections.left_unanswered") == {"": 1}
    assert spoken.closed == 1


def test_who_was_never_ready_has_no_last_word() -> None:
    connect = Connect(path="/ws", ready=(ReadyStep(wait="hello"),), leave=Leave(send="bye", wait="over"))
    spoken = Spoken(connect=connect)
    spoken.connection.close()
    assert spoken.frames == [CLOSED]
