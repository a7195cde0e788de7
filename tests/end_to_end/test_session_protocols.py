"""Backends with sessions, after public specifications: heartbeats, auth, ids and values of their own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.two_clocks import Told, by_number, one_clock

pytestmark = pytest.mark.long

HERE = Path(__file__).parent

PHOENIX = """
[connect]
ready = [
  { send = '["1","1","room:1","phx_join",{}]' },
  { wait = { type = "phx_reply", "1" = "1", "4.status" = "ok" } },
]
[[heartbeat]]
every = "300ms"
send = '[null,"{uuid}","phoenix","heartbeat",{}]'
answer = { type = "phx_reply", "2" = "phoenix" }
[turn]
message = '["1","{turn.id}","room:1","ask",{"q":"{data.question}"}]'
[events]
turn = ["1"]
type = ["3"]
end = [{ type = "phx_reply", "4.status" = "ok" }]
fail = [{ type = "phx_reply", "4.status" = "error" }]
ignore = ["presence_diff"]
"""

PROTOCOLS = {
    "phoenix": PHOENIX,
    "phoenix-silent": PHOENIX.replace('"300ms"', '"500ms"'),
    "gateway": """
[connect]
ready = [
  { wait = { op = 10 }, keep = { interval = "d.heartbeat_interval" } },
  { send = '{"op":2,"d":{"token":"{user.id}"}}' },
  { wait = { op = 0, t = "READY" }, keep = { number = "s" } },
]
heartbeat = { every = "{kept.interval}ms", send = '{"op":1,"d":{kept.number}}', answer = { op = 11 } }
[turn]
message = '{"op":20,"nonce":"{turn.id}","q":"{data.question}"}'
[events]
turn = ["d.nonce"]
end = [{ t = "MESSAGE_CREATE", keep = { number = "s" } }]
ignore = [{ t = "TYPING_START", keep = { number = "s" } }]
""",
    "home-assistant": """
