"""Turns without an end, and events that nobody asked for: in which phase of a run they are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import NEVER, Turn


class MovedTurns:
    """Turns without an end that have seen a new phase of the run.

    Their events are counted in the phase in which they come, the turns themselves where they began.
    """

    __slots__ = ("_began",)

    def __init__(self) -> None:
        # By id the metrics of the phase of the beginning, and how many events are counted already.
        self._began: dict[Any, tuple[PhaseMetrics, int]] = {}

    def move(self, turns: Iterable[Turn], metrics: PhaseMetrics) -> None:
        """A phase with these metrics has begun."""
        for turn in turns:
            began_in, counted = self._began.get(turn.id, (turn.metrics, 0))
            turn.metrics.events_matched += turn.received - counted
            self._began[turn.id] = began_in, turn.received
            turn.metrics = metrics

    def move_back(self, turn: Turn) -> None:
        """A turn ends, in the phase where it began; the rest of its events are counted."""
        began_in, counted = self._began.pop(turn.id, (turn.metrics, 0))
        turn.metrics.events_matched += turn.received - counted
        turn.metrics = began_in


class PushedEvents:
    """The events of one connection on which nothing is sent: counted, and their gaps timed."""

    __slots__ = ("_last_ns", "_read")

    def __init__(self) -> None:
        self._read = 0
        self._last_ns = NEVER

    def receive(self, read: int, at_ns: int, metrics: PhaseMetrics) -> None:
        """An event of the ``read``-th read came; a gap is known only between two reads."""
        metrics.count("events.pushed")
        if self._read != read:
            if self._last_ns != NEVER:
                metrics.gap.append(max(at_ns - self._last_ns, 0))
            self._read, self._last_ns = read, at_ns
