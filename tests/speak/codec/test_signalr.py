"""SignalR's hub protocol in both of its forms, after its description; `msgpack` packs the arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.speak.codec.codec import BrokenStreamError, Frame
from loadtest.speak.codec.signalr import SignalR
from tests.speak.codec.frames import heard, reasons

SHAKE = {"type": "handshake"}

JSON = [
    (
        '{"type":1,"target":"Send","arguments":[42]}',
        {"type": "invocation", "target": "Send", "arguments": [42]},
    ),
    ('{"type":2,"invocationId":"1","item":[7]}', {"type": "stream_item", "invocationId": "1", "item": [7]}),
    ('{"type":3,"invocationId":"1","result":4}', {"type": "completion", "invocationId": "1", "result": 4}),
    (
        '{"type":3,"invocationId":"1","error":"no"}',
        {"type": "completion", "invocationId": "1", "error": "no"},
    ),
    ('{"type":6}', {"type": "ping"}),
    (
        '{"type":7,"error":"gone","allowReconnect":true}',
        {"type": "close", "error": "gone", "allowReconnect": True},
    ),
]

HEAD: dict[str, str] = {}

ARRAYS: list[tuple[list[Any], dict[str, Any]]] = [
    ([1, {}, None, "Send", [42]], {"type": "invocation", "headers": {}, "target": "Send", "arguments": [42]}),
    ([2, {}, "1", [7]], {"type": "stream_item", "headers": {}, "invocationId": "1", "item": [7]}),
    ([3, {}, "1", 3, 4], {"type": "completion", "headers": {}, "invocationId": "1", "result": 4}),
    ([3, {}, "1", 1, "no"], {"type": "completion", "headers": {}, "invocationId": "1", "error": "no"}),
    ([3, {}, "1", 2], {"type": "completion", "headers": {}, "invocationId": "1"}),
    ([6], {"type": "ping"}),
    ([7, "gone", True], {"type": "close", "error": "gone", "allowReconnect": True}),
    ([7, None], {"type": "close"}),
]  # fmt: skip


def shaken(protocol: str = "json") -> SignalR:
    codec = SignalR(protocol)
    assert heard(codec, "{}\x1e") == [SHAKE]
    return codec


def packed(*arrays: list[Any]) -> bytes:
    return b"".join(_sized(msgpack.packb(array)) for array in arrays)


def _sized(content: bytes) -> bytes:
    size, head = len(content), b""
    while size > 127:
        head += bytes((size % 128 + 128,))
        size //= 128
    return head + bytes((size,)) + content


@pytest.mark.parametrize(("record", "message"), JSON)
def test_a_record_is_its_message_with_the_name_of_its_type(record: str, message: dict[str, Any]) -> None:
    assert heard(shaken(), record + "\x1e") == [message]


@pytest.mark.parametrize(("array", "message"), ARRAYS)
def test_an_array_is_the_same_message_as_a_record(array: list[Any], message: dict[str, Any]) -> None:
    assert heard(shaken("messagepack"), packed(array)) == [message]


@pytest.mark.parametrize(
    "frames", [["{}\x1e", '{"type":6}\x1e'], ['{}\x1e{"type":6}\x1e'], ["{", '}\x1e{"type":', "6}\x1e"]]
)
def test_the_handshake_comes_first_and_records_may_share_frames_or_span_them(frames: list[Frame]) -> None:
    codec = SignalR()
    assert heard(codec, *frames) == [SHAKE, {"type": "ping"}]
    assert codec.held == 0


def test_a_handshake_cannot_name_itself_otherwise() -> None:
    assert heard(SignalR(), '{"type":"completion"}\x1e') == [SHAKE]


def test_a_handshake_that_failed_says_so() -> None:
    assert heard(SignalR(), '{"error":"no such protocol"}\x1e') == [{**SHAKE, "error": "no such protocol"}]


def test_the_handshake_of_messagepack_is_json_with_packets_behind_it() -> None:
    codec = SignalR("messagepack")
    assert heard(codec, b"{}\x1e" + packed([6], [6])) == [SHAKE, {"type": "ping"}, {"type": "ping"}]


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 400), max_size=8), pad=st.sampled_from([0, 200]))
def test_however_packets_are_cut_they_are_the_same(cuts: list[int], pad: int) -> None:
    stream = packed(*(array for array, _ in ARRAYS), [2, {}, "x" * pad, 1])
    edges = sorted({0, len(stream), *(each for each in cuts if each < len(stream))})
    codec = shaken("messagepack")
    found = [each for a, b in pairwise(edges) for each in heard(codec, stream[a:b])]
    assert found[:-1] == [message for _, message in ARRAYS]
    assert codec.held == 0


@pytest.mark.parametrize("record", ["x", "{}", "[]", '{"type":99}', '{"type":"1"}', '{"type":1', "[" * 5_000])
def test_a_record_that_is_none_loses_none_of_its_neighbours(record: str) -> None:
    first, broken, last = heard(shaken(), f'{{"type":6}}\x1e{record}\x1e{{"type":6}}\x1e')
    assert (first, last) == ({"type": "ping"}, {"type": "ping"})
    assert reasons([broken])[0].startswith("this is not a message of a hub: ")


@pytest.mark.parametrize(
    "array", [[], ["1"], [99], [1, {}, None], [3, {}, "1"], [3, {}, "1", 9], [3, {}, "1", 3], [[]]]
)
def test_a_packet_that_is_none_loses_none_of_its_neighbours(array: list[Any]) -> None:
    first, broken, last = heard(shaken("messagepack"), packed([6], array, [6]))
    assert (first, last) == ({"type": "ping"}, {"type": "ping"})
    assert len(reasons([broken])) == 1


def test_a_length_that_is_none_ends_the_stream() -> None:
    with pytest.raises(BrokenStreamError, match="more than 5 bytes"):
        heard(shaken("messagepack"), b"\xff" * 6)
    codec = shaken("messagepack")
    assert heard(codec, b"\xff" * 3, b"\xff") == []
    assert codec.held == 4


def test_what_is_sent_as_json() -> None:
    codec = SignalR()
    assert codec.encode({"type": "handshake"}) == '{"protocol":"json","version":1}\x1e'
    invocation = {"type": "invocation", "invocationId": "1", "target": "Ask", "arguments": ["x"]}
    assert codec.encode(invocation) == '{"type":1,"invocationId":"1","target":"Ask","arguments":["x"]}\x1e'
    assert codec.encode({"type": "ping"}) == '{"type":6}\x1e'


def test_what_is_sent_as_messagepack() -> None:
    codec = SignalR("messagepack")
    assert codec.encode({"type": "handshake"}) == '{"protocol":"messagepack","version":1}\x1e'
    for message, array in (
        (
            {"type": "invocation", "invocationId": "1", "target": "Ask", "arguments": [{"base64": "AQI="}]},
            [1, {}, "1", "Ask", [b"\x01\x02"], []],
        ),
        ({"type": "completion", "invocationId": "1", "result": 4}, [3, {}, "1", 3, 4]),
        ({"type": "completion", "invocationId": "1", "error": "no"}, [3, {}, "1", 1, "no"]),
        ({"type": "completion", "invocationId": "1"}, [3, {}, "1", 2]),
        ({"type": "ping"}, [6]),
        ({"type": "stream_item", "invocationId": "x" * 300, "item": 1}, [2, {}, "x" * 300, 1]),
    ):
        assert codec.encode(message) == packed(array)


@pytest.mark.parametrize(
    ("codec", "message", "sentence"),
    [
        (SignalR(), {"type": "event"}, "`event` is not a message of a hub; the messages are invocation"),
        (SignalR(), {"type": "handshake", "protocl": "json"}, "`handshake` has no `protocl`; remove it"),
        (SignalR("messagepack"), {"type": "ping", "more": 1}, "`ping` has no `more`; remove it"),
    ],
)
def test_what_cannot_be_sent_is_told(codec: SignalR, message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        codec.encode(message)


def test_it_has_two_forms() -> None:
    with pytest.raises(ValueError, match='must be "json" or "messagepack", not \'xml\''):
        SignalR("xml")


@settings(max_examples=40)
@given(data=st.lists(st.binary(max_size=12), max_size=6), protocol=st.sampled_from(["json", "messagepack"]))
def test_whatever_comes_is_read_or_refused(data: list[bytes], protocol: str) -> None:
    codec = shaken(protocol)
    for frame in data:
        try:
            heard(codec, frame)
        except BrokenStreamError:
            return
    assert codec.held <= sum(map(len, data))
