"""What a protocol says is told key by key: none is left out."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.prepare import HttpRequest
from loadtest.plan.protocol import (
    Adopt,
    AutoReply,
    Connect,
    CountAt,
    Events,
    Leave,
    MessageStep,
    Protocol,
    ReadyStep,
    SentAt,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.plan.protocol_summary import understood

KEEP = {"type": "welcome", "keep": {"desk": "desk.id"}}

EVERY = Protocol(
    name="every",
    about="has every key",
    connect=Connect(
        path="/desk",
        subprotocols=("v1", "v2"),
        ready=(
            ReadyStep(wait=KEEP, within_ns=5 * 10**9, keep={"user": "user"}),
            ReadyStep(send="{x}" * 60),
            ReadyStep(pause_ns=10**6),
        ),
        heartbeat=(
            AutoReply(on="ping", send="pong", keep={"n": "n"}),
            TimedBeat(every="30s", send="hb", answer={"op": 11, "keep": {"m": "m"}}),
            TimedBeat(every="{kept.i}ms", send="hb"),
        ),
        auth_errors=("denied",),
        leave=Leave(send="bye", wait="over"),
    ),
    turn=TurnShape(
        id="{turn.number}",
        messages=(
            MessageStep(send="one"),
            MessageStep(wait="stored", within_ns=10**9),
            MessageStep(wait="stored"),
            MessageStep(pause_ns=10**6),
            MessageStep(send="two"),
        ),
        encoding="binary",
    ),
    events=Events(
        format="text",
        pattern="(?P<type>.)(?P<turn>.)",
        match="order",
        ordered=True,
        type=("type",),
        turn=("id",),
        user=("user",),
        sequence=("n",),
        sequence_start=1,
        first=("note",),
        audio=("sound",),
        end=({"type": "closed", "keep": {"last": "id"}},),
        end_all=("a", "b"),
        fail=("bad",),
        refuse=("busy",),
        required=("note", "closed"),
        pairs=(("on", "off"),),
        order=("note", "*"),
        ignore=({"type": "news", "keep": {"news": "n"}},),
        answer=(AutoReply(on="please", send="here"),),
        keep=({"type": "tick", "keep": {"tick": "n"}},),
        adopt=(Adopt(on="made", id="made.id"),),
        count=CountAt(path="chunks", of="chunk"),
        sent_at=SentAt(path="at", unit="ms"),
        audience="{user.room}",
    ),
)


def told(protocol: Protocol) -> list[str]:
    return [f"{topic}: {sentence}" for topic, sentence in understood(protocol)]


def changed(part: Any, name: str) -> Any:
    """A part without one of its keys."""
    (field,) = [each for each in fields(part) if each.name == name]
    factory = field.default_factory
    default = field.default if factory is MISSING else factory()
    return replace(part, **{name: default})


@pytest.mark.parametrize("name", [each.name for each in fields(Events)])
def test_every_key_of_events_is_told(name: str) -> None:
    events = EVERY.events
    if name in {"type", "format"}:
        events = replace(events, format="json")
    if name == "turn":
        events = replace(events, match="id")
    less = changed(events, name) if name != "format" else EVERY.events
    assert told(replace(EVERY, events=events)) != told(replace(EVERY, events=less))


@pytest.mark.parametrize("name", [each.name for each in fields(Connect)])
def test_every_key_of_connect_is_told(name: str) -> None:
    assert told(EVERY) != told(replace(EVERY, connect=changed(EVERY.connect, name)))


def test_a_last_word_that_waits_for_nothing() -> None:
    plain = replace(EVERY, connect=replace(EVERY.connect, leave=Leave(send="bye")))
    assert "leave: sends bye, then closes" in told(plain)


@pytest.mark.parametrize("name", [each.name for each in fields(TurnShape)])
def test_every_key_of_a_turn_is_told(name: str) -> None:
    plain = replace(EVERY, turn=replace(EVERY.turn, message="x", messages=()))
    by_http = replace(EVERY, turn=replace(EVERY.turn, messages=(), send=HttpRequest(post="/ask")))
    of = {"message": plain, "send": by_http}.get(name, EVERY)
    assert told(of) != told(replace(of, turn=changed(of.turn, name)))


BOTH = "keeps desk.id as {kept.desk}, user as {kept.user}"
NUMBER = "reaches the value at chunks"


def test_the_whole() -> None:
    assert told(EVERY) == [
        "name: every  has every key",
        "path: /desk",
        "subprotocols: v1, v2",
        "ready: after 3 ready steps",
        f"ready step 1: waits for type = welcome, within 5 s; {BOTH}",
        f"ready step 2: sends {'{x}' * 33}{{...",
        "ready step 3: pauses 1 ms",
        "auth_errors: the target refuses the credential with denied",
        "heartbeat: answers ping with pong; keeps n as {kept.n}",
        (
            "heartbeat: every 30s sends hb; gives up the connection without op = 11 within 10 s; keeps m as"
            " {kept.m}"
        ),
        "heartbeat: every {kept.i}ms sends hb; loadtest expects no answer",
        "leave: sends bye, then closes after over",
        "id of a turn: {turn.number}",
        "frames sent: binary",
        "message: one",
        "message: then waits for stored, within 1 s",
        "message: then waits for stored, as long as the turn may take",
        "message: then pauses 1 ms",
        "message: two",
        "events: text, matched in order; the target answers in order",
        "pattern: (?P<type>.)(?P<turn>.)",
        "adopt: the target's own id of a turn is `made.id` of made",
        "first: note",
        "audio: sound",
        f"end: type = closed or all of a and b or when the number of its chunk {NUMBER}",
        "fail: bad",
        "refuse: busy",
        "required: note and closed",
        "pairs: on with off",
        "order: note and then *",
        "ignore: type = news",
        "answer: answers please with here",
        "keep: of type = closed: id as {kept.last}",
        "keep: of type = tick: n as {kept.tick}",
        "keep: of type = news: n as {kept.news}",
        "lost, duplicate, out of order: n, from 1 on",
        "foreign: user",
        "audience: users with the same {user.room} get each other's events",
        "age: the time from at (ms) to arrival, by two clocks",
        "needs of the scenario: {user.room} must be columns of its target.identities or traffic.data",
    ]


def test_a_kind_of_turn_tells_what_it_has_of_its_own() -> None:
    events = Events(type=("type",), turn=("id",), end=("closed",), count=CountAt(path="n"))
    plain = Protocol(name="kinds", events=events, turn=TurnShape(message="ask"))
    ask = TurnKind(turn=plain.turn, events=events)
    cancelled = {"type": "cancelled", "keep": {"by": "by"}}
    cancel = TurnKind(turn=TurnShape(message="cancel"), events=replace(events, end=(cancelled,), count=2))
    lines = told(replace(plain, turns={"ask": ask, "cancel": cancel}))
    assert "end: closed or when the number of its events reaches the value at n" in lines
    assert [line for line in lines if "[" in line] == [
        "message[ask]: as [turn]",
        "message[cancel]: cancel",
        "end[cancel]: type = cancelled or after 2 events",
        "keep[cancel]: of type = cancelled: by as {kept.by}",
    ]


def test_what_the_scenario_must_have_is_told() -> None:
    lines = told(Protocol(name="x", turn=TurnShape(message="{user.desk} {data.topic}")))
    assert lines[-1] == (
        "needs of the scenario: {data.topic}, {user.desk} must be columns of its target.identities or"
        " traffic.data"
    )
    assert "message: none: the scenario or its code must give the message" in told(Protocol(name="x"))


def test_secrets_are_named_and_not_told() -> None:
    connect = Connect(
        subprotocols=("chat", "jwt.hush-hush"), ready=(ReadyStep(send='{"badge":"{secret.BADGE}"}'),)
    )
    message = '{"pin":"{env.PIN}","filler":"' + "x" * 40 + '","password":"hush-hush-hush","n":{turn.number}}'
    lines = told(Protocol(name="x", connect=connect, turn=TurnShape(message=message)))
    assert lines[-1] == "needs of the environment: the environment variables BADGE, PIN (values not shown)"
    assert "hush" not in "".join(lines)


def test_how_frames_hold_messages_is_told_where_a_message_is_no_frame() -> None:
    plain = dict(understood(Protocol(name="plain")))
    assert not {"codec", "framing", "held against"} & plain.keys()
    settings = {"protocol": "messagepack"}
    choice = CodecChoice(name="signalr", settings=settings)
    coded = Protocol(name="hub", codec=choice, held_against="a hub", follows="a page of a hub")
    told = dict(understood(coded))
    assert told["follows"] == "a page of a hub"
    assert told["held against"] == "a hub"
    assert told["codec"].startswith("signalr (protocol = messagepack): paths, matches and messages refer to")
    assert dict(understood(replace(coded, codec=CodecChoice(name="mqtt"))))["codec"].startswith("mqtt: paths")
    framed = Protocol(name="lines", framing=Framing(split="\n", batch=True))
    assert dict(understood(framed))["framing"] == "split = '\\n', batch = True"
