"""A codec that loops is stopped by the CPU time that it takes; what it gave before is kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from loadtest.drive import guarded_codec
from loadtest.drive.guarded_codec import GuardedCodec, guarded
from loadtest.plan.framing import CodecChoice
from loadtest.plan.protocol import Protocol
from loadtest.speak.codec.codec import BrokenStreamError
from loadtest.speak.codec.coded_frames import MAX_MESSAGES
from loadtest.speak.codec.factory import codec_of
from tests.speak.codec import strangers
from tests.speak.codec.test_coded_frames import Wire

SOON_S = 0.01


class Looping:
    def decode(self, frame: str | bytes) -> Iterator[Any]:
        yield {"first": 1}
        while True:
            pass

    def encode(self, message: Any) -> str:
        while True:
            pass


class Answering(strangers.Plain):
    takes_text = True
    user_mark = "me"

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.held = 0

    def decode(self, frame: str | bytes) -> list[Any]:
        self.replies.append("pong")
        self.held += 1
        return []

    def encode(self, message: Any) -> str:
        return str(message)


def test_a_codec_that_never_returns_ends_its_connection_and_nothing_else() -> None:
    taken = Wire(GuardedCodec(Looping(), SOON_S))
    assert taken.hear("x", "y") == [b'{"first":1}']
    assert (
        taken.parser.broken == "codec mine cannot read on: needed more than 0.01 s of CPU time for one frame"
    )
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
    with pytest.raises(BrokenStreamError):
        GuardedCodec(Looping(), SOON_S).encode({})


def test_what_it_does_in_time_is_as_without_a_limit() -> None:
    assert GuardedCodec(Answering()).user_mark == "me"
    assert GuardedCodec(Looping()).user_mark is None
    taken = Wire(GuardedCodec(Answering()))
    assert taken.hear("x", "y") == []
    assert [n for _, n in taken.answers] == [1, 1]
    assert taken.parser.unfinished == 2
    assert taken.parser.encode(b"as it is")[0] == 0x81
    assert len(Wire(GuardedCodec(strangers.Endless()), 1 << 20).hear("x")) == MAX_MESSAGES
    first, second = Wire(GuardedCodec(strangers.HalfWay())).hear("x")
    assert first == b'{"first":1}'
    assert second.startswith(b"unreadable by codec mine: the rest is no text")


def test_only_what_does_not_ship_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    own = codec_of(Protocol(name="", codec=CodecChoice(name="tests.speak.codec.strangers:Plain")))
    assert guarded(None) is None
    shipped = codec_of(Protocol(name="", codec=CodecChoice(name="mqtt")))
    assert guarded(shipped) is shipped
    made = guarded(own)
    assert made is not None
    assert isinstance(made.make(), GuardedCodec)
    monkeypatch.delattr(guarded_codec.signal, "setitimer")
    assert guarded(own) is own
