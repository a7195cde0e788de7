"""Backends that answer with errors, interleave, ping or speak to everybody: no error passes for an answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from loadtest.plan.scaffold import starting_files
from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import Ended

pytestmark = pytest.mark.long

HERE = Path(__file__).parent


class Stubs(NamedTuple):
    """The stub backends, which listen at ``port`` and tell their counts at ``counts_port``."""

    port: int
    counts_port: int

    def counts(self) -> dict[str, int]:
        with socket.create_connection(("127.0.0.1", self.counts_port), timeout=10) as asking:
            found: dict[str, int] = json.loads(asking.makefile().read())
        return found


@pytest.fixture(scope="module")
def stubs() -> Iterator[Stubs]:
    process = subprocess.Popen([sys.executable, HERE / "stub_backends.py"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Stubs(told["port"], told["counts"])
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


CALL = """message = '{"id":"{turn.id}","method":"ask","q":"{data.question}"}'"""
BY_ID = 'turn = ["id"]'

PROTOCOLS = {
    "realtime": f"""
[turn]
{CALL}
[events]
{BY_ID}
type = ["type"]
end = ["response.done"]
fail = [{{ type = "response.done", "response.status" = {{ in = ["failed", "incomplete"] }} }}]
""",
    "graphql": f"""
[turn]
{CALL}
[events]
{BY_ID}
type = ["type"]
end = ["complete"]
fail = ["error", {{ type = "next", has = "payload.errors" }}]
""",
    "success": f"""
[turn]
{CALL}
[events]
{BY_ID}
type = ["type"]
end = ["result"]
fail = [{{ success = false }}]
""",
    "phoenix": """
[turn]
message = '["1","{turn.id}","room:1","ask",{"q":"{data.question}"}]'
[events]
turn = ["1"]
type = ["3"]
end = [{ type = "phx_reply", "4.status" = "ok" }]
fail = [{ type = "phx_reply", "4.status" = "error" }]
""",
    "interleaved": f"""
[turn]
{CALL}
[events]
match = "order"
type = ["type"]
end = ["completed"]
required = ["started", "part"]
""",
    "ping": """
[connect]
heartbeat = [{ on = "2", send = "3" }]
[turn]
message = '42["ask",{"q":"{data.question}"}]'
[events]
format = "opaque"
ordered = true
end = [{ prefix = "43" }]
""",
    "feed": f"""
[turn]
{CALL}
[events]
{BY_ID}
count = 1
""",
    "room": f"""
