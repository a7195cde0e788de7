"""A worker: drives its shard of the plan that the master sends, and sends back every interval it closes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from gevent.event import Event

from loadtest.drive.context import ShardAssignment
from loadtest.drive.coordinator import has_tasks, make_clock, prepares
from loadtest.drive.endpoint import resolve_endpoint
from loadtest.drive.generator_health import check_ports, raise_file_limit
from loadtest.drive.locust_stats import LocustStats
from loadtest.drive.shard import Shard
from loadtest.drive.shard_group import ShardGroup, make_shard
from loadtest.drive.task_errors import count_task_errors
from loadtest.errors import ConfigError, LoadtestError
from loadtest.measure.interval import Interval, to_bytes
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import share
from loadtest.plan.worker_settings import with_identities

logger = logging.getLogger(__name__)


class ShardWorker:
    """Drives one shard of a master's run. ``rebuild`` makes a scenario of what the master sends.

    ``clean`` takes the secrets of this machine, which the master does not know, out of payloads and reasons.
    ``learn`` is given secrets that come up in the run.
    """

    def __init__(
        self,
        environment: Any,
        rebuild: Callable[[Mapping[str, Any]], Scenario],
        clean: Callable[[Any], Any] = lambda told: told,
        learn: Callable[[list[str]], None] = lambda _secrets: None,
    ) -> None:
        self.environment = environment
        self.learn = learn
        self._rebuild = rebuild
        self._clean = clean
        self._plan: dict[str, Any] | None = None
        self._shard: Shard | ShardGroup | None = None
        self._sent = 0
        self._locust_stats = LocustStats(environment)
        environment.loadtest_begun = Event()
        count_task_errors(environment)
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
        # Locust reports a worker as joined before it listens to our messages; from here on this one does.
        runner.send_message("lt_hello", {"pid": os.getpid()})

    def _on_plan(self, msg: Any, **_kwargs: Any) -> None:
        self._plan = msg.data
        self._sent = 0
        self._count()

    def _spawned(self, **_kwargs: Any) -> None:
        """Locust has spawned all users."""
        self._all_spawned = True
        self._count()

    def _stopped(self, **_kwargs: Any) -> None:
        """Locust has stopped its users: a later run has new ones."""
        self._all_spawned = False
        self.environment.loadtest_begun.clear()

    def _count(self) -> None:
        """Tell the master how many users were spawned here, once both the plan and the users are there."""
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
            settings = with_identities(self._plan["settings"], go["identities"])
            users = share(go["k"], go["n"], go["users"])
            shard = self._make_shard({**self._plan, "settings": settings}, users, go["k"])
        except LoadtestError as error:
            logger.error("this worker cannot join the run: %s", error)  # noqa: TRY400 - a sentence, not a traceback
            failed = {"intervals": 0, "observed": {}, "crash": f"worker {go['k']}: {error}"}
            # A mistake of the user on that machine, such as a token that is not set; no crash of ours.
            failed["mistake"] = isinstance(error, ConfigError)
            self.environment.runner.send_message("lt_done", failed)
            return
        self._shard = shard
        self.environment.loadtest_shard = shard
        ahead_ns = go["start_wall_ns"] - time.time_ns()
        shard.begin(shard.now() + ahead_ns)
        self.environment.loadtest_begun.set()
        shard.reported.wait()
        crash = shard.crash
        sentence = None if crash is None else f"{type(crash).__name__}: {crash}"
        done = {"intervals": self._sent, "observed": self._clean(shard.observed), "crash": sentence}
        self.environment.runner.send_message("lt_done", done)

    def _make_shard(self, plan: Mapping[str, Any], users: range, number: int) -> Shard | ShardGroup:
        scenario = self._rebuild(plan["settings"])
        endpoint = resolve_endpoint(scenario.target, plan["url"], known=plan)
        assignment = ShardAssignment(plan["run_id"], scenario, endpoint, users, number)
        made = make_shard(assignment, make_clock(plan["step_ns"]), self._send)
        made.forward_secrets(self._forward_secrets)
        raise_file_limit(len(users))
        check_ports(len(users), max(len(made.sources), 1))
        if has_tasks(self.environment):
            made.let_tasks_decide(prepare=prepares(self.environment))
        return made

    def _forward_secrets(self, secrets: list[str]) -> None:
        """The master takes them out of the run's files, and this worker out of its own log."""
        self.learn(secrets)
        self.environment.runner.send_message("lt_secrets", secrets)

    def _send(self, interval: Interval) -> None:
        self._sent += 1
        self._locust_stats.add(interval)
        interval.frames = self._clean(interval.frames)
        self.environment.runner.send_message("lt_interval", {"interval": to_bytes(interval)})

    def _on_stop(self, **_kwargs: Any) -> None:
        if self._shard is not None:
            self._shard.stop()
