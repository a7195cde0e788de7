"""docs/backends.md: its files, saved as a reader would, against real software, or stubs where it says so."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.end_to_end.browser import CHROMIUM, tab
from tests.end_to_end.conftest import RunIt
from tests.end_to_end.documents import ROOT, blocks
from tests.end_to_end.parts import free_port
from tests.end_to_end.servers import HERE, Server, serving

pytestmark = pytest.mark.long

PAGE = ROOT / "docs" / "backends.md"
PACKAGES = ("y-websocket@1", "yjs@13", "ws@8")
LONGEST_CODEC = 60


def saved(folder: Path) -> None:
    for block in blocks(PAGE):
        if block.file:
            (folder / block.file).write_text(block.text, "utf-8")


def asked(port: int) -> int:
    """How often the pages of a browser were asked, as they know it themselves."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        pages = [page["webSocketDebuggerUrl"] for page in json.load(answer)]
    found = 0
    for page in pages:
        with connect(page, compression=None) as socket:
            expression = {"expression": "globalThis.asked || 0", "returnByValue": True}
            socket.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": expression}))
            found += json.loads(socket.recv(timeout=10))["result"]["result"]["value"]
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_a_browser_that_is_driven(run: RunIt, tmp_path: Path) -> None:
    saved(tmp_path)
    with tab(tmp_path, "about:blank"):
        port = int((tmp_path / "profile" / "DevToolsActivePort").read_text().splitlines()[0])
        ended = run("run", tmp_path / "devtools.toml", "--target", f"ws://127.0.0.1:{port}")
        theirs = asked(port)
    assert ended.ended_with(0), ended.screen
    counts = ended.manifest["counts"]
    assert counts["turns"]["complete"] == counts["turns"]["begun"] == theirs > 100
    assert counts["events"]["matched"] == theirs
    assert counts["events"]["unmatched"] == counts["events"]["malformed"] == 0
    assert counts["connections"]["ready"] == 5
    wrong = (tmp_path / "devtools.protocol.toml").read_text().replace("globalThis.asked =", "nothing.here =")
    (tmp_path / "devtools.protocol.toml").write_text(wrong)
    with tab(tmp_path / "again", "about:blank"):
        port = int((tmp_path / "again" / "profile" / "DevToolsActivePort").read_text().splitlines()[0])
        failed = run("run", tmp_path / "devtools.toml", "--target", f"ws://127.0.0.1:{port}")
    assert failed.ended_with(1), failed.screen
    assert failed.manifest["counts"]["turns"]["failed"] == failed.manifest["counts"]["turns"]["begun"] > 100


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("yjs")
    (folder / "package.json").write_text("{}")
    install = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=1",
        *PACKAGES,
    ]
    try:
        subprocess.run(install, check=True, cwd=folder, capture_output=True, timeout=90)
    except subprocess.SubprocessError as problem:
        pytest.skip(f"npm could not install {' '.join(PACKAGES)}: {problem}")
    shutil.copy(HERE / "yjs_server.cjs", folder)
    with serving(["node", folder / "yjs_server.cjs"]) as server:
        yield server


def test_presence_in_a_shared_document(run: RunIt, document: Server, tmp_path: Path) -> None:
    saved(tmp_path)
    assert len((tmp_path / "yjs_codec.py").read_text().splitlines()) <= LONGEST_CODEC
    found_here = {"PYTHONPATH": str(tmp_path)}
    target = ["--target", document.url("")]
    ended = run("run", tmp_path / "yjs.toml", *target, environment=found_here)
    theirs = document.counts()
    assert ended.ended_with(0), ended.screen
    counts = ended.manifest["counts"]
    turns, deliveries = counts["turns"], counts["deliveries"]
    assert turns["complete"] == turns["begun"] == theirs["presence"] > 40
    assert theirs["connections"] == counts["connections"]["ready"] == 8
    # A step of our own, an answer to the server's, and each move.
    assert theirs["frames"] == 2 * 8 + turns["begun"]
    assert counts["codec"]["replies"] == 8
    assert deliveries.get("missing", 0) == 0
    assert deliveries["due"] <= theirs["copies"] - turns["begun"]
    assert counts["events"]["malformed"] == counts["events"]["unmatched"] == 0
    assert ended.manifest["metrics"]["delivery.time"]["n"] >= deliveries["due"] > 0


# ---------------------------------------------------------------- stubs of two

STUBS = HERE / "desk_servers.py"
SHORT = ("--duration", "2s", "--set", "load.warmup=0s", "--set", "traffic.every=250ms")


