"""How long something takes: the distributions that a fault can be given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from loadtest.units import parse_duration, parse_ratio

_MAX_NS = 3_600_000_000_000


def read_time(text: str) -> int:
    """Nanoseconds of "5ms", at most an hour.

    Raises:
        ValueError: one sentence.
    """
    duration_ns = parse_duration(text)
    if duration_ns > _MAX_NS:
        raise ValueError(f'"{text}" is longer than an hour, the maximum')
    return duration_ns


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long something takes.

    ``constant``: always ``low_ns``. ``uniform``: from ``low_ns`` to ``high_ns``. ``exp``: exponential with
    mean ``low_ns``, at most twenty means. ``bimodal``: ``high_ns`` in the share ``share`` of draws,
    otherwise ``low_ns``.
    """

    kind: Literal["constant", "uniform", "exp", "bimodal"]
    low_ns: int
    high_ns: int = 0
    share: float = 0.0

    def draw(self, u: float) -> int:
        """Nanoseconds for ``u`` from [0, 1), which ``plan.random_draw`` gives."""
        if self.kind == "uniform":
            return self.low_ns + round(u * (self.high_ns - self.low_ns))
        if self.kind == "exp":
            return min(20 * self.low_ns, round(-self.low_ns * math.log1p(-u)))
        if self.kind == "bimodal":
            return self.high_ns if u < self.share else self.low_ns
        return self.low_ns


def read_distribution(text: str) -> Distribution:
    """Of "5ms", "uniform:1ms,9ms", "exp:5ms" or "bimodal:2ms,50ms,0.1".

    Raises:
        ValueError: one sentence that shows the right form.
    """
    kind, colon, rest = text.partition(":")
    parts = [part.strip() for part in rest.split(",")]
    match (kind.strip(), len(parts)):
        case (_, _) if not colon:
            return Distribution("constant", read_time(text))
        case ("exp", 1):
            return Distribution("exp", read_time(parts[0]))
        case ("uniform", 2):
            low_ns, high_ns = read_time(parts[0]), read_time(parts[1])
            if low_ns > high_ns:
                raise ValueError(f'"{text}" begins with the longer time; write the shorter time first')
            return Distribution("uniform", low_ns, high_ns)
        case ("bimodal", 3):
            return Distribution("bimodal", read_time(parts[0]), read_time(parts[1]), parse_ratio(parts[2]))
    raise ValueError(
        f'"{text}" is not a distribution; write "5ms", "uniform:1ms,9ms", "exp:5ms" or "bimodal:2ms,50ms,0.1"'
    )
