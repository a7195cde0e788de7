"""WAMP in TOML alone: what ends, fails, refuses and is answered, by the arrays of the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.plan.capture import parse_capture
from loadtest.plan.protocol_file import load_protocol
from loadtest.speak.replay import Replay, replay
from loadtest.speak.turn import Outcome

CAPTURE = (Path(__file__).parent / "captures" / "wamp.jsonl").read_text("utf-8").splitlines()
READY, CALL = CAPTURE[:4], CAPTURE[4]


def played(frames: list[str], *after: Any) -> Replay:
    heard = [json.dumps({"at": 1, "dir": "in", "text": json.dumps(each)}) for each in after]
    return replay(load_protocol("wamp"), parse_capture("\n".join([*frames, *heard]), "wamp"))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([50, 10, {}, ["all"]], Outcome.COMPLETE),
        ([50, 10, {}], Outcome.COMPLETE),
        ([50, 10, {"progress": False}, []], Outcome.COMPLETE),
        # As fox-wamp wrote it.
        ([8, 48, 10, {}, "wamp.error.callee_failure", ["com.example.error.no"]], Outcome.FAILED),
        ([8, 48, 10, {}, "wamp.error.no_such_procedure"], Outcome.FAILED),
        ([50, 10, {"progress": True}, ["a word"]], Outcome.ABANDONED),
        ([50, 48, {}], Outcome.ABANDONED),
        ([8, 48, 48, {}, "wamp.error.canceled"], Outcome.ABANDONED),
    ],
)
def test_a_call_ends_by_its_own_answer_alone(answer: Any, outcome: Outcome) -> None:
    (turn,) = played([*READY, CALL], answer).turns
    assert turn.turn.outcome is outcome


def test_events_of_the_topic_are_of_no_turn() -> None:
    found = played([*READY, CALL], [36, 5, 10, {}, ["news"]], [36, 10, 10, {}])
    assert found.unmatched() == []
    assert found.turns[0].turn.received == 0


def test_a_goodbye_is_answered() -> None:
    found = played([*READY, CALL], [6, {}, "wamp.close.system_shutdown"])
    assert "heartbeat" in found.frames[-1].taken


@pytest.mark.parametrize(
    ("reason", "told"),
    [("wamp.error.authentication_failed", "auth"), ("wamp.error.no_such_realm", "ready")],
)
def test_an_abort_is_no_welcome(reason: str, told: str) -> None:
    found = played(READY[:1], [3, {}, reason])
    assert told in found.not_ready
