"""The limits that thresholds set, for the plots of what they speak of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from loadtest.judge.manifest_access import Manifest
from loadtest.plan.threshold import parse_threshold, split_metric
from loadtest.show.manifest import as_integer, rows
from loadtest.show.sanitize import printable

DRAWN_RATES = {
    "rates.events_received_per_s": "events.received",
    "rates.turns_per_s": "turns.complete",
}
"""Thresholds on rates, by the counter that is drawn."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A line at ``value``, in the unit of its threshold; ``of`` is the metric, or the whole name.

    ``label`` says what is promised of it: "p95 < 100ms".
    """

    of: str
    statistic: str
    value: float
    label: str
    missed: bool

    @property
    def name(self) -> str:
        """As a threshold names it."""
        return f"{self.of}.{self.statistic}" if self.statistic else self.of


def limits_of(manifest: Manifest) -> tuple[Limit, ...]:
    """The limit of every threshold that a run was judged by, each once; what cannot be read is left out."""
    found = {}
    for row in rows(manifest, "verdict", "thresholds"):
        name, expression, stage = (
            str(row.get("name")),
            str(row.get("expression")),
            as_integer(row.get("stage")),
        )
        try:
            threshold = parse_threshold(name, expression)
        except ValueError:
            continue
        metric, statistic = split_metric(name) or (name, "")
        part = "" if stage is None else f" (stage {stage + 1})"
        shown = printable(f"{statistic.replace('_', '.')} {expression}{part}".strip(), 60)
        limit = Limit(metric, statistic, threshold.limit, shown, row.get("outcome") == "missed")
        found[metric, statistic, limit.value, stage] = limit
    return tuple(found.values())


def of_times(limits: Iterable[Limit], metrics: Collection[str]) -> list[Limit]:
    """Those on percentiles of these metrics, in milliseconds."""
    return [each for each in limits if each.of in metrics and each.statistic not in {"", "n"}]


def of_rates(limits: Iterable[Limit]) -> list[Limit]:
    """Those on rates that are drawn second by second."""
    return [each for each in limits if each.of in DRAWN_RATES]
