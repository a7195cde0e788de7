"""Whether a target floods a connection: control frames, or small frames that unpack to much, without end.

Each is answered or unpacked by us, so that a flood takes the generator's time: the run would be invalid, as
if the generator had been too slow, though it is the target's doing. Such a connection is given up.
"""

from __future__ import annotations

from typing import Final

SECOND_NS: Final = 1_000_000_000

MAX_CONTROL_FRAMES: Final = 2_000
"""Pings and pongs of a connection in a second; who keeps a connection alive sends a few a minute."""

MAX_UNPACKED: Final = 64 * 1024 * 1024
"""Bytes that the compressed messages of a connection may unpack to in a second, if they are a bomb."""

BOMB: Final = 100
"""Times its size on the wire that a bomb unpacks to, at least; text of events has about 10."""


class Flood:
    """Counts what comes over one connection, by seconds of its own."""

    __slots__ = ("_control", "_ends_ns", "_unpacked", "_wire")

    def __init__(self) -> None:
        self._ends_ns = 0
        self._control = 0
        self._unpacked = 0
        self._wire = 0

    def control_frames(self, n: int, at_ns: int) -> str | None:
        """Count so many; why the connection is given up, or None."""
        self._begin(at_ns)
        self._control += n
        if self._control <= MAX_CONTROL_FRAMES:
            return None
        return f"a flood: more than {MAX_CONTROL_FRAMES:,} pings and pongs in a second"

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
            self._control = self._unpacked = self._wire = 0
