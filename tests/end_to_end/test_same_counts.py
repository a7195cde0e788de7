"""One process, several, and plain Locust are the same run: the same turns are due, sent and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.running import LOCUST, Ended

pytestmark = pytest.mark.long

CLOSED = """
# Every connection asks twelve times, three questions at once.
name = "twelve-each"
protocol = "agent-events"

[target]
url = "simulator"

[load]
model = "closed"
connections = 7
duration = "60s"

[traffic]
burst = 3
every = "10ms"
turns = 12
timeout = "30s"
"""

LOCUSTFILE = """
from loadtest import AgentUser


class Chat(AgentUser):
    scenario = "twelve.toml"
"""

# No part of a message depends on the run: its id is made of user and turn.
PROTOCOL = """
name = "numbered-echo"

[connect]
path = "/echo"

[turn]
id = "{user.id}-{turn.number}"
message = '{"id":"{turn.id}","user":"{user.id}","text":"{data.question}"}'

[events]
turn = ["id"]
user = ["user"]
count = 1
"""

OPEN = """
name = "numbered"
protocol = "numbered-echo.toml"

[target]
url = "simulator"

[load]
connections = 10
connect_rate = "40/s"
duration = "2s"
seed = 7

[traffic]
rate = "150/s"
arrivals = "poisson"
timeout = "30s"
"""


@pytest.fixture(scope="module")
def closed(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Awaited]:
    folder = tmp_path_factory.mktemp("closed")
    scenario, locustfile = folder / "twelve.toml", folder / "chat.py"
    scenario.write_text(CLOSED)
    locustfile.write_text(LOCUSTFILE.replace("twelve.toml", str(scenario)))
    headless = ["-f", locustfile, "--headless"]
    return {
        "alone": begin("run", scenario),
        "two processes": begin("run", scenario, "--processes", "2"),
        "locust": begin(*headless, command=LOCUST),
        "two processes of locust": begin(*headless, "--processes", "2", command=LOCUST),
    }


def of_the_plan(ended: Ended) -> dict[str, Any]:
    """All counts but two: the length of the simulator's time stamps, and which events shared a read."""
    counts = ended.manifest["counts"]
    for part in (counts, counts["measured"]):
        part["bytes"].pop("received")
        part["events"].pop("coalesced")
    return dict(counts)


@pytest.mark.parametrize("name", ["alone", "two processes", "locust", "two processes of locust"])
def test_a_closed_scenario_is_counted_to_the_unit(closed: dict[str, Awaited], name: str) -> None:
    ended = closed[name].end()
    assert ended.code == 0, ended.screen
    counts = ended.manifest["counts"]
    assert counts["connections"]["ready"] == counts["connections"]["peak"] == 7
    assert counts["turns"]["due"] == counts["turns"]["complete"] == 7 * 12
    assert counts["events"]["sent"] == 7 * 12
    assert counts["events"]["received"] == counts["events"]["matched"] == 7 * 12 * 7
    assert of_the_plan(ended) == of_the_plan(closed["alone"].end())
    assert sorted(ended.turns["user"].tolist()) == [user for user in range(7) for _ in range(12)]
    assert ended.turns["seq"].tolist() == closed["alone"].end().turns["seq"].tolist()


@pytest.mark.parametrize("name", ["alone", "two processes", "locust", "two processes of locust"])
def test_every_way_leaves_the_same_files(closed: dict[str, Awaited], name: str) -> None:
    def files(ended: Ended) -> set[str]:
        return {str(path.relative_to(ended.folder)) for path in ended.folder.rglob("*")}

    assert files(closed[name].end()) == files(closed["alone"].end())


@pytest.mark.parametrize("name", ["alone", "two processes", "locust", "two processes of locust"])
def test_nothing_is_said_that_a_user_cannot_use(closed: dict[str, Awaited], name: str) -> None:
    assert "had no tasks" not in closed[name].end().screen
    assert "Traceback" not in closed[name].end().screen


@pytest.fixture(scope="module")
def open_runs(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Awaited]:
    folder = tmp_path_factory.mktemp("open")
    (folder / "numbered-echo.toml").write_text(PROTOCOL)
    scenario = folder / "numbered.toml"
    scenario.write_text(OPEN)
    return {n: begin("run", scenario, "--processes", str(n)) for n in (1, 4)}


def test_four_processes_send_what_one_does(open_runs: dict[int, Awaited]) -> None:
    ended = {n: launched.end() for n, launched in open_runs.items()}
    assert [one.code for one in ended.values()] == [0, 0], ended[4].screen
    columns = ["seq", "user", "position", "intended_ns", "payload_crc"]
    planned = [one.turns[columns].tolist() for one in ended.values()]
    assert len(planned[0]) == ended[1].manifest["load"]["planned"]["turns_due"] > 200
    assert planned[0] == planned[1]
    assert len(set(ended[1].turns["payload_crc"].tolist())) == len(planned[0])
    assert np.array_equal(*(np.sort(one.turns["outcome"]) for one in ended.values()))


def test_four_processes_count_what_one_does(open_runs: dict[int, Awaited]) -> None:
    one, four = (of_the_plan(launched.end()) for launched in open_runs.values())
    assert one == four


def test_every_process_took_part(open_runs: dict[int, Awaited], closed: dict[str, Awaited]) -> None:
    assert open_runs[4].end().manifest["generator"]["processes"] == 4
    assert closed["two processes"].end().manifest["generator"]["processes"] == 2
    assert closed["two processes of locust"].end().manifest["generator"]["processes"] == 2


def test_the_run_of_a_locustfile_names_what_it_ran(closed: dict[str, Awaited]) -> None:
    names = {name: launched.end().manifest["scenario"] for name, launched in closed.items()}
    assert len({scenario["sha256"] for scenario in names.values()}) == 1
    assert {Path(scenario["path"]).name for scenario in names.values()} == {"twelve.toml"}
