"""MQTT packets by hand, after the OASIS standards: byte by byte, cut anywhere, and what is none."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plan.protocol_file import load_protocol
from loadtest.speak.codec.codec import BrokenStreamError, PeerFullError
from loadtest.speak.codec.mqtt import MAX_UNRELEASED, NUMBERS, Mqtt
from loadtest.speak.codec.mqtt_fields import MAX_VARINT, varint
from loadtest.speak.codec.mqtt_properties import write_properties
from tests.speak.codec.frames import heard, reasons

PINGRESP = b"\xd0\x00"

PROPERTIES = {
    "payload_format_indicator": 1,
    "message_expiry_interval": 70_000,
    "content_type": "text",
    "correlation_data": "AQI=",
    "subscription_identifier": 300,
    "server_keep_alive": 9,
    "user_property": {"a": "b", "c": "d"},
}


def connected(version: int = 4) -> Mqtt:
    codec = Mqtt()
    codec.encode({"type": "connect", "client_id": "c", "version": version})
    return codec


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + varint(len(body)) + body


def publish(topic: str, payload: bytes, qos: int = 0, number: int = 1, flags: int = 0) -> bytes:
    head = 0x30 | qos << 1 | flags
    return packet(head, text(topic) + (number.to_bytes(2, "big") if qos else b"") + payload)


# ------------------------------------------------------------------ receiving


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"\x20\x02\x01\x00", {"type": "connack", "code": 0, "session": True}),
        (b"\x20\x02\x00\x05", {"type": "connack", "code": 5, "session": False}),
        (b"\x40\x02\x00\x07", {"type": "puback", "id": 7, "tag": None, "code": 0}),
        (b"\x70\x02\x00\x07", {"type": "pubcomp", "id": 7, "tag": None, "code": 0}),
        (
            b"\x90\x04\x00\x07\x01\x80",
            {"type": "suback", "id": 7, "tag": None, "codes": [1, 128], "failed": True},
        ),
        (b"\xb0\x02\x00\x07", {"type": "unsuback", "id": 7, "tag": None, "codes": []}),
        (PINGRESP, {"type": "pingresp"}),
    ],
)
def test_a_packet_is_its_message(frame: bytes, message: dict[str, Any]) -> None:
    assert heard(connected(), frame) == [message]


@pytest.mark.parametrize(
    ("content", "payload"),
    [
        (b'{"id":"x"}', {"id": "x"}),
        (b"[1]", [1]),
        (b'{"id":', '{"id":'),
        (b"12", "12"),
        (b"", ""),
        ("é".encode(), "é"),
        (b"\xff\x00", {"base64": "/wA="}),
        (b"[" * 5_000, "[" * 5_000),
    ],
)
def test_a_payload_is_json_text_or_bytes(content: bytes, payload: Any) -> None:
    (message,) = heard(connected(), publish("a/b", content))
    about = {"topic": "a/b", "qos": 0, "retain": False, "dup": False}
    assert message == {"type": "publish", **about, "payload": payload}


def test_qos_1_is_acknowledged_each_time_it_comes() -> None:
    codec = connected()
    found = heard(codec, publish("t", b"x", 1, 300), publish("t", b"x", 1, 300, flags=8))
    assert [each["dup"] for each in found] == [False, True]
    assert codec.replies == [b"\x40\x02\x01\x2c"] * 2


def test_qos_2_is_handed_on_once_when_it_is_released() -> None:
    codec = connected()
    again = publish("t", b"x", 2, 5, flags=8)
    assert heard(codec, publish("t", b"x", 2, 5, flags=1), again) == []
    assert codec.replies == [b"\x50\x02\x00\x05"] * 2
    codec.replies = []
    (message,) = heard(codec, b"\x62\x02\x00\x05")
    assert (message["type"], message["qos"], message["payload"]) == ("publish", 2, "x")
    assert (message["retain"], message["dup"]) == (True, False)
    assert codec.replies == [b"\x70\x02\x00\x05"]
    assert heard(codec, b"\x62\x02\x00\x05") == []  # the broker asks again: its PUBCOMP was lost
    assert codec.replies == [b"\x70\x02\x00\x05"] * 2
    assert heard(codec, publish("t", b"y", 2, 5)) == []
    assert [each["payload"] for each in heard(codec, b"\x62\x02\x00\x05")] == ["y"]


def test_a_broker_that_releases_nothing_fills_no_memory() -> None:
    codec = connected()
    large = b"x" * (MAX_UNRELEASED // 4)
    for number in range(1, 5):
        assert heard(codec, publish("t", large, 2, number)) == []
    assert len(heard(codec, b"\x62\x02\x00\x01")) == 1
    assert heard(codec, publish("t", large, 2, 5)) == []
    with pytest.raises(
        BrokenStreamError, match=r"has not released \(PUBREL\) 5 messages of QoS 2, 16,777,217"
    ):
        heard(codec, publish("t", b"x", 2, 6))


def test_what_acknowledges_has_the_tag_of_what_was_sent() -> None:
    codec = connected()
    for tag, qos in (("one", 1), ("two", 2)):
        codec.encode({"type": "publish", "topic": "t", "qos": qos, "tag": tag})
    codec.encode({"type": "subscribe", "topic": "t", "tag": "three"})
    codec.encode({"type": "unsubscribe", "topic": "t", "tag": "four"})
    frames = (
        b"\x40\x02\x00\x01",
        b"\x50\x02\x00\x02",
        b"\x70\x02\x00\x02",
        b"\x90\x03\x00\x03\x00",
        b"\xb0\x02\x00\x04",
    )
    found = [(each["type"], each["tag"]) for each in heard(codec, *frames)]
    assert found == [
        ("puback", "one"),
        ("pubrec", "two"),
        ("pubcomp", "two"),
        ("suback", "three"),
        ("unsuback", "four"),
    ]
    assert codec.replies == [b"\x62\x02\x00\x02"]
    assert heard(codec, b"\x40\x02\x00\x01")[0]["tag"] is None


def test_version_5_has_properties_and_reasons() -> None:
    codec = connected(5)
    maximum = write_properties({"receive_maximum": 1})
    (connack,) = heard(codec, packet(0x20, b"\x00\x00" + maximum))
    assert connack["properties"] == {"receive_maximum": 1}
    body = text("t") + write_properties(PROPERTIES) + b"x"
    (message,) = heard(codec, packet(0x30, body))
    assert (message["properties"], message["payload"]) == (PROPERTIES, "x")
    assert heard(codec, packet(0xE0, b"\x8d"))[0] == {
        "type": "disconnect",
        "code": 0x8D,
        "failed": True,
    }
    assert heard(codec, packet(0xF0, b"\x18" + write_properties({"reason_string": "r"})))[0] == {
        "type": "auth",
        "code": 24,
        "properties": {"reason_string": "r"},
    }
    assert heard(codec, packet(0x40, b"\x00\x09"))[0]["code"] == 0
    assert "properties" not in heard(codec, packet(0x30, text("t") + b"\x00x"))[0]


def test_a_message_that_the_broker_refuses_is_over() -> None:
    codec = connected(5)
    heard(codec, packet(0x20, b"\x00\x00" + write_properties({"receive_maximum": 1})))
    codec.encode({"type": "publish", "topic": "t", "qos": 2, "tag": "one"})
    with pytest.raises(
        PeerFullError, match=r"has not acknowledged 1 messages, and it accepts only 1 at a time"
    ):
        codec.encode({"type": "publish", "topic": "t", "qos": 1})
    codec.encode({"type": "publish", "topic": "t"})
    assert heard(codec, packet(0x50, b"\x00\x01\x97"))[0] == {
        "type": "pubrec",
        "id": 1,
        "tag": "one",
        "code": 0x97,
        "failed": True,
    }
    assert codec.replies == []
    codec.encode({"type": "publish", "topic": "t", "qos": 1})


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_however_packets_are_cut_they_are_the_same(cuts: list[int]) -> None:
    stream = publish("a", b"1" * 200) + PINGRESP + publish("b", b"2", 1) + b"\x40\x02\x00\x07"
    edges = sorted({0, len(stream), *(each for each in cuts if each < len(stream))})
    codec = connected()
    found = [each for a, b in pairwise(edges) for each in heard(codec, stream[a:b])]
    assert [each["type"] for each in found] == ["publish", "pingresp", "publish", "puback"]
    assert codec.held == 0


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\x10\x00", "a packet of type 1 breaks MQTT: only a client may send it"),
        (b"\x00\x00", "a packet of type 0 breaks MQTT: only a client may send it"),
        (b"\x41\x02\x00\x07", "a packet of type 4 breaks MQTT: it has the flags 1, which"),
        (b"\x60\x02\x00\x07", "a packet of type 6 breaks MQTT: it has the flags 0, which"),
        (b"\x40\x01\x00", "a packet of type 4 breaks MQTT: the packet ends in the middle of a field"),
        (
            b"\x40\x03\x00\x07\x00",
            "a packet of type 4 breaks MQTT: bytes follow that do not belong to the packet",
        ),
        (b"\x36\x03\x00\x01a", "a packet of type 3 breaks MQTT: it has QoS 3, which does not exist"),
        (b"\x30\x03\x00\x01\xff", "a packet of type 3 breaks MQTT: 'utf-8'"),
    ],
)
def test_a_packet_that_is_none_loses_none_of_its_neighbours(frame: bytes, why: str) -> None:
    first, broken, last = heard(connected(), PINGRESP + frame + PINGRESP)
    assert (first, last) == ({"type": "pingresp"}, {"type": "pingresp"})
    assert reasons([broken])[0].startswith(why)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        (b"\x05", "longer than the packet"),
        (b"\x02\x7f\x00", "MQTT 5 has no property 127"),
        (b"\x01\x01\x00", "a property is longer than the declared length of all"),
        (b"\xff\xff\xff\xff\xff", "more than 4 bytes"),
    ],
)
def test_broken_properties_are_told(properties: bytes, why: str) -> None:
    (told,) = reasons(heard(connected(5), packet(0x30, text("t") + properties)))
    assert why in told


def test_a_length_that_is_none_ends_the_stream() -> None:
    with pytest.raises(BrokenStreamError, match="more than 4 bytes"):
        heard(connected(), b"\x30\xff\xff\xff\xff\x01")


def test_text_is_no_mqtt() -> None:
    with pytest.raises(ValueError, match="the frame is text"):
        heard(connected(), "x")


@settings(max_examples=40)
@given(data=st.lists(st.binary(max_size=12), max_size=6), version=st.sampled_from([4, 5]))
def test_whatever_comes_is_read_or_refused(data: list[bytes], version: int) -> None:
    codec = connected(version)
    for frame in data:
        try:
            heard(codec, frame)
        except BrokenStreamError:
            return
    assert codec.held <= sum(map(len, data))


# ------------------------------------------------------------------ sending


def test_what_is_sent_is_byte_for_byte_as_the_standard_says() -> None:
    codec = Mqtt()
    for message, frame in (
        ({"type": "connect", "client_id": "c"}, b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c"),
        (
            {"type": "connect", "keepalive": 1, "clean": False, "username": "u", "password": "p"},
            b"\x10\x12\x00\x04MQTT\x04\xc0\x00\x01\x00\x00\x00\x01u\x00\x01p",
        ),
        (
            {"type": "subscribe", "topics": ["a", "b"], "qos": 2},
            b"\x82\x0a\x00\x01\x00\x01a\x02\x00\x01b\x02",
        ),
        ({"type": "unsubscribe", "topic": "a"}, b"\xa2\x05\x00\x02\x00\x01a"),
        ({"type": "publish", "topic": "a", "payload": "x"}, b"\x30\x04\x00\x01ax"),
        (
            {"type": "publish", "topic": "a", "qos": 1, "retain": True, "payload": {"b": 1}},
            b'\x33\x0c\x00\x01a\x00\x03{"b":1}',
        ),
        ({"type": "publish", "topic": "a", "payload": {"base64": "AQI="}}, b"\x30\x05\x00\x01a\x01\x02"),
        ({"type": "pingreq"}, b"\xc0\x00"),
        ({"type": "disconnect"}, b"\xe0\x00"),
    ):
        assert codec.encode(message) == frame


def test_version_5_is_sent_with_properties() -> None:
    codec = Mqtt()
    sent = codec.encode({"type": "connect", "version": 5, "properties": {"receive_maximum": 9}})
    assert sent == b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x09\x00\x00"
    assert codec.encode({"type": "subscribe", "topic": "a"}) == b"\x82\x07\x00\x01\x00\x00\x01a\x00"
    assert codec.encode({"type": "publish", "topic": "a"}) == b"\x30\x04\x00\x01a\x00"


def test_numbers_go_round_and_miss_those_in_flight() -> None:
    codec = connected()
    for _ in range(NUMBERS):
        codec.encode({"type": "publish", "topic": "t", "qos": 1, "tag": 0})
    with pytest.raises(ValueError, match="65,535 packets are not acknowledged yet"):
        codec.encode({"type": "subscribe", "topic": "t"})
    heard(codec, b"\x40\x02\x00\x02")
    assert codec.encode({"type": "publish", "topic": "t", "qos": 1})[5:7] == b"\x00\x02"


@pytest.mark.parametrize(
    ("version", "message", "sentence"),
    [
        (4, {"type": "puback"}, "`puback` cannot be sent; the types to send are connect, publish"),
        (4, {"type": "connect", "version": 3}, "`version` of `connect` must be 4"),
        (4, {"type": "connect", "keepalive": -1}, "`keepalive` must be a whole number from 0 to 65535"),
        (4, {"type": "connect", "clean": 1}, "`clean` of `connect` must be true or false"),
        (4, {"type": "publish"}, "`topic` must be text"),
        (4, {"type": "publish", "topic": "x" * 65_536}, "`topic` may have at most 65,535 bytes"),
        (4, {"type": "publish", "topic": "t", "properties": {}}, "`properties` exist only in MQTT 5"),
        (
            4,
            {"type": "publish", "topic": "t", "qos": 3},
            "`qos` of `publish` must be a whole number from 0 to 2",
        ),
        (4, {"type": "subscribe"}, "`topic` must be text"),
        (5, {"type": "publish", "topic": "t", "properties": 1}, "`properties` must be an object"),
        (5, {"type": "publish", "topic": "t", "properties": {"x": 1}}, "`x` is not a property of MQTT 5"),
        (
            5,
            {"type": "publish", "topic": "t", "properties": {"user_property": 1}},
            "`user_property` must be an object",
        ),
        (
            5,
            {"type": "publish", "topic": "t", "properties": {"correlation_data": "?"}},
            "`correlation_data` must be base64",
        ),
        (
            5,
            {"type": "publish", "topic": "t", "properties": {"correlation_data": 1}},
            "`correlation_data` must be base64",
        ),
        (
            5,
            {"type": "publish", "topic": "t", "properties": {"topic_alias": True}},
            "`topic_alias` must be a whole number",
        ),
        (
            5,
            {"type": "publish", "topic": "t", "properties": {"subscription_identifier": MAX_VARINT + 1}},
            "the length is",
        ),
    ],
)
def test_what_cannot_be_sent_is_told(version: int, message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        connected(version).encode(message)


@pytest.mark.parametrize("code", [128, 146, 153, 255])
@pytest.mark.parametrize("head", [0x40, 0x50, 0x70])
def test_every_reason_code_that_is_a_failure_says_so(head: int, code: int) -> None:
    (told,) = heard(connected(5), packet(head, bytes((0, 1, code))))
    assert (told["code"], told["failed"]) == (code, True)
    (told,) = heard(connected(5), packet(head, bytes((0, 1, 16))))
    assert "failed" not in told
    for acknowledged in (0x90, 0xB0):
        (told,) = heard(connected(5), packet(acknowledged, bytes((0, 1, 0, 1, code))))
        assert told["failed"] is True


def test_the_protocol_that_ships_fails_by_whichever_code() -> None:
    assert load_protocol("mqtt").events.fail == ({"failed": True},)
