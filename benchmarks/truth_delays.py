"""The delays of the truth server: what it means to do, before it writes down what it did."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.truth_frames import FRAMINGS

NS = 1_000_000_000
MS = 1_000_000

Plan = Callable[[int, int], int | None]
"""When a turn's first event is due, from the turn's number and its arrival; None: there and then."""


class Freezing:
    """Stands still for a second in every five, from 1.5 s after the first message on; then answers in order.

    The generator warms up for 3 s, so its measured part of 5 s or 10 s holds whole freezes only.
    """

    def __init__(self) -> None:
        self._start_ns = 0

    def __call__(self, _number: int, arrived_ns: int) -> int:
        self._start_ns = self._start_ns or arrived_ns
        frozen_for_ns = (arrived_ns - self._start_ns - 1500 * MS) % (5 * NS)
        # What comes after the freeze waits its turn behind what came in it.
        return arrived_ns - frozen_for_ns + NS if frozen_for_ns < NS else arrived_ns


def _steady(_number: int, arrived_ns: int) -> int:
    return arrived_ns + 5 * MS


def bimodal(number: int, arrived_ns: int) -> int:
    """One in five is slow, scattered over the connections by a multiplicative hash (Knuth)."""
    slow = (number * 2654435761 >> 16) % 5 == 0
    return arrived_ns + (50 * MS if slow else 2 * MS)


DELAYS = ("steady", "bimodal", "freezing", "streamed", "echo", *FRAMINGS)


def plan_of(delay: str) -> Plan:
    """The plan of one of ``DELAYS``."""
    plans: dict[str, Plan] = {
        "bimodal": bimodal,
        "freezing": Freezing(),
        "streamed": lambda _number, arrived_ns: arrived_ns + 2 * MS,
        "echo": lambda _number, _arrived_ns: None,
    }
    return plans.get(delay, _steady)
