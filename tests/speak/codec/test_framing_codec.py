"""Records: cut where the separator stands, kept until it comes, never more than what was sent."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plan.framing import Framing
from loadtest.speak.codec.codec import Frame, Unreadable
from loadtest.speak.codec.framing_codec import FramingCodec


def cut(framing: Framing, *frames: Frame) -> list[object]:
    codec = FramingCodec(framing)
    return [each for frame in frames for each in codec.decode(frame)]


def test_records_of_a_frame_are_messages_each() -> None:
    assert cut(Framing(split="\n"), '{"a":1}\n{"b":2}\n', '{"c":3}') == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_record_that_spans_frames_is_one_message_and_is_held_until_it_ends() -> None:
    codec = FramingCodec(Framing(split="\x1e", spans=True))
    assert list(codec.decode('{"a":')) == []
    assert list(codec.decode("")) == []
    assert codec.held == 5
    assert list(codec.decode('1}\x1e{"b":2}\x1e{')) == [b'{"a":1}', b'{"b":2}']
    assert codec.held == 1


def test_empty_records_are_no_messages() -> None:
    assert cut(Framing(split="\n"), "\n", "\n\n{}\n") == [b"{}"]


def test_a_prefix_is_taken_off_and_must_be_there() -> None:
    found = cut(Framing(split="\n", prefix="42"), '42{"a":1}\n{"b":2}\n42{"c":3}')
    assert found == [b'{"a":1}', Unreadable("a record does not begin with the prefix '42'"), b'{"c":3}']


def test_an_array_is_a_batch_where_that_is_said() -> None:
    assert cut(Framing(batch=True), '[{"a":1}, [2]]', '{"b":3}') == [b'{"a":1}', b"[2]", b'{"b":3}']
    assert cut(Framing(prefix="a"), "a[1]") == [b"[1]"]


def test_a_broken_batch_loses_none_of_its_neighbours() -> None:
    first, broken, last = cut(Framing(split="\n", batch=True), '[{"a":1}]\n[{"b":\n[{"c":3}]\n')
    assert (first, last) == (b'{"a":1}', b'{"c":3}')
    assert isinstance(broken, Unreadable)
    assert broken.reason.startswith("an array of messages: ")


def test_a_binary_frame_is_an_event_of_its_own_where_that_is_said() -> None:
    assert cut(Framing(binary=True), b"\x00" * 9, "{}") == [{"type": "binary", "size": 9}, b"{}"]
    assert cut(Framing(split="\n"), b"{}\n") == [b"{}"]


def test_what_is_sent_gets_prefix_and_separator() -> None:
    assert FramingCodec(Framing(split="\x1e", prefix="a")).encode("{}") == "a{}\x1e"


@settings(max_examples=40)
@given(
    records=st.lists(st.binary(min_size=1, max_size=9).filter(lambda each: b"\n" not in each), max_size=6),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_however_a_stream_is_cut_its_records_are_the_same(records: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(record + b"\n" for record in records)
    edges = sorted({0, len(stream), *(each for each in cuts if each < len(stream))})
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    codec = FramingCodec(Framing(split="\n", spans=True))
    assert [each for piece in pieces for each in codec.decode(piece)] == records
    assert codec.held == 0
