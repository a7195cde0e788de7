"""One connection from the first attempt to the end, each way it can go, with each counter that must tell."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from loadtest.drive import connection as connection_module
from loadtest.drive.connection import (
    MAX_CATCH_UP_READS,
    Connection,
    ConnectionState,
)
from loadtest.drive.keepalive import MAX_UNANSWERED
from loadtest.drive.poller import READ, WRITE
from loadtest.errors import Layer
from loadtest.plan.protocol import Connect, Events, ReadyStep, TimedBeat
from loadtest.plan.scenario import Traffic
from loadtest.speak.close_codes import NORMAL
from loadtest.speak.session import SessionState
from loadtest.speak.turn import Outcome, Turn
from tests.drive import standing_in
from tests.drive.spoken import FD, Spoken
from tests.drive.standing_in import MS, SECOND, START, Line, close_frame, frame, scenario_of
from tests.speak.talk import answer, said

CLOSED = (Opcode.CLOSE, NORMAL.to_bytes(2, "big"))
WELCOMED = Connect(path="/ws", ready=(ReadyStep(wait={"type": "welcome"}, within_ns=5 * SECOND),))
WELCOME = b'{"type":"welcome"}'
PINGED = Traffic(ping_ns=SECOND, ping_timeout_ns=SECOND)


# ------------------------------------------------------------------ opening


def test_a_protocol_without_ready_steps_is_ready_with_the_upgrade() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.connect()
    assert spoken.connection.state is ConnectionState.CONNECTING
    assert not spoken.connection.is_open
    spoken.context.hand.ns += 5
    spoken.poller.turn(FD, WRITE)
    spoken.arrive(standing_in.agreed(bytes(spoken.line.sent), "Server: tiny"), at_ns=START + 20)
    assert spoken.connection.is_open
    assert spoken.ready == 1
    assert spoken.counts("connections.") == {"attempted": 1, "established": 1, "ready": 1}
    assert spoken.metrics.total.tolist() == [20]
    assert spoken.metrics.ready.tolist() == []
    assert spoken.context.observations.servers == [("tiny", None)]
    recorder = spoken.context.recorder
    assert recorder.instants == {"first_attempt": 0, "last_ready": 20}
    assert recorder.ready == 1


def test_ready_steps_are_timed_from_the_upgrade() -> None:
    spoken = Spoken(connect=WELCOMED)
    assert (spoken.ready, spoken.connection.is_open) == (0, False)
    assert spoken.counts("connections.ready") == {}
    spoken.hear(WELCOME, at_ns=START + 70)
    assert (spoken.ready, spoken.connection.is_open) == (1, True)
    assert spoken.metrics.ready.tolist() == [70]
    assert spoken.metrics.total.tolist() == [70]


def test_a_ready_step_in_one_read_with_the_upgrade_has_no_time_of_its_own() -> None:
    spoken = Spoken(is_open=False, connect=WELCOMED)
    spoken.open(rest=frame(WELCOME))
    assert spoken.ready == 1
    assert spoken.metrics.ready.tolist() == []
    assert len(spoken.metrics.total) == 1


def test_messages_after_the_last_ready_step_in_one_read_are_events() -> None:
    spoken = Spoken(connect=WELCOMED)
    tapped: list[bytes] = []
    spoken.connection.on_ready = lambda connection: setattr(connection, "tap", tapped.append)
    spoken.hear(WELCOME, said("ack"), said("broadcast"))
    assert spoken.counts("events.")["received"] == 2
    assert tapped == [said("ack"), said("broadcast")]


def test_every_message_is_tapped() -> None:
    spoken = Spoken()
    tapped: list[bytes] = []
    spoken.connection.tap = tapped.append
    spoken.hear(said("ack"), said("broadcast"))
    assert tapped == [said("ack"), said("broadcast")]


def test_a_pause_before_ready_is_waited_for() -> None:
    spoken = Spoken(connect=Connect(path="/ws", ready=(ReadyStep(pause_ns=30 * MS),)))
    spoken.poller.pass_until(START + 30 * MS - 1)
    assert spoken.ready == 0
    spoken.poller.pass_until(START + 30 * MS)
    assert spoken.ready == 1
    assert spoken.metrics.ready.tolist() == [30 * MS]


def test_a_user_who_comes_back_is_ready_again() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.is_reconnect = True
    spoken.open()
    assert spoken.context.recorder.instants == {"first_attempt": 0, "last_back": 0}


def test_events_of_another_user_than_the_credentials_are_foreign() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.identified(None)
    assert spoken.connection.session.user_mark is None
    spoken.connection.identified("anna")
    spoken.open()
    spoken.hear(said("news", user_id="anna"), said("news", user_id="bert"))
    assert spoken.counts("events.")["foreign"] == 1


# ------------------------------------------------------------------ refused


def test_a_no_is_counted_by_its_layer_and_kept_with_its_reason() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.connect()
    spoken.line.refused_with = errno.ECONNREFUSED
    spoken.poller.turn(FD, WRITE)
    assert spoken.counts("connections.") == {"attempted": 1, "refused.tcp": 1}
    assert spoken.connection.refusal is not None
    assert [refused.layer for refused in spoken.context.observations.refusals] == [Layer.TCP]
    assert (spoken.ready, spoken.closed) == (0, 1)
    assert spoken.connection.state is ConnectionState.CLOSED
    assert spoken.line.closed


def test_a_socket_that_cannot_be_made_is_a_no_within_connect() -> None:
    context = standing_in.FakeContext(scenario_of(), lines=[OSError(errno.ENETUNREACH, "unreachable")])
    spoken = Spoken(is_open=False, context=context)
    spoken.connection.connect()
    assert spoken.closed == 1
    assert spoken.counts("connections.") == {"attempted": 1, "refused.tcp": 1}


@pytest.mark.parametrize(
    ("code", "layer"), [(1000, "ready"), (1011, "ready"), (1008, "auth"), (4401, "auth")]
)
def test_a_target_that_closes_before_ready_refuses(code: int, layer: str) -> None:
    spoken = Spoken(connect=WELCOMED)
    spoken.arrive(close_frame(code))
    assert spoken.counts("connections.refused.") == {layer: 1}
    assert spoken.counts("connections.closed.") == {}
    assert (spoken.ready, spoken.closed) == (0, 1)
    assert spoken.context.recorder.ready == 0


def test_a_target_that_closes_in_the_read_of_the_upgrade_refuses() -> None:
    spoken = Spoken(is_open=False, connect=WELCOMED)
    spoken.open(rest=close_frame(1013))
    assert spoken.counts("connections.refused.") == {"ready": 1}
    assert spoken.closed == 1


def test_a_no_in_the_read_of_the_upgrade_refuses() -> None:
    connect = Connect(path="/ws", ready=WELCOMED.ready, auth_errors=("who_are_you",))
    spoken = Spoken(is_open=False, connect=connect)
    spoken.open(rest=frame(b'{"type":"who_are_you"}'))
    assert spoken.counts("connections.refused.") == {"auth": 1}
    assert spoken.closed == 1


def test_a_target_that_says_nothing_is_not_ready_in_time() -> None:
    spoken = Spoken(connect=WELCOMED)
    spoken.poller.pass_until(START + 5 * SECOND - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 5 * SECOND)
    assert spoken.counts("connections.refused.") == {"ready": 1}
    assert "welcome" in spoken.context.observations.refusals[0].reason


def test_a_welcome_that_lies_unread_is_in_time() -> None:
    """It may be we who are late: what lies there is read before anybody is refused."""
    spoken = Spoken(connect=WELCOMED)
    spoken.lie_unread(frame(WELCOME), at_ns=START + 4 * SECOND)
    spoken.poller.pass_until(START + 6 * SECOND)
    assert spoken.counts("connections.refused.") == {}
    assert spoken.ready == 1
    assert spoken.metrics.ready.tolist() == [4 * SECOND]


# ------------------------------------------------------------------ turns in time


def test_a_turn_times_out_though_a_ready_step_had_longer() -> None:
    spoken = Spoken(
        connect=Connect(path="/ws", ready=(ReadyStep(wait={"type": "welcome"}, within_ns=60 * SECOND),))
    )
    spoken.hear(WELCOME)
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.poller.pass_until(START + 10 * SECOND)
    assert turn.outcome is Outcome.TIMED_OUT


def test_an_answer_that_lies_unread_is_no_timeout() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.lie_unread(b"".join(map(frame, answer(turn))), at_ns=START + 9 * SECOND)
    spoken.poller.pass_until(START + 10 * SECOND)
    assert turn.outcome is Outcome.COMPLETE
    assert turn.done_ns == START + 9 * SECOND
    assert spoken.counts("turns.timed_out") == {}


def test_answers_that_lie_unread_in_many_reads_are_no_timeout() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    for event in answer(turn):
        spoken.lie_unread(frame(event), at_ns=START + 9 * SECOND)
    spoken.poller.pass_until(START + 10 * SECOND)
    assert turn.outcome is Outcome.COMPLETE


def test_a_peer_that_never_stops_does_not_hold_all_others() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    for _ in range(MAX_CATCH_UP_READS + 5):
        spoken.lie_unread(frame(said("ack")))
    spoken.poller.pass_until(START + 10 * SECOND)
    assert len(spoken.line.reads) == 5
    assert turn.outcome is Outcome.TIMED_OUT


def test_to_catch_up_is_bounded_by_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read of frames without content takes as long as many with some."""
    monkeypatch.setattr(connection_module, "MAX_CATCH_UP_NS", 0)
    spoken = Spoken()
    spoken.begin()
    spoken.poller.turn()
    for _ in range(5):
        spoken.lie_unread(frame(said("ack")))
    spoken.poller.pass_until(START + 10 * SECOND)
    assert len(spoken.line.reads) == 4