[turn]
{CALL}
[events]
{BY_ID}
count = 1
audience = "everybody"
""",
}

SCENARIO = """
protocol = "{protocol}"
[target]
url = "{url}"
[load]
connections = {connections}
duration = "1s"
[traffic]
every = "{every}"
burst = {burst}
timeout = "3s"
[thresholds]
"turn.completion.p50" = "< 10s"
"""


def begun(begin: Begin, stubs: Stubs, folder: Path, name: str, protocol: str = "", **plan: object) -> Awaited:
    """A run against the stub of that name, with a protocol that ships or the one above."""
    if not protocol:
        (folder / f"{name}.protocol.toml").write_text(PROTOCOLS[name], "utf-8")
        protocol = f"{name}.protocol.toml"
    file = folder / f"{name}.toml"
    values = {"connections": 4, "every": "100ms", "burst": 1, **plan}
    url = f"ws://127.0.0.1:{stubs.port}/{name}"
    file.write_text(SCENARIO.format(protocol=protocol, url=url, **values), "utf-8")
    return begin("run", file)


@pytest.fixture(scope="module")
def runs(begin: Begin, stubs: Stubs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Awaited]:
    folder = tmp_path_factory.mktemp("protocols")
    untouched = starting_files(f"ws://127.0.0.1:{stubs.port}/untouched", "mine")
    for name, text in untouched.items():
        (folder / name).write_text(text, "utf-8")
    shipped = {name: begun(begin, stubs, folder, name, name) for name in ("json-rpc", "json-id")}
    several = {"every": "300ms", "burst": 3}
    return {
        **shipped,
        **{name: begun(begin, stubs, folder, name) for name in ("realtime", "graphql", "success", "phoenix")},
        "untouched": begin("run", folder / "mine.toml", "--duration", "2s", "--set", "load.warmup=0s"),
        "mixed": begun(begin, stubs, folder, "mixed", "json-rpc"),
        "interleaved": begun(begin, stubs, folder, "interleaved", **several),
        "ping": begun(begin, stubs, folder, "ping"),
        "feed": begun(begin, stubs, folder, "feed"),
        "room": begun(begin, stubs, folder, "room"),
    }


def outcome_of(ended: Ended, name: str) -> str:
    rows = {row["name"]: row["outcome"] for row in ended.manifest["verdict"]["thresholds"]}
    return str(rows[name])


@pytest.mark.parametrize(
    "name", ["json-rpc", "json-id", "untouched", "realtime", "graphql", "success", "phoenix"]
)
def test_a_backend_that_answers_only_errors_fails(runs: dict[str, Awaited], name: str) -> None:
    ended = runs[name].end()
    turns = ended.manifest["counts"]["turns"]
    assert ended.code == 1, ended.screen
    assert turns["complete"] == 0
    assert turns["failed"] == turns["begun"] == turns["failed_by"]["event"] > 0
    assert "by an error event" in ended.manifest["verdict"]["reason"]


def test_results_beside_notifications_and_requests_pass(runs: dict[str, Awaited], stubs: Stubs) -> None:
    ended = runs["mixed"].end()
    counts, theirs = ended.manifest["counts"], stubs.counts()
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["due"] == theirs["requests"]
    assert counts["events"]["ignored"] == counts["events"]["answered"] == theirs["requests"]
    assert theirs["requests answered"] == theirs["requests"]
    assert counts["events"]["unmatched"] == 0


def test_answers_that_interleave_are_the_protocol_files_doing(runs: dict[str, Awaited]) -> None:
    ended = runs["interleaved"].end()
    turns = ended.manifest["counts"]["turns"]
    assert ended.code == 4, ended.screen
    assert turns["failed"] == turns["failed_by"]["interleaved"] > 0
    assert outcome_of(ended, "turn.completion.p50") == "not_measured"
    assert outcome_of(ended, "turns.complete.ratio") == "not_measured"
    assert {"answers_by_order_unsure", "answers_contradict_order"} <= ended.notices


def test_a_ping_in_text_is_no_answer(runs: dict[str, Awaited], stubs: Stubs) -> None:
    ended = runs["ping"].end()
    counts = ended.manifest["counts"]
    assert ended.code == 0, ended.screen
    assert counts["turns"]["complete"] == counts["turns"]["due"]
    assert counts["events"]["heartbeat"] == counts["turns"]["due"] == stubs.counts()["pongs"]
    assert ended.manifest["metrics"]["turn.completion.service"]["min"] >= 50


def test_where_events_of_nobody_come_times_are_not_measured(runs: dict[str, Awaited]) -> None:
    ended = runs["feed"].end()
    assert ended.code == 4, ended.screen
    assert outcome_of(ended, "turn.completion.p50") == "not_measured"
    assert outcome_of(ended, "turns.complete.ratio") == "held"
    assert "belong to no turn" in ended.manifest["verdict"]["reason"]


def test_copies_for_a_room_are_not_foreign(runs: dict[str, Awaited], stubs: Stubs) -> None:
    ended = runs["room"].end()
    counts = ended.manifest["counts"]
    assert ended.code == 0, ended.screen
    assert counts["events"]["foreign"] in {0, None}
    assert counts["events"]["matched"] == counts["turns"]["begun"] == stubs.counts()["messages /room"]
    assert counts["events"]["delivered"] > counts["turns"]["begun"]
