"""The sum of a run's intervals: what a summary, a progress line or an abort rule reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval, add_counters, add_histograms, add_instants, sorted_moves


@dataclass(frozen=True, slots=True)
class Second:
    """The light part of one interval: gauges by name, counters by phase and name."""

    second: int
    gauges: dict[str, float]
    counters: dict[str, dict[str, int]]

    def count(self, name: str) -> int:
        """The counter over all phases, 0 if nothing was counted under that name."""
        return sum(counters.get(name, 0) for counters in self.counters.values())


class Totals:
    """Histograms by tag, counters by phase and name, instants and moves over all intervals added.

    ``seconds`` are in the order of being added; ``moves`` have rows ``(offset_ns, delta)`` by instant.
    """

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}
        self.counters: dict[str, dict[str, int]] = {}
        self.instants: dict[str, int] = {}
        self.seconds: list[Second] = []
        self._moves: list[npt.NDArray[np.int64]] = []

    def __repr__(self) -> str:
        return f"Totals(seconds={len(self.seconds)}, histograms={sorted(self.histograms)})"

    def add(self, interval: Interval) -> None:
        """Add one interval; it is not changed, its counters and gauges are kept by reference."""
        add_histograms(self.histograms, interval.histograms)
        add_counters(self.counters, interval.counters)
        add_instants(self.instants, interval.instants)
        self.seconds.append(Second(interval.second, interval.gauges, interval.counters))
        self.add_moves(interval.moves)

    def add_moves(self, moves: npt.NDArray[np.int64]) -> None:
        """Add moves alone, such as those of seconds before the ones that are looked at."""
        if len(moves):
            self._moves.append(moves)

    def count(self, name: str) -> int:
        """The counter over the whole run, 0 if nothing was counted under that name."""
        return sum(counters.get(name, 0) for counters in self.counters.values())

    def measured(self, name: str) -> int:
        """The counter over the measured part, 0 if nothing was counted under that name."""
        return self.counters.get("measured", {}).get(name, 0)

    @property
    def moves(self) -> npt.NDArray[np.int64]:
        """Every connection that became ready (+1) or stopped being so (-1), by instant."""
        self._moves = [sorted_moves(self._moves)]
        return self._moves[0]

    def peak_ready(self) -> int:
        """The most connections that were ready at one instant, exact; 0 if none ever was."""
        return int(np.cumsum(self.moves[:, 1]).max(initial=0))