def test_an_end_that_lies_unread_is_a_loss_and_no_timeout() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.lie_unread(close_frame(1001), at_ns=START + 9 * SECOND)
    spoken.poller.pass_until(START + 10 * SECOND)
    assert turn.outcome is Outcome.LOST
    assert spoken.counts("connections.closed.") == {"1001": 1}


def test_a_stale_alarm_says_nothing() -> None:
    spoken = Spoken()
    first = spoken.begin(0)
    spoken.poller.turn()
    due_ns = spoken.connection._armed_ns
    spoken.hear(*answer(first))
    spoken.connection._tick(due_ns + 1)
    assert spoken.connection._armed_ns == due_ns
    spoken.connection.close()
    spoken.connection._tick(due_ns)
    assert spoken.counts("turns.") == {"begun": 1, "complete": 1, "numbered": 1, "first_coalesced": 1}


# ------------------------------------------------------------------ pings


def test_a_peer_is_pinged_and_its_pong_is_timed() -> None:
    spoken = Spoken(traffic=PINGED)
    spoken.poller.pass_until(START + SECOND)
    opcode, payload = spoken.frames[-1]
    assert opcode is Opcode.PING
    spoken.arrive(frame(payload, Opcode.PONG), at_ns=START + SECOND + 3 * MS)
    assert spoken.metrics.ping_rtt.tolist() == [3 * MS]
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.counts("pings.") == {"sent": 2, "answered": 1}


