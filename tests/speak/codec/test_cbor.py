"""CBOR: what the library `cbor2` writes is read, and it reads what is sent; no tag builds anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.speak.codec.cbor import MAX_DEPTH, Cbor
from tests.speak.codec.frames import heard
from tests.speak.codec.test_coded_frames import Wire, malformed

PLAIN = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
)


@settings(max_examples=40)
@given(message=PLAIN)
def test_both_ways_are_those_of_the_library(message: dict[str, Any]) -> None:
    assert heard(Cbor(), cbor2.dumps(message)) == [message]
    assert cbor2.loads(Cbor().encode(message)) == message


def test_bytes_are_base64_text_and_are_sent_as_bytes() -> None:
    assert heard(Cbor(), cbor2.dumps({"b": b"\x01\x02"})) == [{"b": "AQI="}]
    sent = Cbor().encode({"b": [{"base64": "AQI="}], "c": {"base64": 1}})
    assert cbor2.loads(sent) == {"b": [b"\x01\x02"], "c": {"base64": 1}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (UUID(int=1), {"tag": 37, "value": "AAAAAAAAAAAAAAAAAAAAAQ=="}),
        (Decimal("1.5"), {"tag": 4, "value": [-1, 15]}),
        (re.compile("a+"), {"tag": 35, "value": "a+"}),
        (ip_address("127.0.0.1"), {"tag": 52, "value": "fwAAAQ=="}),
        (2**64, {"tag": 2, "value": "AQAAAAAAAAAA"}),
        (cbor2.CBORTag(4_001, {"a": 1}), {"tag": 4_001, "value": {"a": 1}}),
        (cbor2.CBORTag(28, ["shared"]), {"tag": 28, "value": ["shared"]}),
        (cbor2.CBORTag(29, 0), {"tag": 29, "value": 0}),
        (
            cbor2.CBORTag(256, ["a", cbor2.CBORTag(25, 0)]),
            {"tag": 256, "value": ["a", {"tag": 25, "value": 0}]},
        ),
        (cbor2.CBORTag(258, [1, 2]), {"tag": 258, "value": [1, 2]}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (cbor2.CBORTag(1, 1_769_860_800), 1_769_860_800),
        (cbor2.CBORTag(32, "https://desk.example"), "https://desk.example"),
        (cbor2.CBORTag(55_799, {"a": 1}), {"a": 1}),
        (cbor2.undefined, None),
        (cbor2.CBORSimpleValue(99), {"simple": 99}),
        (float("nan"), None),
        ({1: "a", "b": {-2: 3}}, {"1": "a", "b": {"-2": 3}}),
    ],
)
def test_what_json_has_no_form_for(value: object, message: object) -> None:
    assert heard(Cbor(), cbor2.dumps({"v": value})) == [{"v": message}]


def test_a_tag_is_sent_as_it_arrives() -> None:
    found = {"id": {"tag": 37, "value": {"base64": "AAAAAAAAAAAAAAAAAAAAAQ=="}}, "t": {"tag": -1, "value": 2}}
    assert cbor2.loads(Cbor().encode(found)) == {"id": UUID(int=1), "t": found["t"]}


def nested(depth: int, level: bytes = b"\x81") -> bytes:
    return level * depth + b"\x00"


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("text", "the frame is text, but CBOR is binary"),
        (b"", "the frame is not CBOR: premature end of stream"),
        (b"\x82\x01", "the frame is not CBOR: premature end of stream"),
        (b"\xa1\x61\x61", "the frame is not CBOR: premature end of stream"),
        (b"\x5a\xff\xff\xff\xff\x01", "the frame is not CBOR: premature end of stream"),
        (b"\xa2\x61a\x01\x61a\x02", "the frame is not CBOR: error decoding map: Duplicate map key"),
        (b"\xa2\x01\x01\x611\x02", "two keys of a map have the same text"),
        (b"\xa1\x80\x02", "a key of a map is neither text nor a whole number"),
        (b"\xa1\xa0\x02", "a key of a map is neither text nor a whole number"),
        (b"\xa1\xf5\x02", "a key of a map is neither text nor a whole number"),
        (b"\xa0\xa0", "1 bytes follow after the message"),
        (b"\xff", "break"),
        (b"\x81\xff", "break"),
        (b"\x1c", "unknown unsigned integer subtype"),
        (b"\x61\xff", "the frame is not CBOR: "),
        (nested(MAX_DEPTH + 1), "depth"),
        (nested(100_000), "depth"),
        (nested(100_000, b"\xc6"), "depth"),
        (nested(100_000, b"\x9f"), "depth"),
    ],
)
def test_what_is_none_is_refused(frame: str | bytes, why: str) -> None:
    (message,) = Wire(Cbor(), max_size=1 << 20).hear(frame)
    said = malformed(message)
    assert said.startswith("unreadable by codec mine: ")
    assert why in said


def test_a_small_frame_makes_no_large_message() -> None:
    """References to what was sent before, of which few bytes would make many, are not followed."""
    shared = cbor2.CBORTag(28, "x" * 200)
    content = [shared, *(cbor2.CBORTag(29, 0) for _ in range(50))]
    (message,) = Wire(Cbor(), max_size=2_000).hear(cbor2.dumps({"a": content}))
    assert message.count(b"xxx") == 200 // 3
    assert message.count(b'"tag":29') == 50


@settings(max_examples=60)
@given(data=st.lists(st.binary(max_size=24), max_size=6))
def test_whatever_comes_is_read_or_refused(data: list[bytes]) -> None:
    taken = Wire(Cbor())
    found = taken.hear(*data)
    assert len(found) == len(data)
    assert not taken.parser.gave_up
