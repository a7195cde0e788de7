"""When each user connects and leaves: the connect rate, stages and ramps as instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from loadtest.plan.scenario import Load, Stage
from loadtest.units import NS_PER_S


class Visit(NamedTuple):
    """One planned connection of one user. ``leave_ns`` None: it stays until the end of the run.

    ``earlier`` is the number of turns due in the user's earlier visits.
    """

    user: int
    connect_ns: int
    leave_ns: int | None
    earlier: int = 0


@dataclass(slots=True)
class Queue:
    """Connects one at a time, 1 / rate apart. Places are in 1 / ``unit`` ns, which avoids drift."""

    gap: int
    unit: int
    free: int = 0

    @classmethod
    def at_rate(cls, rate: float | None) -> Queue:
        """A queue of ``rate`` connects a second; None: no waiting."""
        if rate is None:
            return cls(0, 1)
        numerator, denominator = rate.as_integer_ratio()
        return cls(denominator * NS_PER_S, numerator)

    def take(self, wanted_ns: int) -> int:
        """The next place, at ``wanted_ns`` at the earliest."""
        place = max(wanted_ns * self.unit, self.free)
        self.free = place + self.gap
        return place

    def instant(self, place: int) -> int:
        """A place to the nearest nanosecond."""
        return (2 * place + self.unit) // (2 * self.unit)


def plan_visits(load: Load) -> list[Visit]:
    """Every visit of a run, by ``connect_ns``, then by user; ``earlier`` is left at 0.

    The highest user numbers leave first. A connect that the queue would delay until after the user leaves
    again does not happen; its place is free for others.
    """
    end_ns = load.warmup_ns + load.duration_ns
    queue = Queue.at_rate(load.connect_rate)
    places: dict[int, int] = {}
    visits: list[Visit] = []
    for start_ns, stage, before in _stretches(load):
        for user in range(before, stage.connections):
            places[user] = queue.take(start_ns + _ramp_ns(stage, user - before, stage.connections - before))
        for user in reversed(range(stage.connections, before)):
            leave_ns = start_ns + _ramp_ns(stage, before - user, before - stage.connections)
            place = places.pop(user)
            if queue.instant(place) < leave_ns:
                visits.append(Visit(user, queue.instant(place), leave_ns if leave_ns < end_ns else None))
            else:
                queue.free = place
    visits += [Visit(user, queue.instant(place), None) for user, place in places.items()]
    kept = (visit for visit in visits if visit.connect_ns < end_ns)
    return sorted(kept, key=attrgetter("connect_ns", "user"))


def _ramp_ns(stage: Stage, step: int, steps: int) -> int:
    """How long after the start of its stage the step-th of so many changes happens."""
    return step * stage.for_ns // steps if stage.ramp else 0


def _stretches(load: Load) -> Iterator[tuple[int, Stage, int]]:
    """Start, stage and the number of connections before it; the warm-up belongs to the first stage."""
    if not load.stages:
        yield 0, Stage(for_ns=load.warmup_ns + load.duration_ns, connections=load.connections), 0
        return
    start_ns, before = 0, 0
    for index, stage in enumerate(load.stages):
        yield start_ns, stage, before
        start_ns += stage.for_ns + (load.warmup_ns if index == 0 else 0)
        before = stage.connections
