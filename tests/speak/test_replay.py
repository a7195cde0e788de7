"""A capture played to a protocol: taken for what a session takes it for, and nothing counted twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.protocol import (
    Adopt,
    AutoReply,
    Connect,
    CountAt,
    Events,
    MessageStep,
    Protocol,
    ReadyStep,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.speak import replay as replaying
from loadtest.speak.replay import Replay, replay
from loadtest.speak.turn import Outcome

PROTOCOL: dict[str, Any] = {
    "type": ("type",),
    "turn": ("id",),
    "first": ("delta",),
    "end": ("done",),
    "fail": ("failed", {"type": "done", "ok": False}),
    "refuse": ("busy",),
    "ignore": ("news",),
    "answer": (AutoReply(on="please", send='{"type":"here"}'),),
}


def protocol(
    *,
    ready: tuple[ReadyStep, ...] = (),
    turn_id: str = "{uuid}",
    message: str = '{"type":"ask","id":"{turn.id}"}',
    auth_errors: tuple[Any, ...] = (),
    **events: Any,
) -> Protocol:
    return Protocol(
        name="test",
        connect=Connect(
            ready=ready, heartbeat=(AutoReply(on="ping", send='{"type":"pong"}'),), auth_errors=auth_errors
        ),
        turn=TurnShape(id=turn_id, message=message),
        events=Events(**{**PROTOCOL, **events}),
    )


def heard(**words: Any) -> CapturedFrame:
    return CapturedFrame(0, True, json.dumps(words).encode())


def said(**words: Any) -> CapturedFrame:
    return CapturedFrame(0, False, json.dumps(words).encode())


def play(what: Protocol, *frames: CapturedFrame) -> Replay:
    """One frame a second."""
    return replay(what, [frame._replace(at_ns=at * 10**9, line=at + 1) for at, frame in enumerate(frames)])


def taken(played: Replay) -> list[str]:
    return [", ".join(frame.taken) for frame in played.frames]


ASK = said(type="ask", id="7")


def test_each_frame_is_taken_for_what_it_is() -> None:
    played = play(
        protocol(),
        heard(type="news"),
        ASK,
        heard(type="ping"),
        said(type="pong"),
        heard(type="started", id="7"),
        heard(type="please"),
        said(type="here"),
        heard(type="delta", id="7"),
        heard(type="delta", id="8"),
        CapturedFrame(0, True, b"no JSON"),
        heard(type="done", id="7"),
        heard(type="delta", id="7"),
        said(type="other"),
    )
    assert taken(played) == [
        "ignored",
        "message",
        "heartbeat",
        "heartbeat answered",
        "event",
        "request",
        "request answered",
        "first",
        "unmatched",
        "malformed",
        "end",
        "late",
        "of no template",
    ]
    (turn,) = played.turns
    assert (turn.line, turn.turn.id, turn.turn.outcome, turn.ended) == (2, "7", Outcome.COMPLETE, True)
    assert turn.turn.done_ns - turn.turn.sent_ns == 9 * 10**9
    assert [frame.payload for frame in played.unmatched()] == [
        b'{"type": "delta", "id": "8"}',
        b"no JSON",
    ]
    assert {str(rule) for rule in played.unused} == {
        "fail: failed",
        "fail: type = done, ok = false",
        "refuse: busy",
    }
    assert played.frames[7].rules == ("first: delta",)


@pytest.mark.parametrize(
    ("event", "words", "outcome"),
    [
        ({"type": "failed"}, "failed", Outcome.FAILED),
        ({"type": "busy"}, "refused", Outcome.REFUSED),
        ({"type": "done", "ok": False}, "failed", Outcome.FAILED),
    ],
)
def test_a_turn_that_fails_has_ended(event: dict[str, Any], words: str, outcome: Outcome) -> None:
    played = play(protocol(), ASK, heard(id="7", **event))
    assert taken(played) == ["message", words]
    assert played.turns[0].turn.outcome is outcome
    assert not played.unending


def test_rules_that_contradict_each_other_are_told() -> None:
    played = play(protocol(), ASK, heard(type="done", id="7", ok=False), heard(type="news"))
    assert [frame.rules for frame in played.contested()] == [("fail: type = done, ok = false", "end: done")]


def test_a_rule_about_the_whole_turn_fails_it_at_its_end() -> None:
    played = play(
        protocol(required=("started",), pairs=(("a", "b"),), order=("*", "done")),
        ASK,
        heard(type="done", id="7"),
    )
    assert taken(played) == ["message", "end, failed by `required`"]
    assert {"required: started", "pairs: a", "pairs: b"} <= {str(rule) for rule in played.unused}


def test_an_event_that_is_first_and_last() -> None:
    played = play(protocol(first=(), count=1, end=()), ASK, heard(type="x", id="7"))
    assert taken(played)[1] == "first, end"


def test_a_turn_that_does_not_end_is_told() -> None:
    played = play(protocol(), ASK, heard(type="delta", id="7"))
    (turn,) = played.unending
    assert (turn.line, turn.turn.received) == (1, 1)


def test_missing_numbers_that_come_after_the_end() -> None:
    events = (
        heard(type="delta", id="7", n=0),
        heard(type="done", id="7", n=2),
        heard(type="delta", id="7", n=1),
    )
    played = play(protocol(sequence=("n",)), ASK, *events, heard(type="news"))
    assert taken(played)[1:] == ["first", "end", "event", "ignored"]
    assert played.empty == []


def test_paths_at_which_nothing_stands_are_told() -> None:
    played = play(protocol(sequence=("n", "seq")), ASK, heard(type="done", id="7", n=0))
    assert played.empty == ["sequence: seq"]


# ---------------------------------------------------------------- until ready

READY = (
    ReadyStep(wait={"type": "welcome"}, keep={"session": "session"}),
    ReadyStep(pause_ns=5 * 10**9),
    ReadyStep(send='{"type":"join","session":"{ready.session}"}'),
    ReadyStep(wait={"type": "joined"}),
)


def test_ready_steps_are_found_in_what_was_sent_as_well() -> None:
    played = play(
        protocol(ready=READY),
        heard(type="ping"),
        heard(type="welcome", session="s1"),
        said(type="join", session="s1"),
        heard(type="noise"),
        heard(type="joined"),
        ASK,
        heard(type="done", id="7"),
    )
    assert taken(played) == [
        "heartbeat",
        "ready step 1",
        "ready step 3",
        "before ready",
        "ready step 4",
        "message",
        "end",
    ]
    assert played.not_ready == ""
    assert played.frames[1].rules == ("ready: type = welcome",)


def test_a_connection_that_never_gets_ready_says_what_it_waits_for() -> None:
    played = play(protocol(ready=READY), ASK, heard(type="done", id="7"))
    assert taken(played) == ["message before ready", "before ready"]
    assert played.not_ready.startswith("waited for a message with type = welcome (ready step 1 of 4)")
    assert not played.turns


def test_a_refusal_ends_it() -> None:
    played = play(protocol(ready=READY, auth_errors=("denied",)), heard(type="denied"), heard(type="more"))
    assert taken(played) == ["refused", "after the end"]
    assert played.not_ready == "auth: the target answered denied"


def test_a_ready_condition_is_none_of_a_later_event() -> None:
    ready = (ReadyStep(wait={"type": "welcome"}),)
    played = play(protocol(ready=ready), heard(type="welcome"), heard(type="welcome"))
    assert played.frames[1].rules == ()


# ---------------------------------------------------------------- ids


def test_the_id_of_a_turn_is_the_one_in_the_capture() -> None:
    shaped = protocol(turn_id="t-{turn.number}", message='{"n":{turn.number}}')
    played = play(shaped, said(n=41), heard(type="done", id="t-41"))
    assert played.turns[0].turn.id == "t-41"
    assert taken(played) == ["message", "end"]


def test_a_message_without_an_id_is_matched_in_order() -> None:
    shaped = protocol(message='{"q":"{data.question}"}', turn=(), match="order")
    played = play(shaped, said(q="why"), heard(type="done"), said(q="how"), heard(type="done"))
    assert taken(played) == ["message", "end"] * 2
    assert len({each.turn.id for each in played.turns}) == 2


def test_a_protocol_without_a_message_has_no_turns() -> None:
    played = play(protocol(message=""), said(q="why"))
    assert taken(played) == ["of no template"]


def test_columns_that_only_a_scenario_has_are_no_hindrance() -> None:
    ready = (ReadyStep(send='{"token":"{user.token}"}'),)
    played = play(protocol(ready=ready), said(token="x"), ASK, heard(type="done", id="7"))
    assert taken(played) == ["ready step 1", "message", "end"]


def test_ids_of_the_target_and_heartbeats_by_our_clock() -> None:
    shaped = Protocol(
        name="test",
        connect=Connect(
            heartbeat=(
                TimedBeat(every="30s", send='{"type":"hb"}', answer="hb_ack"),
                TimedBeat(every="9s", send="x"),
            )
        ),
        turn=TurnShape(message='{"type":"ask","q":"{data.q}"}'),
        events=Events(
            type=("type",), turn=("id",), end=("done",), ordered=True, adopt=(Adopt(on="made", id="id"),)
        ),
    )
    played = play(
        shaped,
        said(type="ask", q="why"),
        said(type="hb"),
        heard(type="made", id="t-1"),
        heard(type="hb_ack"),
        heard(type="done", id="t-1"),
    )
    assert taken(played)[:2] == ["message", "heartbeat"]
    assert taken(played)[-1] == "end"
    assert {"adopt: made", "heartbeat: hb_ack"}.isdisjoint({str(rule) for rule in played.unused})


def test_payloads_of_any_bytes() -> None:
    opaque = protocol(
        format="opaque",
        match="order",
        type=(),
        turn=(),
        message="ask {data.q}",
        end=("2",),
        first=(),
        fail=(),
        ignore=(),
    )
    played = play(
        opaque,
        CapturedFrame(0, False, b"ask why"),
        CapturedFrame(0, True, b"2"),
        CapturedFrame(0, True, b"\xff"),
    )
    assert taken(played) == ["message", "first, end", "unmatched"]


# ------------------------------------------------------------------ several messages a turn, kinds of turn

AUDIO = MessageStep(send='{"type":"audio","part":"{data.part}"}')
CREATE = MessageStep(send='{"type":"create","id":"{turn.id}"}')
PAUSE, STORED = MessageStep(pause_ns=10**9), MessageStep(wait="stored")


def in_parts(*between: MessageStep, **events: Any) -> Protocol:
    """A turn of two messages; the id stands in the second."""
    return Protocol(
        name="parts",
        turn=TurnShape(messages=(AUDIO, *between, CREATE)),
        events=Events(**{**PROTOCOL, "answer": (), **events}),
    )


def test_a_turn_of_several_messages_ends_though_only_the_last_says_its_id() -> None:
    played = play(
        in_parts(PAUSE, STORED, PAUSE),
        said(type="audio", part="a"),
        heard(type="stored"),
        said(type="create", id="7"),
        heard(type="delta", id="7"),
        heard(type="done", id="7"),
        said(type="create", id="8"),
    )
    assert taken(played) == ["message", "awaited", "message", "first", "end", "of no template"]
    (turn,) = played.turns
    assert (turn.line, turn.turn.id, turn.turn.outcome) == (1, "7", Outcome.COMPLETE)
    assert turn.turn.sent_ns == 2 * 10**9
    assert [str(rule) for rule in played.unused if rule.key == "wait"] == []
    assert played.frames[1].rules == ("wait: stored",)


def test_a_turn_may_have_more_than_two_messages() -> None:
    played = play(
        in_parts(AUDIO, AUDIO),
        *(said(type="audio", part=part) for part in "abc"),
        said(type="create", id="7"),
        heard(type="done", id="7"),
    )
    assert taken(played) == ["message"] * 4 + ["end"]
    assert [turn.turn.outcome for turn in played.turns] == [Outcome.COMPLETE]


def test_a_message_before_what_it_waits_for_is_told() -> None:
    played = play(
        in_parts(STORED),
        said(type="audio", part="a"),
        said(type="create", id="7"),
        heard(type="done", id="7"),
    )
    assert taken(played) == ["message", "message before stored came", "end, failed by `unsent`"]
    assert not played.unending


def test_messages_of_turns_in_flight_go_to_the_turn_that_they_name() -> None:
    """The id of a turn is looked for in as many messages as a turn may have."""
    whole = in_parts()
    played = play(
        whole,
        said(type="audio", part="a"),
        said(type="create", id="7"),
        said(type="audio", part="b"),
        said(type="audio", part="c"),
        said(type="create", id="8"),
        heard(type="done", id="8"),
        heard(type="done", id="7"),
    )
    # Which of two that are alike a message is of cannot be told: the first has it.
    assert [turn.turn.outcome for turn in played.turns] == [
        Outcome.COMPLETE,
        Outcome.COMPLETE,
        Outcome.ABANDONED,
    ]


def test_what_a_capture_makes_us_look_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MAX_LOOKS", 3)
    monkeypatch.setattr(replaying, "MAX_ASKING", 2)
    played = play(in_parts(), *[said(type="audio", part="a")] * 9)
    assert taken(played) == ["message"] * 9
    assert len(played.unending) == 9


KINDS = Protocol(
    name="kinds",
    turn=TurnShape(message='{"type":"none"}'),
    events=Events(type=("type",), turn=("id",), end=("done",), fail=("failed",)),
    turns={
        "ask": TurnKind(
            turn=TurnShape(message='{"type":"ask","id":"{turn.id}"}'),
            events=Events(
                type=("type",), turn=("id",), end=("done",), fail=("failed",), pairs=(("open", "shut"),)
            ),
        ),
        "cancel": TurnKind(
            turn=TurnShape(message='{"type":"cancel","id":"{turn.id}"}'),
            events=Events(type=("type",), turn=("id",), end=("failed",), fail=("done",)),
        ),
        "feed": TurnKind(
            turn=TurnShape(),
            events=Events(
                type=("type",), turn=("id",), end=("done",), count=CountAt(path="n", of={"has": "n"})
            ),
        ),
    },
)


def test_kinds_of_turn_are_told_apart_by_their_messages() -> None:
    played = play(
        KINDS,
        ASK,
        said(type="cancel", id="8"),
        heard(type="failed", id="8"),
        heard(type="done", id="7"),
        said(type="none"),
    )
    assert taken(played) == ["message", "message", "first, end", "first, end", "of no template"]
    assert [turn.turn.kind.name for turn in played.turns] == ["ask", "cancel"]
    assert played.frames[2].rules == ("end[cancel]: failed",)
    assert played.frames[3].rules == ("end[ask]: done",)
    # A rule of one kind says nothing against that of another.
    assert played.contested() == []
    unused = {str(rule) for rule in played.unused}
    assert {"fail[cancel]: done", "pairs[ask]: open", "count[feed]: has n", "end[feed]: done"} < unused


def test_rules_of_one_kind_that_contradict_each_other_are_told() -> None:
    both = Events(type=("type",), turn=("id",), end=("done",), fail=({"has": "error"},))
    what = Protocol(
        name="both",
        turns={"ask": TurnKind(turn=TurnShape(message='{"type":"ask","id":"{turn.id}"}'), events=both)},
        events=both,
    )
    played = play(what, ASK, heard(type="done", id="7", error="x"))
    assert [frame.rules for frame in played.contested()] == [("fail[ask]: has error", "end[ask]: done")]