def test_a_peer_that_does_not_answer_its_ping_is_dead() -> None:
    spoken = Spoken(traffic=PINGED)
    turn = spoken.begin()
    spoken.poller.pass_until(START + 2 * SECOND - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.closed == 1
    assert spoken.counts("connections.silent") == {"": 1}
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert turn.outcome is Outcome.LOST
    spoken.poller.pass_until(START + 9 * SECOND)
    assert spoken.counts("pings.") == {"sent": 1}


def test_a_pong_that_lies_unread_keeps_its_peer_alive() -> None:
    spoken = Spoken(traffic=PINGED)
    spoken.poller.pass_until(START + SECOND)
    spoken.lie_unread(frame(spoken.frames[-1][1], Opcode.PONG), at_ns=START + SECOND + MS)
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.closed == 0
    assert spoken.counts("pings.") == {"sent": 2, "answered": 1}


def test_a_pong_behind_much_that_lies_unread_keeps_its_peer_alive() -> None:
    spoken = Spoken(traffic=PINGED)
    spoken.poller.pass_until(START + SECOND)
    for _ in range(5):
        spoken.lie_unread(frame(said("ack")))
    spoken.lie_unread(frame(spoken.frames[-1][1], Opcode.PONG))
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.closed == 0


def test_an_end_that_lies_unread_is_no_silence() -> None:
    spoken = Spoken(traffic=PINGED)
    spoken.poller.pass_until(START + SECOND)
    spoken.lie_unread(b"")
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.counts("connections.silent") == {}
    assert spoken.counts("connections.closed.") == {"1006": 1}


PATIENT = Traffic(ping_ns=SECOND, timeout_ns=3 * SECOND)


def test_a_peer_has_the_timeout_of_a_turn_to_answer_a_ping() -> None:
    spoken = Spoken(traffic=PATIENT)
    spoken.poller.pass_until(START + 4 * SECOND - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 4 * SECOND)
    assert spoken.counts("connections.silent") == {"": 1}
    assert spoken.counts("pings.") == {"sent": 3, "in_flight": 2}


def test_any_byte_is_a_sign_of_life() -> None:
    """A message of 9 s, of which a byte comes every second: no pong can come in its middle."""
    spoken = Spoken(traffic=PATIENT)
    whole = frame(said("ack"))
    for second in range(1, 9):
        spoken.poller.pass_until(START + second * SECOND)
        spoken.arrive(whole[second - 1 : second])
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 11 * SECOND - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 11 * SECOND)
    assert spoken.counts("connections.silent") == {"": 1}


