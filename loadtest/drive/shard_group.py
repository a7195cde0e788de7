"""The shards of one process whose run has several populations: they begin together, and report as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event

from loadtest.drive.context import ShardAssignment
from loadtest.drive.endpoint import Endpoint, full_url, known_addresses, resolve_endpoint
from loadtest.drive.observations import add_facts
from loadtest.drive.shard import Shard
from loadtest.errors import ConfigError
from loadtest.measure.clock import Clock
from loadtest.measure.interval import LAST_MEASURED, Interval, merge
from loadtest.measure.tagging import tag_interval
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.audience import audiences
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import planned_users, schedules

TASKS_BESIDE_POPULATIONS = (
    "tasks in Python and [[population]] cannot be combined; remove the tasks from the locustfile, or use a"
    " scenario without populations"
)


def make_shard(
    assignment: ShardAssignment, clock: Clock, on_interval: Callable[[Interval], None]
) -> Shard | ShardGroup:
    """The shard of a process, or one of each population.

    Raises:
        ConfigError: this machine has none of the source addresses, or a certificate file cannot be used.
    """
    spread = len(assignment.users) < planned_users(assignment.scenario)
    if assignment.scenario.populations:
        return ShardGroup(replace(assignment, spread=spread), clock, on_interval)
    return Shard(replace(assignment, spread=spread), clock, on_interval)


class ShardGroup:
    """One shard of each population, with what a ``Shard`` offers.

    An interval is given once every shard has closed its second, as one: what each population counted is in
    it under its own name and in the sums of all.
    """

    def __init__(
        self, assignment: ShardAssignment, clock: Clock, on_interval: Callable[[Interval], None]
    ) -> None:
        self.now = clock.now
        self.begun = Event()
        self.done = Event()
        self.reported = Event()
        self.names = [each.name for each in assignment.scenario.populations]
        self._worker = assignment.worker
        self._give = on_interval
        self._crash: Exception | None = None
        self._by_second: dict[int, dict[int, Interval]] = {}
        self._latest = [-1] * len(self.names)
        self.shards = [
            Shard(each, clock, partial(self._take, number))
            for number, each in enumerate(_assignments(assignment))
        ]
        for shard in self.shards:
            shard.alone = False
        self._share_audiences(assignment)

    def _share_audiences(self, assignment: ShardAssignment) -> None:
        """Copies of what one population sends may be due to another, whose protocol says its audience."""
        spoken = [shard.context.compiled_protocol for shard in self.shards]
        audience_of = audiences(assignment.scenario, assignment.run_id)
        followed = [each for each in spoken if each.deliveries is not None]
        for each in spoken:
            each.audience_elsewhere = audience_of
        for each in followed:
            each.deliveries = followed[0].deliveries
        if followed and followed[0].deliveries is not None:
            followed[0].deliveries.holders = len(followed)

    # ------------------------------------------------------------------ what a shard offers

    @property
    def tasks(self) -> Any:
        """Counts exceptions of tasks; there are none beside populations."""
        return self.shards[0].tasks

    @property
    def sources(self) -> Sequence[str]:
        """The addresses of this machine that connections come from; none: the system chooses."""
        return [address for shard in self.shards for address in shard.sources]

    def forward_secrets(self, take: Callable[[list[str]], None] | None) -> None:
        """Have ``take`` told of secrets that are known only now, whichever population they are of."""
        for shard in self.shards:
            shard.forward_secrets(take)

    @property
    def crash(self) -> Exception | None:
        """The exception that ended a shard, or the passing on of an interval."""
        return next((shard.crash for shard in self.shards if shard.crash is not None), self._crash)

    @property
    def observed(self) -> dict[str, dict[str, Any]]:
        """What was observed beside what was counted, by code."""
        found: dict[str, dict[str, Any]] = {}
        for shard in self.shards:
            add_facts(found, shard.observed)
        return found

    def let_tasks_decide(self, *, prepare: bool = False) -> None:  # noqa: ARG002 - as of a shard
        """Tasks say what every user sends, and populations what some of them do.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(TASKS_BESIDE_POPULATIONS)

    def next_task_traffic(self) -> None:
        """No user has tasks."""

    def begin(self, start_ns: int) -> None:
        """Start at ``start_ns`` of the run's clock, which may lie a little ahead."""
        for shard in self.shards:
            if shard.context.assignment.users:
                shard.begin(start_ns)
            else:
                # Nobody would ever end it but the end of the schedule.
                shard.reported.set()
        self.begun.set()
        gevent.spawn(self._await_end)

    def stop(self) -> None:
        """End now: turns in flight are abandoned, what was measured is kept."""
        for shard in self.shards:
            if shard.begun.is_set():
                shard.stop()

    # ------------------------------------------------------------------ what the shards report

    def _await_end(self) -> None:
        for shard in self.shards:
            shard.reported.wait()
            if shard.crash is not None:
                # The others would go on for ever with nobody listening.
                self.stop()
        try:
            self._pass_on(ended=True)
        except Exception as error:
            self._crash = error
        self.done.set()
        self.reported.set()

    def _take(self, number: int, interval: Interval) -> None:
        """A shard has closed a second."""
        self._latest[number] = interval.second
        tag_interval(interval, self.names[number])
        self._by_second.setdefault(interval.second, {})[number] = interval
        self._pass_on()

    def _pass_on(self, *, ended: bool = False) -> None:
        """Give every second to which no shard can add any more."""
        open_yet = [n for n, shard in enumerate(self.shards) if not shard.reported.is_set()]
        closed = min((self._latest[n] for n in open_yet), default=min(self._latest))
        for second in sorted(self._by_second):
            if not ended and second > closed:
                return
            parts = self._by_second.pop(second)
            merged = merge([parts[number] for number in sorted(parts)])
            merged.worker = self._worker
            self._without_early_end(merged)
            self._give(merged)

    def _without_early_end(self, interval: Interval) -> None:
        """The run's measured part has ended before its plan only where that of every population has."""
        driven = zip(self.names, self.shards, strict=True)
        names = [name for name, shard in driven if shard.context.assignment.users]
        if any(f"{LAST_MEASURED}[{name}]" not in interval.instants for name in names):
            interval.instants.pop(LAST_MEASURED, None)


