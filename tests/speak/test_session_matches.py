"""What fails a turn, ends it, or is none of its events: by any field, in JSON and in text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.match import Match
from loadtest.plan.protocol import AutoReply, ReadyStep, TimedBeat
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.turn import Outcome, Turn
from tests.speak.talk import SIGHTED, TIMEOUT, Talk, answer, ledger, said

NOTHING: dict[str, Any] = dict.fromkeys(
    ("type", "turn", "user", "sequence", "first", "end", "fail", "refuse", "ignore"), ()
)
BY_ID = {**NOTHING, "turn": ("id",)}
TYPED = {**BY_ID, "type": ("type",)}
BY_ORDER = {**NOTHING, "match": "order"}
OPAQUE = {**NOTHING, "format": "opaque", "match": "order"}


def heard(talk: Talk, *found: Any) -> Turn:
    """A turn, and events of it that come one a read; "ID" is its id."""
    turn = talk.begin()
    for at, each in enumerate(found, 20):
        talk.hear(at, json.dumps(each).replace("ID", turn.id).encode())
    return turn


JSON_RPC = {**BY_ID, "count": 1, "fail": ({"has": "error"},)}
ERRORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "JSON-RPC": (JSON_RPC, {"id": "ID", "error": {"code": -32601}}),
    "JSON-RPC by its code": (
        {**JSON_RPC, "fail": ({"error.code": -32601},)},
        {"id": "ID", "error": {"code": -32601}},
    ),
    "Realtime": (
        {
            **TYPED,
            "end": ("response.done",),
            "fail": ({"type": "response.done", "response.status": "failed"},),
        },
        {"type": "response.done", "id": "ID", "response": {"status": "failed"}},
    ),
    "GraphQL": (
        {**TYPED, "end": ("complete",), "fail": ("error", {"type": "next", "has": "payload.errors"})},
        {"type": "next", "id": "ID", "payload": {"errors": [{"message": "no"}]}},
    ),
    "success": ({**BY_ID, "count": 1, "fail": ({"success": False},)}, {"id": "ID", "success": False}),
    "Phoenix": (
        {
            **NOTHING,
            "type": ("3",),
            "turn": ("1",),
            "end": ({"type": "phx_reply", "4.status": "ok"},),
            "fail": ({"type": "phx_reply", "4.status": "error"},),
        },
        ["1", "ID", "room:1", "phx_reply", {"status": "error", "response": {}}],
    ),
    "a number": ({**TYPED, "type": ("code",), "fail": ("-32001",)}, {"id": "ID", "code": -32001}),
    "by order": ({**BY_ORDER, "count": 1, "fail": ({"has": "error"},)}, {"error": "no"}),
    "in a text": ({**OPAQUE, "count": 1, "fail": ({"has": "error"},)}, {"error": "no"}),
}
GOOD: dict[str, Any] = {
    "JSON-RPC": {"id": "ID", "result": None, "error": None},
    "JSON-RPC by its code": {"id": "ID", "error": {"code": 0}},
    "Realtime": {"type": "response.done", "id": "ID", "response": {"status": "completed"}},
    "GraphQL": {"type": "complete", "id": "ID"},
    "success": {"id": "ID", "success": True},
    "Phoenix": ["1", "ID", "room:1", "phx_reply", {"status": "ok"}],
    "by order": {"result": 1},
    "in a text": {"result": 1},
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_fails_its_turn(name: str) -> None:
    events, error = ERRORS[name]
    talk = Talk(**events)
    turn = heard(talk, error)
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "event")
    assert talk.record.metrics.first_event.tolist() == []


@pytest.mark.parametrize("name", GOOD)
def test_the_same_protocol_takes_a_good_answer(name: str) -> None:
    turn = heard(Talk(**ERRORS[name][0]), GOOD[name])
    assert turn.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("path", "end", "event"),
    [
        ("done", "true", {"done": True}),
        ("op", "0", {"op": 0}),
        ("op", "0", {"op": 0.0}),
        ("op", "0", {"op": "0"}),
    ],
)
def test_numbers_and_booleans_end_a_turn(path: str, end: str, event: dict[str, Any]) -> None:
    turn = heard(Talk(**{**BY_ID, "type": (path,), "end": (end,)}), {**event, "id": "ID"})
    assert turn.outcome is Outcome.COMPLETE


def test_one_is_not_true() -> None:
    assert heard(Talk(**{**BY_ID, "type": ("op",), "end": ("true",)}), {"id": "ID", "op": 1}).outcome is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("0", 0),
        ("0", 0.0),
        ("7", 7.0),
        ("-32001", -32001),
        ("null", "null"),
    ],
)
def test_numbers_and_booleans_are_compared_by_one_rule_in_every_place(written: str, value: Any) -> None:
    matches: list[Match] = [written, {"op": value}, {"op": written}, {"op": {"in": ["x", written]}}]
    event, other = {"id": "ID", "op": value}, {"id": "ID", "op": "other"}
    typed = {**BY_ID, "type": ("op",)}
    payload = json.dumps({"op": value}).encode()
    for match in matches:
        ends = {"end": Outcome.COMPLETE, "fail": Outcome.FAILED, "refuse": Outcome.REFUSED}
        for place, outcome in ends.items():
            assert heard(Talk(**{**typed, place: (match,)}), other, event).outcome is outcome, (place, match)
        assert heard(Talk(**{**typed, "first": (match,)}), other, event).first_ns == 21, match
        talk = Talk(**{**typed, "ignore": (match,)})
        assert (heard(talk, event).received, talk.counts()["ignored"]) == (0, 1), match
        needs = {**typed, "end": ("done",)}
        done = {"id": "ID", "op": "done"}
        for place, asked in (
            ("required", (match,)),
            ("order", (match, "done")),
            ("pairs", ((match, "done"),)),
        ):
            assert heard(Talk(**{**needs, place: asked}), event, done).outcome is Outcome.COMPLETE, place
        assert heard(Talk(**{**needs, "required": (match,)}), done).reason == "required", match
        talk = Talk(**typed, ready=[ReadyStep(wait=match)])
        talk.hear(1, payload)
        assert talk.session.state.name == "OPEN", match
        talk = Talk(**typed, heartbeat=[AutoReply(on=match, send="pong")])
        talk.hear(1, payload)
        assert talk.session.outbox == ["pong"], match
        with pytest.raises(ConnectRefusal, match="auth"):
            Talk(**typed, ready=[ReadyStep(wait="x")], auth_errors=(match,)).hear(1, payload)


def test_refused_first_and_ignored_by_fields() -> None:
    events = {**BY_ID, "first": ({"has": "delta"},), "end": ({"done": True},), "ignore": ({"has": "method"},)}
    talk = Talk(**{**events, "refuse": ({"code": {"prefix": "42"}},)})
    turn = heard(talk, {"id": "ID", "method": "x", "done": True}, {"id": "ID"}, {"id": "ID", "delta": "a"})
    assert (turn.outcome, turn.first_ns) == (None, 22)
    assert talk.counts()["ignored"] == 1
    assert heard(Talk(**events), {"id": "ID", "done": True}).outcome is Outcome.COMPLETE
    refused = heard(Talk(**{**events, "refuse": ({"code": {"prefix": "42"}},)}), {"id": "ID", "code": 429})
    assert refused.outcome is Outcome.REFUSED


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_turn_may_end_when_two_events_have_come_in_either_order(order: str) -> None:
    talk = Talk(**{**TYPED, "end_all": ("execute_reply", {"type": "status", "state": "idle"})})
    found = {"a": {"type": "execute_reply", "id": "ID"}, "b": {"type": "status", "id": "ID", "state": "idle"}}
    turn = talk.begin()
    payloads = [json.dumps(found[each]).replace("ID", turn.id).encode() for each in order]
    talk.hear(20, payloads[0], payloads[0])
    assert turn.outcome is None
    talk.hear(21, payloads[1], said("other", turn))
    assert (turn.outcome, turn.done_ns) == (Outcome.COMPLETE, 21)
    assert talk.record.counts("turns.")["end_coalesced"] == 1


def test_the_last_event_of_a_turn_that_timed_out_is_told_by_its_type() -> None:
    talk = Talk(**{**TYPED, "required": ({"has": "x"},), "end": ("done",)})
    heard(talk, {"type": "step", "id": "ID", "x": 1})
    talk.session.tick(2 * TIMEOUT)
    assert talk.record.counts("turns.timed_out_after.") == {"step": 1}


def test_arrays_have_no_keys_to_tell() -> None:
    talk = Talk(**{**NOTHING, "turn": ("1",)})
    talk.hear(1, b'["a","b"]')
    assert talk.counts(SIGHTED) == {"(none)": 1}


# ------------------------------------------------------------------ heartbeats and requests of the target


def test_a_ping_in_text_is_answered_and_is_no_answer() -> None:
    talk = Talk(**{**OPAQUE, "count": 1}, heartbeat=[AutoReply(on="2", send="3")])
    turn = talk.begin()
    talk.hear(20, b"2")
    assert turn.outcome is None
    assert talk.session.outbox == ["3"]
    talk.hear(120, b'43["answer"]')
    assert (turn.outcome, turn.done_ns) == (Outcome.COMPLETE, 120)
    assert talk.counts() == {"sent": 1, "received": 1, "heartbeat": 1, "matched": 1, "expected": 1}


def test_ready_steps_in_text_wait_for_a_prefix() -> None:
    steps = [
        ReadyStep(wait={"prefix": "0{"}),
        ReadyStep(send="40"),
        ReadyStep(wait={"prefix": "40"}, keep={"sid": "sid"}),
    ]
    talk = Talk(**{**OPAQUE, "count": 1}, ready=steps)
    talk.hear(1, b"hello", b'0{"pingInterval":25000}')
    assert talk.session.outbox == ["40"]
    talk.hear(2, b'40{"sid":"a"}')
    assert talk.session.state.name == "OPEN"
    assert talk.counts() == {"before_ready": 1}


def test_what_came_instead_of_a_text_is_not_repeated() -> None:
    talk = Talk(**OPAQUE, ready=[ReadyStep(wait="hello", within_ns=10)])
    talk.hear(1, b"secret")
    with pytest.raises(
        ConnectRefusal, match=r"no message with hello within .*; came instead: a message that is not a JSON"
    ):
        talk.session.tick(20)


def test_a_credential_may_be_refused_by_any_field() -> None:
    talk = Talk(**BY_ID, ready=[ReadyStep(wait="x")], auth_errors=({"code": 401},))
    with pytest.raises(ConnectRefusal, match="auth: the target answered an error"):
        talk.hear(1, b'{"code":401}')


def test_an_error_without_a_type_before_ready_is_told() -> None:
    talk = Talk(**JSON_RPC, ready=[ReadyStep(wait={"op": 10})])
    talk.hear(1, b'{"error":{}}')
    refused = talk.session.lost(2, 1000)
    assert refused is not None
    assert "after an error" in refused.reason


CALL: Match = {"has": ["method", "id"]}
ANSWERING = {**JSON_RPC, "answer": (AutoReply(on=CALL, send='{"id":{event.id},"p":"{event.params.a}"}'),)}


def test_a_request_of_the_target_is_answered_and_counted_apart() -> None:
    talk = Talk(**ANSWERING)
    turn = heard(talk, {"id": 7, "method": "ask", "params": {"a": 'x"y'}})
    assert [json.loads(text) for text in talk.session.outbox or ()] == [{"id": 7, "p": 'x"y'}]
    assert turn.outcome is None
    assert talk.counts() == {"sent": 1, "received": 1, "answered": 1}
    assert heard(talk, {"id": "ID", "result": 1}).outcome is Outcome.COMPLETE


def test_a_request_that_names_a_turn_takes_its_place_in_it() -> None:
    talk = Talk(answer=(AutoReply(on="executing", send="ok"),))
    turn = talk.begin()
    talk.hear(20, *answer(turn))
    assert turn.outcome is Outcome.COMPLETE
    assert talk.session.outbox == ["ok"]
    assert talk.counts()["answered"] == 1
    assert (talk.counts()["matched"], turn.lost) == (5, 0)


def test_a_request_is_no_answer_though_it_has_the_id_of_a_turn() -> None:
    talk = Talk(**ANSWERING)
    turn = heard(talk, {"id": "ID", "method": "ask"})
    assert turn.outcome is None


def test_a_request_by_order_is_no_answer() -> None:
    talk = Talk(**{**BY_ORDER, "count": 1, "answer": (AutoReply(on={"has": "method"}, send="no"),)})
    assert heard(talk, {"method": "ask"}).outcome is None


def test_a_request_before_ready_is_answered_too() -> None:
    talk = Talk(**ANSWERING, ready=[ReadyStep(wait={"op": 10})])
    talk.hear(1, b'{"id":1,"method":"ask"}', b'{"op":10}')
    assert len(talk.session.outbox or ()) == 1
    assert talk.counts() == {"answered": 1}


# ------------------------------------------------------------------ several turns in flight, by order


@pytest.mark.parametrize(("ordered", "unsure"), [(False, 2), (True, 0)])
def test_by_order_several_turns_in_flight_are_unsure_unless_the_target_is_ordered(
    *, ordered: bool, unsure: int
) -> None:
    talk = Talk(**{**BY_ORDER, "count": 1, "ordered": ordered})
    for seq in range(3):
        talk.begin(seq)
    for at in (20, 30, 40):
        talk.hear(at, b"{}")
    assert talk.counts().get("order_unsure", 0) == unsure


def test_one_turn_at_a_time_is_sure() -> None:
    talk = Talk(**{**OPAQUE, "count": 1})
    for seq in range(3):
        turn = talk.begin(seq)
        talk.hear(seq + 20, b"x")
        assert not turn.shared
    assert "order_unsure" not in talk.counts()


@pytest.mark.parametrize("ordered", [False, True])
def test_what_contradicts_answers_in_order_is_told_apart(*, ordered: bool) -> None:
    """Two streams that interleave: the first to end has what the other lacks."""
    rules = {"required": ("started",), "end": ("completed",), "type": ("type",)}
    talk = Talk(**{**BY_ORDER, **rules, "ordered": ordered})
    one, two, three = talk.begin(0), talk.begin(1), talk.begin(2)
    for at, kind in enumerate(("started", "started", "completed", "completed"), 20):
        talk.hear(at, said(kind))
    assert (one.outcome, two.outcome, two.reason) == (Outcome.COMPLETE, Outcome.FAILED, "interleaved")
    assert three.shared
    alone = Talk(**{**BY_ORDER, **rules})
    turn = alone.begin()
    alone.hear(20, said("completed"))
    assert turn.reason == "required"


# ------------------------------------------------------------------ a room in which everybody gets a copy


def test_copies_for_an_audience_are_deliveries() -> None:
    talk = Talk(users=4, turn_id="{uuid}", number=1, audience="one room", end=("completed",))
    mine, theirs = talk.begin(1), talk.protocol.uuid(2)
    talk.hear(20, said("completed", mine, 0, user_id="me"))
    talk.hear(30, said("completed", theirs, 0, user_id="other"), said("completed", theirs, 0))
    assert mine.outcome is Outcome.COMPLETE
    counts = talk.counts()
    assert (counts["delivered"], counts.get("foreign", 0)) == (2, 0)
    assert ledger(counts) == counts["received"]


def test_of_no_audience_they_are_foreign() -> None:
    talk = Talk(users=4, turn_id="{uuid}", number=1, audience="{user.number}")
    talk.hear(30, said("completed", talk.protocol.uuid(2), 0))
    assert talk.counts()["foreign"] == 1


# ------------------------------------------------------------------ what another user's event asks for


@pytest.mark.parametrize("named_by", ["mark", "turn"])
def test_nothing_that_is_another_users_is_answered_or_kept(named_by: str) -> None:
    keep = {"keep": {"x": "x"}}
    talk = Talk(
        users=4,
        turn_id="{uuid}",
        number=1,
        heartbeat=[
            AutoReply(on={"type": "ping", **keep}, send="pong"),
            TimedBeat(every="1s", send="beat", answer={"type": "beaten", **keep}),
        ],
        answer=(AutoReply(on={"type": "ask", **keep}, send="yes"),),
        keep=({"type": "note", **keep},),
        ignore=({"type": "broadcast", **keep},),
    )
    mine = talk.begin(1)
    talk.hear(20, said("thinking", mine, user_id="me"))
    theirs = {"user_id": "you"} if named_by == "mark" else {"turn": talk.protocol.uuid(2)}
    talk.hear(
        30, *(said(kind, **theirs, x="theirs") for kind in ("ask", "ping", "beaten", "note", "broadcast"))
    )
    assert (talk.session.kept, talk.session.outbox) == (None, None)
    assert talk.counts() == {"sent": 1, "received": 6, "foreign": 4, "ignored": 1, "coalesced": 4}
    talk.hear(40, said("ask", mine, user_id="me", x=1), said("ping", user_id="me", x=2))
    assert (talk.session.kept, talk.session.outbox) == ({"kept.x": 2}, ["yes", "pong"])
    assert (talk.counts()["answered"], talk.counts()["heartbeat"]) == (1, 1)
