"""What we send compressed, held against servers that count bytes themselves: ``websockets``, npm's ws."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import HERE, Server, serving

pytestmark = pytest.mark.long

NODE = """
const { createServer } = require("http");
const { WebSocketServer } = require("ws");
const counts = { connections: 0, negotiated: 0, messages: 0, payload_in: 0, payload_out: 0, wire_in: 0 };
const app = createServer((request, response) => response.end(JSON.stringify({ "": counts })));
const agreed = JSON.parse(process.argv[2]);
const sockets = new WebSocketServer({ server: app, perMessageDeflate: agreed });
sockets.on("connection", talk => {
  const socket = talk._socket, before = socket.bytesRead;
  counts.connections++;
  counts.negotiated += talk.extensions ? 1 : 0;
  talk.on("message", (data, isBinary) => {
    counts.messages++;
    counts.payload_in += data.length;
    counts.payload_out += data.length;
    talk.send(data, { binary: isBinary });
  });
  talk.on("close", () => { counts.wire_in += socket.bytesRead - before; });
});
app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: app.address().port })));
"""

PROTOCOL = """
name = "said"
[turn]
message = '{"id":"{turn.id}","kind":"question","text":"{data.question}","again":"{data.question}"}'
[events]
turn = ["id"]
count = 1
"""

SCENARIO = """
name = "said"
protocol = "said.protocol.toml"
[target]
url = "URL"
compression = { send = true }
[load]
connections = 4
duration = "1s"
[traffic]
every = "20ms"
burst = 3
timeout = "20s"
[thresholds]
"turns.complete.ratio" = ">= 100%"
"""

CLOSE_FRAME = 8
"""Bytes of the frame by which we leave: head, mask and code."""


def begun(begin: Begin, folder: Path, server: Server) -> tuple[Awaited, Server]:
    folder.mkdir()
    (folder / "said.protocol.toml").write_text(PROTOCOL)
    (folder / "said.toml").write_text(SCENARIO.replace("URL", server.url("/")))
    return begin("run", folder / "said.toml"), server


@pytest.fixture(scope="module")
def runs(
    begin: Begin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Awaited, Server]]]:
    folder = tmp_path_factory.mktemp("compressed")
    python = [sys.executable, HERE / "deflate_server.py"]
    with serving(python) as plain, serving([*python, "window=9", "no-context"]) as strict:
        yield {
            "websockets": begun(begin, folder / "websockets", plain),
            "a small window": begun(begin, folder / "strict", strict),
        }


@pytest.fixture(scope="module")
def node_runs(
    begin: Begin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Awaited, Server]]]:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    (folder / "echo.js").write_text(NODE)
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "ws@8"]
    try:
        subprocess.run(install, check=True, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install ws: {problem}")
    node = ["node", folder / "echo.js"]
    strict = '{"threshold":0,"clientMaxWindowBits":10,"clientNoContextTakeover":true}'
    with (
        serving([*node, '{"threshold":0}']) as plain,
        serving([*node, strict]) as window,
        serving([*node, "false"]) as without,
    ):
        yield {
            "ws": begun(begin, folder / "plain", plain),
            "a small window": begun(begin, folder / "window", window),
            "without": begun(begin, folder / "without", without),
        }


def agrees(ended: Ended, theirs: dict[str, int]) -> dict[str, float]:
    """Hold our counts against the server's, to the byte."""
    assert ended.code == 0, ended.screen
    counts = ended.manifest["counts"]
    assert counts["turns"]["complete"] == theirs["messages"] == counts["events"]["sent"] > 100
    found: dict[str, float] = counts["compression"]
    assert found["negotiated"] == theirs["negotiated"] == theirs["connections"] == 4
    assert found["sent_payload"] == theirs["payload_in"]
    assert found["sent_wire"] == theirs["wire_in"] - CLOSE_FRAME * theirs["connections"]
    assert found["received_payload"] == theirs["payload_out"]
    assert found["sent_ratio"] == round(theirs["payload_in"] / found["sent_wire"], 3)
    assert "compression_not_negotiated" not in ended.notices
    return found


@pytest.mark.parametrize("name", ["websockets", "a small window"])
def test_websockets_counts_the_same(runs: dict[str, tuple[Awaited, Server]], name: str) -> None:
    run, server = runs[name]
    ended = run.end()
    theirs = server.counts()
    found = agrees(ended, theirs)
    assert theirs["wire_out"] - 4 * theirs["connections"] <= found["received_wire"] <= theirs["wire_out"]
    # With the context of what was said before, all but the ids is said already.
    assert found["sent_ratio"] > (2.5 if name == "websockets" else 1)


@pytest.mark.parametrize("name", ["ws", "a small window"])
def test_ws_counts_the_same(node_runs: dict[str, tuple[Awaited, Server]], name: str) -> None:
    run, server = node_runs[name]
    ended = run.end()
    found = agrees(ended, server.counts())
    assert found["sent_ratio"] > (2.5 if name == "ws" else 1)
    report = (ended.folder / "report.md").read_text()
    assert "times the" in report
    assert "connections with compression" in report


def test_a_server_that_does_not_agree_is_told(node_runs: dict[str, tuple[Awaited, Server]]) -> None:
    run, server = node_runs["without"]
    ended = run.end()
    theirs = server.counts()
    assert ended.code == 0, ended.screen
    assert theirs["negotiated"] == 0
    counts = ended.manifest["counts"]
    assert counts["compression"] == {"not_negotiated": 4}
    assert counts["turns"]["complete"] == theirs["messages"]
    assert (
        "Compression was not negotiated on 4 of 4 connections"
        in ended.notice("compression_not_negotiated")["message"]
    )
    assert "not negotiated" in (ended.folder / "report.md").read_text()
