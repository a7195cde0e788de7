"""When every connection opens and, in the open model, every turn falls due: never slept upon.

The plan alone fixes these instants before the run; those of turns are computed as they are asked for. In the
closed model turns have none: each waits for the one before.

All instants are integer nanoseconds after the run's start, each computed directly from the plan, which avoids
drift. Any part of the schedule can be computed without the rest: a worker needs only its users.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, count, islice
from typing import NamedTuple

from loadtest.plan.scenario import Load, Scenario, Traffic
from loadtest.plan.stages import Visit, plan_visits
from loadtest.units import NS_PER_S

COUNTING_CAP = 1_000_000
"""Beyond this many turns a Poisson schedule is not counted in advance: it would take seconds."""


class Arrival(NamedTuple):
    """A turn becoming due: its number, unique in the run, and its instant."""

    seq: int
    offset_ns: int


def share(k: int, n: int, users: int) -> range:
    """The users of worker ``k`` (from 0) of ``n``: every n-th, so that all workers start equally early."""
    return range(k, users, n)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The plan of one population as instants. ``traffic`` None: connections are held and nothing is sent.

    Its users are numbered from ``first`` on; ``of_all`` is how many the run has, 0: no others than these.
    """

    load: Load
    traffic: Traffic | None
    first: int = 0
    of_all: int = 0

    @property
    def users(self) -> int:
        """The highest number of connections planned at once."""
        return max((stage.connections for stage in self.load.stages), default=self.load.connections)

    @property
    def never_due(self) -> int:
        """How many users the run is over for before `connect_rate` lets them connect."""
        rate = self.load.connect_rate
        if rate is None:
            return 0
        return self.users - len({visit.user for visit in plan_visits(self.load)})

    @property
    def stride(self) -> int:
        """From one turn of a user to its next: turns are numbered round all users of the run."""
        return self.of_all or self.users

    @property
    def warmup_ns(self) -> int:
        """Where the measured part begins."""
        return self.load.warmup_ns

    @property
    def end_ns(self) -> int:
        """Where the measured part ends; nothing falls due from here on."""
        return self.load.warmup_ns + self.load.duration_ns

    @property
    def turns_per_s(self) -> float | None:
        """Turns due per second once all users are connected; None in the closed model or without traffic."""
        traffic = self._planned
        if traffic is None:
            return None
        if traffic.rate is not None:
            return traffic.rate
        return self.users * traffic.burst * NS_PER_S / self._every_ns(traffic)

    @property
    def sends(self) -> bool:
        """False where connections are only held: without traffic, or with 0 turns each."""
        return self.traffic is not None and self.traffic.turns != 0

    @property
    def _planned(self) -> Traffic | None:
        """The traffic, where its instants are planned."""
        return self.traffic if self.sends and self.load.model == "open" else None

    def visits(self, users: range | None = None) -> list[Visit]:
        """When each user connects and leaves, by ``connect_ns``; of the given users or of all.

        A user who leaves in one stage and is needed again in a later one has two visits.
        """
        visits: list[Visit] = []
        due: dict[int, int] = {}
        for planned in plan_visits(self.load):
            visit = planned._replace(user=planned.user + self.first) if self.first else planned
            if users is not None and visit.user not in users:
                continue
            visits.append(visit._replace(earlier=due[visit.user]) if visit.user in due else visit)
            if visit.leave_ns is not None:
                due[visit.user] = due.get(visit.user, 0) + self.turns_due(visit)
        return visits

    def arrivals(self, visit: Visit) -> Iterator[Arrival]:
        """The turns of one visit in the open model, lazily, by instant; none in the closed model.

        The j-th turn of user u has seq ``u + stride * j``, counted over all visits of the user.
        """
        traffic = self._planned
        if traffic is None:
            return iter(())
        seqs = count(visit.user + self.stride * visit.earlier, self.stride)
        offsets = (offset for offset in self._bursts(traffic, visit) for _ in range(traffic.burst))
        return map(Arrival, seqs, islice(offsets, traffic.turns))

    def think(self, user: int) -> Iterator[int]:
        """The seq of each turn of a user in the closed model, over all visits; instants depend on replies."""
        return count(user, self.stride)

    def turns_due(self, visit: Visit) -> int:
        """How many turns ``arrivals(visit)`` has: by arithmetic if constant, by counting if Poisson."""
        traffic = self._planned
        if traffic is None:
            return 0
        if traffic.arrivals == "poisson":
            return sum(1 for _ in self.arrivals(visit))
        due = traffic.burst * self._constant_bursts(traffic, visit)
        return due if traffic.turns is None else min(due, traffic.turns)

    def due(self, visits: list[Visit] | None = None) -> int | None:
        """The number of turns due in the run (or in ``visits``); None where it depends on the replies.

        None also for a Poisson schedule so long that counting it in advance would take seconds.
        """
        if self.sends and self.load.model == "closed":
            return None
        visits = self.visits() if visits is None else visits
        if self._planned is not None and self._planned.arrivals == "poisson":
            expected = (self.turns_per_s or 0.0) * self.end_ns / NS_PER_S
            if expected > COUNTING_CAP:
                return None
        return sum(self.turns_due(visit) for visit in visits)

    def _every_ns(self, traffic: Traffic) -> int:
        if traffic.every_ns is None:
            raise ValueError("the open model needs `every` or `rate`")
        return traffic.every_ns

    def _bursts(self, traffic: Traffic, visit: Visit) -> Iterator[int]:
        """The instants of a visit's bursts."""
        if traffic.arrivals == "poisson":
            return self._poisson(traffic, visit)
        first, stop, grid = self._grid(traffic, visit)
        return (grid.at(i) for i in range(first, stop))

    def _constant_bursts(self, traffic: Traffic, visit: Visit) -> int:
        first, stop, _ = self._grid(traffic, visit)
        return max(0, stop - first)

    def _grid(self, traffic: Traffic, visit: Visit) -> tuple[int, int, Grid]:
        """The user's instants, and which of them lie in the visit: from the first, before the second."""
        grid = self._user_grid(traffic, visit.user - self.first)
        return grid.first_from(visit.connect_ns), grid.first_from(self._until(visit)), grid

    def _user_grid(self, traffic: Traffic, user: int) -> Grid:
        if traffic.rate is None:
            every = self._every_ns(traffic)
            shift = 0 if traffic.phase == "together" else user * every // self.users
            return Grid(shift, every, 1)
        numerator, denominator = traffic.rate.as_integer_ratio()
        between = traffic.burst * denominator * NS_PER_S
        if traffic.phase == "together":
            return Grid(0, self.users * between, numerator)
        return Grid(user * between, self.users * between, numerator)

    def _poisson(self, traffic: Traffic, visit: Visit) -> Iterator[int]:
        """Exponential gaps; the same for the same seed, user and connect instant, on any machine."""
        if traffic.rate is None:
            mean_ns = float(self._every_ns(traffic))
        else:
            mean_ns = self.users * traffic.burst * NS_PER_S / traffic.rate
        generator = random.Random(f"{self.load.seed}:{visit.user}:{visit.connect_ns}")  # noqa: S311 - no secret
        until = self._until(visit)
        at = visit.connect_ns + generator.expovariate(1) * mean_ns
        while at < until:
            yield int(at)
            at += generator.expovariate(1) * mean_ns

    def _until(self, visit: Visit) -> int:
        return self.end_ns if visit.leave_ns is None else min(visit.leave_ns, self.end_ns)


