"""STOMP frames after the description of 1.2: cut anywhere, escaped, with and without a length."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.speak.codec.codec import BrokenStreamError
from loadtest.speak.codec.stomp import MAX_HEAD, Stomp
from tests.speak.codec.frames import heard, reasons

RECEIPT = "RECEIPT\nreceipt-id:7\n\n\0"
SEEN = {"type": "receipt", "headers": {"receipt-id": "7"}, "body": ""}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (RECEIPT, SEEN),
        ("RECEIPT\r\nreceipt-id:7\r\n\r\n\0", SEEN),
        (
            "CONNECTED\nversion:1.2\nsession:a\\nb\n\n\0",
            {"type": "connected", "headers": {"version": "1.2", "session": "a\\nb"}, "body": ""},
        ),
        (
            'MESSAGE\na\\cb:c\\\\d\\n\\r\n\n{"id":1}\0',
            {"type": "message", "headers": {"a:b": "c\\d\n\r"}, "body": {"id": 1}},
        ),
        ("MESSAGE\nx:first\nx:second\n\n[1\0", {"type": "message", "headers": {"x": "first"}, "body": "[1"}),
        (
            "ERROR\nmessage:no\n\nbecause\0",
            {"type": "error", "headers": {"message": "no"}, "body": "because"},
        ),
        ("MESSAGE\n\nplain\0", {"type": "message", "headers": {}, "body": "plain"}),
    ],
)
def test_a_frame_is_its_message(frame: str, message: dict[str, Any]) -> None:
    assert heard(Stomp(), frame) == [message]


def test_a_body_with_a_length_may_hold_anything() -> None:
    (message,) = heard(Stomp(), b"MESSAGE\ncontent-length:3\n\n\0\xff\0\0")
    assert message["body"] == {"base64": "AP8A"}


def test_ends_of_line_between_frames_say_nothing() -> None:
    codec = Stomp()
    assert heard(codec, "\n", f"\r\n{RECEIPT}\n\n{RECEIPT}\n", "\n") == [SEEN, SEEN]
    assert (codec.held, codec.replies) == (0, [])


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 120), max_size=8))
def test_however_frames_are_cut_they_are_the_same(cuts: list[int]) -> None:
    stream = f"{RECEIPT}\nMESSAGE\ncontent-length:5\n\na\0b\0c\0{RECEIPT}MESSAGE\n\n\0".encode()
    edges = sorted({0, len(stream), *(each for each in cuts if each < len(stream))})
    codec = Stomp()
    found = [each for a, b in pairwise(edges) for each in heard(codec, stream[a:b])]
    assert [each["type"] for each in found] == ["receipt", "message", "receipt", "message"]
    assert found[1]["body"] == "a\0b\0c"
    assert codec.held == 0


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("NONSENSE\0", "headers without an end"),
        ("SEND\n\n\0", "a server cannot send 'SEND'"),
        ("MESSAGE\nno colon\n\n\0", "a header has no colon: 'no colon'"),
        ("MESSAGE\na:\\t\n\n\0", "STOMP has no escape '\\\\t'"),
        ("MESSAGE\na:\\\n\n\0", "STOMP has no escape '\\\\'"),
    ],
)
def test_a_frame_that_is_none_loses_none_of_its_neighbours(frame: str, why: str) -> None:
    first, broken, last = heard(Stomp(), f"{RECEIPT}{frame}{RECEIPT}")
    assert (first, last) == (SEEN, SEEN)
    assert reasons([broken]) == [f"not a frame of STOMP: {why}"]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("MESSAGE\ncontent-length:x\n\n\0", "not a number"),
        ("MESSAGE\ncontent-length:" + "9" * 19 + "\n\n\0", "not a number"),
        ("MESSAGE\ncontent-length:1\n\nab\0", "longer than its content-length"),
        ("M" * MAX_HEAD, "more than 65,536 bytes"),
    ],
)
def test_a_stream_that_cannot_be_read_on_ends(frame: str, why: str) -> None:
    with pytest.raises(BrokenStreamError, match=why):
        heard(Stomp(), frame)


@settings(max_examples=40)
@given(data=st.lists(st.text("MESAG\n\0:\\c1-contelgh", max_size=20) | st.binary(max_size=6), max_size=6))
def test_whatever_comes_is_read_or_refused(data: list[str | bytes]) -> None:
    codec = Stomp()
    for frame in data:
        try:
            heard(codec, frame)
        except BrokenStreamError:
            return
    assert codec.held <= sum(map(len, data))


def test_what_is_sent() -> None:
    codec = Stomp()
    for message, frame in (
        ({"type": "heartbeat"}, "\n"),
        ({"type": "connect", "headers": {"host": "a:b"}}, "CONNECT\nhost:a:b\n\n\0"),
        ({"type": "subscribe", "headers": {"id": "0"}}, "SUBSCRIBE\nid:0\n\n\0"),
        (
            {"type": "send", "headers": {"a:b": "c\n\\\r"}, "body": {"x": "é"}},
            'SEND\na\\cb:c\\n\\\\\\r\ncontent-length:10\n\n{"x":"é"}\0',
        ),
        (
            {"type": "send", "headers": {"content-length": "2"}, "body": "hi"},
            "SEND\ncontent-length:2\n\nhi\0",
        ),
        ({"type": "send", "body": {"base64": "/w=="}}, b"SEND\ncontent-length:1\n\n\xff\0"),
        ({"type": "disconnect"}, "DISCONNECT\n\n\0"),
    ):
        assert codec.encode(message) == frame


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"type": "message"}, "`message` cannot be sent; the types to send are connect, send"),
        ({"type": "send", "headers": 1}, "`headers` must be an object of text"),
        ({"type": "send", "headers": {"a": 1}}, "`a` of `headers` must be text"),
        (
            {"type": "connect", "headers": {"a": "b\n"}},
            "`a` of `connect` must contain neither an end of line",
        ),
        ({"type": "subscribe", "body": "x"}, "`subscribe` has no `body`"),
        ({"type": "send", "bdy": "x"}, "`send` has no `bdy`; remove it"),
        ({"type": "heartbeat", "body": "x"}, "`heartbeat` has no `body`; remove it"),
    ],
)
def test_what_cannot_be_sent_is_told(message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Stomp().encode(message)
