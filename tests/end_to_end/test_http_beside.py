"""HTTP before the socket and behind a proxy, held against the server's counts; a client made a scenario."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.end_to_end.conftest import Launch, RunIt
from tests.end_to_end.running import wait_until
from tests.end_to_end.servers import HERE, Server, serving

TICKETS = """
name = "tickets"
protocol = "tickets.protocol.toml"

[[prepare]]
name = "login"
post = "/login"
json = { user = "{user.id}", password = "{env.TICKETS_PASSWORD}" }
keep = { token = "access_token" }
once = "user"

[[prepare]]
name = "room"
post = "/rooms"
headers = { Authorization = "Bearer {prepared.token}" }
expect = 201
keep = { room = "data.room", ticket = "data.tickets.0.ticket" }
undo = { delete = "/rooms/{prepared.room}", headers = { Authorization = "Bearer {prepared.token}" } }

[target]
url = "ws://127.0.0.1:PORT"
path = "/rooms/{prepared.room}/ws"
query = { ticket = "{prepared.ticket}" }
proxy = "http://127.0.0.1:PROXY"

[load]
stages = [
  { for = "1s", connections = 4 },
  { for = "1s", connections = 1 },
  { for = "2s", connections = 4 },
]

[traffic]
every = "200ms"

[thresholds]
"turns.complete.ratio" = ">= 100%"
"prepare.time[room].max" = "< 60s"
"""

PROTOCOL = """
name = "tickets"
[turn]
message = '{"id":"{turn.id}","auth":"{prepared.token}"}'
[events]
turn = ["id"]
count = 1
"""


@contextmanager
def tinyproxy(folder: Path) -> Iterator[int]:
    """Debian's tinyproxy on a port that was free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Error\n")
    process = subprocess.Popen(["tinyproxy", "-d", "-c", config], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def own_proxy(_folder: Path) -> Iterator[int]:
    with serving([sys.executable, HERE / "connect_proxy.py"]) as proxy:
        yield proxy.port


PROXIES = {"own": own_proxy, **({"tinyproxy": tinyproxy} if shutil.which("tinyproxy") else {})}


@pytest.mark.long
@pytest.mark.parametrize("proxy", PROXIES)
def test_counts_agree_with_those_of_a_server_that_wants_a_ticket(
    run: RunIt, tmp_path: Path, proxy: str
) -> None:
    app = serving([sys.executable, HERE / "ticket_app.py"])
    with app as server, PROXIES[proxy](tmp_path) as port:
        scenario = tmp_path / "tickets.toml"
        scenario.write_text(TICKETS.replace("PORT", str(server.port)).replace("PROXY", str(port)))
        (tmp_path / "tickets.protocol.toml").write_text(PROTOCOL)
        processes = ["--processes", "2"] if proxy == "own" else []
        ended = run("run", scenario, *processes, environment={"TICKETS_PASSWORD": "open sesame"})
        said = server.counts()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/secrets", timeout=10) as answer:
            given = json.load(answer)
        through = Server(port).counts()["tunnels"] if proxy == "own" else None
    assert ended.code == 0, ended.screen
    counts, metrics = ended.manifest["counts"], ended.manifest["metrics"]
    connections = counts["connections"]
    # Four users, of whom three leave and come back: each visit logs in, and has a ticket and a room.
    assert connections["established"] == connections["ready"] == 7
    names = ("logins", "rooms", "rooms_dropped", "connections")
    assert {name: said[name] for name in names} == dict.fromkeys(names, 7)
    assert said["rooms_left"] == 0
    assert "refused" not in said
    assert said["messages"] == counts["events"]["sent"] == counts["turns"]["complete"]
    assert {name: metrics[f"prepare.time{name}"]["n"] for name in ("", "[login]", "[room]")} == {
        "": 14, "[login]": 7, "[room]": 7,
    }  # fmt: skip
    assert metrics["connect.proxy"]["n"] == 7
    assert ended.notice("proxied")["numbers"]["proxy"] == f"http://127.0.0.1:{port}"
    assert through is None or through >= 7
    # Tokens went with every message and came back: none of them is anywhere.
    assert len(given) == 21
    files = [path for path in ended.folder.rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files) + ended.screen.encode()
    assert b"[redacted]" in everything
    assert [secret for secret in (*given, "open sesame") if secret.encode() in everything] == []


async def _asks(url: str) -> None:
    """A client of the server, as its users have it."""
    async with connect(f"{url}/ask?access_token=a-token-of-the-client") as talk:
        await talk.recv()
        for n in range(5):
            await talk.send(json.dumps({"type": "ask", "id": f"q-{n}", "text": f"what is {n}?"}))
            while json.loads(await talk.recv())["type"] != "done":
                pass


@pytest.mark.long
def test_what_a_client_said_is_replayed_by_twenty_users(launch: Launch, run: RunIt, tmp_path: Path) -> None:
    with serving([sys.executable, HERE / "ticket_app.py"]) as server:
        frames = tmp_path / "frames.jsonl"
        options = ["--listen", "127.0.0.1:0", "--to", f"ws://127.0.0.1:{server.port}", "--save", frames]
        recording = launch("record", *options, "--connections", "1")
        out = recording._paths[0]
        recording.until(lambda: "listening at " in out.read_text())
        asyncio.run(_asks(out.read_text().split()[2].rstrip(";")))
        ended = recording.end()
        assert (ended.code, "21 messages" not in ended.out) == (0, False) or "26 messages" in ended.out
        assert "a-token-of-the-client" not in frames.read_text()
        url = server.url("/ask")
        drafted = run("init", url, "--capture", frames, "--folder", tmp_path, "--name", "asked")
        assert drafted.code == 0, drafted.screen
        checked = run("protocols", "check", tmp_path / "asked.protocol.toml", "--capture", frames)
        assert checked.code == 0, checked.screen
        before = server.counts()
        changes = ["load.connections=20", "load.connect_rate=100/s", "load.warmup=0s", "load.duration=2s"]
        changes += ["traffic.every=200ms", "thresholds.turn.completion.p95=< 60s"]
        replayed = run("run", tmp_path / "asked.toml", *(f"--set={each}" for each in changes))
        said = server.counts()
    assert replayed.code == 0, replayed.screen
    counts = replayed.manifest["counts"]
    assert counts["connections"]["ready"] == 20
    asked = said["asked"] - before["asked"]
    assert asked == said["answered"] - before["answered"] == counts["turns"]["complete"]
    assert counts["turns"]["begun"] == counts["turns"]["complete"]
    # Each answer is four events, all matched.
    assert counts["events"]["matched"] == 4 * asked
