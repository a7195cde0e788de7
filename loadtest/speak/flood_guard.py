"""Whether a target floods a connection with pings, empty messages, or messages that unpack without measure.

Each is answered, counted or unpacked by us, so that a flood takes the generator's time: the run would be
invalid, as if the generator had been too slow, though it is the target's doing. Such a connection is given
up.
"""

from __future__ import annotations

from typing import Final

from loadtest.plan.frame_limits import BOMB, MAX_CONTROL_FRAMES, MAX_EMPTY, MAX_UNPACKED

SECOND_NS: Final = 1_000_000_000


class FloodGuard:
    """Counts what comes over one connection, by seconds of its own."""

    __slots__ = ("_control", "_empty", "_ends_ns", "_unpacked", "_wire")

    def __init__(self) -> None:
        self._ends_ns = 0
        self._control = 0
        self._empty = 0
        self._unpacked = 0
        self._wire = 0

    def control_frames(self, n: int, at_ns: int) -> str | None:
        """Count so many; why the connection is given up, or None."""
        self._begin(at_ns)
        self._control += n
        if self._control <= MAX_CONTROL_FRAMES:
            return None
        return f"a flood: more than {MAX_CONTROL_FRAMES:,} pings and pongs in a second"

    def empty_messages(self, n: int, at_ns: int) -> str | None:
        """Count so many; why the connection is given up, or None."""
        self._begin(at_ns)
        self._empty += n
        if self._empty <= MAX_EMPTY:
            return None
        return f"a flood: more than {MAX_EMPTY:,} messages without content in a second"

    def unpacked(self, size: int, wire: int, at_ns: int) -> str | None:
        """Count messages of ``size`` bytes that came as ``wire``; why the connection is given up, or None."""
        self._begin(at_ns)
        self._unpacked += size
        self._wire += wire
        if self._unpacked <= max(MAX_UNPACKED, BOMB * self._wire):
            return None
        return (
            f"a flood: messages that unpack to {BOMB} times their size, over {MAX_UNPACKED:,} bytes a second"
        )

    def _begin(self, at_ns: int) -> None:
        if at_ns >= self._ends_ns:
            self._ends_ns = at_ns + SECOND_NS
            self._control = self._empty = self._unpacked = self._wire = 0
