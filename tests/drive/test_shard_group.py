"""One shard of each population in one process: they begin together and report as one."""

from __future__ import annotations

from pathlib import Path

import gevent
import numpy as np
import pytest

from loadtest.drive.context import ShardAssignment
from loadtest.drive.coordinator import make_clock
from loadtest.drive.endpoint import resolve_endpoint
from loadtest.drive.observations import add_facts
from loadtest.drive.shard import Shard
from loadtest.drive.shard_group import ShardGroup, _within, make_shard
from loadtest.errors import ConfigError
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.schedule import planned_users
from loadtest.simulator.process import Simulator
from tests.drive.alone import HANGS_AFTER_S, scenario_of

TWO = """
[load]
duration = "60s"
[[population]]
name = "few"
protocol = "echo"
load = { connections = 2, model = "closed" }
traffic = { turns = 3 }
[[population]]
name = "many"
load = { connections = 5 }
traffic = { rate = "100/s", turns = 4 }
"""


def group_of(folder: Path, url: str, users: range | None = None) -> tuple[ShardGroup, list[Interval]]:
    scenario = scenario_of(folder, TWO)
    endpoint = resolve_endpoint(scenario.target, url)
    taken: list[Interval] = []
    every = range(planned_users(scenario)) if users is None else users
    made = make_shard(ShardAssignment("a-run", scenario, endpoint, every, 3), make_clock(0), taken.append)
    assert isinstance(made, ShardGroup)
    return made, taken


def test_users_are_split_by_their_numbers(tmp_path: Path) -> None:
    assert [*_within(range(1, 20, 3), 5, 11)] == [7, 10]
    assert [*_within(range(7), 0, 2)] == [0, 1]
    assert not _within(range(3), 5, 7)
    group, _ = group_of(tmp_path, "ws://127.0.0.1:1/echo", range(1, 7, 2))
    assert [[*shard.context.assignment.users] for shard in group.shards] == [[1], [3, 5]]
    assert [shard.context.assignment.endpoint.path for shard in group.shards] == ["/echo", "/ws"]
    assert not any(shard.alone for shard in group.shards)
    assert not group.sources
    assert group.next_task_traffic() is None
    assert group.tasks is group.shards[0].tasks
    with pytest.raises(ConfigError, match="cannot be combined"):
        group.let_tasks_decide(prepare=True)
    for shard in group.shards:
        shard.context.poller.stop()


def test_a_scenario_without_populations_has_a_plain_shard(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, "")
    endpoint = resolve_endpoint(scenario.target, "ws://127.0.0.1:1/ws")
    made = make_shard(ShardAssignment("a-run", scenario, endpoint, range(1)), make_clock(0), print)
    assert isinstance(made, Shard)
    made.context.poller.stop()


def test_populations_report_together_and_end_when_all_have(tmp_path: Path) -> None:
    with Simulator.start() as simulator:
        group, taken = group_of(tmp_path, f"{simulator.url}/echo")
        group.begin(group.now())
        assert group.reported.wait(HANGS_AFTER_S)
    assert group.crash is None
    assert group.begun.is_set()
    assert group.done.is_set()
    assert {interval.worker for interval in taken} == {3}
    seconds = [interval.second for interval in taken]
    assert seconds == sorted(set(seconds))
    totals = Totals()
    for interval in taken:
        totals.add(interval)
    assert totals.count("[few]turns.complete") == 2 * 3
    assert totals.count("[many]turns.complete") == 5 * 4
    assert totals.count("turns.complete") == 26
    turns = np.concatenate([interval.turns for interval in taken])
    assert np.bincount(turns["user"]).tolist() == [3] * 2 + [4] * 5
    assert len(set(turns["seq"].tolist())) == 26
    assert {(seq - user) % 7 for seq, user in turns[["seq", "user"]].tolist()} == {0}
    assert totals.instants["last_measured"] == max(
        totals.instants["last_measured[few]"], totals.instants["last_measured[many]"]
    )
    assert group.observed["server"]


def test_a_population_without_users_here_is_not_waited_for(tmp_path: Path) -> None:
    with Simulator.start() as simulator:
        group, taken = group_of(tmp_path, f"{simulator.url}/echo", range(2))
        group.begin(group.now())
        assert group.reported.wait(HANGS_AFTER_S)
    assert sum(len(interval.turns) for interval in taken) == 2 * 3
    assert "last_measured" in taken[-1].instants
    group.stop()


def test_a_crash_of_one_ends_all(tmp_path: Path) -> None:
    with Simulator.start() as simulator:
        group, _ = group_of(tmp_path, f"{simulator.url}/echo")
        group.begin(group.now())
        gevent.sleep(0)
        group.shards[0]._crashed(RuntimeError("made to fail"))
        assert group.reported.wait(HANGS_AFTER_S)
    assert "made to fail" in str(group.crash)


def test_an_interval_that_cannot_be_given_is_a_crash(tmp_path: Path) -> None:
    group, _ = group_of(tmp_path, "ws://127.0.0.1:1/echo")

    def fail(_interval: Interval) -> None:
        raise OSError("no room")

    group._give = fail
    for shard in group.shards:
        shard.context.poller.stop()
        shard.reported.set()
    group._by_second[0] = {0: Interval(0)}
    group._await_end()
    assert "no room" in str(group.crash)


def test_facts_add_up() -> None:
    known = {"closes": {"code 1006: gone": 1}, "server": {"server": "a"}}
    add_facts(known, {"closes": {"code 1006: gone": 2, "code 1001: bye": 1}, "server": {"subprotocol": None}})
    assert known == {
        "closes": {"code 1006: gone": 3, "code 1001: bye": 1},
        "server": {"server": "a", "subprotocol": None},
    }
