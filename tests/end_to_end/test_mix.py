"""Kinds of turn and conversations are the same for one process, two, and two workers; they add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from loadtest.plan.threshold import of_kind
from loadtest.show.report_formats import part_of
from tests.end_to_end.conftest import Launch
from tests.end_to_end.parts import free_port

pytestmark = pytest.mark.long

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.running import Ended

# A turn of the kind `start` is over when the agent has begun; no message depends on the run.
PROTOCOL = """
name = "three-kinds"

[connect]
path = "/ws"
ready = [ { wait = { type = "connection_established" }, within = "30s" } ]

[turn]
id = "{user.id}-{turn.number}"
message = '{"type":"start_agent","payload":{"user_request":"{data.question}","run_id":"{turn.id}"}}'

[events]
type = ["event", "type"]
turn = ["run_id", "payload.run_id", "data.run_id"]
end = ["agent_completed"]
fail = ["agent_failed", "agent_error", "error_message"]
ignore = ["ack", "connection_established", "system_message", "thread_created", "pong"]

[turns.ask]
first = ["partial_result"]

[turns.start]
first = ["agent_thinking"]
end = ["agent_started"]

[turns.long]
required = ["agent_started"]
"""

TARGET = """
protocol = "three-kinds.toml"
[target]
url = "simulator"
"""

CONVERSATIONS = f"""
# A branching conversation of three kinds of turn?
{TARGET}
[load]
model = "closed"
connections = 6
duration = "60s"
seed = 3
[traffic]
turns = 20
timeout = "30s"
[[conversation]]
name = "talk"
weight = 3
steps = [
  {{ turn = "start" }},
  {{ think = {{ uniform = ["1ms", "9ms"] }} }},
  {{ repeat = 2, steps = [ {{ turn = "ask" }}, {{ think = {{ lognormal = "3ms", sigma = 0.5 }} }} ] }},
  {{ branch = [ {{ weight = 7, steps = [ {{ turn = "long" }} ] }}, {{ weight = 3, steps = [] }} ] }},
]
[[conversation]]
name = "quick"
steps = [ {{ turn = "ask" }}, {{ think = "1ms" }} ]
[thresholds]
"conversations.complete[talk].ratio" = ">= 99%"
"turns.complete[long].ratio" = ">= 99%"
"""

MIX = f"""
# Three kinds of turn by weight?
{TARGET}
[load]
connections = 6
duration = "2s"
seed = 3
[traffic]
rate = "60/s"
arrivals = "poisson"
timeout = "30s"
mix = {{ ask = 5, start = 2, long = 3 }}
[thresholds]
"turn.first_event[ask].p95" = "<= 20s"
"""

PLANNED = ["seq", "user", "kind", "payload_crc"]
OUTCOMES = (
    "due",
    "begun",
    "complete",
    "failed",
    "timed_out",
    "lost",
    "refused",
    "abandoned",
    "not_attempted",
)
TIMES = ("turn.first_event", "turn.completion", "turn.completion.service", "send.lateness")
KINDS = ("ask", "long", "start")


def three_ways(launch: Launch, folder: Path, text: str) -> list[Ended]:
    """The same scenario in one process, in two, and by two workers."""
    (folder / "three-kinds.toml").write_text(PROTOCOL)
    scenario = folder / "mixed.toml"
    scenario.write_text(text)
    ended = [launch("run", scenario).end(), launch("run", scenario, "--processes", "2").end()]
    bind = f"127.0.0.1:{free_port()}"
    leader = launch("run", scenario, "--workers", "2", "--bind", bind)
    workers = [launch("worker", "--master", bind) for _ in range(2)]
    ended.append(leader.end())
    assert [worker.end().code for worker in workers] == [0, 0]
    return ended


def adds_up(manifest: dict[str, Any]) -> None:
    """The kinds of turn are the whole, to the unit."""
    for turns in (manifest["counts"]["turns"], manifest["counts"]["measured"]["turns"]):
        for name in OUTCOMES:
            assert sum(turns[of_kind(name, kind)] for kind in KINDS) == turns[name], name
    metrics = manifest["metrics"]
    for name in TIMES:
        parts = [metrics[of_kind(name, kind)]["n"] for kind in KINDS if of_kind(name, kind) in metrics]
        assert sum(parts) == metrics[name]["n"], name


def parts_add_up(ended: Ended, adds_up: Callable[[dict[str, Any]], None]) -> None:
    """Two parts of a run are told by the same names, and are together the run."""
    middle = float(np.median(ended.turns["intended_ns"])) / 1e9
    parts = [part_of(ended.run, *span).manifest for span in ((0, middle), (middle, 600))]
    for part in parts:
        adds_up(part)
    whole = ended.manifest["counts"]["turns"]
    names = [name for name in whole if name.partition("[")[0] in OUTCOMES]
    assert any("[" in name for name in names)
    for name in names:
        assert sum(part["counts"]["turns"][name] for part in parts) == whole[name], name


def by_kind(manifest: dict[str, Any]) -> dict[str, Any]:
    counts = manifest["counts"]
    return {
        name: n for name, n in {**counts["turns"], **counts.get("conversations", {})}.items() if "[" in name
    }


@pytest.mark.parametrize("text", [CONVERSATIONS, MIX], ids=["conversations", "mix"])
def test_the_same_turns_are_sent_whoever_sends_them(launch: Launch, tmp_path: Path, text: str) -> None:
    ended = three_ways(launch, tmp_path, text)
    assert [one.code for one in ended] == [0, 0, 0], ended[2].screen
    planned = [one.turns[PLANNED].tolist() for one in ended]
    assert planned[0] == planned[1] == planned[2]
    assert len(planned[0]) >= 60
    for one in ended:
        adds_up(one.manifest)
        parts_add_up(one, adds_up)
    assert by_kind(ended[0].manifest) == by_kind(ended[1].manifest) == by_kind(ended[2].manifest)
    assert all(by_kind(ended[0].manifest)[f"due[{kind}]"] for kind in KINDS)


def test_a_branching_conversation_of_three_kinds_adds_up(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "three-kinds.toml").write_text(PROTOCOL)
    scenario = tmp_path / "mixed.toml"
    scenario.write_text(CONVERSATIONS)
    ended = launch("run", scenario).end()
    assert ended.code == 0, ended.screen
    adds_up(ended.manifest)
    conversations = ended.manifest["counts"]["conversations"]
    assert conversations["complete[talk]"] + conversations["complete[quick]"] == conversations["complete"] > 0
    assert ended.manifest["counts"]["turns"]["due"] == 6 * 20
    names = {row["name"] for row in ended.manifest["verdict"]["thresholds"] if row["outcome"] == "held"}
    assert {"conversations.complete[talk].ratio", "turns.complete[long].ratio"} <= names
