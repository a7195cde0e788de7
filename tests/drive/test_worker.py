"""A worker: counts its users, shows its clock, drives its shard, and sends every interval and a last word."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from locust import task

from loadtest.drive import worker as module
from loadtest.drive.context import ShardAssignment
from loadtest.drive.worker import ShardWorker
from loadtest.errors import ConfigError
from loadtest.measure.clock import Clock
from loadtest.measure.interval import Interval, from_bytes
from loadtest.plan.scenario import Scenario, Target
from tests.drive.serving import echoes, serving
from tests.drive.standing_in import ECHO, MS, NOWHERE, SECOND, scenario_of
from tests.drive.under import FakeRunner, environment_of

WITHIN_S = 60.0
AHEAD_NS = 3_600_000_000_000


class FakeShard:
    """A shard that does as the test says."""

    def __init__(
        self, assignment: ShardAssignment, clock: Clock, on_interval: Callable[[Interval], None]
    ) -> None:
        self.assignment = assignment
        self.context = SimpleNamespace(now=clock.now)
        self.now = clock.now
        self.sources = ()
        self.give = on_interval
        self.reported = Event()
        self.begun = Event()
        self.begun_at = 0
        self.crash: Exception | None = None
        self.observed: dict[str, Any] = {"server": {"server": "tiny"}}
        self.stopped = 0
        self.by_tasks = False

    def begin(self, start_ns: int) -> None:
        self.begun_at = start_ns
        self.begun.set()

    def let_tasks_decide(self, *, prepare: bool = False) -> None:
        self.by_tasks = True

    def forward_secrets(self, take: Callable[[list[str]], None] | None) -> None:
        self.told = take

    def stop(self) -> None:
        self.stopped += 1


class Following:
    """A worker whose master is the test."""

    def __init__(self, *user_classes: type, scenario: Scenario | None = None) -> None:
        self.runner = FakeRunner()
        self.environment = environment_of(self.runner, *user_classes)
        self.rebuilt: list[Any] = []
        self.scenario = scenario or scenario_of()
        self.worker = ShardWorker(self.environment, self.rebuild)

    def rebuild(self, settings: Any) -> Scenario:
        self.rebuilt.append(settings)
        return self.scenario

    def plan(self, port: int = NOWHERE.sockaddr[1]) -> None:
        plan = {
            "run_id": "a-run",
            "settings": {"name": "test"},
            "url": f"ws://target.example:{port}/ws",
            "addresses": [[2, ["127.0.0.1", port]]],
            "resolve_ns": None,
            "step_ns": 0,
        }
        self.runner.tell("lt_plan", plan)

    def spawned(self, users: int = 3) -> None:
        self.runner.user_count = users
        self.environment.events.spawning_complete.fire(user_count=users)

    def go(self, *, ahead_ns: int = 0, **numbers: int) -> gevent.Greenlet:
        """The word to begin, heard in a greenlet of its own, as Locust does with this message."""
        said = {"k": 1, "n": 2, "users": 5, "start_wall_ns": time.time_ns() + ahead_ns}
        said |= {"identities": [], **numbers}
        greenlet = gevent.spawn(self.runner.tell, "lt_go", said)
        gevent.sleep(0)
        return greenlet

    @property
    def shard(self) -> Any:
        return self.environment.loadtest_shard


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_shard", FakeShard)


# ------------------------------------------------------------------ before the start


def test_a_worker_says_that_it_listens() -> None:
    following = Following()
    assert following.runner.sent == [("lt_hello", {"pid": os.getpid()}, None)]
    assert following.runner.custom_messages["lt_go"][1], "it takes as long as the run, others must be heard"


@pytest.mark.parametrize("plan_first", [True, False])
def test_users_are_counted_once_both_the_plan_and_they_have_come(*, plan_first: bool) -> None:
    following = Following()
    first, second = following.plan, following.spawned
    if not plan_first:
        first, second = second, first
    first()
    assert following.runner.taken("lt_counted") == []
    second()
    assert following.runner.taken("lt_counted") == [({"users": 3, "pid": os.getpid()}, None)]


def test_the_clock_is_shown_with_the_question() -> None:
    following = Following()
    before = time.time_ns()
    following.runner.tell("lt_clock", {"asked_ns": 17})
    ((answer, _),) = following.runner.taken("lt_clock")
    assert answer["asked_ns"] == 17
    assert before <= answer["own_ns"] <= time.time_ns()


def test_a_word_to_begin_without_a_plan_is_not_heard() -> None:
    following = Following()
    following.go().get(timeout=WITHIN_S)
    assert not following.environment.loadtest_begun.is_set()


# ------------------------------------------------------------------ the shard


@pytest.mark.usefixtures("fake")
def test_a_worker_drives_every_nth_user_from_the_common_instant() -> None:
    following = Following()
    following.plan(port=81)
    before_ns = time.time_ns()
    following.go(ahead_ns=AHEAD_NS)
    after_ns = time.time_ns()
    shard = following.shard
    assignment = shard.assignment
    assert (assignment.users, assignment.worker, assignment.run_id) == (range(1, 5, 2), 1, "a-run")
    assert assignment.scenario is following.scenario
    assert following.rebuilt == [{"name": "test"}]
    assert assignment.endpoint.addresses[0].sockaddr == ("127.0.0.1", 81)
    assert assignment.endpoint.host_header == "target.example:81"
    # The clock that drives is not the one that the master names; they differ by what it took to ask both.
    assert before_ns - 1000 * MS < shard.begun_at - AHEAD_NS < after_ns + 1000 * MS
    assert following.environment.loadtest_begun.is_set()
    assert not shard.by_tasks


class Asking:
    tasks = (task,)


@pytest.mark.usefixtures("fake")
def test_users_with_tasks_decide_for_themselves() -> None:
    following = Following(Asking)
    following.plan()
    following.go()
    assert following.shard.by_tasks


@pytest.mark.usefixtures("fake")
def test_every_interval_is_sent_and_then_how_many_there_were() -> None:
    following = Following()
    following.plan()
    going = following.go()
    for second in range(3):
        following.shard.give(Interval(second=second, counters={"measured": {"turns.timed_out": 2}}))
    sent = [from_bytes(data["interval"]) for data, _ in following.runner.taken("lt_interval")]
    assert [interval.second for interval in sent] == [0, 1, 2]
    assert sent[0].counters == {"measured": {"turns.timed_out": 2}}
    assert following.environment.stats.total.num_failures == 6
    assert following.runner.taken("lt_done") == []
    following.shard.reported.set()
    going.get(timeout=WITHIN_S)
    done = {"intervals": 3, "observed": {"server": {"server": "tiny"}}, "crash": None}
    assert following.runner.taken("lt_done") == [(done, None)]


@pytest.mark.usefixtures("fake")
def test_what_this_machine_knows_to_be_secret_is_not_sent() -> None:
    def clean(told: Any) -> Any:
        return json.loads(json.dumps(told).replace("own-token-1", "[redacted]"))

    following = Following()
    following.worker = ShardWorker(environment_of(FakeRunner()), following.rebuild, clean)
    following.environment = following.worker.environment
    following.runner = following.environment.runner
    following.plan()
    going = following.go()
    frames = [{"kind": "unmatched", "user": 0, "frames": [[None, "own-token-1"]]}]
    following.shard.give(Interval(second=0, frames=frames))
    following.shard.observed["closes"] = {"code 1000: own-token-1": 2}
    following.shard.reported.set()
    going.get(timeout=WITHIN_S)
    (sent,) = [from_bytes(data["interval"]) for data, _ in following.runner.taken("lt_interval")]
    assert sent.frames[0]["frames"] == [[None, "[redacted]"]]
    ((done, _),) = following.runner.taken("lt_done")
    assert done["observed"]["closes"] == {"code 1000: [redacted]": 2}


@pytest.mark.usefixtures("fake")
def test_a_crash_is_told_with_what_was_measured() -> None:
    following = Following()
    following.plan()
    going = following.go()
    following.shard.give(Interval(second=0))
    following.shard.crash = ValueError("a mistake of ours")
    following.shard.reported.set()
    going.get(timeout=WITHIN_S)
    ((done, _),) = following.runner.taken("lt_done")
    assert (done["intervals"], done["crash"]) == (1, "ValueError: a mistake of ours")


def test_a_worker_that_cannot_take_part_says_why(caplog: pytest.LogCaptureFixture) -> None:
    following = Following()

    def refuse(_settings: Any) -> Scenario:
        raise ConfigError("the environment variable TOKEN is not set")

    following.worker._rebuild = refuse
    following.plan()
    with caplog.at_level("ERROR"):
        following.go().get(timeout=WITHIN_S)
    ((done, _),) = following.runner.taken("lt_done")
    assert done["intervals"] == 0
    assert done["crash"] == "worker 1: the environment variable TOKEN is not set"
    assert done["mistake"]
    assert "cannot join the run" in caplog.text


@pytest.mark.usefixtures("fake")
def test_a_worker_holds_its_share_against_the_limits_of_its_own_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(module, "raise_file_limit", lambda connections: asked.append(("files", connections)))
    monkeypatch.setattr(module, "check_ports", lambda *numbers: asked.append(("ports", *numbers)))
    following = Following()
    following.plan()
    following.go(k=0, n=2, users=5)
    assert asked == [("files", 3), ("ports", 3, 1)]


def test_a_worker_without_any_of_the_sources_cannot_take_part() -> None:
    target = Target(url="ws://target.example", source_addresses=("203.0.113.9",))
    following = Following(scenario=dataclasses.replace(ECHO, target=target))
    following.plan()
    following.go().get(timeout=WITHIN_S)
    ((done, _),) = following.runner.taken("lt_done")
    assert "this machine has none of the addresses 203.0.113.9" in done["crash"]


@pytest.mark.usefixtures("fake")
def test_the_word_to_stop_stops_the_share() -> None:
    following = Following()
    following.runner.tell("lt_stop", None)
    following.plan()
    following.go()
    following.runner.tell("lt_stop", None)
    assert following.shard.stopped == 1


@pytest.mark.usefixtures("fake")
def test_a_later_run_has_users_and_a_share_of_its_own() -> None:
    """Locust's page starts one run after the other, and workers live through all of them."""
    following = Following()
    following.plan()
    following.spawned()
    going = following.go()
    following.shard.give(Interval(second=0))
    following.shard.reported.set()
    going.get(timeout=WITHIN_S)
    following.environment.events.test_stop.fire(environment=following.environment)
    following.runner.sent.clear()
    following.plan()
    assert following.runner.taken("lt_counted") == [], "its users are still to come"
    assert not following.environment.loadtest_begun.is_set()
    following.spawned(users=4)
    assert following.runner.taken("lt_counted")[0][0]["users"] == 4
    earlier = following.shard
    going = following.go()
    assert following.shard is not earlier
    following.shard.reported.set()
    going.get(timeout=WITHIN_S)
    assert following.runner.taken("lt_done")[0][0]["intervals"] == 0


def test_a_share_is_driven_to_its_end() -> None:
    """Against a real server, with real connections, which a busy machine opens late."""
    load = dataclasses.replace(ECHO.load, duration_ns=3 * SECOND)
    following = Following(scenario=dataclasses.replace(ECHO, load=load))
    with serving(echoes) as address:
        following.plan(port=address.sockaddr[1])
        following.go(k=0, n=1, users=2).get(timeout=WITHIN_S)
    ((done, _),) = following.runner.taken("lt_done")
    sent = [from_bytes(data["interval"]) for data, _ in following.runner.taken("lt_interval")]
    assert done["crash"] is None
    assert done["intervals"] == len(sent) > 0
    complete = sum(part.get("turns.complete", 0) for one in sent for part in one.counters.values())
    due = sum(part.get("turns.due", 0) for one in sent for part in one.counters.values())
    assert complete == due > 0