[connect]
ready = [
  { wait = "auth_required" },
  { send = '{"type":"auth","access_token":"{user.password}"}' },
  { wait = "auth_ok" },
]
auth_errors = ["auth_invalid"]
[turn]
id = "{turn.number}"
message = '{"id":{turn.id},"type":"call_service","domain":"light","service":"turn_on"}'
[events]
type = ["type"]
turn = ["id"]
end = [{ type = "result", success = true }]
fail = [{ success = false }]
""",
}

PROTOCOLS["realtime"] = """
[connect]
ready = [{ wait = "session.created" }, { send = '{"type":"session.update"}' }, { wait = "session.updated" }]
[turn]
messages = [
  '''{"type":"conversation.item.create","item":{"id":"{turn.id}","type":"message","role":"user",
"content":[{"type":"input_text","text":"{data.question}"}]}}''',
  { wait = "conversation.item.added", within = "2s" },
  '''{"type":"response.create","response":{"conversation":"none","metadata":{"turn":"{turn.id}"},
"input":[{"type":"item_reference","id":"{turn.id}"}]}}''',
]
[events]
type = ["type"]
# What names our turn as well stands behind the server's own id: `adopt` looks at all paths.
turn = ["response_id", "item.id", "response.id", "response.metadata.turn"]
adopt = { on = "response.created", id = "response.id" }
first = ["response.output_text.delta"]
end = [{ type = "response.done", "response.status" = "completed" }]
fail = [{ type = "response.done", "response.status" = "failed" }]
required = ["response.created"]
ignore = ["conversation.item.done"]
"""
PROTOCOLS["responses"] = """
[turn]
message = '{"type":"response.create","stream_id":"{turn.id}","previous_response_id":{last.response}}'
[events]
type = ["type"]
turn = ["stream_id"]
first = ["response.output_text.delta"]
end = [{ type = "response.completed", keep = { response = "response.id" } }]
[[answer]]
on = { type = "response.output_item.done", "item.type" = "function_call" }
send = '{"type":"function_call_output","call_id":"{event.item.call_id}","output":"42"}'
"""
PROTOCOLS["acp"] = """
[connect]
ready = [
  { send = '{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":1}}' },
  { wait = { id = "i", has = "result" } },
  { send = '{"jsonrpc":"2.0","id":"n","method":"session/new","params":{}}' },
  { wait = { id = "n", has = "result.sessionId" }, keep = { conversation = "result.sessionId" } },
]
[turn]
message = '''{"jsonrpc":"2.0","id":"{turn.id}","method":"session/prompt","params":
{"sessionId":"{kept.conversation}","prompt":[{"type":"text","text":"{data.question}"}]}}'''
[events]
turn = ["id", "params.sessionId"]
adopt = { on = { method = "session/update" }, id = "params.sessionId" }
first = [{ method = "session/update" }]
end = [{ "result.stopReason" = "end_turn" }]
fail = [{ has = "error" }]
[[answer]]
on = { method = "session/request_permission" }
send = '''{"jsonrpc":"2.0","id":{event.id},
"result":{"outcome":{"outcome":"selected","optionId":"{event.params.options.0.optionId}"}}}'''
"""
PROTOCOLS["ag-ui"] = """
[turn]
message = '{"threadId":"{user.thread}","runId":"{turn.id}","messages":[{"content":"{data.question}"}]}'
[events]
type = ["type"]
turn = ["runId", "messageId", "toolCallId"]
adopt = [
  { on = "TEXT_MESSAGE_START", id = "messageId" },
  { on = "TOOL_CALL_START", id = "toolCallId" },
]
first = ["TEXT_MESSAGE_CONTENT"]
end = ["RUN_FINISHED"]
fail = ["RUN_ERROR"]
pairs = [["TOOL_CALL_START", "TOOL_CALL_END"], ["TEXT_MESSAGE_START", "TEXT_MESSAGE_END"]]
sent_at = { path = "timestamp", unit = "ms" }
"""

SCENARIO = """
protocol = "{name}.protocol.toml"
[target]
url = "ws://127.0.0.1:{port}/{name}"
{target}
[load]
model = "{model}"
connections = 4
duration = "{duration}"
[traffic]
{every}
burst = {burst}
timeout = "3s"
[thresholds]
"turns.complete.ratio" = ">= {ratio}"
"""

Run = Callable[..., Awaited]


class Stubs(NamedTuple):
    """The stubs, which listen at ``port`` and tell their counts and their log at ``told_port``."""

    port: int
    told_port: int

    def told(self) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.told_port), timeout=10) as asking:
            found: dict[str, Any] = json.loads(asking.makefile().read())
        return found

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = self.told()["counts"]
        return found

    def log(self, name: str) -> dict[int, Told]:
        """When the stub of a name did what, by the number of each turn."""
        return by_number(self.told()["log"][f"/{name}"])


@pytest.fixture(scope="module")
def stubs() -> Iterator[Stubs]:
    process = subprocess.Popen([sys.executable, HERE / "session_stubs.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Stubs(told["port"], told["told"])
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def run(begin: Begin, stubs: Stubs, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run against the stub of a name, which begins at once."""
    folder = tmp_path_factory.mktemp("sessions")

    def run(
        name: str,
        target: str = "",
        duration: str = "1s",
        ratio: str = "99%",
        burst: int = 1,
        every: str = "100ms",
        model: str = "closed",
    ) -> Awaited:
        (folder / f"{name}.protocol.toml").write_text(PROTOCOLS[name], "utf-8")
        file = folder / f"{name}{len(list(folder.iterdir()))}.toml"
        told = {"name": name, "port": stubs.port, "target": target, "duration": duration, "ratio": ratio}
        told |= {"burst": burst, "model": model, "every": every and f'every = "{every}"'}
        file.write_text(SCENARIO.format(**told), "utf-8")
        return begin("run", file)

    return run


def wrong(stubs: Stubs) -> dict[str, int]:
    return {name: n for name, n in stubs.counts().items() if name.startswith("wrong")}


def test_phoenix_channels_with_a_heartbeat_of_the_client(run: Run, stubs: Stubs) -> None:
    ended = run("phoenix", duration="2s").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["due"] == theirs["turns /phoenix"]
    assert counts["events"]["ignored"] == counts["turns"]["due"]
    assert counts["heartbeats"]["sent"] == theirs["heartbeats /phoenix"] >= 4 * 5
    assert counts["heartbeats"]["answered"] >= counts["heartbeats"]["sent"] - 4
    assert counts["events"]["unmatched"] == 0
    one_clock(ended.turns, stubs.log("phoenix"))
    measured = ended.manifest["metrics"]["heartbeat.rtt"]
    assert 0 < measured["min"] <= measured["p50"] < 1000
    assert wrong(stubs) == {}


def test_a_server_that_answers_no_heartbeat_is_dead(run: Run, stubs: Stubs) -> None:
    ended = run("phoenix-silent", duration="2s", model="open").end()
    counts = ended.manifest["counts"]
    assert ended.code == 1, ended.screen
    assert counts["connections"]["ended_by_us"] == {"silent": 4}
    assert counts["heartbeats"] == {"sent": 4, "missed": 4}
    assert "heartbeats_unanswered" in ended.notices
    assert "pings_unanswered" not in ended.notices


