"""Pictures of one line for a terminal: how values are distributed, and how a value went on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtest.measure.histogram import Histogram, highest_of

LEVELS = "▁▂▃▄▅▆▇█"
"""From the least that is there to the most; where nothing is there stands a blank."""


def distribution(histogram: Histogram, low_ns: float, high_ns: float, columns: int) -> str:
    """How many samples lie where between two values, in ``columns`` classes of equal logarithmic width."""
    if not histogram.n or columns < 1:
        return ""
    low, high = math.log(max(low_ns, 1)), math.log(max(high_ns, 2))
    width = max(high - low, 1e-9) / columns
    counted = [0] * columns
    indices, counts = histogram.counts_nonzero()
    for value, count in zip(highest_of(indices).tolist(), counts.tolist(), strict=True):
        at = int((math.log(max(value, 1)) - low) / width)
        counted[min(max(at, 0), columns - 1)] += count
    return _levels([float(n) or None for n in counted], max(counted)).rstrip()


def course(values: Sequence[float | None]) -> str:
    """Values one after another, from 0 to the highest; a blank for each that is not known."""
    return _levels(values, max((value for value in values if value is not None), default=0.0))


def _levels(values: Sequence[float | None], highest: float) -> str:
    last = len(LEVELS) - 1
    return "".join(
        " " if value is None else LEVELS[round(value / highest * last) if highest else 0] for value in values
    )


WIDE, HIGH = 120.0, 24.0
"""Of a course that is drawn, in pixels."""


def drawn_course(values: Sequence[float | None]) -> str:
    """The same as the path of an SVG of ``WIDE`` times ``HIGH``; empty without two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    highest = max(known) or 1.0
    step, pen, parts = WIDE / (len(values) - 1), "M", []
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{at * step:.1f} {HIGH - value / highest * (HIGH - 2) - 1:.1f}")
        pen = "L"
    return "".join(parts)