def _assignments(assignment: ShardAssignment) -> list[ShardAssignment]:
    """What one process has to do of each population."""
    every = schedules(assignment.scenario)
    return [
        replace(
            assignment,
            scenario=population.scenario,
            endpoint=_endpoint(assignment.endpoint, population.scenario, first=not schedule.first),
            users=_within(assignment.users, schedule.first, schedule.first + schedule.users),
            first=schedule.first,
            of_all=schedule.of_all,
        )
        for population, schedule in zip(assignment.scenario.populations, every, strict=True)
    ]


def _endpoint(found: Endpoint, part: Scenario, *, first: bool) -> Endpoint:
    """The target as a population connects to it: by the path of its protocol, with its own certificates.

    The name was looked up once, which the first of them tells.
    """
    url = found.url
    own, parts = urlsplit(part.target.url), urlsplit(found.url)
    if own.path in {"", "/"} or part.target.url == SIMULATOR:
        query = f"?{own.query}" if own.query else ""
        url = full_url(f"{parts.scheme}://{parts.netloc}{query}", part.protocol.connect.path)
    known = {"addresses": known_addresses(found), "resolve_ns": found.resolve_ns if first else None}
    return resolve_endpoint(part.target, url, known=known)


def _within(users: range, start: int, stop: int) -> range:
    """Those of ascending ``users`` that are from ``start`` on and below ``stop``."""
    skipped = max(0, -(-(start - users.start) // users.step))
    return range(users.start + skipped * users.step, min(stop, users.stop), users.step)
