"""Backends that are not ours, described by TOML alone: counts and times are those of their own logs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Begin
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import Server, serving
from tests.end_to_end.two_clocks import Told, by_number, one_clock

HERE = Path(__file__).parent

pytestmark = pytest.mark.long

CHAT = """
[connect]
ready = [{ wait = "hello" }]
[turn]
message = '{"id":"{turn.id}","text":"{data.question}"}'
[events]
type = ["type"]
turn = ["id"]
sequence = ["n"]
first = ["word"]
end = ["end"]
"""

GRAPHQL = """
[connect]
subprotocols = ["graphql-transport-ws"]
ready = [{ send = '{"type":"connection_init"}' }, { wait = "connection_ack" }]
heartbeat = [{ on = "ping", send = '{"type":"pong"}' }]
[turn]
message = '''{"id":"{turn.id}","type":"subscribe",
"payload":{"query":"query Ask($q: String) { answer(q: $q) }","variables":{"q":"{data.question}"}}}'''
[events]
type = ["type"]
turn = ["id"]
first = ["next"]
end = ["complete"]
fail = ["error", { type = "next", has = "payload.errors" }]
"""

SCENARIO = """
protocol = "{protocol}"
[target]
url = "{url}"
[load]
model = "closed"
connections = 8
duration = "2s"
[traffic]
timeout = "60s"
[thresholds]
"turns.complete.ratio" = ">= {ratio}"
"""

GRAPHQL_SERVER = """
const { WebSocketServer } = require("ws");
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/lib/use/ws");
const log = {};
let asked = 0;
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6);
const http = require("http").createServer((request, response) => response.end(JSON.stringify(log)));
const schema = buildSchema("type Query { answer(q: String): String }");
const answer = () => {
  if (asked++ % 10 < 3) throw new Error("not today");
  return "because";
};
useServer({
  schema,
  roots: { query: { answer } },
  onSubscribe: (_context, message) => { log[message.id] = [now()]; },
  onNext: (_context, message, _arguments, result) => {
    const at = now();
    log[message.id].push(at, at, result.errors ? 1 : 0);
  },
}, new WebSocketServer({ server: http, path: "/graphql" }));
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
"""

NODE_ECHO = """
const { WebSocketServer } = require("ws");
const log = {};
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6);
const http = require("http").createServer((request, response) => response.end(JSON.stringify(log)));
new WebSocketServer({ server: http }).on("connection", socket => socket.on("message", data => {
  const receivedNs = now();
  setTimeout(() => {
    const at = now();
    log[JSON.parse(data).id] = [receivedNs, at, at];
    socket.send(data, { binary: false });
  }, 5);
}));
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
"""

NODE_TICK_NS = 2_000
"""Times in a double of milliseconds since 1970 are exact to a quarter of a microsecond."""


def log_of(server: Server) -> dict[int, Told]:
    """The server's log, by the number of each turn."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/log", timeout=10) as answer:
        return by_number(json.load(answer))


def test_a_streaming_chat_of_fastapi(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "chat.protocol.toml").write_text(CHAT)
    with serving([sys.executable, HERE / "chat_server.py"]) as server:
        text = SCENARIO.format(protocol="chat.protocol.toml", url=server.url("/chat"), ratio="100%")
        (tmp_path / "chat.toml").write_text(text)
        ended = begin("run", tmp_path / "chat.toml").end()
        log = log_of(server)
    assert ended.code == 0, ended.screen
    counts, turns = ended.manifest["counts"], ended.turns
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == len(log) > 100
    assert counts["events"]["received"] == counts["events"]["matched"] == 5 * len(log)
    assert counts["events"]["lost"] == counts["events"]["unmatched"] == 0
    one_clock(turns, log)
    assert ended.manifest["metrics"]["turn.first_event.service"]["min"] >= 2
    assert ended.manifest["metrics"]["turn.completion.service"]["min"] >= 8


def test_json_rpc_with_notifications_and_requests_of_the_server(begin: Begin, tmp_path: Path) -> None:
    with serving([sys.executable, HERE / "chat_server.py"]) as server:
        text = SCENARIO.format(protocol="json-rpc", url=server.url("/rpc"), ratio="100%")
        (tmp_path / "rpc.toml").write_text(text)
        ended = begin("run", tmp_path / "rpc.toml").end()
        log = log_of(server)
    assert ended.code == 0, ended.screen
    counts = ended.manifest["counts"]
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == len(log) > 100
    assert counts["events"]["ignored"] == counts["events"]["answered"] == len(log)
    assert counts["events"]["received"] == 3 * len(log)
    assert counts["events"]["unmatched"] == 0
    one_clock(ended.turns, log)