def test_a_gateway_that_dictates_its_heartbeat_gets_the_last_number(run: Run, stubs: Stubs) -> None:
    ended = run("gateway", duration="2s").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["due"] == theirs["turns /gateway"]
    one_clock(ended.turns, stubs.log("gateway"))
    assert counts["heartbeats"]["sent"] == theirs["heartbeats /gateway"] >= 4 * 5
    assert counts["events"]["ignored"] == counts["turns"]["due"]
    assert wrong(stubs) == {}


def test_home_assistant_takes_a_token_and_rising_numbers(run: Run, stubs: Stubs) -> None:
    users = "identities = [" + ",".join(f'{{ password = "good-{n}" }}' for n in range(4)) + "]"
    ended = run("home-assistant", users, ratio="70%").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    turns, log = counts["turns"], stubs.log("home-assistant")
    assert turns["begun"] == theirs["turns /home-assistant"] == turns["complete"] + turns["failed"]
    assert turns["failed"] == turns["failed_by"]["event"] == sum(told.failed for told in log.values()) > 4
    one_clock(ended.turns, log)
    assert wrong(stubs) == {}


def test_home_assistant_refuses_a_wrong_token(run: Run) -> None:
    users = "identities = [" + ",".join(f'{{ password = "bad-{n}" }}' for n in range(4)) + "]"
    ended = run("home-assistant", users).end()
    assert ended.code == 3, ended.screen
    assert set(ended.manifest["counts"]["connections"]["refused"]) == {"auth"}


def test_realtime_by_text_names_its_responses_itself(run: Run, stubs: Stubs) -> None:
    ended = run("realtime", ratio="70%", burst=4).end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    turns, events, log = counts["turns"], counts["events"], stubs.log("realtime")
    failed = sum(told.failed for told in log.values())
    assert turns["begun"] == theirs["turns /realtime"] == theirs["items /realtime"] > 30
    assert (turns["complete"], turns["failed"]) == (len(log) - failed, failed)
    assert turns["failed_by"] == {"event": failed}
    assert events["sent"] == 2 * turns["begun"]
    assert events["awaited"] == events["ignored"] == turns["begun"]
    assert events["unmatched"] == 0
    assert events["matched"] == 7 * turns["begun"]
    # A turn is sent when its second message is, each for itself though four are in flight.
    one_clock(ended.turns, log)
    assert ended.manifest["metrics"]["turn.upload"]["n"] == turns["begun"]
    assert ended.manifest["metrics"]["turn.upload"]["min"] >= 5
    assert ended.manifest["metrics"]["turn.completion.service"]["min"] >= 40
    assert ended.manifest["metrics"]["turn.first_event.service"]["min"] >= 10
    assert wrong(stubs) == {}


def test_each_response_continues_the_one_before_and_calls_a_function(run: Run, stubs: Stubs) -> None:
    ended = run("responses", every="", duration="1s").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == theirs["turns /responses"] > 8
    one_clock(ended.turns, stubs.log("responses"))
    assert counts["events"]["answered"] == theirs["calls /responses"] == theirs["turns /responses"]
    assert wrong(stubs) == {}


def test_sessions_of_an_agent_that_asks_for_permissions(run: Run, stubs: Stubs) -> None:
    ended = run("acp", every="", duration="1s").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == theirs["turns /acp"] > 8
    one_clock(ended.turns, stubs.log("acp"))
    assert counts["events"]["answered"] == theirs["permissions /acp"] == theirs["turns /acp"]
    # Three updates and the permission, all of which name the session alone, and the answer.
    assert counts["events"]["matched"] == counts["events"]["received"] == 5 * theirs["turns /acp"]
    assert wrong(stubs) == {}


def test_runs_whose_messages_and_tool_calls_have_ids_of_their_own(run: Run, stubs: Stubs) -> None:
    ended = run("ag-ui", every="", duration="1s").end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == theirs["turns /ag-ui"] > 8
    one_clock(ended.turns, stubs.log("ag-ui"))
    assert counts["events"]["matched"] == counts["events"]["received"] == 8 * theirs["turns /ag-ui"]
    assert ended.manifest["metrics"]["turn.first_event"]["n"] > 8
    # One event in eight was 30 ms old when it went out; that the clocks are one is said.
    age = ended.manifest["metrics"]["event.age"]
    assert age["n"] == counts["events"]["dated"] == counts["events"]["matched"]
    assert age["max_exact"] >= 30
    assert 0 < age["min"] < 30
    assert ended.manifest["generator"]["target_clock"]["same_host"] is True
    assert "age_by_two_clocks" in ended.notices
