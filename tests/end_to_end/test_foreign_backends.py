"""Backends that are not ours, described by TOML alone: counts and times are those of their own logs.

Two logs by two clocks are held against each other without a word on speed. The clocks differ by some c. A
message is sent before it is received, and an end is received after it was sent: c lies above each (theirs -
ours) of an end, and below each of a message; in the closed model also below that of the message which a user
sends after an end. One time that was taken wrongly by more than a message takes leaves no such c.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.end_to_end.conftest import Begin
from tests.end_to_end.servers import Server, serving

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
    log[message.id].push(result.errors ? 1 : 0, now());
  },
}, new WebSocketServer({ server: http, path: "/graphql" }));
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
"""


def log_of(server: Server) -> dict[int, list[int]]:
    """The server's log, by the number of each turn: the last twelve digits of its id."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/log", timeout=10) as answer:
        found: dict[str, list[int]] = json.load(answer)
    return {int(turn_id[-12:], 16): row for turn_id, row in found.items()}


def one_clock(turns: npt.NDArray[np.void], log: dict[int, tuple[int, int]], slack_ns: int = 0) -> None:
    """There is a difference of clocks by which both logs tell one story.

    ``log``: when the message of each turn was received, and when its end was sent.
    """
    assert len(turns) == len(log)
    above = max(log[int(row["seq"])][1] - int(row["done_ns"]) for row in turns)
    below = min(log[int(row["seq"])][0] - int(row["sent_ns"]) for row in turns)
    for user in np.unique(turns["user"]):
        own = np.sort(turns[turns["user"] == user], order="sent_ns")
        for before, after in pairwise(own):
            assert before["done_ns"] <= after["sent_ns"]
            below = min(below, log[int(after["seq"])][0] - int(before["done_ns"]))
    assert above <= below + slack_ns, f"{above - below} ns apart"


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
    one_clock(turns, {seq: (row[0], row[2]) for seq, row in log.items()})
    # The first word is later than the message, and earlier than the end, by what the server waited.
    first = {int(row["seq"]): int(row["first_ns"] - row["sent_ns"]) for row in turns}
    assert all(first[seq] >= row[1] - row[0] for seq, row in log.items())
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
    one_clock(ended.turns, {seq: (row[0], row[2]) for seq, row in log.items()})


@pytest.mark.parametrize(("name", "by_ns"), [("sent_ns", 9), ("done_ns", -9), ("done_ns", 99)])
def test_a_time_that_is_wrong_is_found(name: str, by_ns: int) -> None:
    """Messages take 4 ns each way, and the server 20; its clock is 1,000 ahead."""
    turns = np.zeros(9, [("seq", "<i8"), ("user", "<i4"), ("sent_ns", "<i8"), ("done_ns", "<i8")])
    turns["seq"] = range(9)
    turns["sent_ns"] = turns["seq"] * 30
    turns["done_ns"] = turns["sent_ns"] + 28
    log = {seq: (seq * 30 + 1_004, seq * 30 + 1_024) for seq in range(9)}
    one_clock(turns, log)
    turns[name][4] += by_ns
    with pytest.raises(AssertionError):
        one_clock(turns, log)


@pytest.fixture(scope="module")
def graphql(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds ``graphql-ws``."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("graphql")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        packages = ["ws@8", "graphql@16", "graphql-ws@5"]
        subprocess.run([*install, *packages], check=True, cwd=folder, capture_output=True, timeout=120)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install graphql-ws: {problem}")
    (folder / "server.js").write_text(GRAPHQL_SERVER)
    return folder


def test_graphql_with_field_errors_in_three_of_ten_answers(
    begin: Begin, graphql: Path, tmp_path: Path
) -> None:
    (tmp_path / "graphql.protocol.toml").write_text(GRAPHQL)
    with serving(["node", graphql / "server.js"]) as server:
        text = SCENARIO.format(protocol="graphql.protocol.toml", url=server.url("/graphql"), ratio="99%")
        (tmp_path / "graphql.toml").write_text(text)
        ended = begin("run", tmp_path / "graphql.toml").end()
        log = log_of(server)
    turns = ended.manifest["counts"]["turns"]
    assert ended.code == 1, ended.screen
    failed = sum(row[1] for row in log.values())
    assert turns["begun"] == len(log) > 50
    assert (turns["failed"], turns["complete"]) == (failed, len(log) - failed)
    assert turns["failed_by"] == {"event": failed}
    assert failed == pytest.approx(0.3 * len(log), abs=3)
    assert "by an error event" in ended.manifest["verdict"]["reason"]
    assert ended.manifest["counts"]["events"]["unmatched"] == 0
    # Times in a double of milliseconds since 1970 are exact to a quarter of a microsecond.
    one_clock(ended.turns, {seq: (row[0], row[2]) for seq, row in log.items()}, slack_ns=2_000)
