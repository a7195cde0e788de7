"""Captures of turns that send a file: its chunks are theirs, in binary frames or in messages."""

from __future__ import annotations

from typing import Any

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.chunks import Chunks
from loadtest.plan.protocol import Connect, Events, Interrupt, Leave, MessageStep, Protocol, TurnShape
from loadtest.speak.turn import Outcome
from tests.speak.test_replay import heard, play, said, taken

SOUND = {"name": "x", "data": b"abcdef", "size": 2, "every_ns": 10**7}
BINARY = MessageStep(chunks=Chunks(**SOUND))
TEXT = MessageStep(chunks=Chunks(**SOUND, message='{"type":"sound","id":"{turn.id}","b":"{chunk.base64}"}'))
COMMIT = MessageStep(send='{"type":"commit"}')

CHUNK = CapturedFrame(0, False, b"\xff\xfe", binary=True)


def speaking(*messages: MessageStep, **events: Any) -> Protocol:
    found = {"type": ("type",), "match": "order", "end": ("done",), **events}
    return Protocol(
        name="test",
        connect=Connect(leave=Leave(send='{"type":"bye"}')),
        turn=TurnShape(messages=messages),
        events=Events(**found),
    )


def test_a_turn_begins_with_the_first_chunk_and_what_comes_before_its_last_message_is_its_own() -> None:
    frames = (CHUNK, CHUNK, heard(type="partial"), CHUNK, said(type="commit"), heard(type="done"))
    played = play(speaking(BINARY, COMMIT), *frames, *frames, said(type="bye"))
    told = ["chunk", "chunk", "first", "chunk", "message", "end"]
    assert [each.split(",")[0] for each in taken(played)][:2] == told[:2]
    assert [each for each in taken(played) if each in {"chunk", "message", "leave", "of no template"}] == [
        *["chunk"] * 3,
        "message",
        *["chunk"] * 3,
        "message",
        "leave",
    ]
    assert played.unmatched() == []
    assert [(each.line, each.turn.outcome) for each in played.turns] == [
        (1, Outcome.COMPLETE),
        (7, Outcome.COMPLETE),
    ]


def test_chunks_in_messages_say_whose_they_are() -> None:
    def sound(of: str) -> CapturedFrame:
        return said(type="sound", id=of, b="AAA=")

    done = [heard(type="done", id=of) for of in ("1", "2")]
    stop = MessageStep(interrupt=Interrupt(after_ns=1, send='{"type":"stop"}'))
    what = speaking(TEXT, stop, match="id", turn=("id",))
    played = play(what, sound("1"), sound("1"), sound("2"), sound("1"), sound("2"), *done, said(type="stop"))
    assert taken(played)[:5] == ["chunk"] * 5
    assert taken(played)[-1] == "interruption"
    assert [each.turn.outcome for each in played.turns] == [Outcome.COMPLETE] * 2


def test_a_file_between_two_messages() -> None:
    begin = MessageStep(send='{"type":"begin"}')
    end = MessageStep(send='{"type":"end","id":"{turn.id}"}')
    what = speaking(begin, BINARY, MessageStep(pause_ns=5), end, match="id", turn=("id",))
    frames = (said(type="begin"), CHUNK, CHUNK, said(type="end", id="7"), said(type="end", id="7"))
    played = play(what, *frames, heard(type="done", id="7"))
    assert taken(played)[:5] == ["message", "chunk", "chunk", "message", "of no template"]
    assert [each.turn.id for each in played.turns] == ["7"]


def test_a_chunk_of_nobody_and_a_text_in_place_of_a_chunk() -> None:
    played = play(speaking(COMMIT), CHUNK, said(type="commit"))
    assert taken(played) == ["of no template", "message"]
    played = play(speaking(BINARY), said(type="commit"), CHUNK, said(type="commit"))
    assert taken(played) == ["of no template", "chunk", "of no template"]
