"""A real Locust in this process: its environment, its local runner, and one run of ours in it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from locust.env import Environment
from locust.event import Events

from loadtest.drive.coordinator import LocalCoordinator, RunSpec
from loadtest.drive.transport import Address
from loadtest.measure.interval import Interval
from loadtest.plan.scenario import Scenario
from tests.drive.standing_in import endpoint_of

WITHIN_S = 60.0


@dataclass
class Local:
    """Locust with a run of ours that has not begun."""

    environment: Any
    coordinator: LocalCoordinator
    intervals: list[Interval] = field(default_factory=list)

    def start(self) -> None:
        """Have Locust spawn all users, with whom the run begins."""
        users = max(self.coordinator.users, 1)
        self.environment.runner.start(users, users)
        assert self.coordinator.shard.begun.wait(WITHIN_S), "Locust has not spawned its users"

    def end(self) -> None:
        """Wait for the end of the run."""
        assert self.coordinator.over.wait(WITHIN_S), "the run has not come to its end"

    def count(self, name: str) -> int:
        return sum(part.get(name, 0) for one in self.intervals for part in one.counters.values())


@contextmanager
def locust_of(user_class: type, scenario: Scenario, address: Address) -> Iterator[Local]:
    """Locust for the users of one class; it is quit afterwards."""
    environment: Any = Environment(user_classes=[user_class], events=Events())
    environment.create_local_runner()
    intervals: list[Interval] = []
    spec = RunSpec("a-run", scenario, endpoint_of(address, "/ws"), 0)
    try:
        yield Local(environment, LocalCoordinator(environment, spec, intervals.append), intervals)
    finally:
        environment.runner.quit()
        # A shard puts what exists at its beginning out of the collector's sight, which is meant for one run.
        gc.unfreeze()
