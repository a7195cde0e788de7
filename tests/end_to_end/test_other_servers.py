"""The shipped scenarios against servers that are not ours: our counts are theirs, to the unit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import Ended, quick
from tests.end_to_end.servers import Server, fastapi, serving

pytestmark = pytest.mark.long

NODE_ECHO = """
const { WebSocketServer } = require("ws");
const all = {};
const http = require("http").createServer((request, response) => response.end(JSON.stringify(all)));
const server = new WebSocketServer({ server: http, perMessageDeflate: true });
server.on("connection", (socket, request) => {
  const name = new URL(request.url, "ws://here").searchParams.get("for");
  const counts = all[name] ??= {
    connections: 0, messages_received: 0, events_sent: 0, turns: 0, closed_1000: 0, offered_deflate: 0,
  };
  counts.connections++;
  if (request.headers["sec-websocket-extensions"]) counts.offered_deflate++;
  socket.on("message", (data, isBinary) => {
    counts.messages_received++;
    counts.events_sent++;
    counts.turns++;
    socket.send(data, { binary: isBinary });
  });
  socket.on("close", code => { if (code === 1000) counts.closed_1000++; });
});
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
"""


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds ``ws``."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "ws@8"]
    try:
        subprocess.run(install, check=True, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install ws: {problem}")
    (folder / "echo.js").write_text(NODE_ECHO)
    return folder


def agrees(ended: Ended, theirs: dict[str, int]) -> None:
    """Hold our counts against those of the server."""
    counts = ended.manifest["counts"]
    connections, events, turns = counts["connections"], counts["events"], counts["turns"]
    assert theirs["connections"] > 10
    assert connections["attempted"] == connections["ready"] == theirs["connections"]
    assert connections["established"] == connections["peak"] == theirs["closed_1000"] == theirs["connections"]
    assert turns["begun"] == turns["complete"] == theirs["turns"] == theirs["messages_received"]
    assert events["sent"] == theirs["messages_received"] == len(ended.turns)
    assert events["received"] == events["matched"] == theirs["events_sent"] == ended.turns["events"].sum()
    assert events["unmatched"] == events["foreign"] == events["malformed"] == 0
    assert not ended.manifest["target"]["simulated"]
    assert "SIMULATED" not in ended.screen


class Pair(NamedTuple):
    """A run, and the server that counts it under a name of its own."""

    run: Awaited
    server: Server
    name: str

    def both(self) -> tuple[Ended, dict[str, int]]:
        """The ended run, and what the server counted by then."""
        ended = self.run.end()
        return ended, self.server.counts(self.name)


EASY = "thresholds.turn.first_event.p95=< 10s"
"""For tests that count: how fast a busy machine answers is not their matter."""

PATIENT = ("--set", "traffic.timeout=40s")

PLANS = {
    "plain": ("agent-burst", *quick(), "--set", EASY),
    "compressed": ("agent-burst", *quick(), "--set", EASY, "--set", "target.compression=true"),
    "numbered": ("agent-burst", *quick(), "--set", EASY, "--set", "thresholds.events.lost=== 0"),
    "wild": ("agent-burst", *quick(), "--set", EASY, "--set", "thresholds.events.lost=== 0", "--verbose"),
    "strict": ("agent-burst", *quick(), "--set", "thresholds.turn.first_event.p95=< 1us"),
    "echo": ("echo-steady", *quick("2s"), *PATIENT),
    "compressed echo": ("echo-steady", *quick("2s"), *PATIENT, "--set", "target.compression=true"),
}


def begun(begin: Begin, server: Server, path: str, *names: str) -> dict[str, Pair]:
    """One run for each plan, against one server."""
    pairs = {}
    for name in names:
        url = server.url(f"{path}?for={name.replace(' ', '-')}")
        pairs[name] = Pair(begin("run", *PLANS[name], "--target", url), server, name.replace(" ", "-"))
    return pairs


@pytest.fixture(scope="module")
def pairs(begin: Begin) -> Iterator[dict[str, Pair]]:
    with fastapi() as server:
        agents = begun(begin, server, "/ws", "plain", "compressed", "numbered", "strict")
        agents |= begun(begin, server, "/wild", "wild")
        yield agents | begun(begin, server, "/echo", "echo")


@pytest.fixture(scope="module")
def node_pairs(begin: Begin, node: Path) -> Iterator[dict[str, Pair]]:
    with serving(["node", node / "echo.js"]) as server:
        yield begun(begin, server, "/echo", "echo", "compressed echo")


def test_agent_burst_against_fastapi(pairs: dict[str, Pair]) -> None:
    ended, theirs = pairs["plain"].both()
    assert ended.code == 0, ended.screen
    agrees(ended, theirs)
    assert theirs["offered_deflate"] == 0
    assert ended.manifest["counts"]["turns"]["complete"] == 100
    assert ended.manifest["counts"]["events"]["received"] == 600
    assert ended.manifest["target"]["server"] == "uvicorn"


def test_a_backend_that_numbers_nothing_leaves_loss_unmeasured(pairs: dict[str, Pair]) -> None:
    ended, _ = pairs["numbered"].both()
    events = ended.manifest["counts"]["events"]
    assert ended.code == 4, ended.screen
    assert events["lost"] is events["duplicate"] is events["out_of_order"] is None
    assert {"lost", "duplicate", "out_of_order"} <= events["unmeasured"].keys()
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert rows["events.lost"] == "not_measured"


def test_numbers_that_jump_by_a_billion_leave_loss_unmeasured(pairs: dict[str, Pair]) -> None:
    ended, theirs = pairs["wild"].both()
    counts = ended.manifest["counts"]
    assert ended.code == 4, ended.screen
    agrees(ended, theirs)
    assert counts["events"]["lost"] is counts["events"]["duplicate"] is counts["events"]["expected"] is None
    assert counts["turns"]["misnumbered_by"] == {"gap_too_wide": counts["turns"]["complete"]}
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    assert rows["events.lost"] == "not_measured"
    assert ended.notice("sequence_not_followed")["numbers"]["turns"] == counts["turns"]["complete"]
    assert "do not count" in " ".join(ended.screen.split())


def test_compressed_against_uvicorn(pairs: dict[str, Pair]) -> None:
    plain, _ = pairs["plain"].both()
    ended, theirs = pairs["compressed"].both()
    assert ended.code == 0, ended.screen
    agrees(ended, theirs)
    assert theirs["offered_deflate"] == theirs["connections"]
    for name in ("sent", "received", "matched"):
        assert ended.manifest["counts"]["events"][name] == plain.manifest["counts"]["events"][name]
    sizes = [one.manifest["counts"]["bytes"]["received"] for one in (plain, ended)]
    assert sizes[1] < sizes[0] / 2


def test_a_threshold_that_is_missed_changes_the_code_and_nothing_else(pairs: dict[str, Pair]) -> None:
    ended, theirs = pairs["strict"].both()
    assert ended.code == ended.manifest["verdict"]["exit_code"] == 1, ended.screen
    agrees(ended, theirs)


def test_echo_steady_against_fastapi(pairs: dict[str, Pair]) -> None:
    is_steady(*pairs["echo"].both())


@pytest.mark.parametrize("name", ["echo", "compressed echo"])
def test_echo_steady_against_npm_ws(node_pairs: dict[str, Pair], name: str) -> None:
    ended, theirs = node_pairs[name].both()
    is_steady(ended, theirs)
    assert theirs["offered_deflate"] == (theirs["connections"] if name == "compressed echo" else 0)


def is_steady(ended: Ended, theirs: dict[str, int]) -> None:
    """The shipped scenario wants more turns a second than two seconds with a ramp can have: it fails."""
    assert ended.code == ended.manifest["verdict"]["exit_code"] == 1, ended.screen
    agrees(ended, theirs)
    turns = ended.manifest["counts"]["turns"]
    assert turns["due"] == ended.manifest["load"]["planned"]["turns_due"] > 800
