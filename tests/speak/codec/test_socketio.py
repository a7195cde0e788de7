"""Socket.IO packets: those of the protocol's description, those of python-socketio, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from socketio.packet import Packet

from loadtest.speak.codec.socketio import MAX_ATTACHMENTS, MAX_WAITING, SocketIo
from tests.speak.codec.frames import heard, plain, reasons

ROOT = {"namespace": "/"}

DESCRIBED = [
    (
        '0{"sid":"x","upgrades":[],"pingInterval":25000}',
        {"type": "open", "sid": "x", "upgrades": [], "pingInterval": 25000},
    ),
    ("1", {"type": "close"}),
    ('40{"sid":"y"}', {"type": "connect", **ROOT, "data": {"sid": "y"}}),
    ("40", {"type": "connect", **ROOT}),
    ('40/admin,{"sid":"y"}', {"type": "connect", "namespace": "/admin", "data": {"sid": "y"}}),
    ("41/admin,", {"type": "disconnect", "namespace": "/admin"}),
    ("41/admin", {"type": "disconnect", "namespace": "/admin"}),
    ('44{"message":"no"}', {"type": "connect_error", **ROOT, "data": {"message": "no"}}),
    ('42["foo"]', {"type": "event", **ROOT, "event": "foo"}),
    ('42["a\\"b",1,[2],3]', {"type": "event", **ROOT, "event": 'a"b', "data": 1, "more": [[2], 3]}),
    (
        '42/admin,12["foo",null]',
        {"type": "event", "namespace": "/admin", "event": "foo", "id": 12, "data": None},
    ),
    ('43/admin,7["yes"]', {"type": "ack", "namespace": "/admin", "id": 7, "ack": None, "data": "yes"}),
    ("430[]", {"type": "ack", **ROOT, "id": 0, "ack": None}),
]


@pytest.mark.parametrize(("frame", "message"), DESCRIBED)
def test_a_packet_is_the_message_that_the_description_says(frame: str, message: dict[str, Any]) -> None:
    assert heard(SocketIo(), frame) == [message]


def test_what_says_nothing_is_no_message() -> None:
    assert heard(SocketIo(), "6") == []


def test_what_opens_cannot_name_itself_otherwise() -> None:
    assert heard(SocketIo(), '0{"type":"ack","ack":"turn-1"}') == [{"type": "open", "ack": "turn-1"}]


def test_a_ping_is_answered_here_and_is_no_message() -> None:
    codec = SocketIo()
    assert heard(codec, "2", "2probe") == []
    assert codec.replies == ["3", "3probe"]


def test_attachments_stand_in_their_places_with_their_sizes() -> None:
    codec = SocketIo()
    packet = '452-["f",{"b":{"_placeholder":true,"num":1},"n":1},[{"_placeholder":true,"num":0}],"x"]'
    assert heard(codec, packet, b"12345") == []
    assert codec.held > 0
    (message,) = heard(codec, b"1")
    binary = {"binary": True}
    assert message["data"] == {"b": {**binary, "size": 1}, "n": 1}
    assert message["more"] == [[{**binary, "size": 5}], "x"]
    assert (message["event"], codec.held) == ("f", 0)


def test_a_binary_acknowledgement_brings_its_tag() -> None:
    codec = SocketIo()
    assert codec.encode({"type": "event", "event": "e", "ack": "turn-1"}) == '420["e"]'
    assert heard(codec, '461-0[{"_placeholder":true,"num":0}]', b"12") == [
        {"type": "ack", **ROOT, "id": 0, "ack": "turn-1", "data": {"binary": True, "size": 2}}
    ]


def test_a_binary_frame_that_none_announced_is_an_event_of_its_own() -> None:
    assert heard(SocketIo(), b"123") == [{"type": "binary", "size": 3}]


def test_a_packet_whose_attachments_never_come_is_unreadable_and_loses_nothing_after_it() -> None:
    codec = SocketIo()
    found = heard(codec, '452-["f"]', b"1", '42["g"]')
    assert reasons(found) == ["1 of 2 binary attachments came before the next packet"]
    assert found[1]["event"] == "g"


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "3",
        "5",
        "7",
        "x",
        "1x",
        "0",
        "0[]",
        "4",
        "47",
        "42",
        "42[",
        "42{}",
        "42[]",
        "42[1]",
        '43["x"]',
        "400",
        '41{"a":1}',
        "431-[]",
        '42-["x"]',
        "45[]",
        f'45{MAX_ATTACHMENTS + 1}-["x"]',
        '42"x"',
        '42["x"]]',
        '42["x"],"type":"ack"',
        "40x",
        "42" + "9" * 19 + '["x"]',
        "43" + "[" * 5_000,
    ],
)
def test_what_is_no_packet_is_refused(frame: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        heard(SocketIo(), frame)


@pytest.mark.parametrize("place", [2, -1, "0", True])
def test_an_attachment_in_no_place_is_refused(place: object) -> None:
    packet = f'451-["f",{plain({"_placeholder": True, "num": place})!r}]'.replace("'", '"').replace(
        "True", "true"
    )
    with pytest.raises(ValueError, match=r"attachment .* of 1"):
        heard(SocketIo(), packet, b"")


def test_what_is_sent() -> None:
    codec = SocketIo()
    for message, frame in (
        ({"type": "connect"}, "40"),
        ({"type": "connect", "namespace": "/a", "data": {"token": "t"}}, '40/a,{"token":"t"}'),
        ({"type": "disconnect"}, "41"),
        ({"type": "event", "event": "e", "data": {"x": 1}}, '42["e",{"x":1}]'),
        ({"type": "event", "event": "e", "more": [2]}, '42["e",null,2]'),
        ({"type": "event", "event": "e", "data": "d", "ack": "t", "namespace": "/a"}, '42/a,0["e","d"]'),
        ({"type": "event", "event": "e", "ack": "u"}, '421["e"]'),
        ({"type": "ack", "id": 5, "data": "ok"}, '435["ok"]'),
    ):
        assert codec.encode(message) == frame
    assert [each["ack"] for each in heard(codec, "431[]", "430[]", "430[]")] == ["u", "t", None]


def test_bytes_are_sent_as_attachments() -> None:
    data = {"list": [{"base64": "AQI="}, {"base64": "no", "other": 1}], "b": {"base64": ""}}
    packet, *attachments = SocketIo().encode({"type": "event", "event": "e", "data": data})
    assert attachments == [b"\x01\x02", b""]
    assert packet == (
        '452-["e",{"list":[{"_placeholder":true,"num":0},{"base64":"no","other":1}],"b":{"_placeholder":true,"num":1}}]'
    )


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ([], "a message must be an object with a `type`"),
        ({}, "a message must be an object with a `type`"),
        ({"type": "open"}, "`open` cannot be sent; the types to send are connect, disconnect, event, ack"),
        ({"type": "event"}, "`event` of `event` must be text"),
        ({"type": "event", "event": "e", "dta": 1}, "`event` has no `dta`; remove it"),
        ({"type": "event", "event": "e", "more": 1}, "`more` of `event` must be a list"),
        ({"type": "event", "event": "e", "data": {"base64": "?"}}, "`base64` is not valid base64"),
        ({"type": "connect", "namespace": "a"}, "`namespace` must begin with `/`"),
        ({"type": "ack"}, "`id` of `ack` must be a whole number from 0"),
        ({"type": "ack", "id": True}, "`id` of `ack` must be a whole number from 0"),
    ],
)
def test_what_cannot_be_sent_is_told(message: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SocketIo().encode(message)


def test_acknowledgements_that_never_come_are_forgotten_at_last() -> None:
    codec = SocketIo()
    for tag in range(MAX_WAITING + 1):
        codec.encode({"type": "event", "event": "e", "ack": tag})
    assert [each["ack"] for each in heard(codec, "430[]", "431[]")] == [None, 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMESPACES = st.sampled_from(["/", "/a", "/a/b"])


@settings(max_examples=40)
@given(
    namespace=NAMESPACES,
    name=st.text(max_size=8),
    data=st.lists(JSON, max_size=3),
    number=st.none() | st.integers(0, 10**9),
)
def test_events_of_python_socketio_are_read_as_they_were_meant(
    namespace: str, name: str, data: list[Any], number: int | None
) -> None:
    text = Packet(packet_type=2, data=[name, *data], namespace=namespace, id=number).encode()
    (message,) = heard(SocketIo(), f"4{text}")
    assert (message["event"], message["namespace"], message.get("id")) == (name, namespace, number)
    assert [*([message["data"]] if "data" in message else []), *message.get("more", [])] == data


@settings(max_examples=40)
@given(
    namespace=NAMESPACES,
    name=st.text(max_size=8),
    data=JSON.filter(lambda each: each is not None),
    tag=st.none() | st.text(max_size=3),
)
def test_python_socketio_reads_what_is_sent_as_it_was_meant(
    namespace: str, name: str, data: Any, tag: str | None
) -> None:
    sent = SocketIo().encode(
        {"type": "event", "event": name, "data": data, "namespace": namespace, "ack": tag}
    )
    packet = Packet(encoded_packet=str(sent)[1:])
    assert (packet.packet_type, packet.namespace or "/") == (2, namespace)
    assert packet.data == [name, data]
    assert packet.id == (None if tag is None else 0)


@settings(max_examples=40)
@given(
    frames=st.lists(
        st.text('0123456/-,[]{}"abe_:placeholdrnum', max_size=30) | st.binary(max_size=4), max_size=6
    )
)
def test_whatever_comes_is_read_or_refused(frames: list[str | bytes]) -> None:
    codec = SocketIo()
    for frame in frames:
        try:
            heard(codec, frame)
        except ValueError:
            continue
    assert codec.held <= 40
