"""Two targets that take turns, where everything grows slower all the while."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtest.cli import main
from loadtest.errors import Exit
from tests.end_to_end.conftest import Launch

ECHO = """
protocol = "echo"
[target]
url = "ws://127.0.0.1:1/"
[load]
connections = 2
[traffic]
every = "50ms"
timeout = "3s"
[compare]
primary = ["turn.completion.p50"]
smallest_effect = "10%"
"""


@contextmanager
def tiring() -> Iterator[str]:
    """An echo server that answers after 20 ms at first, and by 1 ms more with each second of its life."""
    began, listening, over = time.monotonic(), threading.Event(), threading.Event()
    ports: list[int] = []

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await asyncio.sleep(0.02 + (time.monotonic() - began) / 1000)
            await connection.send(message)

    async def live() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            ports.append(next(iter(server.sockets)).getsockname()[1])
            listening.set()
            while not over.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert listening.wait(10)
        yield f"ws://127.0.0.1:{ports[0]}/"
    finally:
        over.set()
        thread.join(10)


@pytest.mark.long
@pytest.mark.timed
def test_a_target_against_itself_is_not_slower_however_it_drifts(launch: Launch, tmp_path: Path) -> None:
    scenario, out = tmp_path / "echo.toml", tmp_path / "out"
    scenario.write_text(ECHO, "utf-8")
    with tiring() as url:
        words = ["--block", "1s", "--warmup", "0s", "--pairs", "6", "--label", "v1", "--output", out]
        ended = launch("ab", scenario, "--a", url, "--b", url, *words).end(within_s=240)
    assert ended.code in {Exit.PASS, Exit.INVALID}, ended.screen
    (found,) = json.loads((out / "compare.json").read_text("utf-8"))["comparisons"]
    assert found["verdict"]["outcome"] in {"same", "cannot tell"}
    assert found["metrics"][0]["method"] == "pairs"
    assert len(ended.folders) == 12
    _relabel(ended.folders)
    assert main(["compare", "early", "late", "--results", str(ended.results)]) == Exit.FAIL


def _relabel(folders: list[Path]) -> None:
    """Call the earlier half of the blocks one release and the later another, as if run one after another."""
    manifests = {path: json.loads((path / "run.json").read_text("utf-8")) for path in folders}
    in_time = sorted(folders, key=lambda path: str(manifests[path]["started"]))
    for at, path in enumerate(in_time):
        relabelled = manifests[path] | {"label": "early" if at < 6 else "late"}
        (path / "run.json").write_text(json.dumps(relabelled), "utf-8")
