"""docs/backends.md: its files, saved as a reader would, against a real browser and a real server of Yjs."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.end_to_end.browser import CHROMIUM, tab
from tests.end_to_end.conftest import RunIt
from tests.end_to_end.documents import ROOT, blocks
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
