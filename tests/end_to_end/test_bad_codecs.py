"""A codec that raises, returns rubbish, loops, or never ends a message: told, counted, bounded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.conftest import Awaited, Begin
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
path = "/chat"
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
            path = folder / f"{name}.toml"
            path.write_text(SCENARIO.format(codec=name, url=server.url("")))
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
