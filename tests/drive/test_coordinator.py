"""One process that leads itself: begun when Locust has its users, over when its last interval is given."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from locust import task

from loadtest.drive import coordinator as module
from loadtest.drive.coordinator import LocalCoordinator, RunSpec, has_tasks, make_clock
from loadtest.drive.locust_user import AgentUser
from loadtest.measure.interval import Interval
from loadtest.plan.scenario import Load, Stage
from tests.drive.local import locust_of
from tests.drive.serving import echoes, serving
from tests.drive.standing_in import ECHO, SECOND, endpoint_of, scenario_of
from tests.drive.test_worker import FakeShard
from tests.drive.under import FakeRunner, environment_of

WITHIN_S = 60.0


class Plain(AgentUser):
    abstract = False


class Asking(AgentUser):
    abstract = False

    @task
    def ask(self) -> None:
        self.turn()


@pytest.fixture
def given() -> list[Interval]:
    return []


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, given: list[Interval]) -> Any:
    """Make an ``LocalCoordinator`` whose shard is a fake."""
    monkeypatch.setattr(module, "make_shard", FakeShard)

    def make(*user_classes: type) -> LocalCoordinator:
        environment = environment_of(FakeRunner(), *user_classes)
        return LocalCoordinator(environment, RunSpec("a-run", scenario_of(), endpoint_of(), 0), given.append)

    return make


def spawned(local: LocalCoordinator) -> Any:
    local.environment.events.spawning_complete.fire(user_count=1)
    return local.shard


def test_the_run_begins_when_locust_has_its_users(local: Any) -> None:
    coordinator = local(Plain)
    assert not coordinator.shard.begun.is_set()
    before_ns = coordinator.shard.context.now()
    shard = spawned(coordinator)
    assert shard.begun.is_set()
    assert shard.begun_at >= before_ns + module.START_DELAY_NS
    begun_at = shard.begun_at
    assert spawned(coordinator).begun_at == begun_at, "Locust may spawn again, and the run goes on"
    assert coordinator.environment.loadtest_shard is shard
    assert shard.assignment.users == range(1)


def test_the_run_is_over_when_its_last_interval_is_given(local: Any, given: list[Interval]) -> None:
    coordinator = local(Plain)
    shard = spawned(coordinator)
    shard.give(Interval(second=0, counters={"measured": {"turns.lost": 2}}))
    assert [interval.second for interval in given] == [0]
    assert coordinator.environment.stats.total.num_failures == 2
    shard.crash = ValueError("a mistake of ours")
    assert not coordinator.over.is_set()
    shard.reported.set()
    assert coordinator.over.wait(WITHIN_S)
    assert coordinator.result.observed == {"server": {"server": "tiny"}}
    assert coordinator.result.crash is shard.crash


@pytest.mark.parametrize(("user_class", "by_tasks"), [(Plain, False), (Asking, True)])
def test_users_with_tasks_decide_for_themselves(local: Any, user_class: type, *, by_tasks: bool) -> None:
    coordinator = local(user_class)
    assert coordinator.shard.by_tasks is by_tasks
    assert has_tasks(coordinator.environment) is by_tasks


def test_a_run_that_is_stopped_ends_by_itself(local: Any) -> None:
    coordinator = local(Plain)
    shard = spawned(coordinator)
    coordinator.stop()
    assert shard.stopped == 1
    assert not coordinator.over.is_set()


def test_a_run_that_has_not_begun_is_over_when_it_is_stopped(local: Any) -> None:
    coordinator = local(Plain)
    coordinator.stop()
    assert coordinator.over.is_set()
    assert coordinator.shard.stopped == 0


def test_locust_waits_with_its_stop_until_all_is_given(local: Any) -> None:
    coordinator = local(Plain)
    stopping = coordinator.environment.events.test_stopping
    stopping.fire(environment=coordinator.environment)
    shard = spawned(coordinator)
    shard.stop = lambda: (setattr(shard, "stopped", shard.stopped + 1), shard.reported.set())
    stopping.fire(environment=coordinator.environment)
    assert coordinator.over.is_set()
    stopping.fire(environment=coordinator.environment)
    assert shard.stopped == 1


def test_as_many_users_as_the_widest_stage_has() -> None:
    stages = tuple(Stage(for_ns=SECOND, connections=n) for n in (2, 9, 4))
    scenario = scenario_of(load=Load(stages=stages, duration_ns=3 * SECOND))
    spec = RunSpec("a-run", scenario, endpoint_of(), 0)
    coordinator = LocalCoordinator(environment_of(FakeRunner()), spec, lambda _interval: None)
    assert coordinator.users == 9
    coordinator.shard.context.poller.stop()


@pytest.mark.parametrize(("platform", "wall"), [("linux", True), ("darwin", False)])
def test_the_clock_is_the_one_the_kernel_stamps_by(
    monkeypatch: pytest.MonkeyPatch, platform: str, *, wall: bool
) -> None:
    monkeypatch.setattr(module, "sys", SimpleNamespace(platform=platform))
    clock = make_clock(0)
    assert clock.wall is wall
    assert make_clock(7).step_ns == 7
    assert sys.platform


def test_a_run_under_locust_is_driven_to_its_end() -> None:
    """Real users, real connections, a real server."""
    with serving(echoes) as address, locust_of(Plain, ECHO, address) as local:
        local.start()
        assert local.environment.runner.user_count == 2
        local.end()
        total = local.environment.stats.total
    assert local.coordinator.result.crash is None
    assert local.count("connections.ready") == 2
    assert local.count("turns.complete") == local.count("turns.due") == total.num_requests > 0
    assert local.coordinator.shard.observed["server"] == {"server": "", "subprotocol": None}
