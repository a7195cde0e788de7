"""The clock of a run: ``drive`` makes one and reads it.

The rest of this room, and ``plan``, ``speak`` and ``judge``, are handed instants and read no clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

from loadtest.units import parse_duration

STEP_VARIABLE = "LOADTEST_CLOCK_STEP"
"""Environment variable that coarsens every clock of ours, for tests ("15.6ms"); printed as a notice."""

LOOKS = 20
"""Looks at both clocks, at most; the one that took the least time counts."""

TOGETHER_NS = 100_000
"""Reads that lie so close together are one instant."""


class Clock:
    """Integer nanoseconds of one clock.

    With kernel arrival stamps it is the system's real-time clock, since the kernel stamps by that one, and
    it is watched for steps against the monotonic clock; without them it is the monotonic clock.

    ``resolution_ns`` is the clock's own; ``step_ns`` is 0, or the step asked for by ``STEP_VARIABLE``.
    """

    __slots__ = ("_offset_ns", "_steady", "_tick", "now", "resolution_ns", "step_ns", "wall")

    def __init__(
        self,
        *,
        wall: bool,
        step_ns: int = 0,
        tick: Callable[[], int] | None = None,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.wall = wall
        self.step_ns = step_ns
        self._tick = tick or (time.time_ns if wall else time.monotonic_ns)
        self._steady = steady
        self.resolution_ns = max(
            step_ns, round(time.get_clock_info("time" if wall else "monotonic").resolution * 1e9), 1
        )
        self.now: Callable[[], int] = self._stepped if step_ns else self._tick
        self._offset_ns = self._offset()

    def _stepped(self) -> int:
        return self._tick() // self.step_ns * self.step_ns

    def floor(self, instant_ns: int) -> int:
        """An instant of the kernel's, as coarse as our own."""
        return instant_ns // self.step_ns * self.step_ns if self.step_ns else instant_ns

    def stepped_ns(self) -> int:
        """How far the clock has moved against the steady one since the last call (signed).

        It may be wrong by 0.1 ms; if the core was taken away in all looks, by as long as the shortest took.
        """
        offset = self._offset()
        moved = offset - self._offset_ns
        self._offset_ns = offset
        return moved

    def _offset(self) -> int:
        """The clock less the steady one, by the look that took the least time.

        A process that loses its core between the reads of a single look would see a step of milliseconds.
        """
        best_ns, offset = sys.maxsize, 0
        for _ in range(LOOKS):
            before = self._steady()
            read = self._tick()
            apart_ns = self._steady() - before
            if apart_ns < best_ns:
                best_ns, offset = apart_ns, read - before
            if apart_ns < TOGETHER_NS:
                break
        return offset


def step_from(environ: Mapping[str, str]) -> int:
    """The step that ``STEP_VARIABLE`` asks for, in nanoseconds; 0 without it.

    Raises:
        ValueError: it is not a duration.
    """
    text = environ.get(STEP_VARIABLE, "")
    return parse_duration(text) if text else 0
