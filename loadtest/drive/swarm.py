"""The leading side of a run: who begins it, passes its intervals on, and knows when it is over.

Locust spawns the users; start, run time and end are ours: the run is over when the last interval of every
process has come. One process leads itself (``Alone``); ``drive.master`` and ``drive.worker`` are for several.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from typing_extensions import override

from loadtest.drive.context import Assignment
from loadtest.drive.endpoint import Place
from loadtest.drive.locust_stats import Mirror
from loadtest.drive.shard import Share
from loadtest.drive.tasks import hear_tasks
from loadtest.measure.clock import Clock
from loadtest.measure.interval import Interval
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import Schedule

logger = logging.getLogger(__name__)

START_DELAY_NS = 50_000_000
"""Between the word and the start, in one process."""

GiveInterval = Callable[[Interval], None]


@dataclass(slots=True)
class Ending:
    """How the driving of a run ended: facts for the manifest."""

    lost_workers: list[str] = field(default_factory=list)
    observed: dict[str, Any] = field(default_factory=dict)
    crash: Exception | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be driven: a plan, a target that has been found, and the name of the run."""

    run_id: str
    scenario: Scenario
    place: Place
    step_ns: int


class Lead:
    """The leading side of a run: begins it, passes its intervals on, knows when it is over."""

    def __init__(self, environment: Any, order: Order, give: GiveInterval) -> None:
        self.environment = environment
        self.order = order
        self.ending = Ending()
        self.over = Event()
        self.users = Schedule(order.scenario.load, order.scenario.traffic).users
        self._give = give

    def _give_or_end(self, interval: Interval) -> None:
        """Pass an interval on; what goes wrong there ends the run, which nobody would hear of otherwise."""
        try:
            self._give(interval)
        except Exception as error:
            logger.exception("an interval could not be taken, and the run ends")
            self.ending.crash = self.ending.crash or error
            self.stop()

    def stop(self) -> None:
        """End early; what was measured is kept."""
        raise NotImplementedError


class Alone(Lead):
    """Everything in this process."""

    def __init__(self, environment: Any, order: Order, give: GiveInterval) -> None:
        super().__init__(environment, order, give)
        assignment = Assignment(order.run_id, order.scenario, order.place, range(self.users))
        self._mirror = Mirror(environment)
        self.share = Share(assignment, make_clock(order.step_ns), self._take)
        if has_tasks(environment):
            self.share.guide_users()
        environment.loadtest_share = self.share
        hear_tasks(environment)
        environment.events.spawning_complete.add_listener(self._spawned)
        environment.events.test_stopping.add_listener(self._stopping)

    def _take(self, interval: Interval) -> None:
        self._mirror.reflect(interval)
        self._give(interval)

    def _spawned(self, **_kwargs: Any) -> None:
        if not self.share.begun.is_set():
            self.share.begin(self.share.now() + START_DELAY_NS)
            gevent.spawn(self._watch)

    def _watch(self) -> None:
        self.share.reported.wait()
        self.ending.observed = self.share.observed
        self.ending.crash = self.share.crash
        self.over.set()

    def _stopping(self, **_kwargs: Any) -> None:
        """Locust stops its users (its web page, a signal): what was measured comes first."""
        if self.share.begun.is_set() and not self.over.is_set():
            self.stop()
            self.over.wait(timeout=5)

    @override
    def stop(self) -> None:
        if self.share.begun.is_set():
            self.share.stop()
        else:
            self.over.set()


def has_tasks(environment: Any) -> bool:
    """Whether the users of this environment have tasks of their own."""
    return any(user_class.tasks for user_class in environment.user_classes)


def make_clock(step_ns: int) -> Clock:
    """The clock of a run: the one the kernel stamps by, where it stamps."""
    return Clock(wall=sys.platform == "linux", step_ns=step_ns)


def expect_workers(runner: Any) -> None:
    """Hear workers that join before there is a run, as under plain Locust: it warns of words nobody hears.

    They are given the plan when the run is made.
    """
    runner.register_message("lt_hello", lambda **_kwargs: None)