@pytest.mark.parametrize("name", ["jupyter", "nats"])
@pytest.mark.parametrize("fails", [0, 3])
def test_counts_are_those_of_the_stub(run: RunIt, tmp_path: Path, name: str, fails: int) -> None:
    saved(tmp_path)
    known = {"PYTHONPATH": str(tmp_path), "JUPYTER_TOKEN": "trial"}
    with serving([sys.executable, STUBS, name, str(fails)]) as server:
        ended = run("run", tmp_path / f"{name}.toml", "--target", server.url(""), *SHORT, environment=known)
        theirs = server.counts()
    counts = ended.manifest["counts"]
    turns, events = counts["turns"], counts["events"]
    assert turns["begun"] == theirs["asked"] > 40
    assert (turns["complete"], turns["failed"]) == (theirs["ok"], theirs.get("error", 0)), ended.screen
    assert (events["unmatched"], events["malformed"] or 0) == (0, 0)
    found = {notice["code"]: notice for notice in ended.manifest["notices"]}
    assert "delivery_faults" not in found
    if name == "jupyter":
        # The kernel says that it is idle after the error's reply: that is of a turn which is over.
        assert events["late"] == events.get("after_failure", 0) == theirs.get("error", 0)
    else:
        # A turn that fails ends with its first line; the lines of headers and of payload are ignored.
        assert events["late"] == 0
        assert theirs["CONNECT"] == theirs["SUB"] == counts["connections"]["ready"] == 12
    assert ended.ended_with(1 if fails else 0), ended.screen


@pytest.mark.parametrize("name", ["jupyter", "nats"])
def test_the_protocol_is_understood_without_a_doubt(run: RunIt, tmp_path: Path, name: str) -> None:
    saved(tmp_path)
    known = {"PYTHONPATH": str(tmp_path)}
    checked = run("protocols", "check", tmp_path / f"{name}.protocol.toml", environment=known)
    assert checked.ended_with(0), checked.screen
    assert "to look at" not in checked.screen


def test_messages_of_the_kernel_come_back_as_they_were_sent(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "jupyter_codec.py"
    assert len(path.read_text("utf-8").splitlines()) <= 29
    spec = spec_from_file_location("jupyter_codec", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    codec = module.Kernel()
    message = {"channel": "shell", "header": {"msg_id": "ö"}, "content": {"code": "1"}}
    frame = codec.encode(message)
    assert list(codec.decode(frame)) == [{**message, "parent_header": {}, "metadata": {}, "buffers": 0}]
    for end in range(len(frame)):
        with pytest.raises((ValueError, struct.error, KeyError)):
            list(codec.decode(frame[:end]))
    with pytest.raises(ValueError, match="a text frame"):
        list(codec.decode("{}"))


# ---------------------------------------------------------------- a real broker, and a service of our own


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("nats-server")
    if program is None:
        pytest.skip("nats-server is not installed")
    ports = [free_port(), free_port()]
    (tmp_path / "nats.conf").write_text(
        f'listen: 127.0.0.1:{ports[0]}\nwebsocket {{\n  listen: "127.0.0.1:{ports[1]}"\n  no_tls: true\n}}\n'
    )
    process = subprocess.Popen([program, "-c", tmp_path / "nats.conf"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert any("Server is ready" in line for line in process.stderr)
        yield ports[1]
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


@contextmanager
def service(port: int, fails: int) -> Iterator[dict[str, int]]:
    """Answers what is asked of ``desk.ask``, and counts it; ``fails`` of ten by an error with headers."""
    counts = {"ok": 0, "error": 0}
    head = b"NATS/1.0\r\nNats-Service-Error-Code: 500\r\n\r\n"

    def answer(words: list[bytes], payload: bytes) -> bytes:
        bad = sum(counts.values()) * 7 % 10 < fails
        counts["error" if bad else "ok"] += 1
        body = head + payload if bad else b"answer " + payload
        sizes = b"%d %d" % (len(head), len(body)) if bad else b"%d" % len(body)
        return b"%b %b %b\r\n%b\r\n" % (b"HPUB" if bad else b"PUB", words[3], sizes, body)

    with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
        socket.send(
            b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB desk.ask 1\r\nPING\r\n'
        )
        data = b""
        while b"PONG\r\n" not in data:
            data += bytes(socket.recv(timeout=10))

        def serve() -> None:
            rest = b""
            for frame in socket:
                rest += bytes(frame)
                if rest.startswith(b"PING\r\n"):
                    rest = rest.removeprefix(b"PING\r\n")
                    socket.send(b"PONG\r\n")
                while len(pieces := rest.split(b"\r\n", 2)) == 3 and pieces[0].startswith(b"MSG"):
                    rest = pieces[2]
                    socket.send(answer(pieces[0].split(), pieces[1]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield counts
    thread.join(10)


@pytest.mark.parametrize(("encoding", "fails"), [("text", 0), ("binary", 3)])
def test_a_broker_that_speaks_in_lines(
    run: RunIt, broker: int, tmp_path: Path, fails: int, encoding: str
) -> None:
    saved(tmp_path)
    path = tmp_path / "nats.protocol.toml"
    path.write_text(
        path.read_text("utf-8").replace("[turn]\n", f'[turn]\nencoding = "{encoding}"\n'), "utf-8"
    )
    with service(broker, fails) as theirs:
        target = ("--target", f"ws://127.0.0.1:{broker}")
        ended = run("run", tmp_path / "nats.toml", *target, "--duration", "2s")
    turns, events = (ended.manifest["counts"][name] for name in ("turns", "events"))
    assert turns["begun"] == sum(theirs.values()) > 20
    assert (turns["complete"], turns["failed"]) == (theirs["ok"], theirs["error"])
    assert (events["late"], events["unmatched"]) == (0, 0)
    # A reply is several records of one frame, and one turn at a time is in flight.
    assert "coalesced_reads" not in {notice["code"] for notice in ended.manifest["notices"]}
    assert ended.ended_with(1 if fails else 0), ended.screen
