"""A worker: makes its share of the plan the master sends, and sends back every interval it closes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from gevent.event import Event

from loadtest.drive.context import Assignment
from loadtest.drive.endpoint import find_place
from loadtest.drive.generator import check_ports, raise_file_limit
from loadtest.drive.locust_stats import Mirror
from loadtest.drive.shard import Share
from loadtest.drive.swarm import has_tasks, make_clock
from loadtest.drive.tasks import hear_tasks
from loadtest.errors import ConfigError, LoadtestError
from loadtest.measure.interval import Interval, to_bytes
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import share

logger = logging.getLogger(__name__)


class Follow:
    """The following side: a worker. ``rebuild`` makes a scenario of what the master sends."""

    def __init__(self, environment: Any, rebuild: Callable[[Mapping[str, Any]], Scenario]) -> None:
        self.environment = environment
        self._rebuild = rebuild
        self._plan: dict[str, Any] | None = None
        self._share: Share | None = None
        self._sent = 0
        self._mirror = Mirror(environment)
        environment.loadtest_begun = Event()
        hear_tasks(environment)
        runner = environment.runner
        for message, listener in (
            ("lt_plan", self._on_plan),
            ("lt_clock", self._on_clock),
            ("lt_go", self._on_go),
            ("lt_stop", self._on_stop),
        ):
            runner.register_message(message, listener, concurrent=message == "lt_go")
        self._all_spawned = False
        environment.events.spawning_complete.add_listener(self._spawned)
        environment.events.test_stop.add_listener(self._stopped)
        # Locust says that a worker has joined before it can listen to our messages; this one can.
        runner.send_message("lt_hello", {"pid": os.getpid()})

    def _on_plan(self, msg: Any, **_kwargs: Any) -> None:
        self._plan = msg.data
        self._sent = 0
        self._count()

    def _spawned(self, **_kwargs: Any) -> None:
        """Locust has given out all users."""
        self._all_spawned = True
        self._count()

    def _stopped(self, **_kwargs: Any) -> None:
        """Locust has taken its users back: a later run has its own."""
        self._all_spawned = False
        self.environment.loadtest_begun.clear()

    def _count(self) -> None:
        """Tell the master how many users came here, once both the plan and the users have."""
        if self._plan is not None and self._all_spawned:
            counted = {"users": self.environment.runner.user_count, "pid": os.getpid()}
            self.environment.runner.send_message("lt_counted", counted)

    def _on_clock(self, msg: Any, **_kwargs: Any) -> None:
        answer = {"asked_ns": msg.data["asked_ns"], "own_ns": time.time_ns()}
        self.environment.runner.send_message("lt_clock", answer)

    def _on_go(self, msg: Any, **_kwargs: Any) -> None:
        if self._plan is None:
            return
        go = msg.data
        try:
            share_of_run = self._make_share(self._plan, share(go["k"], go["n"], go["users"]), go["k"])
        except LoadtestError as error:
            logger.error("this worker cannot take part: %s", error)  # noqa: TRY400 - a sentence, not a traceback
            failed = {"intervals": 0, "observed": {}, "crash": f"worker {go['k']}: {error}"}
            # Somebody's mistake on that machine, such as a token that is not set there, and no crash of ours.
            failed["mistake"] = isinstance(error, ConfigError)
            self.environment.runner.send_message("lt_done", failed)
            return
        self._share = share_of_run
        self.environment.loadtest_share = share_of_run
        ahead_ns = go["start_wall_ns"] - time.time_ns()
        share_of_run.begin(share_of_run.now() + ahead_ns)
        self.environment.loadtest_begun.set()
        share_of_run.reported.wait()
        crash = share_of_run.crash
        told = None if crash is None else f"{type(crash).__name__}: {crash}"
        done = {"intervals": self._sent, "observed": share_of_run.observed, "crash": told}
        self.environment.runner.send_message("lt_done", done)

    def _make_share(self, plan: Mapping[str, Any], users: range, number: int) -> Share:
        scenario = self._rebuild(plan["settings"])
        place = find_place(scenario.target, plan["url"], known=plan)
        assignment = Assignment(plan["run_id"], scenario, place, users, number)
        made = Share(assignment, make_clock(plan["step_ns"]), self._send)
        raise_file_limit(len(users))
        check_ports(len(users), max(len(made.sources), 1))
        if has_tasks(self.environment):
            made.guide_users()
        return made

    def _send(self, interval: Interval) -> None:
        self._sent += 1
        self._mirror.reflect(interval)
        self.environment.runner.send_message("lt_interval", {"interval": to_bytes(interval)})

    def _on_stop(self, **_kwargs: Any) -> None:
        if self._share is not None:
            self._share.stop()
