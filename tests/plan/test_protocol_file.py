from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.kept_values import kept_names
from loadtest.plan.protocol import AutoReply, Connect, Events, Protocol, ReadyStep, TurnShape
from loadtest.plan.protocol_file import asked_columns, load_protocol
from loadtest.plan.settings import protocol_settings
from loadtest.plan.shipped import shipped_names
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

# As the contract writes it.
AGENT_EVENTS = Protocol(
    name="agent-events",
    connect=Connect(
        path="/ws",
        ready=(ReadyStep(wait={"type": "connection_established"}, within_ns=10_000_000_000),),
        heartbeat=(AutoReply(on={"type": "ping"}, send='{"type":"pong"}'),),
    ),
    turn=TurnShape(
        id="{uuid}",
        message='{"type":"start_agent","payload":{"user_request":"{data.question}",'
        '"thread_id":"{user.thread}","run_id":"{turn.id}"}}',
    ),
    events=Events(
        type=("event", "type"),
        turn=("run_id", "payload.run_id", "data.run_id"),
        user=("user_id", "data.user_id"),
        sequence=("seq", "payload.seq", "data.seq"),
        first=("agent_thinking", "partial_result"),
        end=("agent_completed",),
        fail=("agent_failed", "agent_error", "error_message"),
        required=("agent_started", "agent_completed"),
        pairs=(("tool_executing", "tool_completed"),),
        order=("agent_started", "*", "agent_completed"),
    ),
)

WHOLE = """# About it
name = "mine"
[connect]
path = "/a?b=c"
subprotocols = ["x.v1"]
ready = [
  { wait = { type = "hello", "data.ok" = "yes" }, within = "2s", keep = { thread = "data.thread_id" } },
  { send = '{"t":"{ready.thread}","u":"{user.anything}"}' },
  { pause = "500ms" },
]
heartbeat = [ { on = { type = "ping" }, send = "{ready.thread}" } ]
auth_errors = ["no"]
[turn]
id = "{user.id}-{turn.number}"
message = "{turn.id} {ready.thread} {data.any} {user.any} {now_ms}"
encoding = "binary"
[events]
type = ["type"]
turn = ["id"]
count = 2
refuse = ["busy"]
sequence_start = 1
"""


def test_agent_events_is_that_of_the_contract_and_ignores_acknowledgements() -> None:
    protocol = load_protocol("agent-events")
    assert protocol.connect == AGENT_EVENTS.connect
    assert protocol.turn == AGENT_EVENTS.turn
    for key in (
        "type",
        "turn",
        "user",
        "sequence",
        "first",
        "end",
        "fail",
        "required",
        "pairs",
        "order",
        "count",
    ):
        assert getattr(protocol.events, key) == getattr(AGENT_EVENTS.events, key)
    assert "ack" in protocol.events.ignore


@pytest.mark.parametrize("name", ["echo", "json-id", "json-rpc"])
def test_echo_and_json_id_end_with_one_answer_found_by_id(name: str) -> None:
    protocol = load_protocol(name)
    assert (protocol.events.count, protocol.events.match, protocol.events.turn) == (1, "id", ("id",))
    assert protocol.events.fail == ({"has": "error"},)
    assert "{turn.id}" in protocol.turn.message


