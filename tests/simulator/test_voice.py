"""The voice agent of the simulator: it hears chunks, speaks, and stops when it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from loadtest.simulator.process import Simulator
from loadtest.simulator.voice import FRAMES

Start = Callable[..., Simulator]
Open = Callable[..., Any]


def say(connection: Any, kind: str, turn: str | int, **more: object) -> None:
    connection.send(json.dumps({"type": kind, "turn": turn, **more}))


def heard(connection: Any) -> dict[str, Any]:
    return dict(json.loads(connection.recv(60)))


def until_done(connection: Any) -> list[dict[str, Any]]:
    found = [heard(connection)]
    while found[-1]["type"] != "done":
        found.append(heard(connection))
    return found


def test_a_turn_is_heard_and_answered_by_a_second_of_speech(start: Start, opened: Open) -> None:
    connection = opened(start("delay=0ms", "gap=0ms"), "/voice")
    for turn in ("a", 7):
        for place in range(3):
            say(connection, "audio", turn, audio="AAAA", place=place)
        say(connection, "commit", turn)
        *speech, done = until_done(connection)
        assert [event["seq"] for event in speech] == list(range(FRAMES))
        assert {(event["type"], event["turn"]) for event in speech} == {("speech", turn)}
        assert done == {"type": "done", "turn": turn, "seq": FRAMES, "heard": 3}


def test_a_turn_that_is_interrupted_ends_there(start: Start, opened: Open) -> None:
    simulator = start("delay=0ms")
    connection = opened(simulator, "/voice")
    say(connection, "stop", "nobody's")
    say(connection, "commit", "a")
    say(connection, "commit", "a")
    first = heard(connection)
    say(connection, "stop", "a")
    rest = until_done(connection)
    assert first["type"] == "speech"
    assert len(rest) < FRAMES
    assert (rest[-1]["reason"], rest[-1]["seq"]) == ("interrupted", len(rest))
    say(connection, "stop", "a")
    connection.ping().wait(60)
    turns = simulator.stats()["turns"]
    assert (turns["begun"], turns["completed"], turns["in_flight"]) == (1, 1, 0)


def test_faults_strike_as_everywhere(start: Start, opened: Open) -> None:
    quick = ("delay=0ms", "gap=0ms")
    for fault, frames in (("drop=1", 0), ("duplicate=1", 2 * FRAMES), ("malformed=1", None)):
        connection = opened(start(fault, *quick), "/voice")
        say(connection, "commit", "a")
        if frames is None:
            assert connection.recv(60).startswith('{"type":"speech"')
            continue
        assert len(until_done(connection)) >= frames + 1
    simulator = start("huge=1KiB", "leak=1", *quick)
    connection = opened(simulator, "/voice")
    say(connection, "commit", "a")
    assert len(connection.recv(60)) == 1024
    connection = opened(start("no-seq", *quick), "/voice")
    say(connection, "commit", "a")
    assert all("seq" not in each for each in until_done(connection))
    # There is nobody whose event could leak, and so none is said to have.
    assert "huge" in simulator.stats()["faults_done"]
    assert "leak" not in simulator.stats()["faults_done"]


def test_it_listens_to_a_bounded_number_of_turns(start: Start, opened: Open) -> None:
    simulator = start()
    connection = opened(simulator, "/voice")
    connection.send("[1]")
    assert heard(connection)["type"] == "error"
    say(connection, "commit", "first")
    for turn in range(1_001):
        say(connection, "audio", turn)
    connection.ping().wait(60)
    turns = simulator.stats()["turns"]
    assert (turns["begun"], turns["completed"], turns["in_flight"]) == (1, 1, 0)
