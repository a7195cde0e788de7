"""Secrets of a capture: by their keys, and by what the protocol has in their place."""

from __future__ import annotations

import pytest

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.protocol import Connect, Events, Protocol, ReadyStep, TurnShape
from loadtest.speak.captured_secrets import MAX_SECRETS, captured_secrets

PROTOCOL = Protocol(
    name="desk",
    connect=Connect(
        ready=(
            ReadyStep(send='{"badge":"{secret.BADGE}","as":"{user.password}","who":"{user.who}"}'),
            ReadyStep(wait="ok"),
            ReadyStep(send='{"again":"{kept.token}","of":"{kept.desk}"}'),
        )
    ),
    turn=TurnShape(message='{"id":"{turn.id}","stamp":"{env.STAMP}","run":"{run.id}"}'),
    events=Events(type=("type",), turn=("id",)),
)


def frame(text: str, *, inward: bool = False) -> CapturedFrame:
    return CapturedFrame(0, inward, text.encode())


def test_what_stands_where_the_protocol_has_a_secret_is_one() -> None:
    frames = [
        frame('{"badge":"b-4711","as":"hush-1","who":"me"}'),
        frame('{"again":"hush-2","of":"d-7"}'),
        frame('{"id":"q-1","stamp":"hush-3","run":"r-1"}'),
        frame('{"id":"q-2","stamp":"hush-3","run":"r-1"}'),
        frame('{"id":"q-2","stamp":"of the target"}', inward=True),
    ]
    assert sorted(captured_secrets(frames, PROTOCOL)) == ["b-4711", "hush-1", "hush-2", "hush-3"]


def test_without_a_protocol_keys_alone_tell() -> None:
    text = '{"badge":"b-4711","login":{"password":"hush-1","pwd":"short"}}'
    assert captured_secrets([frame(text), frame("no JSON")]) == ["hush-1"]


def test_more_than_can_be_taken_out_are_refused() -> None:
    frames = [frame(f'{{"password":"hush-{n:06}"}}') for n in range(MAX_SECRETS + 1)]
    assert len(captured_secrets(frames[:-1])) == MAX_SECRETS
    with pytest.raises(ValueError, match="more than 1,000 different secrets"):
        captured_secrets(frames)