def test_an_echo_of_fastapi(begin: Begin, tmp_path: Path) -> None:
    with serving([sys.executable, HERE / "chat_server.py"]) as server:
        (tmp_path / "echo.toml").write_text(
            SCENARIO.format(protocol="echo", url=server.url("/echo"), ratio="100%")
        )
        ended = begin("run", tmp_path / "echo.toml").end()
        log = log_of(server)
    is_an_echo(ended, log)


def is_an_echo(ended: Ended, log: dict[int, Told], slack_ns: int = 0) -> None:
    """Counts and times are those of a server that sends each message back after 5 ms."""
    assert ended.code == 0, ended.screen
    counts, metrics = ended.manifest["counts"], ended.manifest["metrics"]
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == len(log) > 100
    assert counts["events"]["sent"] == counts["events"]["received"] == counts["events"]["matched"] == len(log)
    assert counts["events"]["unmatched"] == counts["events"]["foreign"] == 0
    one_clock(ended.turns, log, slack_ns)
    assert metrics["turn.completion.service"]["min"] >= 4


WRONG_TIMES = [
    ("sent_ns", 9),
    ("sent_ns", -29),
    ("first_ns", -9),
    ("first_ns", 99),
    ("done_ns", -9),
    ("done_ns", 99),
]


@pytest.mark.parametrize(("name", "by_ns"), WRONG_TIMES)
def test_a_time_that_is_wrong_is_found(name: str, by_ns: int) -> None:
    """Messages take 4 ns each way, and the server 10 and again 10; its clock is 1,000 ahead."""
    instants = ("sent_ns", "first_ns", "done_ns")
    turns = np.zeros(9, [(name, "<i8") for name in ("seq", "user", "position", *instants)])
    turns["seq"] = range(9)
    turns["sent_ns"] = turns["seq"] * 30
    turns["first_ns"] = turns["sent_ns"] + 18
    turns["done_ns"] = turns["sent_ns"] + 28
    log = {seq: Told(*(seq * 30 + later for later in (1_004, 1_014, 1_024))) for seq in range(9)}
    one_clock(turns, log)
    turns[name][4] += by_ns
    with pytest.raises(AssertionError):
        one_clock(turns, log)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds ``ws`` and ``graphql-ws``."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        packages = ["ws@8", "graphql@16", "graphql-ws@5"]
        subprocess.run([*install, *packages], check=True, cwd=folder, capture_output=True, timeout=120)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install graphql-ws: {problem}")
    (folder / "graphql.js").write_text(GRAPHQL_SERVER)
    (folder / "echo.js").write_text(NODE_ECHO)
    return folder


def test_an_echo_of_npm_ws(begin: Begin, node: Path, tmp_path: Path) -> None:
    with serving(["node", node / "echo.js"]) as server:
        (tmp_path / "echo.toml").write_text(
            SCENARIO.format(protocol="echo", url=server.url("/"), ratio="100%")
        )
        ended = begin("run", tmp_path / "echo.toml").end()
        log = log_of(server)
    is_an_echo(ended, log, slack_ns=NODE_TICK_NS)


def test_graphql_with_field_errors_in_three_of_ten_answers(begin: Begin, node: Path, tmp_path: Path) -> None:
    (tmp_path / "graphql.protocol.toml").write_text(GRAPHQL)
    with serving(["node", node / "graphql.js"]) as server:
        text = SCENARIO.format(protocol="graphql.protocol.toml", url=server.url("/graphql"), ratio="99%")
        (tmp_path / "graphql.toml").write_text(text)
        ended = begin("run", tmp_path / "graphql.toml").end()
        log = log_of(server)
    turns = ended.manifest["counts"]["turns"]
    assert ended.code == 1, ended.screen
    failed = sum(told.failed for told in log.values())
    assert turns["begun"] == len(log) > 20
    assert (turns["failed"], turns["complete"]) == (failed, len(log) - failed)
    assert turns["failed_by"] == {"event": failed}
    assert failed == pytest.approx(0.3 * len(log), abs=3)
    assert "by an error event" in ended.manifest["verdict"]["reason"]
    assert ended.manifest["counts"]["events"]["unmatched"] == 0
    one_clock(ended.turns, log, slack_ns=NODE_TICK_NS)
