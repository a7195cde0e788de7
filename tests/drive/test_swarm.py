"""One process that leads itself: begun when Locust has its users, over when its last interval is given."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from locust import task

from loadtest.drive import swarm as module
from loadtest.drive.swarm import Alone, Lead, Order, has_tasks, make_clock
from loadtest.drive.user import AgentUser
from loadtest.measure.interval import Interval
from loadtest.plan.scenario import Load, Stage
from tests.drive.local import locust_of
from tests.drive.serving import echoes, serving
from tests.drive.standing_in import ECHO, SECOND, place_of, scenario_of
from tests.drive.test_worker import FakeShare
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
def alone(monkeypatch: pytest.MonkeyPatch, given: list[Interval]) -> Any:
    """Make an ``Alone`` whose share is a fake."""
    monkeypatch.setattr(module, "Share", FakeShare)

    def make(*user_classes: type) -> Alone:
        environment = environment_of(FakeRunner(), *user_classes)
        return Alone(environment, Order("a-run", scenario_of(), place_of(), 0), given.append)

    return make


def spawned(alone: Alone) -> Any:
    alone.environment.events.spawning_complete.fire(user_count=1)
    return alone.share


def test_the_run_begins_when_locust_has_its_users(alone: Any) -> None:
    lead = alone(Plain)
    assert not lead.share.begun.is_set()
    before_ns = lead.share.now()
    share = spawned(lead)
    assert share.begun.is_set()
    assert share.begun_at >= before_ns + module.START_DELAY_NS
    begun_at = share.begun_at
    assert spawned(lead).begun_at == begun_at, "Locust may spawn again, and the run goes on"
    assert lead.environment.loadtest_share is share
    assert share.assignment.users == range(1)


def test_the_run_is_over_when_its_last_interval_is_given(alone: Any, given: list[Interval]) -> None:
    lead = alone(Plain)
    share = spawned(lead)
    share.give(Interval(second=0, counters={"measured": {"turns.lost": 2}}))
    assert [interval.second for interval in given] == [0]
    assert lead.environment.stats.total.num_failures == 2
    share.crash = ValueError("a mistake of ours")
    assert not lead.over.is_set()
    share.reported.set()
    assert lead.over.wait(WITHIN_S)
    assert lead.ending.observed == {"server": {"server": "tiny"}}
    assert lead.ending.crash is share.crash


@pytest.mark.parametrize(("user_class", "guided"), [(Plain, False), (Asking, True)])
def test_users_with_tasks_decide_for_themselves(alone: Any, user_class: type, *, guided: bool) -> None:
    lead = alone(user_class)
    assert lead.share.guided is guided
    assert has_tasks(lead.environment) is guided


def test_a_run_that_is_stopped_ends_by_itself(alone: Any) -> None:
    lead = alone(Plain)
    share = spawned(lead)
    lead.stop()
    assert share.stopped == 1
    assert not lead.over.is_set()


def test_a_run_that_has_not_begun_is_over_when_it_is_stopped(alone: Any) -> None:
    lead = alone(Plain)
    lead.stop()
    assert lead.over.is_set()
    assert lead.share.stopped == 0


def test_locust_waits_with_its_stop_until_all_is_given(alone: Any) -> None:
    lead = alone(Plain)
    stopping = lead.environment.events.test_stopping
    stopping.fire(environment=lead.environment)
    share = spawned(lead)
    share.stop = lambda: (setattr(share, "stopped", share.stopped + 1), share.reported.set())
    stopping.fire(environment=lead.environment)
    assert lead.over.is_set()
    stopping.fire(environment=lead.environment)
    assert share.stopped == 1


def test_as_many_users_as_the_widest_stage_has() -> None:
    stages = tuple(Stage(for_ns=SECOND, connections=n) for n in (2, 9, 4))
    scenario = scenario_of(load=Load(stages=stages, duration_ns=3 * SECOND))
    lead = Lead(environment_of(FakeRunner()), Order("a-run", scenario, place_of(), 0), lambda _interval: None)
    assert lead.users == 9
    with pytest.raises(NotImplementedError):
        lead.stop()


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
    assert local.lead.ending.crash is None
    assert local.count("connections.ready") == 2
    assert local.count("turns.complete") == local.count("turns.due") == total.num_requests > 0
    assert local.lead.share.observed["server"] == {"server": "", "subprotocol": None}
