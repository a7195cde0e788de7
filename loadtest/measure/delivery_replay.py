"""Copies over several processes: what each of them logged, put in order of time and followed as one room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import PHASES, Interval, add_counters, add_histograms
from loadtest.measure.recorder import PhaseRecord
from loadtest.measure.tagging import tag_interval
from loadtest.speak.deliveries import Deliveries
from loadtest.speak.delivery_log import ARRIVED, CLOCKS_DIFFER_NS, CLOSED, OPENED, SENT

LogRows = npt.NDArray[np.int64]


class DeliveryReplay:
    """Follows the copies of a run from the logs of its processes (``speak.delivery_log``).

    ``audience_of`` gives the audience of each of ``users``, ``population_of`` its population (empty: there
    are none). Instants are from the run's start, by the clock of each process; as these may differ, what
    arrived is looked at after all that was sent before and a little later.
    """

    def __init__(
        self,
        audience_of: Callable[[int], str],
        population_of: Callable[[int], str],
        *,
        users: int,
        within_ns: int,
        counts_twice: bool,
    ) -> None:
        within_ns += 2 * CLOCKS_DIFFER_NS
        self._deliveries = Deliveries(audience_of, within_ns, counts_twice=counts_twice)
        self._population_of = population_of
        self._users = users
        self._waiting: LogRows = np.empty((0, 5), np.int64)
        self._records: dict[str, _Records] = {}
        self._histograms: dict[str, Histogram] = {}
        self._counters: dict[str, dict[str, int]] = {}

    def add(self, rows: LogRows, until_ns: int) -> None:
        """Take what all processes logged, of which all before ``until_ns`` has come."""
        known = (
            (rows[:, 2] >= 0) & (rows[:, 2] < self._users) & (rows[:, 4] >= 0) & (rows[:, 4] < len(PHASES))
        )
        waiting = np.concatenate([self._waiting, rows[known]])
        later = np.isin(waiting[:, 0], (CLOSED, ARRIVED)) * CLOCKS_DIFFER_NS
        order = waiting[:, 1] + later
        ripe = order < until_ns
        self._waiting = waiting[~ripe]
        ranked = np.argsort(order[ripe], kind="stable")
        for due_ns, row in zip(order[ripe][ranked].tolist(), waiting[ripe][ranked].tolist(), strict=True):
            self._follow(due_ns, row)
        self._empty()

    def _follow(self, due_ns: int, row: list[int]) -> None:
        what, at_ns, user, seq, phase = row
        deliveries = self._deliveries
        deliveries.expire(due_ns)
        if what == OPENED:
            deliveries.opened(user, self._records_of(user))
        elif what == CLOSED:
            deliveries.closed(user)
        elif what == SENT:
            deliveries.sent(seq, user, at_ns, self._records_of(user).metrics_in(phase))
        else:
            deliveries.arrived(seq, user, at_ns)

    def _records_of(self, user: int) -> _Records:
        population = self._population_of(user)
        if population not in self._records:
            self._records[population] = _Records()
        return self._records[population]

    def _empty(self) -> None:
        """Move what was counted from the buffers, which grow with each copy, into sums."""
        for population, records in self._records.items():
            for record in records.of_phases:
                counted, times = record.take_counters(), record.take_histograms()
                part = Interval(
                    0, histograms=times, counters={PHASES[record.phase]: counted} if counted else {}
                )
                if population:
                    tag_interval(part, population)
                add_counters(self._counters, part.counters)
                add_histograms(self._histograms, part.histograms)

    def finish(self, interval: Interval) -> None:
        """The run is over: what has not come is missing. Adds all that was counted to its last interval."""
        self.add(np.empty((0, 5), np.int64), np.iinfo(np.int64).max)
        self._deliveries.close()
        self._empty()
        add_counters(interval.counters, self._counters)
        add_histograms(interval.histograms, self._histograms)


class _Records:
    """What is counted of the copies of one population, by phase of the run."""

    def __init__(self) -> None:
        self.of_phases = tuple(PhaseRecord(index) for index in range(len(PHASES)))

    def metrics_in(self, phase: int) -> PhaseRecord:
        return self.of_phases[phase]
