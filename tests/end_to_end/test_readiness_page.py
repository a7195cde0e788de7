"""Every command of docs/readiness.md run as a newcomer would: two terminals, the page, Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch
from tests.end_to_end.documents import ROOT, blocks, commands
from tests.end_to_end.parts import free_port
from tests.end_to_end.running import BIN, LOADTEST, wait_until
from tests.end_to_end.system import LIGHT

PAGE = list(blocks(ROOT / "docs" / "readiness.md"))
SHOWN = {"simulator": "8765", "watch": "8790"}


def words(mark: str, port: int) -> list[str]:
    """The one command of the block with that mark, with a port that is free here."""
    (command,) = (line for block in PAGE if mark in block.marks for line in commands(block))
    return shlex.split(command.replace(SHOWN[mark], str(port)))[1:]


def fetched(port: int, path: str = "") -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


@pytest.mark.long
def test_a_newcomer_follows_the_page(launch: Launch, tmp_path: Path) -> None:
    port, page = free_port(), free_port()
    light = tmp_path / "light.toml"
    light.write_text(LIGHT)
    changes = [
        f"components.backend.url=http://127.0.0.1:{port}/health",
        f"components.websocket.target=ws://127.0.0.1:{port}/ws",
        f"components.websocket.scenario={light}",
        "components.websocket.levels={}",
        "components.backend.levels={}",
    ]
    asked = {f"LOADTEST_{name}_SET": "\n".join(changes) for name in ("READY", "WATCH")}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_")},
        **asked, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    backend = launch(*words("simulator", port))
    backend.until(lambda: fetched(port, "health") != b"")
    script = "\n".join(block.text for block in PAGE if "run" in block.marks)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("\nGO  exit code 0\n") == 3
    assert sorted(path.name for path in (tmp_path / "public").iterdir()) == ["ready.html", "ready.pdf"]
    watch = subprocess.Popen(
        [*LOADTEST, *words("watch", page)], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: b"<title>GO" in fetched(page), 60)
    finally:
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=30)
    assert watch.returncode == 130