def schedules(scenario: Scenario) -> tuple[Schedule, ...]:
    """The schedule of each population, in the order of the scenario; of the run itself where it has none."""
    alone = tuple(Schedule(part.load, part.traffic) for part in scenario.parts)
    if not scenario.populations:
        return alone
    of_all = sum(each.users for each in alone)
    firsts = accumulate((each.users for each in alone), initial=0)
    return tuple(
        replace(each, first=first, of_all=of_all) for each, first in zip(alone, firsts, strict=False)
    )


def planned_users(scenario: Scenario) -> int:
    """The highest number of connections planned at once, of all populations together."""
    return sum(each.users for each in schedules(scenario))


def turns_due(scenario: Scenario) -> int | None:
    """The number of turns due in the run; None where that is not known of a population."""
    due = [each.due() for each in schedules(scenario)]
    return sum(n for n in due if n is not None) if None not in due else None


class Grid(NamedTuple):
    """Instants at equal distances: the i-th at (start + i * step) / unit ns, rounded to the nearest."""

    start: int
    step: int
    unit: int

    def at(self, i: int) -> int:
        """The i-th instant."""
        return (2 * (self.start + i * self.step) + self.unit) // (2 * self.unit)

    def first_from(self, offset_ns: int) -> int:
        """The smallest i >= 0 whose instant is at or after ``offset_ns``."""
        # at(i) >= offset  <=>  2 * (start + i * step) + unit >= 2 * unit * offset
        missing = 2 * self.unit * offset_ns - self.unit - 2 * self.start
        return max(0, -(-missing // (2 * self.step)))
