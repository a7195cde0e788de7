"""Bytes off the line become messages, pongs, close frames or an end; each is counted as what it is."""

from __future__ import annotations

import errno
import ssl

import pytest
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

from loadtest.drive.connection import MAX_UNSENT, MAX_WAITING_BYTES, Connection
from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.poller import READ
from loadtest.drive.transport import FULL_READ_BYTES
from loadtest.errors import Layer
from loadtest.plan.protocol import Connect, Events, ReadyStep
from loadtest.plan.scenario import Target
from loadtest.speak.turn import Outcome, Turn
from tests.drive.spoken import FD, Spoken
from tests.drive.standing_in import START, close_frame, frame
from tests.speak.talk import AGENT, answer, said

HANGUP = 16
"""EPOLLHUP."""


def test_a_turn_is_answered_by_what_arrives() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.context.hand.ns += 500
    spoken.hear(*answer(turn), at_ns=START + 300)
    assert turn.outcome is Outcome.COMPLETE
    assert turn.done_ns == START + 300
    assert spoken.turns == [turn]
    assert spoken.counts("events.")["matched"] == 5


def test_how_long_bytes_lay_unread_is_ours_to_tell() -> None:
    spoken = Spoken()
    spoken.context.hand.ns += 500
    spoken.hear(said("ack"), at_ns=START + 300)
    spoken.hear(said("ack"), at_ns=START + 900)
    assert spoken.metrics.receive_lag.tolist() == [200, 0]


def test_replies_are_taken_at_once_only_where_reads_are_behind() -> None:
    spoken = Spoken()
    spoken.hear(said("ack"))
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.lie_unread(b"".join(map(frame, answer(turn))))
    spoken.connection.take_replies()
    assert turn.outcome is None
    spoken.poller.reads_behind = True
    spoken.connection.take_replies()
    assert turn.outcome is Outcome.COMPLETE


def test_no_reply_is_taken_before_what_came_with_the_upgrade() -> None:
    spoken = Spoken(is_open=False)
    spoken.poller.reads_behind = True
    whole = frame(said("ack"))

    def ready(connection: Connection) -> None:
        spoken.lie_unread(whole[3:])
        connection.take_replies()

    spoken.connection.on_ready = ready
    spoken.open(rest=whole[:3])
    spoken.poller.turn(FD, READ)
    assert spoken.counts("events.")["received"] == 1
    assert spoken.closed == 0


def test_of_a_peer_that_floods_no_replies_are_taken() -> None:
    spoken = Spoken()
    spoken.poller.reads_behind = True
    much = frame(b'{"type":"ack","pad":"' + b"x" * FULL_READ_BYTES + b'"}')
    spoken.arrive(much)
    spoken.lie_unread(much)
    spoken.connection.take_replies()
    assert len(spoken.line.reads) == 1
    spoken.poller.turn(FD, READ)
    spoken.hear(said("ack"))
    spoken.lie_unread(frame(said("ack")))
    spoken.connection.take_replies()
    assert not spoken.line.reads


def test_bytes_are_counted_as_they_come() -> None:
    spoken = Spoken()
    before = spoken.metrics.bytes_received
    whole = frame(said("ack"))
    spoken.arrive(whole[:3], whole[3:])
    assert spoken.metrics.bytes_received - before == len(whole)
    assert spoken.counts("events.") == {"received": 1, "ignored": 1}


def test_readiness_without_bytes_means_nothing() -> None:
    spoken = Spoken()
    spoken.poller.turn(FD, READ)
    assert spoken.closed == 0
    assert spoken.metrics.receive_lag.tolist() == []


def test_a_hang_up_is_read_as_well() -> None:
    """The poller reports errors unasked; what still lies there comes first."""
    spoken = Spoken()
    spoken.lie_unread(frame(said("ack")))
    spoken.poller.turn(FD, HANGUP)
    assert spoken.counts("events.received") == {"": 1}
    spoken.lie_unread(b"")
    spoken.poller.turn(FD, HANGUP)
    assert spoken.closed == 1


# ------------------------------------------------------------------ control frames


def test_a_ping_is_answered_with_its_payload() -> None:
    spoken = Spoken()
    spoken.arrive(frame(b"are you there", Opcode.PING))
    assert spoken.frames == [(Opcode.PONG, b"are you there")]


def test_a_pong_that_nobody_asked_for_is_nothing() -> None:
    spoken = Spoken()
    spoken.arrive(frame(b"yes", Opcode.PONG))
    assert spoken.frames == []
    assert spoken.counts("pings.") == {}


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
def test_a_peer_that_closes_is_answered_and_its_code_is_counted(code: int) -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.arrive(close_frame(code))
    assert spoken.frames[-1] == (Opcode.CLOSE, code.to_bytes(2, "big"))
    assert spoken.counts("connections.closed.") == {str(code): 1}
    assert turn.outcome is Outcome.LOST
    assert spoken.closed == 1
    assert spoken.line.closed


