"""Users written in Python: what their tasks send is measured, kept and judged like a schedule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Awaited, Begin, Runs
from tests.end_to_end.running import LOCUST
from tests.end_to_end.servers import Server, fastapi

SCENARIO = """
# What do users do that decide for themselves?
name = "asked"
protocol = "agent-events"

[target]
url = "ws://127.0.0.1:1/ws"

[load]
model = "closed"
connections = 3
duration = "20s"

[traffic]
timeout = "10s"

[thresholds]
"turns.complete.ratio" = ">= 99%"
"turn.completion.p50" = "< 5s"
"""

LOCUSTFILE = """
import json
from pathlib import Path

from locust import task
from locust.exception import StopUser

from loadtest import AgentUser
from loadtest.drive.locust_user import Outcome

SEEN = Path({seen!r})


def note(**words):
    with SEEN.open("a") as file:
        file.write(json.dumps(words) + "\\n")


class Asker(AgentUser):
    scenario = {scenario!r}

    def on_start(self):
        first = self.turn(question="on start")
        note(what="start", outcome=first.outcome is Outcome.COMPLETE)

    def on_stop(self):
        note(what="stop")

    @task
    def ask(self):
        self.events.clear()
        turn = self.turn(question="And compared with July?")
        kinds = [json.loads(event)["type"] for event in self.events]
        note(what="turn", outcome=turn.outcome is Outcome.COMPLETE, kinds=kinds)
        turns = self.burst(4, question="Why?")
        note(what="burst", seqs=[one.seq for one in turns],
             outcome=all(one.outcome is Outcome.COMPLETE for one in turns))
        self.send({{"type": "note", "text": "as data"}})
        self.send('{{"type":"note","text":"as text"}}')
        raise StopUser
"""

MISTAKEN = """
from locust import task

from loadtest import AgentUser


class Asker(AgentUser):
    scenario = {scenario!r}

    @task
    def ask(self):
        self.turn(question="fine")
        raise ValueError("a mistake of the locustfile")
"""


CHAT = """
from loadtest import AgentUser


class Chat(AgentUser):
    scenario = "agent-burst"
"""

TWO = """
from loadtest import AgentUser, WebSocketUser


class Chat(AgentUser):
    scenario = "agent-burst"


class Echo(WebSocketUser):
    scenario = "echo-steady"
