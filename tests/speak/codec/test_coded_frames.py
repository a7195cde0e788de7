"""Frames through a codec: text and binary told apart, and whatever a codec does, no message that was none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from loadtest.plan.framing import Framing
from loadtest.speak.codec.codec import BrokenStreamError, Codec, Unreadable
from loadtest.speak.codec.coded_frames import MAX_MESSAGES, CodedFrameParser, NotTakenError, UnsendableError
from loadtest.speak.codec.framing_codec import FramingCodec
from loadtest.speak.codec.mqtt import Mqtt
from loadtest.speak.codec.msgpack import MessagePack
from loadtest.speak.codec.socketio import SocketIo
from loadtest.speak.event_reader import Malformed, decode_message
from loadtest.speak.frames import BINARY, FrameParser
from tests.drive.standing_in import frames_in
from tests.speak.codec import strangers
from tests.speak.codec.frames import wire


class Kinds(Codec):
    """Says what frames it was given."""

    def decode(self, frame: str | bytes) -> list[Any]:
        return [{"kind": type(frame).__mro__[-2].__name__, "size": len(frame)}]


class Breaking(Codec):
    def decode(self, frame: str | bytes) -> list[Any]:
        raise BrokenStreamError("nothing fits")


class Partly(Codec):
    def decode(self, frame: str | bytes) -> list[Any]:
        return [Unreadable("the first"), b'{"second":2}']


class Wire:
    """A parser with a codec, and what the wire had it answer."""

    def __init__(self, codec: Any, max_size: int = 1_000, extensions: Any = ()) -> None:
        self.answers: list[tuple[bytes, int]] = []
        self.parser = CodedFrameParser(
            max_size, extensions, codec=codec, name="mine", answer=lambda *each: self.answers.append(each)
        )

    def hear(self, *frames: str | bytes) -> list[bytes]:
        return self.parser.receive(wire(*frames))


def malformed(message: bytes) -> str:
    """A message that no protocol can take for one, as text."""
    with pytest.raises(Malformed):
        decode_message(message, arrays=True)
    return message.decode(errors="replace")


# ------------------------------------------------------------------ text and binary


def test_text_and_binary_frames_are_told_apart() -> None:
    found = Wire(Kinds()).hear("abc", b"abcd", "é" * 90, b"\xff" * 200)
    assert found == [
        b'{"kind":"str","size":3}',
        b'{"kind":"bytes","size":4}',
        b'{"kind":"str","size":90}',
        b'{"kind":"bytes","size":200}',
    ]


@pytest.mark.parametrize(("opcode", "kind"), [(Opcode.TEXT, b'"str"'), (Opcode.BINARY, b'"bytes"')])
def test_so_are_fragments_and_compressed_frames(opcode: Opcode, kind: bytes) -> None:
    first, last = WireFrame(opcode, b"ab", fin=False), WireFrame(Opcode.CONT, b"cd")
    data = first.serialize(mask=False) + last.serialize(mask=False)
    assert kind in Wire(Kinds()).parser.receive(data)[0]
    ours, theirs = (PerMessageDeflate(False, False, 15, 15) for _ in range(2))
    packed = WireFrame(opcode, b"abcd" * 9).serialize(mask=False, extensions=[theirs])
    assert kind in Wire(Kinds(), extensions=[ours]).parser.receive(packed)[0]


def test_a_message_in_two_kinds_of_pieces_keeps_its_kind_through_the_library() -> None:
    first, last = WireFrame(Opcode.BINARY, b"ab", fin=False), WireFrame(Opcode.CONT, b"cd")
    ping = WireFrame(Opcode.PING, b"")
    parser = Wire(Kinds()).parser
    found = [parser.receive(each.serialize(mask=False)) for each in (first, ping, last)]
    assert found == [[], [], [b'{"kind":"bytes","size":4}']]


def test_text_that_is_none_ends_the_connection() -> None:
    taken = Wire(Kinds())
    broken = WireFrame(Opcode.TEXT, b"\xff").serialize(mask=False)
    assert taken.parser.receive(wire("a") + broken) == [b'{"kind":"str","size":1}']
    assert taken.parser.broken is not None
    assert not taken.parser.gave_up


def test_frames_before_a_close_in_one_read_are_read() -> None:
    taken = Wire(Kinds())
    close = WireFrame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)
    assert len(taken.parser.receive(wire("a", "b") + close)) == 2
    assert taken.parser.closed


# ------------------------------------------------------------------ what a codec may do


@pytest.mark.parametrize(
    ("codec", "reason"),
    [
        (strangers.Raising(), "KeyError 'seq'"),
        (strangers.Rubbish(None), "TypeError 'NoneType' object is not iterable"),
        (strangers.Rubbish([object()]), "TypeError object is not a value of JSON"),
        (strangers.Rubbish([{(1, 2): 3}]), "TypeError"),
        (strangers.Rubbish([], replies=[5]), "TypeError a frame is text or bytes, not int"),
        (strangers.Plain(), "Expecting value"),
    ],
)
def test_a_codec_that_raises_or_returns_rubbish_makes_a_malformed_message(codec: Any, reason: str) -> None:
    (message,) = Wire(codec).hear("not json")
    said = malformed(message)
    assert said.startswith(f"unreadable by codec mine: {reason}")
    assert said.endswith("not json")


def test_a_frame_that_is_json_is_no_message_where_the_codec_refuses_it() -> None:
    (message,) = Wire(MessagePack()).hear('{"type":"done"}')
    assert malformed(message).startswith("unreadable by codec mine: the frame is text")


def test_what_came_before_a_codec_raised_is_kept() -> None:
    first, second = Wire(strangers.HalfWay()).hear("x")
    assert first == b'{"first":1}'
    assert malformed(second) == "unreadable by codec mine: the rest is no text: x"


def test_a_message_that_is_unreadable_stands_in_its_place() -> None:
    first, second = Wire(Partly()).hear("x")
    assert malformed(first) == "unreadable by codec mine: the first: "
    assert second == b'{"second":2}'


@pytest.mark.parametrize(
    ("codec", "why", "kept"),
    [
        (strangers.Endless(), "codec mine makes more than 65,536 messages of one frame", MAX_MESSAGES),
        (strangers.Growing(), "codec mine makes over 4,000 bytes of one frame", 0),
        (Breaking(), "codec mine cannot read on: nothing fits", 0),
    ],
)
def test_a_codec_that_cannot_go_on_ends_the_connection(codec: Any, why: str, kept: int) -> None:
    taken = Wire(codec, max_size=1_000 if kept == 0 else 1 << 20)
    assert len(taken.hear("x", "y")) == kept
    assert taken.parser.broken == why
    assert taken.parser.gave_up
    assert taken.parser.closed


def test_a_codec_has_both_methods_or_is_none() -> None:
    with pytest.raises(NotImplementedError):
        Codec().decode("")
    with pytest.raises(NotImplementedError):
        Codec().encode({})


def test_a_connection_is_given_up_once() -> None:
    codec = strangers.Endless()
    codec.held = 1 << 30  # type: ignore[attr-defined]  # a stranger may
    taken = Wire(codec)
    taken.hear("x")
    assert taken.parser.broken == "codec mine makes over 4,000 bytes of one frame"


def test_a_message_without_end_is_held_up_to_the_largest_allowed() -> None:
    taken = Wire(strangers.Holding(), max_size=200)
    assert taken.hear("x" * 150) == []
    assert (taken.parser.unfinished, taken.parser.closed) == (150, False)
    taken.hear("x" * 51)
    assert taken.parser.broken == "codec mine holds 201 bytes of a message that does not end"


def test_a_codec_without_more_than_its_two_methods_will_do() -> None:
    taken = Wire(strangers.Plain())
    assert taken.hear('{"a":1}') == [b'{"a":1}']
    assert taken.parser.unfinished == 0
    strange = strangers.Plain()
    strange.held = "much"  # type: ignore[attr-defined]  # a stranger may
    assert Wire(strange).parser.unfinished == 0


def test_what_the_wire_demands_is_answered_once() -> None:
    taken = Wire(SocketIo())
    assert taken.hear("2", "2") == []
    taken.hear("6")
    assert [(frames_in(frames), n) for frames, n in taken.answers] == [([(Opcode.TEXT, b"3")], 1)] * 2


# ------------------------------------------------------------------ sending


def test_messages_become_frames_and_bytes_stay_what_they_are() -> None:
    parser = Wire(SocketIo()).parser
    event = b'{"type":"event","event":"e","data":{"base64":"AQ=="}}'
    frames = frames_in(parser.encode(event))
    assert frames == [(Opcode.TEXT, b'451-["e",{"_placeholder":true,"num":0}]'), (Opcode.BINARY, b"\x01")]
    assert frames_in(parser.encode(b"\x00", BINARY)) == [(Opcode.BINARY, b"\x00")]
    assert frames_in(Wire(FramingCodec(Framing(split="\n"))).parser.encode(b"no json")) == [
        (Opcode.TEXT, b"no json\n")
    ]


@pytest.mark.parametrize(
    ("codec", "payload", "reason"),
    [
        (SocketIo(), b"no json", "JSON is malformed"),
        (SocketIo(), b"{}", "a message must be an object with a `type`"),
        (strangers.Rubbish(), b"{}", "TypeError 'NoneType' object is not iterable"),
        (strangers.Rubbish(made=[]), b"{}", "no frame was made of it"),
        (strangers.Rubbish(made=[1]), b"{}", "TypeError a frame is text or bytes, not int"),
        (FramingCodec(Framing(split="\n")), b"\xff", "'utf-8' codec"),
    ],
)
def test_a_message_of_which_no_frame_can_be_made_is_told(codec: Any, payload: bytes, reason: str) -> None:
    with pytest.raises(UnsendableError, match=f"codec mine: {reason}"):
        Wire(codec).parser.encode(payload)


def test_a_peer_that_may_be_sent_no_more_is_told_apart() -> None:
    wire = Wire(Mqtt())
    wire.parser.encode(b'{"type":"connect","version":5}')
    wire.hear(b"\x20\x06\x00\x00\x03\x21\x00\x01")
    publish = b'{"type":"publish","topic":"t","qos":1}'
    wire.parser.encode(publish)
    with pytest.raises(NotTakenError, match="the broker has not acknowledged 1 messages"):
        wire.parser.encode(publish)


def test_extensions_of_messagepack_are_told_by_their_number() -> None:
    assert Wire(MessagePack()).hear(b"\x81\xa1e\xd4\x05\x01") == [b'{"e":{"ext":5,"base64":"AQ=="}}']


def test_a_parser_without_a_codec_tells_nothing_apart() -> None:
    assert FrameParser(1_000).receive(wire("a", b"a")) == [b"a", b"a"]


class Listed(Codec):
    """A frame holds a list of messages."""

    def decode(self, frame: str | bytes) -> list[Any]:
        return list(json.loads(frame))


def test_together_are_the_messages_of_the_last_frame() -> None:
    listed = Wire(Listed())
    assert len(listed.hear("[1]", "[2,3]")) == 3
    assert listed.parser.together == 2


@pytest.mark.parametrize(
    "behind", [wire("[]"), wire("[4]")[:-1], WireFrame(Opcode.PING, b"").serialize(mask=False)]
)
def test_none_are_where_something_else_came_behind_them(behind: bytes) -> None:
    listed = Wire(Listed())
    assert len(listed.parser.receive(wire("[1]", "[2,3]") + behind)) == 3
    assert listed.parser.together == 0