def test_a_kept_secret_is_not_told_as_the_reason_of_a_close() -> None:
    keep = ({"type": "note", "keep": {"token": "t"}},)
    spoken = Spoken(events=Events(**AGENT, keep=keep))
    spoken.hear(said("note", t="a-secret"))
    spoken.arrive(frame((1011).to_bytes(2, "big") + b"no room for a-secret", Opcode.CLOSE))
    assert spoken.context.observations.reasons == [(1011, "no room for [redacted]")]


def test_a_kept_secret_is_not_told_as_the_reason_of_a_refusal() -> None:
    steps = (ReadyStep(wait={"type": "hello"}, keep={"token": "t"}), ReadyStep(wait={"type": "welcome"}))
    fail = {**AGENT, "fail": ({"has": "error"},)}
    spoken = Spoken(connect=Connect(path="/ws", ready=steps), events=Events(**fail))
    spoken.hear(said("hello", t="a-secret"))
    spoken.hear(said("a-secret", error="no"))
    spoken.arrive(close_frame(1011))
    (refused,) = spoken.context.observations.refusals
    assert "[redacted]" in str(refused)
    assert "a-secret" not in str(refused)


def test_messages_before_a_close_frame_in_one_read_count() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.arrive(b"".join(map(frame, answer(turn))) + close_frame(1000))
    assert turn.outcome is Outcome.COMPLETE
    assert spoken.counts("connections.closed.") == {"1000": 1}


def test_a_close_frame_without_a_code() -> None:
    spoken = Spoken()
    spoken.arrive(frame(b"", Opcode.CLOSE))
    assert spoken.counts("connections.closed.") == {"1005": 1}


# ------------------------------------------------------------------ the end of the line


def test_an_end_without_a_close_frame_is_1006() -> None:
    spoken = Spoken()
    spoken.arrive(b"")
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert spoken.line.closed
    assert spoken.poller.asked == {}


@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, "reset"), ssl.SSLError(1, "broken")], ids=["tcp", "tls"]
)
def test_a_line_that_breaks_is_1006(error: OSError) -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.arrive(error)
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert turn.outcome is Outcome.LOST


BROKEN_FRAMES = [
    pytest.param(b"\x83\x00", id="reserved opcode"),
    pytest.param(b"\xc1\x01x", id="reserved bit"),
    pytest.param(b"\x81\x82\x00\x00\x00\x00hi", id="masked by the server"),
    pytest.param(b"\x81\x02\xff\xfe", id="not UTF-8"),
    pytest.param(b"\x80\x01x", id="continues nothing"),
]


@pytest.mark.parametrize("broken", BROKEN_FRAMES)
def test_a_broken_frame_is_received_malformed_and_ends_the_connection(broken: bytes) -> None:
    spoken = Spoken()
    spoken.arrive(frame(said("ack")) + broken)
    assert spoken.counts("events.") == {"received": 2, "ignored": 1, "malformed": 1, "coalesced": 1}
    assert spoken.counts("connections.broken_frames") == {"": 1}
    assert spoken.frames[-1][0] is Opcode.CLOSE
    assert spoken.counts("connections.closed.") == {"1006": 1}
    (kept,) = spoken.context.recorder.take(0, {}).frames
    assert (kept["kind"], kept["user"]) == ("broken frame", spoken.connection.user)
    assert kept["frames"][0][1]


def test_a_message_larger_than_we_take_ends_the_connection() -> None:
    spoken = Spoken(target=Target(url="ws://test", max_message_bytes=200))
    spoken.arrive(frame(b"x" * 201)[:10])
    assert spoken.frames[-1] == (Opcode.CLOSE, spoken.frames[-1][1])
    assert spoken.frames[-1][1][:2] == (1009).to_bytes(2, "big")
    assert spoken.counts("connections.too_long") == {"": 1}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (Frame(Opcode.PING, b"x" * 20).serialize(mask=False) * 2_001, "more than 2,000 pings and pongs"),
        (b"\x81\x00" * 2_001, "more than 2,000 messages without content"),
        (b"\x89\x00" * 1_001, "more than 1,000 frames without content in one read"),
    ],
)
def test_a_flood_ends_the_connection_and_is_no_broken_frame(data: bytes, why: str) -> None:
    spoken = Spoken()
    spoken.arrive(data)
    assert spoken.counts("connections.flooded") == {"": 1}
    assert spoken.counts("connections.broken_frames") == {}
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert spoken.frames[-1][0] == Opcode.CLOSE
    assert why.encode() in spoken.frames[-1][1]
    # Messages without content are none of the protocol; pings are none at all.
    assert spoken.counts("events.malformed") == ({"": 2_001} if "messages without" in why else {})


