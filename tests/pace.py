"""How fast this machine is now: what judges processor time is held against it."""

from __future__ import annotations

import resource
import time

REFERENCE_S = 0.08
"""What the sum below takes on the machine on which the limits were written down."""


def pace() -> float:
    """How many times slower than the reference this machine is now, at least 1.

    In processor time, which grows too where somebody else computes on the other half of the core.
    """
    before = time.process_time()
    sum(number * number for number in range(10**6))
    return max(1.0, (time.process_time() - before) / REFERENCE_S)


def children_s() -> float:
    """The processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
