"""How ``try`` tells the end of a turn: no heading says more than what came."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.cli.frames import trial_lines, trial_notes
from loadtest.drive.trial import PreparedStep, Trial
from loadtest.errors import Layer
from loadtest.keep.redact import Redactor
from loadtest.plan.framing import Framing
from loadtest.plan.protocol import Events
from loadtest.plan.scenario_file import scenario_from_settings
from loadtest.run.try_turn import FinishedTrial
from loadtest.speak.connect_refusal import ConnectRefusal
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
        (
            b'{"type":"unauthorized"}',
            "",
            "Turn complete",
            "doubt",
            "the type of the answer is `unauthorized`: if this",
        ),
        (
            b'{"type":"login_failed"}',
            "code 4401",
            "Turn answered, then the connection broke off",
            "bad",
            "the target ended the connection: code 4401",
        ),
    ],
)
def test_the_heading_of_a_turn(answer: bytes, close: str, topic: str, tone: str, sentence: str) -> None:
    ((note,), *_) = trial_notes(tried(answer, close))
    assert (note.topic, note.tone) == (topic, tone)
    assert sentence in note.sentence


def test_what_separates_records_is_shown_of_what_we_send() -> None:
    one = tried(b"")
    one.trial = Trial(0, "GET / HTTP/1.1")
    one.trial.frames = [
        ObservedFrame(1, False, b"PUB x", ("message",)),
        ObservedFrame(2, False, b"\x01", ("message",), as_it_is=True),
        ObservedFrame(3, True, b"MSG x", ("end",)),
        ObservedFrame(4, False, b"", ("close 1000",), is_message=False),
    ]
    one.scenario.prepare = ()
    one.scenario.protocol.framing = Framing(split="\n", prefix="a")
    assert [line.text for line in trial_lines(one)][1:] == [r"aPUB x\n", "\x01", "MSG x", ""]
    one.scenario.protocol.framing = None
    assert [line.text for line in trial_lines(one)][1] == "PUB x"


def refused(layer: Layer, reason: str, prepare: str = "") -> Any:
    scenario = scenario_from_settings(
        {
            "name": "x",
            "protocol": "echo",
            "target": {"url": "ws://host/chat", "query": {"t": "{prepared.t}"} if prepare else {}},
            "load": {"duration": "1s"},
            "prepare": [{"name": "login", "post": prepare, "keep": {"t": "a"}}] if prepare else [],
        }
    )
    trial = Trial(0, "GET /chat HTTP/1.1", refusal=ConnectRefusal(layer, reason))
    if prepare:
        trial.prepared = [PreparedStep("login", 30_000_000, 20_000_000)]
    return FinishedTrial(trial, scenario, "ws://host/chat", False, Redactor([]), "10.0.0.1:80")


@pytest.mark.parametrize(
    ("layer", "reason", "told"),
    [
        (Layer.AUTH, "the target answered HTTP 401 Unauthorized", "a step of [[prepare]]"),
        (Layer.UPGRADE, "the target answered HTTP 403 Forbidden", "a step of [[prepare]]"),
        (Layer.AUTH, "the target answered HTTP 401 Unauthorized", "cookies or query"),
        (Layer.TCP, "Connection refused", "Nothing listens at 10.0.0.1:80"),
    ],
)
def test_a_refusal_is_told_as_a_run_tells_it(layer: Layer, reason: str, told: str) -> None:
    notes = [note for some in trial_notes(refused(layer, reason)) for note in some]
    assert [each.topic for each in notes] == ["No connection", "What it most likely means"]
    assert told in notes[1].sentence


def test_a_step_before_the_connection_is_shown() -> None:
    lines = list(trial_lines(refused(Layer.AUTH, "no", "/login?key=open-sesame")))
    asked, answered, upgrade = lines
    assert (asked.at, asked.way, asked.taken) == ("10 ms", "→", "prepare login")
    assert asked.text.startswith("POST /login?key=")
    assert "open-sesame" not in asked.text
    assert (answered.at, answered.text) == ("30 ms", "done in 20 ms, gives {prepared.t}")
    assert upgrade.taken == "upgrade"
