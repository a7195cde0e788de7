"""Errors of the target that fail no turn are counted; what the shipped protocols take for no answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import load_protocol
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.recent_turns import MAX_AFTER_FAILURE, REMEMBERED, RecentTurns
from loadtest.speak.session import Session, SessionState
from loadtest.speak.turn import NEVER, Outcome, Turn
from tests.speak.talk import TIMEOUT, Kept, Talk, answer, said

STRAY = "stray_errors"


def strays(talk: Talk) -> int:
    return talk.counts().get(STRAY, 0)


def test_an_error_that_names_no_turn_is_counted_beside_what_it_is() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(50, said("error"), said("error", "nobody"), said("other"))
    assert (strays(talk), talk.counts()["unmatched"]) == (2, 3)
    talk.hear(60, *answer(turn))
    assert turn.outcome is Outcome.COMPLETE
    talk.hear(70, said("error", turn))
    assert (strays(talk), talk.counts()["late"]) == (3, 1)


def test_an_error_for_a_turn_that_failed_or_timed_out_says_nothing_new() -> None:
    talk = Talk()
    failed, timed_out = talk.begin(0), talk.begin(1)
    talk.hear(50, said("failed", failed), said("error", failed))
    talk.session.tick(TIMEOUT + 20)
    talk.hear(TIMEOUT + 30, said("error", timed_out))
    assert (strays(talk), talk.counts()["late"]) == (0, 2)
    # The one that failed had said so; the other never did.
    assert talk.counts()["after_failure"] == 1


def test_only_the_first_few_events_after_a_failure_belong_to_its_end() -> None:
    talk = Talk()
    failed, other = talk.begin(0), talk.begin(1)
    talk.hear(50, said("failed", failed), *[said("other", failed)] * 20)
    assert (talk.counts()["late"], talk.counts()["after_failure"]) == (20, MAX_AFTER_FAILURE)
    talk.hear(60, said("failed", other), *[said("other", failed)] * 20, said("other", other))
    assert (talk.counts()["late"], talk.counts()["after_failure"]) == (41, MAX_AFTER_FAILURE + 1)


def test_of_how_many_failed_turns_events_are_counted_is_bounded() -> None:
    recent, turns = RecentTurns(0), [Talk().begin() for _ in range(REMEMBERED + 1)]
    for at, turn in enumerate(turns):
        turn.id, turn.outcome = f"turn-{at}", Outcome.FAILED
        recent.remember(turn, 0)
        assert [recent.ends_failed(turn.id) for _ in range(6)] == [True] * MAX_AFTER_FAILURE + [False] * 2
    assert not recent.ends_failed("turn-0"), "it is forgotten"


def test_what_follows_a_complete_turn_is_late_and_not_after_a_failure() -> None:
    talk = Talk()
    turn = talk.begin()
    talk.hear(50, *answer(turn), said("other", turn))
    assert talk.counts()["late"] == 1
    assert "after_failure" not in talk.counts()


def test_an_error_of_another_users_turn_is_foreign_and_counted_once() -> None:
    talk = Talk()
    talk.record.others.add("theirs")
    talk.hear(50, said("error", "theirs"))
    assert (strays(talk), talk.counts()["foreign"]) == (0, 1)


def test_a_turn_that_waits_for_missing_numbers_is_complete_already() -> None:
    talk = Talk()
    turn = talk.begin()
    started, *_, end = answer(turn)
    talk.hear(50, started, end)
    assert turn.outcome is Outcome.COMPLETE
    talk.hear(60, said("error", turn))
    assert strays(talk) == 1


@pytest.mark.parametrize(("timed_out", "counted"), [(False, 1), (True, 0)])
def test_without_ids_an_error_may_answer_a_turn_that_timed_out(*, timed_out: bool, counted: int) -> None:
    talk = Talk(match="order", turn=(), user=(), sequence=(), count=1, first=(), end=())
    if timed_out:
        talk.begin()
        talk.session.tick(TIMEOUT + 20)
    talk.hear(TIMEOUT + 30, said("error"))
    assert strays(talk) == counted


def played(name: str, ready: list[Any], *events: Any) -> tuple[Outcome | None, int]:
    """The outcome of one turn with a protocol that ships, and how many errors failed no turn."""
    turn, found = answered(load_protocol(name), ready, *events)
    return turn.outcome, found


def answered(protocol: Protocol, ready: list[Any], *events: Any) -> tuple[Turn, int]:
    record = Kept()
    compiled = CompiledProtocol(
        protocol, message=protocol.turn.message, nonce="n", timeout_ns=TIMEOUT, keep_frames=True
    )
    session = Session(compiled, record, 0, {})
    session.upgraded(0)
    for message in ready:
        session.receive([json.dumps(message).encode()], 1)
    assert session.state is SessionState.OPEN
    turn, _ = session.begin(0, 0, 10, {"data.question": "why", "user.id": "u"})
    session.sent(turn, 20)
    told = (json.dumps(each).replace('"ID"', json.dumps(turn.id)).encode() for each in events)
    session.receive(list(told), 30)
    return turn, record.counts("events.").get(STRAY, 0)


def transcribed(name: str, ready: list[Any], event: Any) -> tuple[Outcome | None, bool]:
    """The outcome of one turn of a service for speech, and whether an event of it was the first content."""
    protocol = load_protocol(name)
    asked = replace(protocol.turn, message="{}", messages=())
    turn, _ = answered(replace(protocol, turn=asked), ready, event)
    return turn.outcome, turn.first_ns != NEVER


COMPLETE = {"type": "complete", "id": "ID"}


@pytest.mark.parametrize(
    ("payloads", "outcome"),
    [
        ([], Outcome.FAILED),
        ([{}], Outcome.FAILED),
        ([{"payload": None}], Outcome.FAILED),
        ([{"payload": "Error: internal"}], Outcome.FAILED),
        ([{"payload": {"data": None}}], Outcome.FAILED),
        ([{"payload": {"data": {"a": 1}, "errors": [{}]}}], Outcome.FAILED),
        ([{"payload": {"data": {"a": 1}}}], Outcome.COMPLETE),
        ([{"payload": {"data": {"a": 1}}}, {"payload": {"incremental": []}}], Outcome.COMPLETE),
        ([{"payload": {"data": {"a": 1}}}, {"payload": {"hasNext": False}}], Outcome.COMPLETE),
    ],
)
def test_graphql_is_answered_by_results_and_by_nothing_else(
    payloads: list[dict[str, Any]], outcome: Outcome
) -> None:
    nexts = [{"type": "next", "id": "ID", **each} for each in payloads]
    assert played("graphql-transport-ws", [{"type": "connection_ack"}], *nexts, COMPLETE)[0] is outcome


@pytest.mark.parametrize(
    ("words", "outcome"), [("It rains.", Outcome.COMPLETE), (" ", Outcome.FAILED), ("", Outcome.FAILED)]
)
def test_a_transcript_of_nothing_is_none(words: str, outcome: Outcome) -> None:
    heard = {"channel": {"alternatives": [{"transcript": words}]}, "is_final": True, "from_finalize": True}
    assert transcribed("deepgram-listen", [], {"type": "Results", **heard}) == (outcome, bool(words.strip()))
    turn = {"type": "Turn", "end_of_turn": True, "transcript": words}
    assert transcribed("assemblyai", [{"type": "Begin"}], turn) == (outcome, bool(words.strip()))


def test_errors_that_name_no_turn_are_known_as_such_by_the_protocols_that_ship() -> None:
    joined = ["1", "1", "room:lobby", "phx_reply", {"status": "ok", "response": {}}]
    reply = ["1", "ID", "room:lobby", "phx_reply", {"status": "ok", "response": {}}]
    crashed = ["1", None, "room:lobby", "phx_error", {}]
    assert played("phoenix", [joined], crashed, reply) == (Outcome.COMPLETE, 1)
    greeting = [{"type": "welcome"}, {"type": "confirm_subscription"}]
    left = {"type": "disconnect", "reason": "server_restart"}
    assert played("action-cable", greeting, left, {"message": {"id": "ID"}}) == (Outcome.COMPLETE, 1)
    assert played("json-id", [], {"id": None, "error": {"code": 1}}, {"id": "ID"}) == (Outcome.COMPLETE, 1)


def test_a_refusal_of_a_turn_that_is_complete_is_one_too() -> None:
    talk = Talk()
    turn, refused = talk.begin(0), talk.begin(1)
    talk.hear(50, *answer(turn), said("rate_limited", refused))
    talk.hear(60, said("rate_limited", turn), said("rate_limited"))
    assert strays(talk) == 2
    talk.hear(70, said("rate_limited", refused))
    assert strays(talk) == 2, "that turn is refused already"
