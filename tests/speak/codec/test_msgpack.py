"""MessagePack: what the library `msgpack` packs is read, and it reads what is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.speak.codec.msgpack import MessagePack
from tests.speak.codec.frames import heard

PLAIN = st.dictionaries(
    st.text(max_size=5),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=9)
    | st.lists(st.integers(0, 9)),
)


@settings(max_examples=40)
@given(message=PLAIN)
def test_both_ways_are_those_of_the_library(message: dict[str, Any]) -> None:
    assert heard(MessagePack(), msgpack.packb(message)) == [message]
    assert msgpack.unpackb(MessagePack().encode(message)) == message


def test_bytes_are_base64_text_and_are_sent_as_bytes() -> None:
    assert heard(MessagePack(), msgpack.packb({"b": b"\x01\x02"})) == [{"b": "AQI="}]
    sent = MessagePack().encode({"b": [{"base64": "AQI="}], "c": {"base64": 1}})
    assert msgpack.unpackb(sent) == {"b": [b"\x01\x02"], "c": {"base64": 1}}


def test_a_timestamp_is_its_text() -> None:
    instant = datetime(2026, 1, 2, tzinfo=UTC)
    assert heard(MessagePack(), msgpack.packb({"at": instant}, datetime=True)) == [
        {"at": "2026-01-02T00:00:00Z"}
    ]


@pytest.mark.parametrize("frame", ["text", b"", b"\x81", b"\x80\x80", b"\xc1", b"\x91" * 5_000])
def test_what_is_none_is_refused(frame: str | bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        heard(MessagePack(), frame)