def test_a_part_of_a_tls_record_is_a_sign_of_life() -> None:
    spoken = Spoken(traffic=PATIENT)
    spoken.poller.pass_until(START + 3 * SECOND)
    spoken.line.partial_ns = spoken.now
    spoken.poller.pass_until(START + 6 * SECOND - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 6 * SECOND)
    assert spoken.closed == 1


def test_a_stall_is_measured_by_each_ping_that_it_delayed() -> None:
    spoken = Spoken(traffic=PATIENT)
    spoken.poller.pass_until(START + 3 * SECOND + 200 * MS)
    pings = [payload for opcode, payload in spoken.frames if opcode is Opcode.PING]
    assert len(pings) == 3
    spoken.arrive(*(frame(payload, Opcode.PONG) for payload in pings))
    assert spoken.metrics.ping_rtt.tolist() == [2200 * MS, 1200 * MS, 200 * MS]
    spoken.poller.pass_until(START + 5 * SECOND)
    assert spoken.closed == 0


def test_pings_of_which_none_is_answered_are_not_sent_without_end() -> None:
    spoken = Spoken(traffic=Traffic(ping_ns=MS, timeout_ns=SECOND))
    for _ in range(4):
        spoken.poller.pass_until(spoken.now + 500 * MS)
        spoken.hear(said("ack"))
    assert spoken.closed == 0
    assert spoken.counts("pings.") == {"sent": MAX_UNANSWERED}


def test_pings_on_their_way_at_the_end_are_told_apart() -> None:
    spoken = Spoken(traffic=PATIENT)
    spoken.poller.pass_until(START + 2 * SECOND + MS)
    spoken.connection.close()
    assert spoken.counts("pings.") == {"sent": 2, "in_flight": 2}


def test_nobody_is_pinged_who_is_being_left() -> None:
    spoken = Spoken(traffic=PINGED)
    spoken.connection.close()
    spoken.poller.pass_until(START + SECOND)
    assert spoken.counts("pings.") == {}


# ------------------------------------------------------------------ leaving


def test_we_leave_with_a_close_frame_and_wait_for_the_peers() -> None:
    spoken = Spoken()
    turn = spoken.begin()
    spoken.poller.turn()
    spoken.connection.close()
    assert turn.outcome is Outcome.ABANDONED
    assert spoken.frames[-1] == CLOSED
    assert spoken.counts("connections.") == {"attempted": 1, "established": 1, "ready": 1, "left": 1}
    assert spoken.context.recorder.ready == 0
    assert (spoken.connection.state, spoken.closed) == (ConnectionState.CLOSING, 0)
    spoken.hear(said("ack"))
    spoken.arrive(close_frame(1000))
    assert (spoken.connection.state, spoken.closed) == (ConnectionState.CLOSED, 1)
    assert spoken.counts("connections.closed.") == {}
    assert spoken.counts("events.received") == {}
    assert [opcode for opcode, _ in spoken.frames].count(Opcode.CLOSE) == 1
    assert spoken.line.closed


def test_a_peer_that_does_not_answer_our_close_frame_is_left_anyway() -> None:
    spoken = Spoken()
    spoken.connection.close()
    spoken.poller.pass_until(START + spoken.context.close_timeout_ns - 1)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + spoken.context.close_timeout_ns)
    assert spoken.closed == 1
    assert spoken.counts("connections.closed.") == {}


@pytest.mark.parametrize("end", [b"", ConnectionResetError(errno.ECONNRESET, "reset")])
def test_a_peer_that_ends_the_line_instead_is_no_loss(end: bytes | Exception) -> None:
    spoken = Spoken()
    spoken.connection.close()
    spoken.arrive(end)
    assert spoken.closed == 1
    assert spoken.counts("connections.closed.") == {}
    spoken.poller.pass_until(START + 9 * SECOND)
    assert spoken.closed == 1


