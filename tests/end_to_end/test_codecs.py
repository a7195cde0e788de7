"""The protocols with a codec against software that is not ours: our counts are theirs, to the unit."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.descriptors import descriptor_set, desk
from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import LOADTEST, Ended, wait_until
from tests.end_to_end.servers import HERE, Server, serving

pytestmark = pytest.mark.long

PACKAGES = (
    "socket.io@4",
    "ws@8",
    "graphql@16",
    "graphql-ws@6",
    "@microsoft/signalr@8",
    "@microsoft/signalr-protocol-msgpack@8",
    "cbor@10",
    "protobufjs@7",
)

WAMP_PACKAGES = ("ws@8", "fox-wamp@0.6", "autobahn@26")

TURNS = 300
USERS = 10

SCENARIO = """
name = "{name}"
protocol = {protocol}
[target]
url = "{url}"
[load]
connections = {users}
duration = "2s"
[traffic]
rate = "150/s"
turns = {each}
timeout = "20s"
"""


CBOR = """
codec = "cbor"
[connect]
path = "/cbor"
[turn]
message = '{"type":"ask","id":"{turn.id}","text":"{data.question}","sound":{"base64":"AQID"}}'
[events]
type = ["type"]
turn = ["id"]
sequence = ["n"]
first = ["word"]
end = ["done"]
required = [
  { type = "word", sound = "BAU=", has = ["at", "text"], lacks = "nothing" },
  { type = "done", "huge.tag" = 2, "by.2" = "b" },
]
"""

PROTOBUF = """
[codec]
name = "protobuf"
descriptors = "desk.pb"
send = "desk.v1.Ask"
receive = "desk.v1.Event"
[connect]
path = "/protobuf"
[turn]
message = '{"id":"{turn.id}","text":"{data.question}","sentNs":{now_ms},"sound":"AQID","mood":"HURRIED"}'
[events]
turn = ["id"]
sequence = ["number"]
sequence_start = 1
first = [ { has = "word" } ]
end = [ { has = "done" } ]
required = [ { "word.sound" = "BAU=", has = "word.text", mood = "HURRIED" } ]
"""


class Pair(NamedTuple):
    """A run, and what tells of the server afterwards."""

    run: Awaited
    server: Server

    def both(self) -> tuple[Ended, dict[str, int]]:
        ended = self.run.end()
        assert ended.manifest["counts"]["connections"]["ready"] == USERS, ended.screen
        return ended, self.server.counts()


def started(begin: Begin, folder: Path, name: str, url: str, protocol: str | None = None) -> Awaited:
    """A run of the shipped protocol of a name, or of one in a file."""
    path = folder / f"{name}.toml"
    shown = f'"{protocol or name}"'
    path.write_text(SCENARIO.format(name=name, protocol=shown, url=url, users=USERS, each=TURNS // USERS))
    return begin("run", path)


def installed(folder: Path, packages: tuple[str, ...]) -> None:
    """Packages of npm in a folder; the tests that ask for them are skipped where they cannot be had."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    (folder / "package.json").write_text("{}")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")
    install = ["npm", "install", *quiet, *packages]
    try:
        subprocess.run(install, check=True, cwd=folder, capture_output=True, text=True, timeout=60)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install {' '.join(packages)}: {problem}")