"""

SHIPPED = ("agent_burst.py", "conversation.py", "echo.py")
# What users of agent_burst.py do, those of CHAT do as well.
MARKED = [pytest.param(SHIPPED[0], marks=pytest.mark.long), *SHIPPED[1:]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with fastapi() as one:
        yield one


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes") / "seen.jsonl"


@pytest.fixture(scope="module")
def asked(begin: Begin, server: Server, notes: Path) -> Awaited:
    """The run of the locustfile."""
    scenario = notes.parent / "asked.toml"
    scenario.write_text(SCENARIO)
    (notes.parent / "asker.py").write_text(LOCUSTFILE.format(seen=str(notes), scenario=str(scenario)))
    words = ("-f", notes.parent / "asker.py", "--headless", "-t", "2s", "-H", server.url("/ws?for=asked"))
    return begin(*words, command=LOCUST)


def test_what_tasks_send_is_counted(asked: Awaited, server: Server) -> None:
    ended = asked.end()
    assert ended.code == 0, ended.screen
    assert "Traceback" not in ended.screen
    counts = ended.manifest["counts"]
    theirs = server.counts("asked")
    assert counts["connections"]["ready"] == theirs["connections"] == 3
    assert counts["turns"]["due"] == counts["turns"]["begun"] == 3 * (1 + 1 + 4)
    assert counts["turns"]["complete"] == counts["turns"]["due"] == theirs["turns"]
    assert counts["events"]["received"] == counts["events"]["matched"] == theirs["events_sent"]


def test_what_is_no_turn_is_counted_as_sent(asked: Awaited, server: Server) -> None:
    counts = asked.end().manifest["counts"]
    assert server.counts("asked")["messages_received"] == counts["events"]["sent"] == 3 * (1 + 1 + 4 + 2)


def test_what_tasks_see_is_what_came(asked: Awaited, notes: Path) -> None:
    asked.end()
    seen = [json.loads(line) for line in notes.read_text().splitlines()]
    assert sorted(one["what"] for one in seen) == sorted(["start", "turn", "burst", "stop"] * 3)
    assert all(one["outcome"] for one in seen if "outcome" in one)
    for one in seen:
        if one["what"] == "turn":
            assert one["kinds"][0] == "agent_started"
            assert one["kinds"][-1] == "agent_completed"
            assert len(one["kinds"]) == 6
    seqs = [seq for one in seen for seq in one.get("seqs", [])]
    assert len(set(seqs)) == len(seqs) == 12


def test_what_tasks_send_is_kept_and_judged(asked: Awaited) -> None:
    ended = asked.end()
    turns = ended.turns
    assert sorted(turns["user"].tolist()) == [0] * 6 + [1] * 6 + [2] * 6
    assert len(set(turns["seq"].tolist())) == 18
    assert sorted(np.unique(turns["position"]).tolist()) == [0, 1, 2, 3]
    verdict = ended.manifest["verdict"]
    assert verdict["exit_code"] == 0
    assert {row["outcome"] for row in verdict["thresholds"]} == {"held"}
    assert ended.manifest["metrics"]["turn.completion"]["n"] == 18
    assert (ended.folder / "report.html").exists()


@pytest.fixture(scope="module")
def others(
    begin: Begin, server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Runs:
    """Runs of other locustfiles."""
    folder = tmp_path_factory.mktemp("locustfiles")
    (folder / "asked.toml").write_text(SCENARIO)
    (folder / "mistaken.py").write_text(MISTAKEN.format(scenario=str(folder / "asked.toml")))
    (folder / "chat.py").write_text(CHAT)
    (folder / "two.py").write_text(TWO)
    shipped = Path(__file__).parents[2] / "locustfiles"

    def locust(file: Path, *words: str, **options: object) -> Awaited:
        return begin("-f", file, "--headless", *words, command=LOCUST, **options)

    options = ("-u", "12", "-r", "30", "-t", "2s", "-H", server.url("/ws"))
    ways: dict[str, Callable[[], Awaited]] = {
        "mistaken": partial(locust, folder / "mistaken.py", "-t", "2s", "-u", "1", "-H", server.url("/ws")),
        "options": partial(locust, folder / "chat.py", *options, environment={"LOADTEST_RUN_LABEL": "plain"}),
        "two": partial(locust, folder / "two.py"),
        **{name: partial(locust, shipped / name, "-t", "1s", "-u", "12") for name in SHIPPED},
    }
    return Runs(ways, request)


def test_a_mistake_in_a_task_ends_no_run(others: Runs) -> None:
    """Locust logs it and goes on, as with any user of its own; every threshold holds, and the run fails."""
    ended = others["mistaken"].end()
    assert "a mistake of the locustfile" in ended.screen
    assert ended.manifest["counts"]["connections"]["ready"] == 1
    turns = ended.manifest["counts"]["turns"]
    assert turns["complete"] == turns["due"] > 1
    tasks = ended.manifest["counts"]["tasks"]
    assert turns["due"] - 1 <= tasks["raised"] == tasks["by"]["ValueError"] <= turns["due"]
    assert ended.code == ended.manifest["verdict"]["exit_code"] == 1
    assert "ValueError" in ended.manifest["verdict"]["reason"]


def test_options_of_locust_take_the_place_of_ours(others: Runs) -> None:
    ended = others["options"].end()
    manifest = ended.manifest
    planned = manifest["load"]["planned"]
    assert ended.code == manifest["verdict"]["exit_code"], ended.screen
    assert (planned["connections"], planned["connect_rate"], planned["duration_s"]) == (12, 30, 2)
    assert planned["warmup_s"] == 2
    assert manifest["counts"]["connections"]["ready"] == 12
    assert manifest["target"]["server"] == "uvicorn"
    assert manifest["label"] == "plain"
    assert manifest["counts"]["measured"]["turns"]["complete"] == 12 * 5 * 2


def test_several_scenarios_in_one_locustfile_are_refused(others: Runs) -> None:
    ended = others["two"].end()
    assert ended.code == 2, ended.screen
    assert "must use the same scenario" in ended.err
    assert "Traceback" not in ended.screen


@pytest.mark.parametrize("name", MARKED)
def test_the_shipped_locustfiles_run_as_they_are(others: Runs, name: str) -> None:
    ended = others[name].end()
    assert ended.code == ended.manifest["verdict"]["exit_code"], ended.screen
    turns = ended.manifest["counts"]["turns"]
    assert turns["complete"] == turns["due"] > 0
    assert ended.manifest["target"]["simulated"]
