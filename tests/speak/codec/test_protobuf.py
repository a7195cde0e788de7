"""Protocol Buffers: what the library writes is read, it reads what is sent, in the JSON that they define."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plan.descriptor_set import descriptors_of
from loadtest.plan.framing import CodecChoice
from loadtest.plan.protocol import Protocol, TurnShape
from loadtest.speak.codec.factory import codec_problems
from loadtest.speak.codec.protobuf import Protobuf
from tests.descriptors import descriptor_set, desk, old, written
from tests.speak.codec.frames import heard
from tests.speak.codec.test_coded_frames import Wire, malformed

FILE = written(descriptor_set(desk(), old()))
POOL = descriptors_of(FILE["base64"]).pool


def made(name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(name))


ASK, EVENT = made("desk.v1.Ask"), made("desk.v1.Event")


def codec(send: str = "desk.v1.Ask", receive: str = "desk.v1.Event", **more: Any) -> Protobuf:
    return Protobuf(FILE, send, receive, **more)


def test_a_message_arrives_as_its_json_with_long_numbers_as_numbers() -> None:
    event = EVENT(id="t-1", number=2**63, mood=1, moods=[0, 1, 7], numbers=[1, 2], ratio=1.5)
    event.word.text, event.word.sound = "Hi", b"\x01\x02"
    event.events.add(id="inner")
    event.at.FromJsonString("2026-01-31T12:00:00Z")
    event.moods_by[True] = 1
    event.labels[-5] = "a"
    event.extra["deep"] = [1.0, None]
    found = {
        "id": "t-1",
        "number": 2**63,
        "word": {"text": "Hi", "sound": "AQI="},
        "mood": "HURRIED",
        "moods": ["CALM", "HURRIED", 7],
        "numbers": [1, 2],
        "events": [{"id": "inner"}],
        "at": "2026-01-31T12:00:00Z",
        "ratio": 1.5,
        "extra": {"deep": [1.0, None]},
        "moodsBy": {"true": "HURRIED"},
        "labels": {"-5": "a"},
    }
    assert heard(codec(), event.SerializeToString()) == [found]
    assert heard(codec(), b"") == [{}]
    theirs = MessageToDict(event, descriptor_pool=POOL)
    assert {**theirs, "number": 2**63} == found


def test_a_part_of_a_oneof_is_there_where_it_was_sent_though_it_is_empty() -> None:
    event = EVENT(done=EVENT.Done())
    assert heard(codec(), event.SerializeToString()) == [{"done": {}}]


def test_defaults_are_there_where_they_are_asked_for() -> None:
    (found,) = heard(codec(defaults=True), EVENT(id="t").SerializeToString())
    assert found == {
        "id": "t",
        "number": 0,
        "mood": "CALM",
        "moods": [],
        "numbers": [],
        "events": [],
        "nothing": None,
        "ratio": 0.0,
        "moodsBy": {},
        "labels": {},
    }


def test_an_extension_has_its_full_name() -> None:
    assert heard(codec(receive="old.Ask"), b"\x0a\x01t\xa0\x06\x05") == [{"id": "t", "[old.mark]": 5}]


def test_a_message_is_sent_from_its_json() -> None:
    sent = codec().encode(
        {
            "id": "t-1",
            "text": "why?",
            "sentNs": 2**62,
            "sound": "AQI=",
            "mood": "HURRIED",
            "urgent": True,
            "askedAt": "2026-01-31T12:00:00Z",
        }
    )
    ask = ASK.FromString(sent)
    assert (ask.id, ask.sent_ns, ask.sound, ask.mood, ask.urgent) == ("t-1", 2**62, b"\x01\x02", 1, True)
    assert ask.asked_at.ToJsonString() == "2026-01-31T12:00:00Z"
    assert codec().encode({"sent_ns": "5"}) == codec().encode({"sentNs": 5})


@settings(max_examples=40)
@given(
    id_=st.text(max_size=5),
    number=st.integers(0, 2**64 - 1),
    numbers=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    sound=st.binary(max_size=9),
)
def test_both_ways_give_the_same_message(id_: str, number: int, numbers: list[int], sound: bytes) -> None:
    event = EVENT(id=id_, number=number, numbers=numbers)
    event.word.sound = sound
    both = codec(send="desk.v1.Event")
    (found,) = heard(both, event.SerializeToString())
    assert EVENT.FromString(both.encode(json.loads(json.dumps(found)))) == event


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (
            {"idd": "t"},
            'the message is not a `desk.v1.Ask`: Message type "desk.v1.Ask" has no field named "idd"',
        ),
        ({"sentNs": "many"}, "the message is not a `desk.v1.Ask`: Failed to parse sentNs field"),
        ({"sound": "A"}, "the message is not a `desk.v1.Ask`: Failed to parse sound field"),
        ({"mood": "ANGRY"}, "the message is not a `desk.v1.Ask`: Failed to parse mood field"),
        (5, "the message is not a `desk.v1.Ask`: "),
        (["id"], "the message is not a `desk.v1.Ask`: "),
    ],
)
def test_what_is_no_message_of_the_type_cannot_be_sent(message: Any, why: str) -> None:
    with pytest.raises(ValueError, match=r"the message is not a `desk\.v1\.Ask`: ") as caught:
        codec().encode(message)
    assert str(caught.value).startswith(why)


def test_a_field_that_must_be_there_is_missed() -> None:
    with pytest.raises(ValueError, match=r"the message is not a `old.Ask`: .*id"):
        codec(send="old.Ask").encode({})


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("text", "the frame is text, but Protocol Buffers are binary"),
        (b"\x0a\x05ab", "the message is not a `desk.v1.Event`: "),
        (b"\xff", "the message is not a `desk.v1.Event`: "),
        (b"\x0a\x01\xff", "the message is not a `desk.v1.Event`: "),
        (EVENT(id="t-1", number=7).SerializeToString()[:-1], "the message is not a `desk.v1.Event`: "),
        (b"\x42\x80\x80\x01" * 9, "the message is not a `desk.v1.Event`: "),
    ],
)
def test_what_is_none_is_refused(frame: str | bytes, why: str) -> None:
    (message,) = Wire(codec()).hear(frame)
    assert malformed(message).startswith(f"unreadable by codec mine: {why}")


def test_messages_within_messages_are_read_up_to_a_depth() -> None:
    inner = b""
    for _ in range(60):
        inner = b"\x42" + bytes([len(inner)]) + inner
    assert len(Wire(codec()).hear(inner)[0]) > 600
    for _ in range(90):
        inner = b"\x42" + (len(inner) & 0x7F | 0x80).to_bytes() + (len(inner) >> 7).to_bytes() + inner
    (message,) = Wire(codec()).hear(inner)
    assert malformed(message).startswith("unreadable by codec mine: the message is not a `desk.v1.Event`: ")


def test_a_time_that_no_text_can_say_is_refused() -> None:
    event = EVENT()
    event.at.seconds = 2**40
    (message,) = Wire(codec()).hear(event.SerializeToString())
    assert malformed(message).startswith("unreadable by codec mine: ")


@settings(max_examples=60)
@given(data=st.lists(st.binary(max_size=24), max_size=6))
def test_whatever_comes_is_read_or_refused(data: list[bytes]) -> None:
    taken = Wire(codec())
    found = taken.hear(*data)
    assert len(found) == len(data)
    assert not taken.parser.gave_up


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('{"id":"{turn.id}","urgent":{data.urgent},"sentNs":{now_ms},"askedAt":"{now.iso}"}', ""),
        ('{"id":"{turn.id}","urgent":"{data.urgent}"}', "Failed to parse urgent field"),
        ('{"urgent":{data.a},"askedAt":"{data.a}"}', "Failed to parse urgent field"),
        ('{"id":"{turn.id}","texts":"{data.question}"}', 'no field named "texts"'),
        ('{"texts":["{a}","{b}","{c}","{d}","{e}"]}', 'no field named "texts"'),
        ('{"urgent":{data.a},"sentNs":{data.b},"id":"{a}","text":"{b}","sound":"{base64:c}"}', ""),
    ],
)
def test_a_message_is_tried_before_a_run_with_values_of_every_kind(message: str, told: str) -> None:
    settings = {"descriptors": FILE, "send": "desk.v1.Ask", "receive": "desk.v1.Event"}
    protocol = Protocol(
        name="mine", codec=CodecChoice(name="protobuf", settings=settings), turn=TurnShape(message=message)
    )
    problems = [problem.sentence for problem in codec_problems(protocol)]
    assert len(problems) == (told != "")
    assert told in "".join(problems)
