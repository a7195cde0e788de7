"""What a probe brings home: measures, samples, and what it saw, before anybody judges it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from loadtest.judge.measured import Bound, Measurement
from loadtest.judge.thresholds import decide
from loadtest.plan.threshold import Threshold
from loadtest.readiness.objectives import Promise, Unit

Outcome = Literal["answered", "failed", "unasked"]
"""answered: there are measures to judge; failed: the part's own doing; unasked: it could not be asked."""

P95_SAMPLES = 20
"""Fewer samples do not tell the 95th percentile from the maximum."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured number; ``value`` is None where ``n`` samples do not support it, with the reason.

    ``bound`` is set where the value is not exact, or not known but for where it must lie.
    """

    value: float | None
    unit: Unit
    n: int
    reason: str = ""
    bound: Bound | None = None


def keeps(promise: Promise, measure: Measure) -> bool | None:
    """Whether what was measured keeps the promise; None where nothing, or no more than a bound, tells."""
    if measure.bound is None:
        return None if measure.value is None else promise.holds(measure.value)
    limit = Threshold("", promise.expression, promise.operator, promise.limit, "count")
    outcome = decide(limit, Measurement(measure.value, measure.n, measure.reason, measure.bound))
    return None if outcome == "not_measured" else outcome == "held"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answer of one probe.

    ``error`` is the class of what went wrong: a layer (resolve, tcp, tls), "refused", "timeout", "status",
    "answer", "driver", "credential", "tool", ... ``said`` is one sentence. ``lines`` is what was seen,
    ``issues`` what is wrong with it though it answered. ``at`` is the Unix time the evidence speaks of; None:
    the part was not asked. ``samples`` are single measurements in the order taken, None for one that failed.
    ``simulated``: it was our own simulator that answered.
    """

    outcome: Outcome
    said: str
    at: float | None
    error: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    samples: tuple[float | None, ...] = ()
    took_s: float = 0.0
    simulated: bool = False


def distribution(name: str, values: Sequence[float]) -> dict[str, Measure]:
    """Statistics of durations in milliseconds; percentiles are nearest ranks, None where n is small."""
    ordered, n = sorted(values), len(values)
    if not n:
        return {f"{name}.n": Measure(0, "count", 0)}
    measures = {
        f"{name}.n": Measure(n, "count", n),
        f"{name}.min": Measure(ordered[0], "ms", n),
        f"{name}.max": Measure(ordered[-1], "ms", n),
        f"{name}.mean": Measure(math.fsum(ordered) / n, "ms", n),
    }
    for statistic, q, least in (("p50", 50, 2), ("p95", 95, P95_SAMPLES)):
        too_few = f"not enough samples (n={n} of at least {least})"
        value = ordered[math.ceil(q / 100 * n) - 1]
        measures[f"{name}.{statistic}"] = (
            Measure(value, "ms", n) if n >= least else Measure(None, "ms", n, too_few)
        )
    return measures


def shares(answered: int, asked: int) -> dict[str, Measure]:
    """The share of samples that were answered rightly."""
    return {"answered.ratio": Measure(answered / asked, "ratio", asked)} if asked else {}
