"""Twilio's side of Media Streams: what it numbers and names itself, and the marks that it sends back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak.codec.twilio import SENT, Twilio
from tests.speak.codec.frames import heard


def said(codec: Twilio, **message: Any) -> dict[str, Any]:
    frame = codec.encode(message)
    assert isinstance(frame, str)
    found: dict[str, Any] = json.loads(frame)
    return found


def test_a_call_from_its_first_message_to_its_last() -> None:
    codec = Twilio(account="AC1")
    assert said(codec, event="connected") == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    began = said(codec, event="start", start={"customParameters": {"room": "7"}})
    stream, call = began["streamSid"], began["start"].pop("callSid")
    assert (began["event"], began["sequenceNumber"], stream[:2], len(stream)) == ("start", "1", "MZ", 34)
    assert call.startswith("CA")
    assert began["start"] == {
        "accountSid": "AC1",
        "streamSid": stream,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"room": "7"},
    }
    first = said(codec, event="media", media={"payload": "////"})
    assert first["media"] == {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "////"}
    assert said(codec, event="media", media={"payload": "////" * 8 + "/w=="})["media"]["timestamp"] == "0"
    third = said(codec, event="media", media={"payload": "////", "track": "outbound"})
    assert (third["sequenceNumber"], third["streamSid"]) == ("4", stream)
    # 3 and 25 bytes went before it, of 8 a millisecond.
    assert third["media"] == {"track": "outbound", "chunk": "3", "timestamp": "3", "payload": "////"}
    pressed = said(codec, event="dtmf", dtmf={"digit": "1"})
    assert (pressed["dtmf"], pressed["sequenceNumber"]) == ({"digit": "1"}, "5")
    stop = said(codec, event="stop")
    assert (stop["stop"], stop["sequenceNumber"]) == ({"accountSid": "AC1", "callSid": call}, "6")


def test_each_call_is_another() -> None:
    assert said(Twilio(), event="stop")["streamSid"] != said(Twilio(), event="stop")["streamSid"]


def test_a_mark_is_sent_back_and_is_an_event_too() -> None:
    codec = Twilio()
    mark = {"event": "mark", "streamSid": codec.user_mark, "mark": {"name": "a"}}
    assert heard(codec, json.dumps(mark)) == [mark]
    (reply,) = map(json.loads, map(str, codec.replies))
    assert (reply["event"], reply["mark"], reply["sequenceNumber"]) == ("mark", {"name": "a"}, "1")


def test_the_stream_that_was_sent_names_the_user_and_a_mark_of_another_is_not_sent_back() -> None:
    codec = Twilio()
    assert said(codec, event="start")["streamSid"] == codec.user_mark
    mark = {"event": "mark", "streamSid": "MZ1", "mark": {"name": "a"}}
    assert heard(codec, json.dumps(mark)) == [mark]
    assert codec.replies == []


@pytest.mark.parametrize(
    "message",
    [{"event": "media", "media": {"payload": "////"}}, {"event": "clear"}, {"event": ["new"]}, {"else": 1}],
)
def test_what_else_comes_is_an_event_and_asks_for_no_reply(message: dict[str, Any]) -> None:
    codec = Twilio()
    assert heard(codec, json.dumps(message)) == [message]
    assert codec.replies == []


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"{}", "only text frames"),
        ("[1]", "Expected `object`"),
        ('{"event":"media"}', "`media` has no `payload`"),
        ('{"event":"media","media":{"payload":1}}', "`media` has no `payload`"),
        ('{"event":"media","media":{"payload":""}}', "`media` has no sound"),
        ('{"event":"media","media":{"payload":"%%% no base64"}}', "not valid base64"),
        ('{"event":"mark","mark":"a"}', "`mark` has no `name`"),
    ],
)
def test_what_twilio_would_not_take_is_no_message(frame: str | bytes, why: str) -> None:
    codec = Twilio()
    with pytest.raises(ValueError, match=why):
        heard(codec, frame)
    assert codec.replies == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ([], "an object with an `event`; the events to send are connected, start, media"),
        ({"event": "clear"}, "an object with an `event`; the events to send are connected, start, media"),
        ({"event": "media"}, "`payload` of `media` must be text"),
        ({"event": "media", "media": {"payload": "?"}}, "not valid base64"),
        ({"event": "start", "start": 1}, "`start` must be an object"),
    ],
)
def test_what_cannot_be_sent_is_told(message: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Twilio().encode(message)


@given(
    sounds=st.lists(st.binary(max_size=64), max_size=20),
    events=st.lists(st.sampled_from(SENT[2:]), max_size=9),
)
def test_numbers_rise_by_one_and_time_is_that_of_the_sound(sounds: list[bytes], events: list[str]) -> None:
    codec = Twilio()
    before = 0
    for number, sound in enumerate(sounds, 1):
        payload = base64.b64encode(sound).decode()
        media = said(codec, event="media", media={"payload": payload})
        assert (media["sequenceNumber"], media["media"]["chunk"]) == (str(number), str(number))
        assert media["media"]["timestamp"] == str(before // 8)
        before += len(sound)
    for number, event in enumerate(events, len(sounds) + 1):
        message = {"event": event, event: {"payload": ""}}
        assert said(codec, **message)["sequenceNumber"] == str(number)


@given(frame=st.text(max_size=40) | st.binary(max_size=20))
def test_whatever_comes_is_read_or_refused(frame: str | bytes) -> None:
    codec = Twilio()
    try:
        heard(codec, frame)
    except ValueError:
        assert codec.replies == []
