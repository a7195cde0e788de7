"""A chat room of 50: copies for the members of an audience, held against the server's own log."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Begin

pytestmark = pytest.mark.long

HERE = Path(__file__).parent

SCENARIO = """
# Does everybody in the room get what anybody says?
name = "room"

[protocol]
name = "room"

[protocol.connect]
ready = [{ wait = { type = "joined" } }]

[protocol.turn]
message = '{"id":"{turn.id}","text":"hello"}'

[protocol.events]
type = ["type"]
turn = ["id"]
count = 1
audience = "everybody"

[target]
url = "ws://127.0.0.1:PORT/main"

[load]
connections = 50
connect_rate = "200/s"
duration = "3s"

[traffic]
every = "1s"
timeout = "2s"
"""


@contextmanager
def room(drop: int, twice: int) -> Iterator[tuple[int, Any]]:
    command = [sys.executable, HERE / "room_server.py", str(drop), str(twice)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ports = json.loads(process.stdout.readline())

        def log() -> dict[str, int]:
            with socket.create_connection(("127.0.0.1", ports["log"]), timeout=10) as asking:
                found: dict[str, int] = json.loads(asking.makefile().read())
            return found

        yield ports["port"], log
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize(("drop", "twice", "code"), [(0, 0, 0), (9, 11, 1)])
def test_every_copy_that_is_missing_is_found(
    begin: Begin, tmp_path: Path, drop: int, twice: int, code: int
) -> None:
    with room(drop, twice) as (port, log):
        (tmp_path / "room.toml").write_text(SCENARIO.replace("PORT", str(port)))
        ended = begin("run", tmp_path / "room.toml").end()
        theirs = log()
    counts = ended.manifest["counts"]
    copies = counts["deliveries"]
    assert copies["missing"] == theirs["dropped"]
    assert copies["duplicate"] == theirs["twice"]
    assert copies["due"] >= theirs["copies"] > 4_000
    assert counts["events"]["foreign"] in {0, None}
    assert counts["events"]["delivered"] >= copies["due"] - copies["missing"] + copies["duplicate"]
    assert ended.manifest["metrics"]["delivery.time"]["n"] > 4_000
    assert ended.manifest["metrics"]["delivery.skew"]["n"] > 100
    assert ended.code == code, ended.screen


def test_with_several_processes_copies_are_not_measured(begin: Begin, tmp_path: Path) -> None:
    with room(0, 0) as (port, _):
        (tmp_path / "room.toml").write_text(SCENARIO.replace("PORT", str(port)))
        ended = begin("run", tmp_path / "room.toml", "--processes", "2").end()
    assert "deliveries" not in ended.manifest["counts"]
    assert "several processes" in ended.manifest["unmeasured"]["delivery.time"]
    assert ended.manifest["counts"]["events"]["delivered"] > 0
    assert ended.code == 0, ended.screen