def test_compressed_messages_are_read() -> None:
    spoken = Spoken(is_open=False, target=Target(url="ws://test", compression=True))
    spoken.open("Sec-WebSocket-Extensions: permessage-deflate")
    assert b"permessage-deflate" in spoken.line.sent
    _, extension = ServerPerMessageDeflateFactory().process_request_params([], [])
    spoken.arrive(Frame(Opcode.TEXT, said("ack")).serialize(mask=False, extensions=[extension]))
    assert spoken.counts("events.") == {"received": 1, "ignored": 1}


# ------------------------------------------------------------------ before it is ready


def test_a_no_before_ready_is_a_refusal() -> None:
    connect = Connect(path="/ws", ready=(ReadyStep(wait={"type": "welcome"}),), auth_errors=("who_are_you",))
    spoken = Spoken(connect=connect)
    spoken.hear(b'{"type":"who_are_you"}')
    assert spoken.connection.refusal is not None
    assert spoken.connection.refusal.layer is Layer.AUTH
    assert spoken.counts("connections.refused.") == {"auth": 1}
    assert (spoken.ready, spoken.closed) == (0, 1)


def test_a_connection_that_is_not_open_reads_nothing() -> None:
    connection = Spoken(is_open=False).connection
    connection._read()
    connection._parse(b"nowhere to go", 0)
    assert connection.state is ConnectionState.NEW


def test_pings_of_a_peer_that_does_not_read_are_not_answered_without_end() -> None:
    spoken = Spoken()
    assert spoken.connection._transport is not None
    spoken.connection._transport.unsent = b"x" * MAX_UNSENT
    spoken.arrive(frame(b"are you there", Opcode.PING))
    assert spoken.frames == []


@pytest.mark.parametrize("behind", [frame(b"", Opcode.PING), frame(said("ack"))[:-1]])
def test_a_read_that_brings_more_behind_the_last_message_has_the_stamp_of_that(behind: bytes) -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.arrive(b"".join(map(frame, answer(turn))) + behind)
    assert turn.outcome is Outcome.COMPLETE
    assert spoken.counts("turns.")["end_coalesced"] == 1
    assert spoken.counts("events.")["coalesced"] == 5


def test_a_small_read_waits_until_it_is_taken_and_a_large_one_does_not() -> None:
    spoken = Spoken()
    spoken.lie_unread(frame(said("ack")))
    assert spoken.connection._on_ready(READ) is spoken.connection
    assert "ignored" not in spoken.counts("events.")
    spoken.connection.take()
    spoken.connection.take()
    assert spoken.counts("events.")["ignored"] == 1
    spoken.lie_unread(frame(said("ack", more="x" * MAX_WAITING_BYTES)))
    assert spoken.connection._on_ready(READ) is None
    assert spoken.counts("events.")["ignored"] == 2


def waiting_answer() -> tuple[Spoken, Turn]:
    """A turn whose answer, and a close frame behind it, were read and not taken yet."""
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.lie_unread(b"".join(map(frame, answer(turn))) + close_frame(1001, "maintenance"))
    assert spoken.connection._on_ready(READ) is spoken.connection
    assert turn.outcome is None
    return spoken, turn


def test_what_was_read_counts_though_we_leave_before_it_is_taken() -> None:
    spoken, turn = waiting_answer()
    spoken.connection.close()
    assert turn.outcome is Outcome.COMPLETE
    assert (spoken.closed, spoken.counts("connections.closed.")) == (1, {"1001": 1})


def test_what_was_read_says_why_a_socket_broke() -> None:
    spoken, turn = waiting_answer()
    other = spoken.begin(1)
    spoken.line.error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    spoken.poller.turn()
    assert (turn.outcome, other.outcome) == (Outcome.COMPLETE, Outcome.LOST)
    assert (spoken.closed, spoken.counts("connections.closed.")) == (1, {"1001": 1})
    assert spoken.context.observations.reasons == [(1001, "maintenance")]


def test_the_last_answer_counts_though_it_was_read_as_its_time_ran_out() -> None:
    spoken = Spoken()
    spoken.connection.close()
    spoken.lie_unread(close_frame(1000))
    assert spoken.connection._on_ready(READ) is spoken.connection
    spoken.poller.pass_until(spoken.now + spoken.context.close_timeout_ns)
    assert spoken.closed == 1
    assert spoken.counts("connections.left_unanswered") == {}
