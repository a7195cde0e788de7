"""Medians against real software that times its own answers: ours are within a millisecond, or within 5 %."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.servers import HERE, serving
from tests.end_to_end.test_codecs import PACKAGES, installed
from tests.end_to_end.test_http_beside import PROTOCOL, TICKETS
from tests.end_to_end.test_voice import CORES, alone_on

pytestmark = [pytest.mark.long, pytest.mark.timed]

HELD_MS = 40

SCENARIO = """
name = "NAME"
protocol = "NAME"
[target]
url = "URL"
[load]
connections = 10
warmup = "1s"
duration = "4s"
[traffic]
rate = "100/s"
timeout = "20s"
"""


class Held(NamedTuple):
    """A server that says by itself how long it held its answers, and one that stands before it."""

    command: list[str | Path]
    proxy: list[str | Path] | None = None


def agree(run: RunIt, file: Path, text: str, path: str, held: Held) -> None:
    """One run: the median of its answers is that of the server."""
    with ExitStack() as stack:
        with alone_on(CORES[0]):
            server = stack.enter_context(serving(held.command))
            proxy = server if held.proxy is None else stack.enter_context(serving(held.proxy))
        file.write_text(text.replace("URL", server.url(path)).replace("PROXY", str(proxy.port)))
        with alone_on(CORES[-1]):
            ended = run("run", file, environment={"TICKETS_PASSWORD": "open sesame"})
        theirs = server.counts()["held_p50_us"] / 1000
    turns = ended.manifest["counts"]["turns"]
    assert ended.ended_with(0), ended.screen
    assert turns["complete"] == turns["begun"] > 150
    measured = ended.manifest["metrics"]["turn.completion.service"]
    assert theirs >= HELD_MS - 1
    # Of a generator that was held up itself no time is believed.
    near = max(1, 0.05 * theirs) if ended.code == 0 else 20
    assert abs(measured["p50"] - theirs) < near, (measured, theirs)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    installed(folder, PACKAGES)
    for name in ("wires_server.cjs", "desk.proto"):
        shutil.copy(HERE / name, folder)
    return folder


@pytest.mark.parametrize(("name", "path"), [("socket-io", ""), ("graphql-transport-ws", "/graphql")])
def test_npm(run: RunIt, tmp_path: Path, npm: Path, name: str, path: str) -> None:
    server = Held(["node", npm / "wires_server.cjs", str(HELD_MS), "1000"])
    agree(run, tmp_path / "median.toml", SCENARIO.replace("NAME", name), path, server)


def test_python_socketio(run: RunIt, tmp_path: Path) -> None:
    server = Held([sys.executable, HERE / "socketio_server.py", str(HELD_MS), "1"])
    agree(run, tmp_path / "median.toml", SCENARIO.replace("NAME", "socket-io"), "", server)


def test_fastapi_with_a_login_a_ticket_and_a_path_per_user_behind_a_proxy(run: RunIt, tmp_path: Path) -> None:
    app = [sys.executable, HERE / "ticket_app.py", str(HELD_MS)]
    (tmp_path / "tickets.protocol.toml").write_text(PROTOCOL)
    stages = TICKETS[TICKETS.index("stages") : TICKETS.index("[traffic]")]
    steady = TICKETS.replace(stages, 'connections = 10\nwarmup = "1s"\nduration = "4s"\n')
    text = steady.replace("ws://127.0.0.1:PORT", "URL")
    agree(run, tmp_path / "tickets.toml", text, "", Held(app, [sys.executable, HERE / "connect_proxy.py"]))
