"""Turns whose message goes by HTTP, and drafts of a description, held against a FastAPI app that counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.servers import HERE, Server, serving

pytestmark = pytest.mark.long

PROTOCOL = """
name = "posted"
[connect]
path = "/ws"
[turn]
[turn.send]
post = "/ask"
headers = { X-User = "{user.id}" }
json = { user = "{user.id}", id = "{turn.id}", text = "{data.question}" }
[events]
type = ["type"]
turn = ["id"]
first = ["delta"]
end = ["done"]
"""

SCENARIO = """
name = "posted"
protocol = "posted.protocol.toml"
[target]
url = "URL"
query = { user = "{user.id}" }
[load]
connections = 5
duration = "2s"
[traffic]
every = "200ms"
timeout = "20s"
data = DATA
[thresholds]
"turns.complete.ratio" = ">= 10%"
"""

DESCRIPTION = """
asyncapi: 3.0.0
info: { title: Described, version: 1.0.0 }
servers:
  here: { host: "HOST", protocol: ws }
channels:
  chat:
    address: /described
    messages:
      ask:
        payload:
          type: object
          required: [type, request_id]
          properties:
            type: { const: ask }
            request_id: { type: string, format: uuid }
            text: { type: string, examples: ["what is it"] }
      partial: { payload: { $ref: "#/components/schemas/Partial" } }
      answer:
        examples: [{ payload: { type: answer, request_id: "7f0e" } }]
operations:
  ask:
    action: receive
    channel: { $ref: "#/channels/chat" }
    messages: [{ $ref: "#/channels/chat/messages/ask" }]
  tell:
    action: send
    channel: { $ref: "#/channels/chat" }
    messages:
      - { $ref: "#/channels/chat/messages/partial" }
      - { $ref: "#/channels/chat/messages/answer" }
components:
  schemas:
    Partial:
      type: object
      properties: { type: { const: partial }, request_id: { type: string }, text: { type: string } }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving([sys.executable, HERE / "posting_app.py"]) as found:
        yield found


def written(folder: Path, server: Server, questions: list[str]) -> Path:
    rows = ", ".join(f'{{ question = "{each}" }}' for each in questions)
    (folder / "posted.protocol.toml").write_text(PROTOCOL)
    path = folder / "posted.toml"
    path.write_text(SCENARIO.replace("URL", server.url("/ws")).replace("DATA", f"[{rows}]"))
    return path


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_asked_by_http_is_answered_on_the_socket(
    run: RunIt, tmp_path: Path, server: Server, processes: int
) -> None:
    before = server.counts()
    ended = run("run", written(tmp_path, server, ["hello"]), "--processes", str(processes))
    after = server.counts()
    rose = {name: after[name] - before.get(name, 0) for name in after}
    assert ended.code == 0, ended.screen
    counts, metrics = ended.manifest["counts"], ended.manifest["metrics"]
    turns = counts["turns"]
    assert turns["begun"] == turns["complete"] == rose["asked"] == rose["streamed"] == 50
    assert counts["http"].keys() == {"answered"}
    assert counts["http"]["answered"] <= 50
    assert counts["events"]["sent"] == 50
    assert counts["events"]["matched"] == 200
    assert rose.get("by the socket", 0) == 0
    assert metrics["turn.first_event.service"]["n"] == 50
    rows = ended.turns
    assert (rows["sent_ns"] >= rows["intended_ns"]).all()
    assert (rows["done_ns"] > rows["sent_ns"]).all()


def test_a_status_of_an_error_fails_its_turn_and_a_slow_answer_holds_up_nobody(
    run: RunIt, tmp_path: Path, server: Server
) -> None:
    before = server.counts()
    path = written(tmp_path, server, ["hello", "refuse", "hello", "slow", "hello"])
    ended = run("run", path, "--set=thresholds.turns.complete.ratio=>= 99%")
    assert ended.code == 1, ended.screen
    after = server.counts()
    rose = {name: after[name] - before.get(name, 0) for name in after}
    turns = ended.manifest["counts"]["turns"]
    assert turns["begun"] == rose["asked"] == 50
    assert turns["failed"] == rose["refused"] == 10
    assert turns["failed_by"] == {"http 503": 10}
    assert turns["complete"] == rose["streamed"] == 40
    http = ended.manifest["counts"]["http"]
    # The last answers may come when the run is over: their events were quicker.
    assert http.keys() == {"answered", "refused"}
    assert (http["answered"] <= 40, http["refused"]) == (True, 10)
    (said,) = ended.manifest["error_answers"]
    assert said == 'http: the target answered HTTP 503: {"detail":"too busy"}'
    assert "because their HTTP request was answered with 503" in ended.manifest["verdict"]["reason"]
    # Half a second is of the slow ones alone.
    rows = ended.turns[ended.turns["done_ns"] > 0]
    took = rows["done_ns"] - rows["sent_ns"]
    assert rose["slow"] == 10
    assert (took > 400_000_000).sum() == 10


def test_one_turn_can_be_tried(run: RunIt, tmp_path: Path, server: Server) -> None:
    ended = run("try", written(tmp_path, server, ["hello"]))
    assert ended.code == 0, ended.screen
    assert "POST /ask" in ended.screen
    refused = run("try", written(tmp_path, server, ["refuse"]))
    assert refused.code == 1, refused.screen
    assert "http 503" in refused.screen


def test_a_description_becomes_a_run_that_the_server_answers(
    run: RunIt, tmp_path: Path, server: Server
) -> None:
    description = tmp_path / "api.yaml"
    description.write_text(DESCRIPTION.replace("HOST", f"127.0.0.1:{server.port}"))
    drafted = run("import", "asyncapi", description, "--folder", tmp_path, "--name", "described")
    assert drafted.code == 0, drafted.screen
    checked = run("protocols", "check", tmp_path / "described.protocol.toml")
    assert checked.code == 0, checked.screen
    before = server.counts()
    changes = ["load.connections=20", "load.connect_rate=100/s", "load.warmup=0s", "load.duration=1s"]
    changes += ["traffic.every=200ms", "thresholds.turn.completion.p95=< 60s"]
    ended = run("run", tmp_path / "described.toml", *(f"--set={each}" for each in changes))
    assert ended.code == 0, ended.screen
    counts = ended.manifest["counts"]
    assert counts["turns"]["begun"] == counts["turns"]["complete"] > 50
    asked = server.counts()["described ask"] - before.get("described ask", 0)
    assert asked == counts["turns"]["complete"]
    assert counts["events"]["matched"] == 2 * asked
    assert counts["connections"]["ready"] == 20
