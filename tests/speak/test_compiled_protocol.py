"""A protocol made ready: ids, messages, what is kept, what fits."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from loadtest.plan.protocol import AutoReply, Connect, Events, MessageStep, Protocol, ReadyStep, TurnShape
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.template import Template
from loadtest.plan.trace_parent import trace_parent
from loadtest.speak.compiled_protocol import MAX_TEXT, MAX_VALUE, CompiledProtocol, uuid_prefix
from loadtest.speak.event_rules import END, FAIL


def compiled(
    protocol: Protocol | None = None, *, message: str = "", nonce: str = "n", **more: Any
) -> CompiledProtocol:
    return CompiledProtocol(
        protocol or Protocol(name="p"), message=message, nonce=nonce, timeout_ns=1, **more
    )


def with_id(text: str) -> Protocol:
    return Protocol(name="p", turn=TurnShape(id=text))


def test_a_uuid_is_one_and_names_run_and_turn() -> None:
    made = [compiled(nonce=nonce).uuid(seq) for nonce in ("a", "b") for seq in (0, 1, 2**40)]
    assert len(set(made)) == 6
    for text in made:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)
    assert compiled(nonce="a").uuid(7) == made[0][:-12] + "000000000007"
    assert made[0].startswith(uuid_prefix("a"))


def test_the_same_plan_gives_the_same_ids_in_every_process() -> None:
    assert compiled().turn_id(5, {}, 0) == compiled().turn_id(5, {"user.id": "u"}, 9)


def test_a_turn_id_of_ones_own_making() -> None:
    made = compiled(with_id("{user.id}/{turn.number}/{uuid}/{now_s}"), unix_offset_ns=2_000_000_000)
    assert made.turn_id(3, {"user.id": "u"}, 1_500_000_000) == f"u/3/{made.uuid(3)}/3.500"


def test_a_message_is_filled_in() -> None:
    made = compiled(
        message='{"q":"{data.q}","id":"{turn.id}","n":{turn.number},"t":"{ready.t}","u":"{uuid}","w":"{user.id}"}'
    )
    bound = made.bind_message(made.plain, {"user.id": "u"}, {"ready.t": "t-9"})
    assert bound.template.names == {"data.q", "turn.id", "turn.number", "uuid"}
    text = made.payload(bound, made.turn_id(4, {}, 0), 4, {"data.q": 'say "hi"'})
    uuid_of_turn = made.uuid(4)
    assert json.loads(text) == {
        "q": 'say "hi"',
        "id": uuid_of_turn,
        "n": 4,
        "t": "t-9",
        "u": uuid_of_turn,
        "w": "u",
    }


def test_a_message_whose_only_gap_is_the_id_is_the_same_without_rendering() -> None:
    made = compiled(message='{"id":"{turn.id}","w":"{user.id} \u00fc","u":"{uuid}"}')
    bound = made.bind_message(made.plain, {"user.id": "u"}, None)
    turn_id = made.turn_id(4, {}, 0)
    assert bound.around is not None
    found = {"turn.id": turn_id, "uuid": turn_id}
    assert made.payload(bound, turn_id, 4, {}) == bound.template.render(found).encode()


@pytest.mark.parametrize("message", ['{"id":{turn.id}}', '{"id":"{turn.id}","n":{turn.number}}', "hello"])
def test_any_other_message_is_rendered(message: str) -> None:
    made = compiled(message=message)
    bound = made.bind_message(made.plain, {}, None)
    assert bound.around is None
    turn_id = made.turn_id(4, {}, 0)
    found = {"turn.id": turn_id, "uuid": turn_id, "turn.number": 4}
    assert made.payload(bound, turn_id, 4, {}) == bound.template.render(found).encode()


def test_an_id_that_is_no_uuid_stands_beside_it() -> None:
    made = compiled(with_id("{turn.number}!"), message="{turn.id} {uuid}")
    text = made.payload(made.bind_message(made.plain, {}, None), made.turn_id(4, {}, 0), 4, {})
    assert text == f"4! {made.uuid(4)}".encode()


def test_what_is_said_outside_of_turns() -> None:
    made = compiled(
        Protocol(
            name="p",
            connect=Connect(
                ready=(
                    ReadyStep(wait={"type": "hi"}, keep={"token": "t"}),
                    ReadyStep(send="{ready.token}"),
                    ReadyStep(pause_ns=5),
                ),
                heartbeat=(
                    AutoReply(
                        on={"type": "ping"},
                        send='{"t":{now_ms},"s":"{now_s}","k":"{ready.token}","u":"{user.id}"}',
                    ),
                ),
            ),
        ),
        unix_offset_ns=1_757_000_000_000_000_000,
    )
    (beat,) = made.heartbeat
    text = made.render_text(beat.send, {"user.id": "u"}, None, user=1, nth=0, now_ns=1_002_000_000)
    assert json.loads(text) == {"t": 1_757_000_001_002, "s": "1757000001.002", "k": "", "u": "u"}
    step = made.steps[1]
    assert step.send is not None
    assert made.render_text(step.send, {}, {"ready.token": "kept"}, user=1, nth=0, now_ns=0) == "kept"
    assert [(step.wait and step.wait.words, step.send is None, step.pause_ns) for step in made.steps] == [
        ("type = hi", True, None),
        (None, False, None),
        (None, True, 5),
    ]


def test_a_uuid_outside_of_turns_is_never_said_twice() -> None:
    made = compiled(Protocol(name="p", connect=Connect(ready=(ReadyStep(send="{uuid}"),))))
    send = made.steps[0].send
    assert send is not None
    texts = {
        made.render_text(send, {}, None, user=user, nth=nth, now_ns=0) for user in (0, 1) for nth in (0, 1)
    }
    assert len(texts | {made.uuid(0), made.uuid(1)}) == 6
    assert all(str(uuid.UUID(text)) == text for text in texts)


def test_what_is_kept_is_text() -> None:
    found = {"data": {"id": "t-1", "n": 0, "no": False, "null": None, "all": {"a": 1}}}
    wanted = {"a": "data.id", "b": "data.n", "c": "data.no", "d": "data.null", "e": "data.all", "f": "x.y"}
    ready = {
        "ready.a": "t-1",
        "ready.b": "0",
        "ready.c": "false",
        "ready.d": "",
        "ready.e": '{"a": 1}',
        "ready.f": "",
    }
    kept = {"kept.a": "t-1", "kept.b": 0, "kept.c": False, "kept.e": {"a": 1}}
    assert compiled().values_to_keep(wanted, found) == ({**ready, **kept}, 0)


def test_what_is_heard_of_a_message() -> None:
    made = compiled(Protocol(name="p", events=Events(type=("event", "type"), user=("user", "data.user"))))
    heard = made.hear_any(b'{"type":"a","data":{"user":"u"}}')
    assert (heard.kind, heard.user, heard.turn, heard.sequence) == ("a", "u", None, None)
    assert made.object_in(b"no JSON") == {}
    assert made.hear_any(b"no JSON").found == {}


def opaque(connect: Connect | None = None, **events: Any) -> CompiledProtocol:
    return compiled(
        Protocol(
            name="p", connect=connect or Connect(), events=Events(format="opaque", match="order", **events)
        )
    )


def test_the_type_of_an_opaque_payload_is_all_of_it() -> None:
    made = opaque(end=("ok",), fail=({"prefix": "ERR"}, {"has": "error"}))
    assert made.hear(b"ok").flags & END
    assert made.hear(b"ERR 5").flags & FAIL
    assert made.hear(b'{"error":{}}').flags & FAIL
    assert made.hear(b"\xff").kind == "\ufffd"
    assert not opaque(fail=({"prefix": "E"},)).hear(b"{").found


def test_an_opaque_protocol_that_asks_nothing_reads_nothing() -> None:
    made = opaque(count=1)
    assert made.hear(b"a") is made.hear(b"b")
    assert made.hear_any(b"a").kind == "a"
    beating = opaque(Connect(heartbeat=(AutoReply(on="2", send="3"),)), count=1)
    assert beating.hear(b"2").kind == "2"


def test_a_text_without_end_is_looked_at_in_part() -> None:
    assert len(opaque(end=("x",)).hear(b"a" * 1_000_000).kind or "") == MAX_TEXT


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{"id":{event.id},"n":{event.p.n}}', '{"id":"5","n":7}'),
        ('{"id":"{event.id}","no":"{event.no}","none":{event.no}}', '{"id":"5","no":"","none":null}'),
        ("{event.id} {event.no} {event.p.q-r} {event.l.0}", '5  "deep" 1'),
        ('{"s":"{event.p.q-r}"}', '{"s":"\\"deep\\""}'),
    ],
)
def test_an_answer_holds_values_of_what_it_answers(template: str, text: str) -> None:
    event = {"id": "5", "p": {"n": 7, "q-r": '"deep"'}, "l": [1], "big": "x" * 100_000}
    made = compiled()
    parsed = Template.parse(template)
    assert made.render_text(parsed, {}, None, user=0, nth=0, now_ns=0, event=event) == text


def test_a_value_that_is_sent_back_is_capped() -> None:
    parsed = Template.parse("{event.big}")
    text = compiled().render_text(parsed, {}, None, user=0, nth=0, now_ns=0, event={"big": "x" * 100_000})
    assert len(text) == MAX_VALUE


def test_bytes_are_sent_as_they_are() -> None:
    made = compiled(message="{data.packet}")
    bound = made.bind_message(made.plain, {}, None)
    assert made.payload(bound, "id", 0, {"data.packet": b"\x00\xff"}) == b"\x00\xff"


def test_an_audience_is_of_users_for_whom_it_gives_the_same() -> None:
    protocol = Protocol(name="p", events=Events(turn=("id",), audience="{user.room}"))
    rooms = ({"room": "a"}, {"room": "b"}, {"room": "a"})
    made = CompiledProtocol(protocol, message="", nonce="n", timeout_ns=1, users=3, identities=rooms)
    assert made.is_delivery(made.uuid(2), 0)
    assert not made.is_delivery(made.uuid(1), 0)
    assert not made.is_delivery("of another run", 0)
    assert not compiled(Protocol(name="p", events=Events(turn=("id",)))).is_delivery("x", 0)


def test_users_of_another_population_have_the_audience_that_theirs_gives() -> None:
    protocol = Protocol(name="p", events=Events(turn=("id",), audience="{user.room}"))
    rooms = ({"room": "b"}, {"room": "a"})
    made = CompiledProtocol(
        protocol, message="", nonce="n", timeout_ns=1, users=4, identities=rooms, first_user=2
    )
    assert [made.audience_of(user) for user in (2, 3)] == ["b", "a"]
    made.audience_elsewhere = lambda user: "a" if user < 2 else made.own_audience_of(user)
    assert made.is_delivery(made.uuid(4), 3), "turn 4 is of user 0, who is of another population"
    assert not made.is_delivery(made.uuid(4), 2)


@pytest.mark.parametrize(
    ("events", "opaque", "by_order"),
    [
        (Events(), False, False),
        (Events(match="order"), False, True),
        (Events(format="opaque"), True, True),
    ],
)
def test_how_events_find_their_turn(events: Events, *, opaque: bool, by_order: bool) -> None:
    made = compiled(Protocol(name="p", events=events))
    assert (made.opaque, made.by_order) == (opaque, by_order)


@pytest.mark.parametrize("name", ["agent-events", "echo", "json-id", "json-rpc"])
def test_the_shipped_protocols_are_grammatical(name: str) -> None:
    protocol = load_protocol(name)
    made = compiled(protocol, message=protocol.turn.message)
    values = {"user.id": "u", "user.thread": "t", "user.number": "1", "data.question": "why?"}
    turn_id = made.turn_id(1, values, 0)
    assert turn_id in json.dumps(
        json.loads(made.payload(made.bind_message(made.plain, values, None), turn_id, 1, {}))
    )


def test_random_values_follow_from_the_seed_and_the_turn() -> None:
    message = '{"id":"{turn.id}","n":{random.int 1 1000000},"m":{random.int 1 1000000},"u":"{uuid4}"}'

    def sent(seq: int, **changed: Any) -> dict[str, Any]:
        made = compiled(message=message, **changed)
        found: dict[str, Any] = json.loads(
            made.payload(made.bind_message(made.plain, {}, None), "t", seq, {})
        )
        return found

    first = sent(1, seed=5)
    assert first == sent(1, seed=5)
    assert first["n"] != first["m"]
    assert {first["n"], sent(2, seed=5)["n"], sent(1, seed=6)["n"]} != {first["n"]}
    assert sent(2, seed=5)["u"] != first["u"]


def test_random_values_outside_of_turns() -> None:
    made = compiled(
        Protocol(name="p", connect=Connect(ready=(ReadyStep(send="{random.choice a b c} {now.iso}"),)))
    )
    send = made.steps[0].send
    assert send is not None
    texts = [made.render_text(send, {}, None, user=user, nth=0, now_ns=0) for user in range(50)]
    assert {text.split()[0] for text in texts} == {"a", "b", "c"}
    assert {text.split()[1] for text in texts} == {"1970-01-01T00:00:00.000Z"}


def test_a_trace_context_follows_from_the_run_and_the_turn() -> None:
    """Who exports spans later finds the ids that were sent, in every message of a turn."""
    messages = (MessageStep(send='{"id":"{turn.id}"}'), MessageStep(send='{"trace":"{trace.parent}"}'))
    several = Protocol(name="p", turn=TurnShape(id="{uuid}", messages=messages))
    for seq in (1, 2):
        made = compiled(message='{"id":"{turn.id}","trace":"{trace.parent}"}', nonce="run")
        turn_id = made.turn_id(seq, {}, 0)
        told = trace_parent("run", turn_id)
        bound = made.bind_message(made.plain, {"run.id": "run"}, None)
        assert json.loads(made.payload(bound, turn_id, seq, {}))["trace"] == told
        written = made.payload_written("{turn.id} {trace.parent} {raw:else.where}", turn_id, seq, {})
        assert written.decode() == f"{turn_id} {told} {{else.where}}"
        more = compiled(several, nonce="run")
        assert more.turn_values(more.plain, turn_id, seq, {})["trace.parent"] == told