@pytest.fixture(scope="module")
def wires(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """Runs against npm's socket.io, graphql-ws, cbor and protobufjs, and Microsoft's parsers of SignalR."""
    folder = tmp_path_factory.mktemp("wires")
    installed(folder, PACKAGES)
    for name in ("wires_server.cjs", "desk.proto"):
        shutil.copy(HERE / name, folder)
    (folder / "desk.pb").write_bytes(descriptor_set(desk()))
    for name, text in {"cbor": CBOR, "protobuf": PROTOBUF}.items():
        (folder / f"{name}.protocol.toml").write_text(text)
    packed = folder / "packed.protocol.toml"
    shown = subprocess.run(
        [*LOADTEST, "protocols", "--show", "signalr"], capture_output=True, text=True, check=True
    )
    packed.write_text(
        shown.stdout.replace('codec = "signalr"', 'codec = { name = "signalr", protocol = "messagepack" }')
    )
    with serving(["node", folder / "wires_server.cjs"]) as server:
        yield {
            "socket-io": Pair(started(begin, folder, "socket-io", server.url("")), server),
            "graphql": Pair(started(begin, folder, "graphql-transport-ws", server.url("/graphql")), server),
            "json": Pair(started(begin, folder, "signalr", server.url("/hub?form=json")), server),
            "messagepack": Pair(
                started(begin, folder, "packed", server.url("/hub?form=messagepack"), str(packed)), server
            ),
            **{
                name: Pair(started(begin, folder, name, server.url(""), f"{name}.protocol.toml"), server)
                for name in ("cbor", "protobuf")
            },
        }


@pytest.fixture(scope="module")
def fox_wamp(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("wamp")
    installed(folder, WAMP_PACKAGES)
    shutil.copy(HERE / "wamp_server.cjs", folder)
    with serving(["node", folder / "wamp_server.cjs"]) as server:
        yield Pair(started(begin, folder, "wamp", server.url("")), server)


@pytest.fixture(scope="module")
def python_socketio(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with serving([sys.executable, HERE / "socketio_server.py", "5", "1"]) as server:
        yield Pair(started(begin, tmp_path_factory.mktemp("python"), "socket-io", server.url("")), server)


def all_complete(ended: Ended) -> dict[str, dict[str, int]]:
    """The counts of a run whose every turn is complete, and in which every event was understood."""
    counts: dict[str, dict[str, int]] = ended.manifest["counts"]
    turns, events = counts["turns"], counts["events"]
    assert turns["begun"] == turns["complete"] == TURNS, ended.screen
    assert events["unmatched"] == events["malformed"] == events["late"] == 0
    assert not ended.manifest["target"]["simulated"]
    return counts


def is_socketio(ended: Ended, theirs: dict[str, int]) -> dict[str, dict[str, int]]:
    counts = all_complete(ended)
    assert theirs["socketio asked"] == counts["events"]["sent"] == counts["events"]["matched"] == TURNS
    assert theirs["socketio connections"] == counts["connections"]["ready"]
    noted = counts["events"]["ignored"] + counts["events"].get("before_ready", 0)
    assert noted == theirs["socketio noted"]
    return counts


def test_npm_socket_io(wires: dict[str, Pair]) -> None:
    ended, theirs = wires["socket-io"].both()
    counts = is_socketio(ended, theirs)
    # The last pong of a user may meet its close, and is then counted by us alone.
    assert 0 < theirs["socketio pong"] <= counts["codec"]["replies"] <= theirs["socketio pong"] + USERS
    assert theirs["socketio message"] == TURNS + USERS


def test_python_socketio(python_socketio: Pair) -> None:
    is_socketio(*python_socketio.both())


def test_npm_graphql_ws(wires: dict[str, Pair]) -> None:
    ended, theirs = wires["graphql"].both()
    counts = all_complete(ended)
    assert theirs["graphql asked"] == TURNS
    assert theirs["graphql connections"] == USERS
    assert counts["events"]["received"] == counts["events"]["matched"] == 2 * TURNS


@pytest.mark.parametrize("form", ["json", "messagepack"])
def test_microsofts_parsers_of_signalr(wires: dict[str, Pair], form: str) -> None:
    ended, theirs = wires[form].both()
    counts = all_complete(ended)
    assert theirs[f"{form} asked"] == TURNS
    assert theirs[f"{form} connections"] == USERS
    assert counts["events"]["matched"] == 2 * TURNS
    assert counts["events"]["ignored"] == USERS


@pytest.mark.parametrize("wire", ["cbor", "protobuf"])
def test_npm_cbor_and_protobufjs(wires: dict[str, Pair], wire: str) -> None:
    ended, theirs = wires[wire].both()
    counts = all_complete(ended)
    assert theirs[f"{wire} asked"] == TURNS
    assert theirs[f"{wire} connections"] == USERS
    events = counts["events"]
    assert events["received"] == events["matched"] == 2 * TURNS
    assert events["lost"] == events["duplicate"] == events["out_of_order"] == 0


def test_npm_fox_wamp(fox_wamp: Pair) -> None:
    ended, theirs = fox_wamp.both()
    counts = all_complete(ended)
    # The callee is a connection as well.
    assert theirs == {"asked": TURNS, "connections": USERS + 1}
    events = counts["events"]
    assert events["matched"] == 2 * TURNS, "a part of each result, and the result"
    # Each of the first calls is published to all users: those who are not subscribed yet get fewer.
    noted = events["ignored"] + events.get("before_ready", 0)
    assert 0 < noted <= 50 * USERS


# ------------------------------------------------------------------ mosquitto

MQTT = {
    0: ('"qos":0,"tag"', 'end_all = ["publish"]', 4),
    1: ('"qos":1,"tag"', 'end_all = ["puback", "publish"]', 4),
    2: ('"qos":2,"tag"', 'end_all = ["pubcomp", "publish"]', 5),
}
"""What is changed of the shipped protocol for each quality of service, and the version of MQTT."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def mosquitto(
    begin: Begin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, tuple[Ended, str]]]:
    """Ended runs by quality of service, each with what the broker's own log says of its clients."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("mosquitto")
    port = free_port()
    settings = f"listener {free_port()} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\n"
    (folder / "mosquitto.conf").write_text(f"{settings}allow_anonymous true\n")
    log = folder / "log"
    with log.open("w") as written:
        broker = subprocess.Popen(
            [program, "-v", "-c", folder / "mosquitto.conf"], stdout=written, stderr=written
        )
        try:
            wait_until(lambda: "running" in log.read_text())
            runs = {qos: _mqtt(begin, folder, qos, port).end() for qos in MQTT}
        finally:
            broker.terminate()
            broker.wait(10)
    said = log.read_text()
    return {qos: (ended, _lines(said, ended)) for qos, ended in runs.items()}


def _mqtt(begin: Begin, folder: Path, qos: int, port: int) -> Awaited:
    sent, ends, version = MQTT[qos]
    shown = subprocess.run(
        [*LOADTEST, "protocols", "--show", "mqtt"], capture_output=True, text=True, check=True
    )
    text = shown.stdout.replace('"qos":1,"tag"', sent).replace('end_all = ["puback", "publish"]', ends)
    text = text.replace('"keepalive":60', f'"keepalive":60,"version":{version}').replace(
        '"qos":1}', f'"qos":{qos}}}'
    )
    text = text.replace('every = "30s"', 'every = "500ms"').replace(
        '{ type = "pingresp" } }', '{ type = "pingresp" }, within = "500ms" }'
    )
    path = folder / f"qos{qos}.protocol.toml"
    path.write_text(text)
    return started(begin, folder, f"mqtt-{qos}", f"ws://127.0.0.1:{port}/mqtt", str(path))


def _lines(said: str, ended: Ended) -> str:
    """What a log says of the clients of one run."""
    run_id = ended.manifest["id"]
    return "\n".join(line for line in said.splitlines() if run_id in line)


@pytest.mark.parametrize("qos", MQTT)
def test_mosquitto(mosquitto: dict[int, tuple[Ended, str]], qos: int) -> None:
    ended, log = mosquitto[qos]
    counts = all_complete(ended)

    def told(what: str) -> int:
        return len(re.findall(rf": {what} (?:from|to) ", log))

    acknowledged = {0: 0, 1: 1, 2: 2}[qos]
    assert told("Received PUBLISH") == told("Sending PUBLISH") == counts["events"]["sent"] == TURNS
    assert counts["events"]["matched"] == TURNS * (1 + acknowledged)
    assert told("Received PUBACK") == told("Sending PUBACK") == (TURNS if qos == 1 else 0)
    assert told("Received PUBCOMP") == told("Sending PUBCOMP") == (TURNS if qos == 2 else 0)
    replies = (
        told("Received PUBACK") + told("Received PUBREC") + told("Received PUBREL") + told("Received PUBCOMP")
    )
    assert counts.get("codec", {}).get("replies", 0) == replies
    beats = counts["heartbeats"]
    assert told("Received PINGREQ") == beats["sent"] > 0
    assert told("Sending PINGRESP") >= beats["answered"] > 0


# ------------------------------------------------------------------ stubs after descriptions


@pytest.fixture(scope="module")
def stubs(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    folder = tmp_path_factory.mktemp("stubs")
    servers = {name: serving([sys.executable, HERE / "wire_stubs.py"]) for name in STUBBED}
    listening = {name: server.__enter__() for name, server in servers.items()}
    try:
        yield {
            name: Pair(started(begin, folder, name, server.url("")), server)
            for name, server in listening.items()
        }
    finally:
        for server in servers.values():
            server.__exit__(None, None, None)


STUBBED = {"action-cable": 1, "phoenix": 1, "centrifugo": 1, "stomp": 2}
"""Events of a turn, by protocol."""


@pytest.mark.parametrize("name", STUBBED)
def test_a_stub_after_a_description(stubs: dict[str, Pair], name: str) -> None:
    ended, theirs = stubs[name].both()
    counts = all_complete(ended)
    assert theirs["asked"] == TURNS
    assert counts["events"]["matched"] == STUBBED[name] * TURNS
    if name == "centrifugo":
        assert theirs["pongs"] == counts["events"]["heartbeat"] == USERS
