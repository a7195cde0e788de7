"""What a probe found, before it is judged: measures, samples, and what it saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from loadtest.judge.threshold_measurement import Bound, Measurement
from loadtest.judge.thresholds import decide
from loadtest.plan.threshold import Threshold
from loadtest.readiness.objectives import Objective, Unit, format_value

ProbeOutcome = Literal["answered", "failed", "unasked"]
"""answered: there are measures to judge; failed: by its own fault; unasked: it could not be probed."""

P95_SAMPLES = 20
"""With fewer samples the 95th percentile is the maximum."""

ABOVE_EVERY_LIMIT = 1e29
"""The lower bound of a value that no limit is high enough for; in JSON, which has no infinity."""

GRAIN_MS = 1.0
"""A process that wakes up later than it wanted by less than this is not busy: every one does."""

CONFIDENCE = 0.99
"""How sure a lower bound of a percentile must be that too few samples are there for."""


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

    def text(self, unit: Unit) -> str:
        """The value as views print it, or the lowest that it can be."""
        if self.value is None and self.bound is not None and self.bound[1] is None:
            low = self.bound[0]
            return "above every limit" if low >= ABOVE_EVERY_LIMIT else f"at least {format_value(low, unit)}"
        return format_value(self.value, unit)


def keeps(objective: Objective, measure: Measure) -> bool | None:
    """Whether the measure meets the objective; None where nothing that was measured decides."""
    if measure.bound is None:
        return None if measure.value is None else objective.holds(measure.value)
    limit = Threshold("", objective.expression, objective.operator, objective.limit, "count")
    outcome = decide(limit, Measurement(measure.value, measure.n, measure.reason, measure.bound))
    return None if outcome == "not_measured" else outcome == "held"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answer of one probe.

    ``error`` is the class of what went wrong: a layer (resolve, tcp, tls), "refused", "timeout", "status",
    "answer", "driver", "credential", "tool", ... ``said`` is one sentence. ``lines`` is what was seen,
    ``issues`` what is wrong with it though it answered. ``at`` is the Unix time the evidence speaks of; None:
    the component was not probed. ``samples`` are the tries in order, None for one that failed; ``late`` by
    how many milliseconds we ourselves may have been late with each.
    ``simulated``: it was our own simulator that answered. ``missed`` are the measures that missed thresholds
    of the component's own scenario. ``cause`` is what it says itself of the likely cause, ``report`` where
    its report is, relative to the results folder; both may be empty. ``release`` is what it says of the
    release that was looked at; empty where it says nothing.
    """

    outcome: ProbeOutcome
    said: str
    at: float | None
    error: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    samples: tuple[float | None, ...] = ()
    took_s: float = 0.0
    simulated: bool = False
    missed: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    late: tuple[float, ...] = ()
    cause: str = ""
    report: str = ""


def distribution(
    name: str, values: Sequence[float], failed: int = 0, late: Sequence[float] = ()
) -> dict[str, Measure]:
    """Statistics of tries: ``values`` are the milliseconds of those that were answered.

    A try that failed waits longer than any answer: it ranks above every value, and a statistic that falls on
    one is above every limit. Percentiles are nearest ranks, None where n is small; then their lower bound is
    the highest sample that they are not below with 99 % confidence. ``late`` are the milliseconds by which we
    ourselves were late with each value: a statistic lies between those with and without them.
    """
    ours = [ms if ms > GRAIN_MS else 0.0 for ms in late] or [0.0] * len(values)
    ordered = [*sorted(values), *[math.inf] * failed]
    least = [*sorted(max(0.0, ms - own) for ms, own in zip(values, ours, strict=True)), *[math.inf] * failed]
    n = len(ordered)
    if not n:
        return {f"{name}.n": Measure(0, "count", 0)}
    measures = {f"{name}.n": Measure(n, "count", n)}
    for statistic, of in _WHOLE.items():
        measures[f"{name}.{statistic}"] = _statistic(of(ordered), of(least), n, failed)
    for statistic, percent, enough in (("p50", 50, 2), ("p95", 95, P95_SAMPLES)):
        rank = math.ceil(percent / 100 * n) - 1
        measures[f"{name}.{statistic}"] = (
            _statistic(ordered[rank], least[rank], n, failed)
            if n >= enough
            else Measure(
                None, "ms", n, f"not enough samples (n={n} of at least {enough})",
                _lower_bound(least, percent / 100),
            )
        )  # fmt: skip
    return measures


_WHOLE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": lambda ordered: ordered[0],
    "max": lambda ordered: ordered[-1],
    "mean": lambda ordered: math.fsum(ordered) / len(ordered),
}


def _statistic(value: float, least: float, n: int, failed: int) -> Measure:
    if not math.isfinite(value):
        return Measure(None, "ms", n, f"{failed} of {n} tries failed", (ABOVE_EVERY_LIMIT, None))
    if least == value:
        return Measure(value, "ms", n)
    why = (
        f"loadtest itself was late; the true value is between {format_value(least, 'ms')} and"
        f" {format_value(value, 'ms')}"
    )
    return Measure(value, "ms", n, why, (least, value))


def _lower_bound(ordered: Sequence[float], quantile: float) -> Bound | None:
    """The highest sample that the quantile is not below with ``CONFIDENCE``; None where there is none.

    Of n samples at least j lie above the quantile with a probability that the binomial distribution gives,
    whatever the distribution of the samples.
    """
    n = len(ordered)
    for j in range(1, n + 1):
        above = (math.comb(n, k) * (1 - quantile) ** k * quantile ** (n - k) for k in range(j, n + 1))
        if math.fsum(above) <= 1 - CONFIDENCE:
            return min(ordered[n - j], ABOVE_EVERY_LIMIT), None
    return None


def shares(answered: int, tried: int) -> dict[str, Measure]:
    """The share of tries that were answered rightly."""
    return {"answered.ratio": Measure(answered / tried, "ratio", tried)} if tried else {}