def test_what_was_gathered_goes_out_before_the_close_frame() -> None:
    spoken = Spoken()
    spoken.connection.send("last words")
    spoken.connection.close()
    assert spoken.frames == [(Opcode.TEXT, b"last words"), CLOSED]
    spoken.poller.turn()
    assert len(spoken.frames) == 2


def test_who_leaves_while_opening_has_left() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.connect()
    spoken.connection.close()
    assert spoken.counts("connections.") == {"attempted": 1, "left": 1}
    assert spoken.closed == 1
    assert spoken.line.closed
    assert spoken.context.observations.still_opening == ["tcp: no answer yet"]
    spoken.poller.pass_until(START + 60 * SECOND)
    assert spoken.counts("connections.refused.") == {}


def test_who_never_came_has_not_left() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.close()
    assert spoken.counts("connections.") == {}
    assert spoken.closed == 1


def test_who_leaves_while_getting_ready_was_not_refused() -> None:
    spoken = Spoken(connect=WELCOMED)
    spoken.connection.close()
    spoken.arrive(close_frame(1000))
    assert spoken.counts("connections.") == {"attempted": 1, "established": 1, "left": 1}
    assert spoken.closed == 1
    (told,) = spoken.context.observations.still_opening
    assert told.startswith("ready: waited for a message with type = ")
    assert told.endswith("; nothing came")


def test_leaving_twice_is_leaving_once() -> None:
    spoken = Spoken()
    spoken.connection.close()
    spoken.connection.close()
    spoken.arrive(close_frame(1000))
    spoken.connection.close()
    assert spoken.counts("connections.left") == {"": 1}
    assert spoken.closed == 1


def test_whoever_hears_that_it_is_ready_may_leave_at_once() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.on_ready = lambda connection: connection.close()
    spoken.open(rest=frame(said("ack")))
    assert spoken.frames == [CLOSED]
    assert spoken.counts("events.received") == {}


def test_whoever_hears_of_a_turns_end_may_begin_the_next() -> None:
    spoken = Spoken()

    def ask_again(turn: Turn) -> None:
        if turn.seq < 3:
            spoken.begin(turn.seq + 1)

    spoken.connection.on_turn = ask_again
    turn = spoken.begin(0)
    for _ in range(4):
        spoken.poller.turn()
        spoken.hear(*answer(f"turn-{turn.seq}"))
        turn = next(iter(spoken.connection.session.turns.values()), turn)
    assert spoken.counts("turns.complete") == {"": 4}


def test_a_connection_that_nobody_listens_to_lives_and_ends() -> None:
    spoken = Spoken(is_open=False)
    spoken.connection.on_ready = spoken.connection.on_closed = spoken.connection.on_turn = None
    spoken.open()
    spoken.begin()
    spoken.arrive(b"")
    assert spoken.connection.state is ConnectionState.CLOSED


# ------------------------------------------------------------------ a law

STEPS = st.lists(
    st.sampled_from(
        ["begin", "flush", "answer", "fail", "wait", "ping", "full", "empty", "close", "end", "reset"]
    ),
    max_size=12,
)


@given(STEPS, st.sampled_from([None, WELCOMED]))
def test_whatever_happens_each_turn_ends_once_and_the_connection_too(
    steps: list[str], connect: Connect | None
) -> None:
    spoken = Spoken(connect=connect, traffic=PINGED)
    if connect is not None:
        spoken.hear(WELCOME)
    begun: list[Turn] = []
    for step in steps:
        spoken.context.hand.ns += MS
        if step == "begin" and spoken.connection.is_open:
            begun.append(spoken.begin(len(begun)))
        elif step == "flush":
            spoken.poller.turn(FD, WRITE)
        elif step in {"answer", "fail"} and spoken.connection.session.turns:
            turn = next(iter(spoken.connection.session.turns.values()))
            spoken.hear(*(answer(turn) if step == "answer" else [said("failed", turn, 0)]))
        elif step == "wait":
            spoken.poller.pass_until(spoken.now + SECOND)
        elif step == "ping":
            spoken.arrive(frame(b"", Opcode.PING))
        elif step in {"full", "empty"}:
            spoken.line.room = 1 if step == "full" else None
        elif step == "close":
            spoken.connection.close()
        elif step == "end":
            spoken.arrive(close_frame(1001))
        elif step == "reset":
            spoken.arrive(ConnectionResetError(errno.ECONNRESET, "reset"))
    spoken.connection.close()
    spoken.poller.pass_until(spoken.now + 60 * SECOND)
    turns = spoken.counts("turns.")
    ends = ("complete", "failed", "timed_out", "lost", "refused", "abandoned")
    assert sum(turns.get(end, 0) for end in ends) == turns.get("begun", 0) == len(begun)
    assert spoken.turns.sort(key=lambda turn: turn.seq) is None
    assert spoken.turns == begun
    assert spoken.counts("events.").get("sent", 0) <= len(begun)
    connections = spoken.counts("connections.")
    closed = sum(n for name, n in connections.items() if name.startswith("closed."))
    assert closed + connections.get("left", 0) == 1
    assert (spoken.ready, spoken.closed, spoken.context.recorder.ready) == (1, 1, 0)
    assert spoken.line.closed
    assert spoken.poller.asked == {}


