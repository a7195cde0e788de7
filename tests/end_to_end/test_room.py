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


@pytest.mark.long
@pytest.mark.parametrize(("drop", "twice", "code"), [(0, 0, 0), (9, 11, 1)])
def test_over_two_processes_too(begin: Begin, tmp_path: Path, drop: int, twice: int, code: int) -> None:
    with room(drop, twice) as (port, log):
        (tmp_path / "room.toml").write_text(SCENARIO.replace("PORT", str(port)))
        ended = begin("run", tmp_path / "room.toml", "--processes", "2").end()
        theirs = log()
    counts = ended.manifest["counts"]
    copies = counts["deliveries"]
    assert copies["missing"] == theirs["dropped"]
    assert copies["duplicate"] == theirs["twice"]
    assert copies["due"] >= theirs["copies"] > 4_000
    assert ended.manifest["metrics"]["delivery.time"]["n"] == copies["due"] - copies["missing"]
    assert ended.manifest["metrics"]["delivery.skew"]["n"] > 100
    assert "over 2 processes, whose clocks agree to" in (ended.folder / "report.md").read_text("utf-8")
    assert ended.code == code, ended.screen


@pytest.mark.long
def test_copies_for_listeners_of_another_population(begin: Begin, tmp_path: Path) -> None:
    """Two talk, the others listen; every copy is due to somebody, and those that are missing are found."""
    parts = SCENARIO.replace("connections = 50\n", "").partition("[traffic]")
    text = f"""{parts[0]}
[[population]]
name = "talkers"
load = {{ connections = 2 }}
traffic = {{ every = "50ms", timeout = "2s" }}
[[population]]
name = "listeners"
load = {{ connections = 48 }}
traffic = {{ turns = 0 }}
"""
    with room(9, 11) as (port, log):
        (tmp_path / "room.toml").write_text(text.replace("PORT", str(port)))
        ended = begin("run", tmp_path / "room.toml").end()
        theirs = log()
    whole = ended.manifest["counts"]
    talkers, listeners = (
        ended.manifest["populations"][name]["counts"]["deliveries"] for name in ("talkers", "listeners")
    )
    assert listeners["due"] > 20 * talkers["due"] > 0, "told of who was to get them"
    assert whole["deliveries"] == {name: n + listeners[name] for name, n in talkers.items()}
    assert whole["deliveries"]["missing"] == theirs["dropped"] > 0
    assert whole["deliveries"]["duplicate"] == theirs["twice"] > 0
    assert (
        ended.manifest["metrics"]["delivery.time[listeners]"]["n"] == listeners["due"] - listeners["missing"]
    )
    assert "delivery.skew[listeners]" not in ended.manifest["metrics"]
    assert whole["events"]["foreign"] in {0, None}
    assert "deliveries.missing[listeners].ratio" in ended.manifest["verdict"]["reason"]
    assert ended.code == 1, ended.screen
