"""A turn drawn as a sequence: each line says which way a message goes, and what it means."""

from __future__ import annotations

from loadtest.plan.protocol import AutoReply, Connect, CountAt, Events, Leave, Protocol, ReadyStep, TimedBeat
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.sequence import LONGEST, turn_sequence


def drawn(connect: Connect | None = None, message: str = "hello", **events: object) -> list[str]:
    protocol = Protocol(name="x", connect=connect or Connect(), events=Events(**events))  # type: ignore[arg-type]  # as a test says
    return list(turn_sequence(protocol, message))


def test_a_turn_of_the_shipped_protocol() -> None:
    lines = list(turn_sequence(load_protocol("agent-events"), '{"type":"start_agent"}'))
    assert lines == [
        "us → target   GET /ws, an upgrade to WebSocket",
        "us ← target   101",
        "us ← target   type = connection_established   (within 10 s)",
        'us → target   {"type":"start_agent"}   (the turn begins)',
        "us ← target   agent_thinking or partial_result   (first content)",
        "us ← target   agent_started   (must have come)",
        "us ← target   agent_completed   (the turn is complete)",
        "us ← target   agent_failed or agent_error or error_message   (or it has failed)",
        "us ← target   type = ping   (at any time)",
        'us → target   {"type":"pong"}   (the answer to it)',
    ]


def test_every_kind_of_step_and_end() -> None:
    steps = (ReadyStep(send="a\nb"), ReadyStep(pause_ns=10**9), ReadyStep(wait="go"))
    lines = drawn(
        Connect(ready=steps, heartbeat=(AutoReply(on="2", send="3"),)),
        end_all=("a", "b"),
        count=2,
        refuse=({"code": 429},),
        required=("a",),
        answer=(AutoReply(on="ask", send="told"),),
    )
    assert lines[2:] == [
        "us → target   a\\nb",
        "              a pause of 1 s",
        "us ← target   go   (within 10 s)",
        "us → target   hello   (the turn begins)",
        "us ← target   any event of the turn   (first content)",
        "us ← target   a and b, in any order   (the turn is complete)",
        "us ← target   event 2 of the turn   (the turn is complete)",
        "us ← target   code = 429   (or it was refused)",
        "us ← target   2   (at any time)",
        "us → target   3   (the answer to it)",
        "us ← target   ask   (at any time)",
        "us → target   told   (the answer to it)",
    ]


def test_heartbeats_by_our_clock_and_a_count_that_an_event_says() -> None:
    beats = (TimedBeat(every="30s", send="h"), TimedBeat(every="1s", send="p", answer="q"))
    lines = drawn(Connect(heartbeat=beats), count=CountAt(path="n"))
    assert lines[4:] == [
        "us ← target   as many events as n says   (the turn is complete)",
        "us → target   h   (every 30s)",
        "us → target   p   (every 1s)",
        "us ← target   q   (within 10 s)",
    ]


def test_the_last_word_and_what_is_waited_for() -> None:
    assert drawn(Connect(leave=Leave(send="bye")), count=1)[-1] == "us → target   bye   (before the close)"
    lines = drawn(Connect(leave=Leave(send="bye", wait="over")), count=1)
    assert lines[-2:] == [
        "us → target   bye   (before the close)",
        "us ← target   over   (then the close)",
    ]


def test_an_echo_and_a_subscription() -> None:
    assert drawn(count=1)[-1] == "us ← target   one event of the turn   (the turn is complete)"
    assert drawn()[-1] == "us ← target   events, until we leave   (a subscription: the turn never ends)"


def test_a_long_message_is_cut() -> None:
    assert drawn(message="x" * 500)[2] == f"us → target   {'x' * (LONGEST - 1)}…   (the turn begins)"
