"""Who leads a run: begins it, passes its intervals on, and knows when it is over.

Locust spawns the users; start, run time and end are ours: the run is over when the last interval of every
process has come. One process leads itself (``LocalCoordinator``); ``drive.master`` leads workers, and each of
them has a ``drive.worker.ShardWorker``.
"""

from __future__ import annotations

import abc
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from typing_extensions import override

from loadtest.drive.context import ShardAssignment
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.locust_stats import LocustStats
from loadtest.drive.shard_group import make_shard
from loadtest.drive.task_errors import count_task_errors
from loadtest.measure.clock import Clock
from loadtest.measure.interval import Interval
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import planned_users

logger = logging.getLogger(__name__)

START_DELAY_NS = 50_000_000
"""Time from Locust's last spawned user to the start, in one process."""

USERS = "loadtest.drive.locust_user"
"""The module of the users that locustfiles subclass, whose own ``before_connect`` does nothing."""

GiveInterval = Callable[[Interval], None]


@dataclass(slots=True)
class DriveResult:
    """How driving a run ended: facts for the manifest."""

    lost_workers: list[str] = field(default_factory=list)
    refused_intervals: int = 0
    observed: dict[str, Any] = field(default_factory=dict)
    crash: Exception | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What is to be driven: the run's id, its scenario, a target that was found, the clock's resolution.

    ``learn`` is given secrets that come up in the run, before anything that may hold them.
    """

    run_id: str
    scenario: Scenario
    endpoint: Endpoint
    step_ns: int
    learn: Callable[[list[str]], None] | None = None


class Coordinator(abc.ABC):
    """Leads a run. ``over`` is set at its end, and ``result`` says how it ended.

    ``start_wall_ns``: when it started, in Unix time by this process's clock; None before that.
    """

    def __init__(self, environment: Any, spec: RunSpec, give: GiveInterval) -> None:
        self.environment = environment
        self.spec = spec
        self.result = DriveResult()
        self.over = Event()
        self.start_wall_ns: int | None = None
        self.users = planned_users(spec.scenario)
        self._give = give

    def _give_or_end(self, interval: Interval) -> None:
        """Pass an interval on; an exception there ends the run, or nobody would hear of it."""
        try:
            self._give(interval)
        except Exception as error:
            logger.exception("an interval could not be processed, so the run ends")
            self.result.crash = self.result.crash or error
            self.stop()

    @abc.abstractmethod
    def stop(self) -> None:
        """End early; what was measured is kept."""


class LocalCoordinator(Coordinator):
    """Leads a run of one process: its own."""

    def __init__(self, environment: Any, spec: RunSpec, give: GiveInterval) -> None:
        super().__init__(environment, spec, give)
        assignment = ShardAssignment(spec.run_id, spec.scenario, spec.endpoint, range(self.users))
        self._locust_stats = LocustStats(environment)
        self.shard = make_shard(assignment, make_clock(spec.step_ns), self._take)
        self.shard.forward_secrets(spec.learn)
        if has_tasks(environment):
            self.shard.let_tasks_decide(prepare=prepares(environment))
        environment.loadtest_shard = self.shard
        count_task_errors(environment)
        environment.events.spawning_complete.add_listener(self._spawned)
        environment.events.test_stopping.add_listener(self._stopping)

    def _take(self, interval: Interval) -> None:
        self._locust_stats.add(interval)
        self._give(interval)

    def _spawned(self, **_kwargs: Any) -> None:
        if not self.shard.begun.is_set():
            self.start_wall_ns = time.time_ns() + START_DELAY_NS
            self.shard.begin(self.shard.now() + START_DELAY_NS)
            gevent.spawn(self._watch)

    def _watch(self) -> None:
        self.shard.reported.wait()
        self.result.observed = self.shard.observed
        self.result.crash = self.shard.crash
        self.over.set()

    def _stopping(self, **_kwargs: Any) -> None:
        """Locust stops its users (its web page, a signal): what was measured comes first."""
        if self.shard.begun.is_set() and not self.over.is_set():
            self.stop()
            self.over.wait(timeout=5)

    @override
    def stop(self) -> None:
        if self.shard.begun.is_set():
            self.shard.stop()
        else:
            self.over.set()


def has_tasks(environment: Any) -> bool:
    """Whether the users of this environment have tasks of their own."""
    return any(user_class.tasks for user_class in environment.user_classes)


def prepares(environment: Any) -> bool:
    """Whether users of this environment do something before each of their connections."""
    return any(map(_has_before_connect, environment.user_classes))


def never_prepared(environment: Any) -> list[str]:
    """The classes whose ``before_connect`` would never be called: it goes with tasks, and they have none."""
    classes = [each for each in environment.user_classes if _has_before_connect(each) and not each.tasks]
    return sorted(each.__name__ for each in classes)


def _has_before_connect(user_class: Any) -> bool:
    return any("before_connect" in vars(base) for base in user_class.__mro__ if base.__module__ != USERS)


def make_clock(step_ns: int) -> Clock:
    """The clock of a run: the one the kernel stamps by, where it stamps."""
    return Clock(wall=sys.platform == "linux", step_ns=step_ns)


def expect_workers(runner: Any) -> None:
    """Listen for workers that join before there is a run, as under plain Locust.

    Locust would warn of an unknown message. The workers get the plan when the run is made.
    """
    runner.register_message("lt_hello", lambda **_kwargs: None)