@pytest.mark.parametrize("name", shipped_names("protocol"))
def test_shipped_protocols_say_what_they_are_and_go_through_settings(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.about.endswith((".", "events: started, thinking, tools, completed."))
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


def test_every_key_is_read_and_goes_through_settings(folder: Folder) -> None:
    protocol = folder.protocol(WHOLE)
    assert protocol == Protocol(
        name="mine",
        about="About it",
        connect=Connect(
            path="/a?b=c",
            subprotocols=("x.v1",),
            ready=(
                ReadyStep(
                    wait={"type": "hello", "data.ok": "yes"},
                    within_ns=2_000_000_000,
                    keep={"thread": "data.thread_id"},
                ),
                ReadyStep(send='{"t":"{ready.thread}","u":"{user.anything}"}'),
                ReadyStep(pause_ns=500_000_000),
            ),
            heartbeat=(AutoReply(on={"type": "ping"}, send="{ready.thread}"),),
            auth_errors=("no",),
        ),
        turn=TurnShape(
            id="{user.id}-{turn.number}",
            message="{turn.id} {ready.thread} {data.any} {user.any} {now_ms}",
            encoding="binary",
        ),
        events=Events(type=("type",), turn=("id",), count=2, refuse=("busy",), sequence_start=1),
    )
    assert kept_names(protocol) == ["ready.thread", "kept.thread"]
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


def test_the_least_protocol_counts_answers_in_order(folder: Folder) -> None:
    protocol = folder.protocol('[events]\nformat = "opaque"\ncount = 1\n[turn]\nmessage = "hi"\n')
    assert protocol.name == "mine.protocol"
    assert protocol.events == Events(format="opaque", match="order", count=1)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ["0: events are matched by id: write the path of the id as `turn`"]),
        ('name = "a b"\n[events]\nmatch = "order"', ["1: `name` must consist of letters"]),
        ("[events]\nturn = ['a..b']", ['2: "a..b" is not a path; write keys and dots']),
        ("[events]\nturn = ['a b']", ['2: "a b" is not a path']),
        ("[events]\nturn = ['a.b.c.d.e.f.g.h.i']", ['2: the path "a.b.c.d.e.f.g.h.i" has more than 8 keys']),
        (
            "[events]\nturn = ['id']\nend = ['x']",
            ["3: `end` names event types; add `type` to [events], the path of the type in an event"],
        ),
        ("[events]\nturn = ['id']\npairs = [['a', 'b']]", ["3: `pairs` names event types"]),
        (
            "[events]\nformat = 'opaque'\nturn = ['id']\nend = ['x']",
            ['3: remove `turn`: loadtest does not read payloads with format = "opaque"'],
        ),
        ("[events]\nformat = 'opaque'\nmatch = 'id'", ['3: with format = "opaque" loadtest cannot read ids']),
        (
            "[events]\nformat = 'xml'\nturn = ['id']",
            ['2: `format` cannot be "xml"; known here: json, opaque'],
        ),
        ("[events]\nmatch = 'ordr'", ['2: `match` cannot be "ordr"; did you mean `order`?']),
        ("[events]\nmatch = 'order'\ncount = 0", ["3: `count` must be a whole number of at least 1"]),
        (
            "[events]\nturn = ['id']\ntype = ['t']\nend = ['x']\nfail = ['x']",
            ['5: "x" cannot be in both `end` and `fail`'],
        ),
        (
            "[events]\nturn = ['id']\ntype = ['t']\nend = ['x']\nignore = ['x']",
            ['5: "x" cannot be in both `end` and `ignore`'],
        ),
        ("[events]\nmatch = 'order'\npairs = [['a']]", ["3: `pairs` must be a list of pairs such as"]),
        ("[events]\nmatch = 'order'\npairs = 'a'", ["3: `pairs` must be a list of pairs such as"]),
        (
            "[events]\nmatch = 'order'\nmessage = 'x'",
            ["3: unknown key `message`; this key belongs to [turn]"],
        ),
        (
            "[events]\nmatch = 'order'\n[turn]\nend = ['x']",
            ["4: unknown key `end`; this key belongs to [events]"],
        ),
        ("[events]\nmatch = 'order'\n[turn]\nencoding = 'hex'", ['4: `encoding` cannot be "hex"']),
        ("[events]\nmatch = 'order'\n[turn]\nid = 'x'", ["4: `id` must contain {uuid} or {turn.number}"]),
        (
            "[events]\nmatch = 'order'\n[turn]\nid = '{uuid}{turn.id}'",
            ["4: there is no placeholder {turn.id}; did you mean"],
        ),
        (
            "[events]\nmatch = 'order'\n[turn]\nmessage = '{turn.ide}'",
            ["4: there is no placeholder {turn.ide}; did you mean `turn.id`?"],
        ),
        (
            (
                "connect.ready = [{}]\nevents = { turn = 'id' }\n"
                "turn.id = 'x'\nturn.message = '{turn.ide} {ready.kept} {data.any} {user.any}'"
            ),
            [
                "1: a step must have exactly one of",
                "2: `turn` must be a list",
                "3: `id` must contain",
                "4: there is no placeholder {turn.ide}; did you mean `turn.id`?",
            ],
        ),
        (
            "[events]\nmatch = 'order'\n[turn]\nid = '{uuid}{env.HOME}'",
            ["4: there is no placeholder {env.HOME}"],
        ),
        ("[events]\nmatch = 'order'\n[conect]", ["3: unknown key `conect`; did you mean `connect`?"]),
        ("[events]\nmatch = 'order'\n[connect]\npath = 'ws'", ["4: `path` must begin with `/`"]),
        (
            "[events]\nmatch = 'order'\n[connect]\npath = '/a b'",
            ["4: `path` must begin with `/` and contain neither spaces"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\npath = '/{user.id}'",
            ["4: `path` is the same for all users"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nsubprotocols = ['a b']",
            ['4: "a b" cannot be a subprotocol'],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{}]",
            ["4: a step must have exactly one of `wait`, `send` and `pause`, not 0"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{send = 'x', pause = '1s'}]",
            ["4: a step must have exactly one of"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{send = 'x', within = '1s', keep = {a = 'b'}}]",
            ["4: `within` needs `wait`", "4: `keep` needs `wait`"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{wait = {}}]",
            ["4: `wait` is empty; write what to look for"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{wait = {'a..b' = 'x'}}]",
            ['4: "a..b" is not a path'],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nready = [{wait = {a='b'}, keep = {'x y' = 'z', k = '.'}}]",
            ['4: "x y" cannot be the name of a kept value', '4: "." is not a path'],
        ),
        (
            "events.match = 'order'\n\n\nconnect.ready = [{send='{ready.x}'}, {wait={a='b'}, keep={x='y'}}]",
            ["4: there is no placeholder {ready.x}"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nheartbeat = [{on = {type = 'ping'}}]",
            ["4: a heartbeat needs both `on` and `send`"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nleave = {wait = {t = 'p', keep = {a = 'b'}}, x = 1}",
            [
                "4: `leave` needs `send`",
                "4: remove `keep` from the `wait` of `leave`",
                "4: unknown key `x`",
            ],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nleave = {send = '{turn.id}', wait = 'over'}",
            ['4: "over" is an event type', "4: there is no placeholder {turn.id}"],
        ),
        (
            "[events]\nmatch = 'order'\n[connect]\nheartbeat = [{on = {t = 'p'}, send = '{turn.id}'}]",
            ["4: there is no placeholder {turn.id}"],
        ),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentences: list[str]) -> None:
    told = [f"0:{line}" if line.startswith(" ") else line for line in folder.protocol_mistakes(text)]
    assert [line[: len(sentence)] for line, sentence in zip(told, sentences, strict=True)] == sentences


def test_what_only_a_scenario_can_give_is_known(folder: Folder) -> None:
    message = "{data.question} {data.topic} {user.id} {user.desk} {turn.id} {uuid}"
    protocol = folder.protocol(f"[events]\nmatch = 'order'\n[turn]\nmessage = '{message}'")
    assert asked_columns(protocol) == ["data.topic", "user.desk"]


def test_a_subscription_has_neither_count_nor_end(folder: Folder) -> None:
    assert folder.protocol('[events]\nturn = ["id"]').events.count is None


def test_an_unknown_protocol_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean `agent-events`"):
        load_protocol("agent-event", Path("/nowhere"))
