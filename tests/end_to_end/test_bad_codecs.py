"""A codec that raises, returns rubbish, loops, or never ends a message: told, counted, bounded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.descriptors import descriptor_set, desk
from tests.end_to_end.conftest import Awaited, Begin, RunIt
from tests.end_to_end.running import Ended
from tests.end_to_end.servers import HERE, serving

pytestmark = pytest.mark.long

CODECS = """
import json


class Plain:
    def decode(self, frame):
        return self.made(json.loads(frame), len(frame))

    def encode(self, message):
        return json.dumps(message)

    def made(self, message, size):
        return [message]


class Raising(Plain):
    def made(self, message, size):
        if message["type"] == "delta":
            raise KeyError("seq")
        return [message]


class Rubbish(Plain):
    def made(self, message, size):
        return [object()] if message["type"] == "delta" else [message]


class Looping(Plain):
    def made(self, message, size):
        while message["type"] == "done":
            pass
        return [message]


class Growing(Plain):
    def made(self, message, size):
        while message["type"] == "done":
            yield {"type": "delta", "id": message["id"], "text": "x" * 1000}
        yield message


class Holding(Plain):
    held = 0

    def made(self, message, size):
        if message["type"] != "done":
            return [message]
        self.held += 1 << 21
        return []


class Unfinished(Plain):
    held = 0

    def made(self, message, size):
        self.held = 7
        return [message]
"""

SCENARIO = """
name = "bad"

[protocol]
name = "bad"
codec = "codecs_of_mine:{codec}"

[protocol.connect]
path = "{path}"
heartbeat = [ {{ on = {{ type = "ping" }}, send = '{{"type":"pong"}}' }} ]

[protocol.turn]
message = '{{"type":"ask","id":"{{turn.id}}"}}'

[protocol.events]
type = ["type"]
turn = ["id"]
end = ["done"]
ignore = ["welcome"]

[target]
url = "{url}"
max_message = "1MiB"

[load]
connections = 1
duration = "2s"

[traffic]
every = "100ms"
turns = 3
timeout = "2s"
"""

NAMES = ("Raising", "Rubbish", "Looping", "Growing", "Holding", "Unfinished")


@pytest.fixture(scope="module")
def runs(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Awaited]]:
    folder = tmp_path_factory.mktemp("codecs")
    (folder / "codecs_of_mine.py").write_text(CODECS)
    with serving([sys.executable, HERE / "frames_server.py"]) as server:
        found = {}
        for name in NAMES:
            way = "/expiring" if name == "Unfinished" else "/chat"
            path = folder / f"{name}.toml"
            path.write_text(SCENARIO.format(codec=name, url=server.url(""), path=way))
            found[name] = begin("run", path, environment={"PYTHONPATH": str(folder)})
        yield found
        for one in found.values():
            one.end()


def told(runs: dict[str, Awaited], name: str) -> tuple[Ended, dict[str, Any]]:
    """A run that ended as documented, whose events and turns add up."""
    ended = runs[name].end()
    assert ended.code in {0, 1, 4}, ended.screen
    assert "Traceback" not in ended.screen
    counts = ended.manifest["counts"]
    events, turns = counts["events"], counts["turns"]
    assert turns["due"] == turns["begun"] + turns["not_attempted"]
    ways = ("complete", "failed", "timed_out", "lost", "refused", "abandoned")
    assert turns["begun"] == sum(turns[way] for way in ways)
    assert counts["connections"]["ready"] >= 1
    assert events["received"] >= events["malformed"]
    return ended, counts


@pytest.mark.parametrize("name", ["Raising", "Rubbish"])
def test_what_cannot_be_read_is_malformed_and_the_rest_is_kept(runs: dict[str, Awaited], name: str) -> None:
    ended, counts = told(runs, name)
    assert counts["turns"]["complete"] == 3
    assert counts["events"]["malformed"] == 2 * 3, "two of each turn"
    assert counts["events"]["matched"] == 2 * 3, "its first event, and its end"
    kept = (ended.folder / "slowest.jsonl").read_text("utf-8")
    why = {"Raising": "KeyError 'seq'", "Rubbish": "TypeError object is not a value of JSON"}[name]
    assert f"unreadable by codec codecs_of_mine:{name}: {why}" in kept


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Looping", "cannot read on: needed more than 2 s of CPU time for one frame"),
        ("Growing", "makes over 4,194,304 bytes of one frame"),
        ("Holding", "holds 2,097,152 bytes of a message that does not end"),
    ],
)
def test_what_cannot_go_on_ends_its_connection(runs: dict[str, Awaited], name: str, why: str) -> None:
    ended, counts = told(runs, name)
    assert counts["connections"]["ended_by_us"]["codec"] >= 1
    assert counts["turns"]["complete"] == 0
    assert counts["turns"]["lost"] >= 1
    # A generator that was held up for seconds has measured nothing to be believed.
    assert ended.code == 4 or (name != "Looping" and ended.code == 1)
    assert why in ended.screen or why in (ended.folder / "slowest.jsonl").read_text("utf-8")


def test_a_connection_that_ends_in_mid_message_counts_it(runs: dict[str, Awaited]) -> None:
    _, counts = told(runs, "Unfinished")
    assert counts["turns"]["complete"] >= 1
    assert counts["events"]["malformed"] == counts["connections"]["closed"]["4001"] >= 1


def test_a_descriptor_without_the_message_ends_before_anything_is_sent(run: RunIt, tmp_path: Path) -> None:
    (tmp_path / "desk.pb").write_bytes(descriptor_set(desk()))
    protocol = (
        'codec = { name = "protobuf", descriptors = "desk.pb", send = "desk.v1.Aks", receive = "Event" }\n'
        '[turn]\nmessage = \'{"id":"{turn.id}"}\'\n[events]\nturn = ["id"]\ncount = 1\n'
    )
    (tmp_path / "desk.toml").write_text(protocol)
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        'protocol = "desk.toml"\n[target]\nurl = "ws://127.0.0.1:1"\n'
        '[load]\nconnections = 1\nduration = "1s"\n'
        '[traffic]\nevery = "1s"\n'
    )
    ended = run("run", scenario)
    assert ended.code == 2
    assert "Traceback" not in ended.screen
    assert "desk.toml:1: `send`: desk.pb has no message type `desk.v1.Aks`; did you mean" in ended.screen
    assert "desk.toml:1: `receive`: desk.pb has no message type `Event`" in ended.screen
    assert ended.folders == []