def test_a_connection_is_nothing_before_it_connects() -> None:
    context = standing_in.FakeContext(scenario_of(), lines=[Line()])
    connection = Connection(context, 1, {})
    assert connection.state is ConnectionState.NEW
    assert not connection.is_open
    assert connection.session.state is SessionState.READYING
    connection._keep_alive(0)
    connection._receive_pong(b"", 0)
    connection._on_ready(READ | WRITE)
    connection.flush()


# ------------------------------------------------------------------ heartbeats by our clock


BEAT = TimedBeat(every="1s", send="beat", answer="beat back", within_ns=500 * MS)
BEATING = Connect(path="/ws", heartbeat=(BEAT,))


def test_a_heartbeat_goes_out_by_our_clock_and_its_answer_is_timed() -> None:
    spoken = Spoken(connect=BEATING)
    spoken.poller.pass_until(START + SECOND)
    assert spoken.texts[-1] == b"beat"
    spoken.hear(said("beat back"), at_ns=START + SECOND + 3 * MS)
    assert spoken.metrics.heartbeat_rtt.tolist() == [3 * MS]
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.counts("heartbeats.") == {"sent": 2, "answered": 1}


def test_a_target_that_does_not_answer_its_heartbeat_is_dead() -> None:
    spoken = Spoken(connect=BEATING)
    turn = spoken.begin()
    spoken.poller.pass_until(START + 1499 * MS)
    assert spoken.closed == 0
    spoken.poller.pass_until(START + 1500 * MS)
    assert spoken.closed == 1
    assert spoken.counts("connections.silent") == {"": 1}
    assert spoken.counts("connections.closed.") == {"1006": 1}
    assert turn.outcome is Outcome.LOST
    spoken.poller.pass_until(START + 9 * SECOND)
    assert spoken.counts("heartbeats.") == {"sent": 1, "missed": 1}


def test_an_answer_that_lies_unread_keeps_its_target_alive() -> None:
    spoken = Spoken(connect=BEATING)
    spoken.poller.pass_until(START + SECOND)
    spoken.lie_unread(frame(said("beat back")), at_ns=START + SECOND + MS)
    spoken.poller.pass_until(START + 2 * SECOND)
    assert spoken.closed == 0
    assert spoken.counts("heartbeats.") == {"sent": 2, "answered": 1}


def test_the_words_of_an_error_are_kept_without_what_makes_it_one() -> None:
    spoken = Spoken()
    for seq in range(3):
        turn = spoken.begin(seq)
        spoken.poller.turn()
        spoken.hear(said("failed", turn.id, 0, message="no such model"))
    assert spoken.counts("turns.failed_by.event") == {"": 3}
    assert spoken.context.observations.facts["error_answers"] == {"no such model": 3}


@pytest.mark.parametrize(
    ("kind", "facts"),
    [("unauthorized", {"answers_sound_wrong": {"answers": 1, "type": "unauthorized"}}), ("pong", {})],
)
def test_an_answer_that_completes_by_its_number_and_sounds_like_an_error_is_noted(
    kind: str, facts: dict[str, Any]
) -> None:
    spoken = Spoken(events=Events(match="order", count=1))
    spoken.begin()
    spoken.poller.turn()
    spoken.hear(b'{"type":"%s"}' % kind.encode())
    assert spoken.counts("turns.complete") == {"": 1}
    assert spoken.context.observations.facts == facts
