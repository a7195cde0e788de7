"""The size of messages is that of the frames that are made of them, and their kind is the frames'."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.protocol import Protocol, TurnShape
from loadtest.speak.codec.sent_size import sent_size

STRANGER = "tests.speak.codec.test_sent_size:Pair"


class Pair:
    """A message is a frame of text and one of bytes."""

    def decode(self, frame: str | bytes) -> list[Any]:
        raise NotImplementedError

    def encode(self, message: Any) -> list[str | bytes]:
        return ["ab", bytes(message["n"])]


def size(
    text: str, codec: str = "", framing: Framing | None = None, encoding: Literal["text", "binary"] = "text"
) -> str:
    choice = CodecChoice(name=codec) if codec else None
    turn = TurnShape(message=text, encoding=encoding)
    return sent_size(Protocol(name="mine", codec=choice, framing=framing, turn=turn), [text])


@pytest.mark.parametrize("encoding", ["text", "binary"])
def test_of_a_message_that_is_a_frame_and_of_a_record(encoding: Literal["text", "binary"]) -> None:
    assert size("ö23", encoding=encoding) == f"4 B of {encoding}"
    assert size("123", framing=Framing(split="\n", prefix="ab"), encoding=encoding) == f"6 B of {encoding}"


def test_of_what_a_codec_makes_of_it() -> None:
    assert size('{"a":  1}', "msgpack") == "4 B of binary"
    assert size('{"n":3}', STRANGER) == "5 B of text and binary"


def test_an_example_that_the_codec_does_not_take_is_of_its_json() -> None:
    assert size('{"n":"x"}', STRANGER) == f"9 B of JSON, before the codec {STRANGER} encodes it"
