"""A connection whose frames go through a codec: ready steps, turns, heartbeats, and what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from websockets.frames import Opcode

from loadtest.drive.connection import MAX_UNSENT, Connection
from loadtest.drive.poller import WRITE
from loadtest.errors import Layer
from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.protocol import AutoReply, Connect, Events, ReadyStep
from loadtest.plan.scenario import Target
from loadtest.speak.codec.coded_frames import UnsendableError
from loadtest.speak.turn import Outcome
from tests.drive.spoken import FD, Spoken
from tests.drive.standing_in import close_frame
from tests.speak.codec.frames import wire

EVENTS = Events(type=("type",), turn=("ack",), end=("ack",), ignore=({"type": "event"},))
ASK = '{"type":"event","event":"ask","ack":"{turn.id}"}'


def spoken(codec: str | None = "socketio", **about: Any) -> Spoken:
    fields: dict[str, Any] = {"events": EVENTS, "message": ASK, **about}
    if codec is not None:
        fields["codec"] = CodecChoice(name=codec)
    return Spoken(**fields)


def test_a_connection_gets_ready_and_turns_are_answered_through_the_codec() -> None:
    steps = (ReadyStep(wait="open"), ReadyStep(send='{"type":"connect"}'), ReadyStep(wait="connect"))
    beat = AutoReply(on={"type": "event", "event": "hi"}, send='{"type":"event","event":"ho"}')
    talk = spoken(connect=Connect(ready=steps, heartbeat=(beat,)))
    talk.arrive(wire("0{}"), wire('40{"sid":"x"}'))
    assert talk.ready == 1
    turn = talk.begin()
    talk.poller.turn()
    talk.arrive(wire("2", '42["hi"]', '42["news",1]'))
    talk.arrive(wire('430["yes"]'))
    assert turn.outcome is Outcome.COMPLETE
    assert talk.texts == [b"40", b'420["ask"]', b"3", b'42["ho"]']
    assert talk.counts("codec.") == {"replies": 1}
    found = talk.counts("events.")
    assert [found[key] for key in ("sent", "received", "matched", "heartbeat", "ignored")] == [1, 2, 1, 1, 1]


CALL = Events(match="order", type=("event",), user=("streamSid",), end=("mark",))


@pytest.mark.parametrize(("user", "foreign"), [(("streamSid",), 2), ((), 0)])
def test_who_answers_another_call_than_the_codec_began_answers_nobody(
    user: tuple[str, ...], foreign: int
) -> None:
    message = '{"event":"media","media":{"payload":"////"}}'
    talk = spoken("twilio", events=replace(CALL, user=user), message=message)
    turn = talk.begin()
    talk.poller.turn()
    stream = json.loads(talk.texts[0])["streamSid"]
    sound = '{"event":"media","streamSid":"%s","media":{"payload":"////"}}'
    mark = '{"event":"mark","streamSid":"%s","mark":{"name":"over"}}'
    talk.arrive(wire(sound % "MZ1", mark % "MZ1"))
    # Without `user` nobody asks whose call it is.
    assert (turn.outcome is None) is (foreign > 0)
    assert talk.counts("events.").get("foreign", 0) == foreign
    talk.arrive(wire(sound % stream, mark % stream))
    assert turn.outcome is Outcome.COMPLETE
    assert talk.counts("turns.").get("unmarked", 0) == 0


def test_what_a_user_writes_as_bytes_is_sent_as_it_is() -> None:
    talk = spoken()
    talk.connection.begin(0, 0, talk.now, {}, written=b"\x01")
    talk.connection.begin(1, 0, talk.now, {}, written='{"type":"event","event":"own"}')
    talk.poller.turn()
    assert talk.frames == [(Opcode.BINARY, b"\x01"), (Opcode.TEXT, b'42["own"]')]


def test_what_a_user_sends_outside_of_turns_goes_through_the_codec() -> None:
    talk = spoken()
    talk.connection.send('{"type":"event","event":"own"}')
    talk.connection.send(b"\x01")
    talk.connection.send_as_it_is("{broken")
    with pytest.raises(UnsendableError, match="codec socketio: JSON is malformed"):
        talk.connection.send("no json")
    talk.poller.turn()
    text, binary = Opcode.TEXT, Opcode.BINARY
    assert talk.frames == [(text, b'42["own"]'), (binary, b"\x01"), (text, b"{broken")]


@pytest.mark.parametrize("frame", ["nonsense", '{"type":"ack","ack":"{id}"}', b'{"type":"ack","ack":"{id}"}'])
def test_what_the_codec_cannot_read_ends_no_turn(frame: str | bytes) -> None:
    talk = spoken("msgpack" if isinstance(frame, str) else "socketio")
    turn = talk.begin()
    talk.poller.turn()
    named = json.dumps(turn.id).strip('"')
    talk.arrive(
        wire(
            frame.replace("{id}", named) if isinstance(frame, str) else frame.replace(b"{id}", named.encode())
        )
    )
    assert turn.outcome is None
    assert turn.received == 0
    counted = talk.counts("events.")
    assert counted["received"] == counted.get("malformed", 0) + counted.get("unmatched", 0) == 1


def test_records_of_a_frame_are_events_of_their_turns() -> None:
    events = Events(turn=("id",), end=({"has": "end"},))
    talk = spoken(None, framing=Framing(split="\n"), events=events, message='{"id":"{turn.id}"}')
    first, second = talk.begin(0), talk.begin(1)
    talk.poller.turn()
    assert [text[-1:] for text in talk.texts] == [b"\n", b"\n"]
    talk.arrive(wire(f'{{"id":"{second.id}","end":1}}\n{{"id":"{first.id}","end":1}}\n'))
    assert (first.outcome, second.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)


def test_what_is_sent_in_binary_frames_gets_its_separator_too_and_bytes_of_a_user_do_not() -> None:
    framing, events = Framing(split="\n", prefix="a"), Events(turn=("id",), end=({"has": "end"},))
    steps = (ReadyStep(send="hello"),)
    talk = spoken(
        None,
        framing=framing,
        events=events,
        message='{"id":"{turn.id}"}',
        encoding="binary",
        connect=Connect(ready=steps),
    )
    turn = talk.begin()
    talk.connection.begin(1, 0, talk.now, {}, written=b"\x01")
    talk.connection.begin(2, 0, talk.now, {}, written="own")
    talk.connection.send(b"\x02")
    talk.poller.turn()
    assert talk.frames == [
        (Opcode.TEXT, b"ahello\n"),
        (Opcode.BINARY, f'a{{"id":"{turn.id}"}}\n'.encode()),
        (Opcode.BINARY, b"\x01"),
        (Opcode.TEXT, b"aown\n"),
        (Opcode.BINARY, b"\x02"),
    ]


@pytest.mark.parametrize("match", ["id", "order"])
def test_records_of_the_last_frame_of_a_read_have_its_time_and_those_before_may_have_come_earlier(
    match: Any,
) -> None:
    """What comes in one frame nobody has before it is whole, so that its time is no upper bound."""
    events = Events(
        turn=("id",) if match == "id" else (), match=match, first=("first",), end=("end",), type=("t",)
    )
    talk = spoken(None, framing=Framing(split="\n"), events=events, message='{"id":"{turn.id}"}')
    early, last = talk.begin(0), talk.begin(1)
    talk.poller.turn()
    talk.arrive(
        wire(
            "".join(f'{{"t":"{word}","id":"{early.id}"}}\n' for word in ("first", "end")),
            "".join(f'{{"t":"{word}","id":"{last.id}"}}\n' for word in ("first", "note", "end")),
        )
    )
    assert (early.outcome, last.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert talk.counts("events.")["received"] == 5
    assert talk.counts("events.")["coalesced"] == 2
    found = talk.counts("turns.")
    assert (found["first_coalesced"], found["end_coalesced"]) == (1, 1)
    assert talk.context.recorder.metrics.gap.tolist() == []


# ------------------------------------------------------------------ what goes wrong


def test_a_message_of_which_no_frame_can_be_made_fails_its_turn_and_is_not_sent() -> None:
    talk = spoken(message='{"type":"event"}')
    turn = talk.begin()
    assert turn.outcome is None
    talk.poller.turn()
    assert (turn.outcome, turn.reason, turn.sent_ns) == (Outcome.FAILED, "codec", -1)
    assert talk.frames == []
    assert talk.counts("codec.") == {"unsendable": 1}
    assert "sent" not in talk.counts("events.")
    kinds = [kept["kind"] for kept in talk.context.recorder.take(0, {}).frames]
    assert "unsendable" in kinds


def test_a_broker_that_acknowledges_too_little_fails_the_turn_by_a_reason_of_its_own() -> None:
    ask = '{"type":"publish","topic":"t","qos":1,"tag":"{turn.id}"}'
    events = Events(type=("type",), turn=("tag",), end=("puback",))
    connect = Connect(ready=(ReadyStep(send='{"type":"connect","version":5}'), ReadyStep(wait="connack")))
    talk = spoken("mqtt", events=events, message=ask, connect=connect)
    # CONNACK of MQTT 5, with a receive_maximum of 1.
    talk.arrive(wire(b"\x20\x06\x00\x00\x03\x21\x00\x01"))
    first, second = talk.begin(0), talk.begin(1)
    talk.poller.turn()
    assert (first.outcome, second.outcome, second.reason) == (None, Outcome.FAILED, "not_taken")
    assert talk.counts("codec.") == {"not_taken": 1}


def test_one_that_follows_it_is_sent_and_only_that() -> None:
    talk = spoken(message='{"type":"event"}')
    bad = talk.begin()
    good = talk.connection.begin(1, 0, talk.now, {}, written='{"type":"event","event":"own"}')
    talk.poller.turn()
    assert (bad.sent_ns, good.sent_ns) == (-1, talk.now)
    assert talk.texts == [b'42["own"]']
    assert talk.counts("events.")["sent"] == 1


def test_it_fails_once_also_where_the_connection_is_over_by_then() -> None:
    talk = spoken(message='{"type":"event"}')
    turn = talk.begin()
    talk.arrive(close_frame(1000))
    talk.poller.turn()
    assert turn.outcome is Outcome.LOST
    assert talk.turns == [turn]


def test_a_ready_step_that_cannot_be_sent_is_a_refusal_that_says_so() -> None:
    talk = spoken(connect=Connect(ready=(ReadyStep(send='{"type":"open"}'), ReadyStep(wait="open"))))
    talk.poller.turn()
    refusal = talk.connection.refusal
    assert refusal is not None
    assert refusal.layer is Layer.READY
    assert refusal.reason.startswith("a ready step could not be sent: codec socketio: `open` cannot be sent")


def test_an_answer_that_cannot_be_sent_is_counted_and_the_connection_goes_on() -> None:
    beat = AutoReply(on={"type": "event"}, send='{"type":"event"}')
    talk = spoken(connect=Connect(heartbeat=(beat,)))
    talk.arrive(wire('42["hi"]'))
    talk.poller.turn()
    assert talk.counts("codec.") == {"unsendable": 1}
    assert talk.connection.is_open


def test_a_stream_that_the_codec_cannot_read_on_ends_the_connection() -> None:
    talk = spoken("mqtt", message='{"type":"pingreq"}')
    talk.arrive(wire(b"\xd0\x00\x30\xff\xff\xff\xff\x01"))
    assert talk.counts("connections.beyond_codec") == {"": 1}
    found = talk.counts("events.")
    assert [found[key] for key in ("received", "unmatched", "malformed")] == [2, 1, 1]
    assert talk.frames[-1][0] is Opcode.CLOSE


def test_a_connection_that_ends_in_the_middle_of_a_message_counts_it() -> None:
    talk = spoken("mqtt", message='{"type":"pingreq"}')
    talk.arrive(wire(b"\x30\x05\x00"), close_frame(1000))
    assert talk.counts("events.") == {"received": 1, "malformed": 1}
    (kept,) = talk.context.recorder.take(0, {}).frames
    assert kept["kind"] == "unfinished"


def test_a_peer_that_reads_no_answers_is_given_up() -> None:
    talk = spoken(target=Target(url="ws://test"))
    talk.line.room = 0
    talk.connection.begin(0, 0, talk.now, {}, written=b"x" * (MAX_UNSENT + 1))
    talk.poller.turn()
    talk.arrive(wire("2"))
    assert talk.counts("codec.") == {}
    assert not talk.connection.is_open
    assert isinstance(talk.connection, Connection)
    talk.poller.turn(FD, WRITE)
