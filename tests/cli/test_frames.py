"""How ``try`` tells the end of a turn: no heading says more than what came."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.cli.frames import trial_notes
from loadtest.keep.redact import Redactor
from loadtest.plan.protocol import Events
from loadtest.speak.observed_session import ObservedFrame
from loadtest.speak.turn import Outcome


def tried(answer: bytes, close: str = "") -> Any:
    turn = SimpleNamespace(
        outcome=Outcome.COMPLETE, received=1, first_ns=3, sent_ns=2, done_ns=3, reason="", events=1
    )
    frames = [ObservedFrame(3, True, answer, ("end",))]
    trial = SimpleNamespace(
        refusal=None, turn=turn, stopped="", close=close, broken_off=bool(close), complete=True, frames=frames
    )
    events = Events(count=1, match="order")
    scenario = SimpleNamespace(protocol=SimpleNamespace(events=events))
    return SimpleNamespace(trial=trial, scenario=scenario, redactor=Redactor([]), captured=list)


@pytest.mark.parametrize(
    ("answer", "close", "topic", "tone", "sentence"),
    [
        (b'{"type":"pong"}', "", "Turn complete", "good", "ended after"),
        (b'{"type":"unauthorized"}', "", "Turn complete", "doubt", "the answer says `unauthorized`: if that"),
        (
            b'{"type":"login_failed"}',
            "code 4401",
            "Turn answered, and the connection broken off",
            "bad",
            "the target ended the connection: code 4401",
        ),
    ],
)
def test_the_heading_of_a_turn(answer: bytes, close: str, topic: str, tone: str, sentence: str) -> None:
    ((note,), *_) = trial_notes(tried(answer, close))
    assert (note.topic, note.tone) == (topic, tone)
    assert sentence in note.sentence
