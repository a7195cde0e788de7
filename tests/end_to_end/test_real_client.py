"""A browser's session made a scenario: recorded by `record`, or read from a HAR, and replayed to 20 users."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.browser import CHROMIUM, Tab, tab
from tests.end_to_end.conftest import Launch, RunIt
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import HERE, Server, serving

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

PACKAGES = (
    "socket.io@4",
    "ws@8",
    "graphql@16",
    "graphql-ws@6",
    "@microsoft/signalr@8",
    "cbor@10",
    "protobufjs@7",
)
PACKED = "@microsoft/signalr-protocol-msgpack@8"

USERS = 20

LOADED = """new Promise((done, wrong) => {
  const script = document.createElement("script");
  script.src = "/socket.io/socket.io.js";
  script.onload = () => done(true);
  script.onerror = wrong;
  document.head.append(script);
})"""

ASKED = """(async () => {
  const socket = io(%s, %s);
  const answers = [];
  for (const text of ["Where is my train?", "And when does it leave?", "Why?", "Which platform?"])
    answers.push(await socket.timeout(5000).emitWithAck("ask", { id: crypto.randomUUID(), text }));
  await new Promise((done) => setTimeout(done, 900));
  socket.disconnect();
  return answers.length;
})()"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """npm's socket.io."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("wires")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        subprocess.run([*install, *PACKAGES, PACKED], check=True, cwd=folder, capture_output=True, timeout=60)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install {' '.join(PACKAGES)}: {problem}")
    for name in ("wires_server.cjs", "desk.proto"):
        shutil.copy(HERE / name, folder)
    with serving(["node", folder / "wires_server.cjs"]) as listening:
        yield listening


def ask(page: Tab, url: str, **options: Any) -> None:
    """Ask four questions in a page of the server's own, with its own client."""
    page.until("document.readyState == 'complete' && location.pathname == '/counts'")
    assert page.value(LOADED) is True
    assert page.value(ASKED % (json.dumps(url), json.dumps(options))) == 4


def replayed(run: RunIt, server: Server, scenario: Path) -> Ended:
    """A run of a draft with 20 users, held against the server's own counts."""
    before = server.counts()
    quick = ["--connections", str(USERS), "--duration", "2s", "--set", "load.connect_rate=100/s"]
    quick += ["--set", "thresholds.turn.completion.p95=< 60s"]
    ended = run("run", scenario, *quick, "--set", "load.warmup=0s", "--set", "traffic.every=250ms")
    after = server.counts()
    assert ended.ended_with(0), ended.screen
    counts = ended.manifest["counts"]
    turns, events = counts["turns"], counts["events"]
    assert turns["begun"] == turns["complete"] == turns["due"] >= USERS
    assert after["socketio asked"] - before["socketio asked"] == turns["complete"]
    assert after["socketio connections"] - before["socketio connections"] == USERS
    assert counts["connections"]["ready"] == USERS
    assert events["matched"] == turns["complete"]
    assert events["unmatched"] == events["malformed"] == events["late"] == 0
    assert (
        events["ignored"] + events.get("before_ready", 0)
        == after["socketio noted"] - before["socketio noted"]
    )
    return ended


def test_what_a_browser_said_is_recorded_and_replayed(
    launch: Launch, run: RunIt, server: Server, tmp_path: Path
) -> None:
    frames = tmp_path / "frames.jsonl"
    recording = launch("record", "--listen", "127.0.0.1:0", "--to", server.url(""), "--save", frames)
    out = recording.results.parent / "out"
    recording.until(lambda: "listening at " in out.read_text())
    (address,) = re.findall(r"listening at (ws://\S+);", out.read_text())
    with tab(tmp_path, f"http://127.0.0.1:{server.port}/counts") as page:
        ask(page, address.replace("ws:", "http:"), transports=["websocket"])
    recording.signal(signal.SIGINT)
    recorded = recording.end()
    assert recorded.code == 0, recorded.screen
    assert "Traceback" not in recorded.screen
    (next_line,) = re.findall(r"next: loadtest (init .*)", recorded.out)
    drafted = run(*shlex.split(next_line), "--name", "browser", "--folder", tmp_path)
    assert drafted.code == 0, drafted.screen
    checked = run("protocols", "check", tmp_path / "browser.protocol.toml", "--capture", frames)
    assert checked.code == 0, checked.screen
    replayed(run, server, tmp_path / "browser.toml")


def test_a_client_that_begins_by_http_is_told_what_to_do(
    launch: Launch, server: Server, tmp_path: Path
) -> None:
    recording = launch(
        "record", "--listen", "127.0.0.1:0", "--to", server.url(""), "--save", tmp_path / "f.jsonl"
    )
    out = recording.results.parent / "out"
    recording.until(lambda: "listening at " in out.read_text())
    (address,) = re.findall(r"listening at (ws://\S+);", out.read_text())
    with tab(tmp_path, f"http://127.0.0.1:{server.port}/counts") as page:
        page.until("document.readyState == 'complete' && location.pathname == '/counts'")
        page.value(LOADED)
        once = "new Promise((done) => io(%s, {reconnection: false}).on('connect_error', () => done(true)))"
        assert page.value(once % json.dumps(address.replace("ws:", "http:"))) is True
    recording.signal(signal.SIGINT)
    recorded = recording.end()
    assert recorded.code == 2, recorded.screen
    assert 'transports: ["websocket"]' in recorded.err
    assert "Traceback" not in recorded.screen


class Socket:
    """What the debugging port tells of a WebSocket, in the form in which Chromium exports it."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: dict[str, str] = {}
        self.messages: list[dict[str, Any]] = []

    def note(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Network.webSocketCreated":
            self.url = parameters["url"]
        elif method == "Network.webSocketWillSendHandshakeRequest":
            self.headers = parameters["request"]["headers"]
        elif method in {"Network.webSocketFrameSent", "Network.webSocketFrameReceived"}:
            frame = parameters["response"]
            way = "send" if method.endswith("Sent") else "receive"
            told = {"type": way, "time": parameters["timestamp"]}
            self.messages.append({**told, "opcode": frame["opcode"], "data": frame["payloadData"]})

    def har(self) -> dict[str, Any]:
        headers = [{"name": name, "value": value} for name, value in self.headers.items()]
        entry = {
            "_resourceType": "websocket",
            "_webSocketMessages": self.messages,
            "request": {"method": "GET", "url": self.url, "headers": headers},
        }
        return {"log": {"version": "1.2", "entries": [entry]}}


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids=" then ".join)
def test_what_a_browser_exports_is_imported_and_replayed(
    run: RunIt, server: Server, tmp_path: Path, transports: list[str]
) -> None:
    seen = Socket()
    with tab(tmp_path, f"http://127.0.0.1:{server.port}/counts") as page:
        page.listener = seen.note
        ask(page, f"http://127.0.0.1:{server.port}", transports=transports)
        page.value("1")
    assert seen.url
    har = tmp_path / "session.har"
    har.write_text(json.dumps(seen.har()))
    imported = run("import", "har", har, "--name", "browser", "--folder", tmp_path)
    assert imported.code == 0, imported.screen
    drafted = (tmp_path / "browser.protocol.toml").read_text()
    assert ("began with HTTP" in drafted) == (transports[0] == "polling")
    capture = tmp_path / "browser.jsonl"
    checked = run("protocols", "check", tmp_path / "browser.protocol.toml", "--capture", capture)
    assert checked.code == 0, checked.screen
    ended = replayed(run, server, tmp_path / "browser.toml")
    assert "sid=" not in ended.manifest["target"]["url"]
