"""One process's shard of a run, driven here: real connections to a real simulator, without Locust's users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import numpy.typing as npt

from loadtest.drive.context import ShardAssignment
from loadtest.drive.coordinator import make_clock
from loadtest.drive.endpoint import resolve_endpoint
from loadtest.drive.shard import Shard
from loadtest.measure.interval import OUTCOMES, Interval
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.schedule import Schedule

NS = 1_000_000_000

HEAD = """
name = "alone"
protocol = "agent-events"
[target]
url = "simulator"
"""

HANGS_AFTER_S = 60.0

Meanwhile = Callable[[Shard], Any]


@dataclass(frozen=True)
class Driven:
    """What a shard measured."""

    shard: Shard
    intervals: list[Interval]
    totals: Totals
    took_s: float

    def counts(self, prefix: str) -> dict[str, int]:
        """Counters of the whole run that are not 0, but for what this machine decides, without the prefix."""
        every = {name for part in self.totals.counters.values() for name in part}
        kept = (name for name in every if not name.endswith(("_coalesced", "slow_send")))
        names = {name for name in kept if name.startswith(prefix)}
        return {name.removeprefix(prefix): self.totals.count(name) for name in sorted(names)}

    @property
    def turns(self) -> npt.NDArray[np.void]:
        """The turn table."""
        return np.concatenate([interval.turns for interval in self.intervals])

    def seqs(self, outcome: str) -> set[int]:
        """The turns that ended so."""
        return set(self.turns["seq"][self.turns["outcome"] == OUTCOMES.index(outcome)].tolist())

    def n(self, tag: str) -> int:
        """Samples of a metric."""
        histogram = self.totals.histograms.get(tag)
        return 0 if histogram is None else histogram.n

    def max_ms(self, tag: str) -> float:
        """The largest sample of a metric."""
        return (self.totals.histograms[tag].max_ns or 0) / 1e6


def scenario_of(folder: Path, text: str) -> Scenario:
    """A scenario as a user would write it, after ``HEAD``."""
    path = folder / "alone.toml"
    path.write_text(HEAD + text)
    return load_scenario(path)


def shard_of(scenario: Scenario, url: str, take: Callable[[Interval], None]) -> Shard:
    """A shard of all users that is not begun."""
    users = range(Schedule(scenario.load, scenario.traffic).users)
    endpoint = resolve_endpoint(scenario.target, url + scenario.protocol.connect.path)
    return Shard(ShardAssignment("a-run", scenario, endpoint, users), make_clock(0), take)


def drive(
    scenario: Scenario, url: str, *, before: Meanwhile | None = None, meanwhile: Meanwhile | None = None
) -> Driven:
    """Drive a scenario to its end.

    ``before`` is called before it begins, ``meanwhile`` in a greenlet of its own once it has begun.
    """
    intervals: list[Interval] = []
    shard = shard_of(scenario, url, intervals.append)
    if before is not None:
        before(shard)
    began_ns = shard.context.now()
    shard.begin(began_ns)
    other = gevent.spawn(meanwhile, shard) if meanwhile is not None else None
    assert shard.reported.wait(HANGS_AFTER_S), "the shard did not come to its end"
    took_s = (shard.context.now() - began_ns) / NS
    if other is not None:
        other.get()
    assert shard.crash is None, shard.crash
    totals = Totals()
    for interval in intervals:
        totals.add(interval)
    return Driven(shard, intervals, totals, took_s)
