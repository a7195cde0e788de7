"""The knee: the load from which on the target no longer does what is asked."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.judge.load_search import Finding, SearchProbe
from loadtest.judge.manifest_access import (
    Manifest,
    count_or_zero,
    model,
    number,
    planned,
    section,
    sends,
    settings,
)
from loadtest.judge.thresholds import response_metric, thresholds_of

FALLS_BEHIND = 0.97
"""Below this part of what it does at loads that hold, the target does not follow what is asked."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe with what its run measured.

    ``asked`` and ``achieved`` are turns a second that fell due and that were complete; of a scenario that
    sends nothing, connections. ``asked`` is None in the closed model, where the target sets the pace.
    ``p95_ms`` is of the search's metric.
    """

    probe: SearchProbe
    run: str
    why: str
    asked: float | None = None
    achieved: float | None = None
    p95_ms: float | None = None
    n: int = 0
    cpu: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As in ``search.json``."""
        return {
            "load": self.probe.load,
            "answer": self.probe.answer,
            "exit_code": int(self.probe.exit_code),
            "run": self.run or None,
            "why": self.why,
            "asked": self.asked,
            "achieved": self.achieved,
            "p95_ms": self.p95_ms,
            "n": self.n,
            "generator_cpu_mean": self.cpu,
        }


@dataclass(frozen=True, slots=True)
class Knee:
    """Where ``achieved`` stops to follow ``asked``; ``load`` is None where it was not reached, with why."""

    load: float | None
    achieved: float | None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As in ``search.json``."""
        return {"load": self.load, "achieved": self.achieved, "reason": self.reason or None}


def probe_result(probe: SearchProbe, manifest: Manifest, why: str, metric: str) -> ProbeResult:
    """What a run says of its load; nothing where none was kept."""
    seconds = planned(manifest, "duration_s")
    counts = section(manifest, "counts", "measured")
    asked: float | None
    achieved: float | None
    if not sends(manifest) or settings(manifest, "traffic").get("turns") == 0:
        asked, achieved = planned(manifest, "connections"), number(section(counts, "connections").get("peak"))
    elif not seconds or not counts:
        asked = achieved = None
    else:
        turns = section(counts, "turns")
        asked = None if model(manifest) == "closed" else count_or_zero(turns.get("due")) / seconds
        achieved = count_or_zero(turns.get("complete")) / seconds
    measured = section(manifest, "metrics", metric)
    return ProbeResult(
        probe,
        str(manifest.get("id") or ""),
        why,
        asked,
        achieved,
        number(measured.get("p95")),
        count_or_zero(measured.get("n")),
        number(section(manifest, "generator", "cpu").get("mean")),
    )


def metric_of(manifest: Manifest) -> str:
    """The response time that the thresholds limit first; completion where they limit none."""
    found = (response_metric(threshold) for threshold in thresholds_of(manifest))
    return next((metric for metric in found if metric), "turn.completion")


def knee(tries: Sequence[ProbeResult]) -> Knee:
    """Where the line of what is asked meets what the target achieved at the first load it fell behind at."""
    pairs = [
        (each, each.asked, each.achieved)
        for each in tries
        if each.asked and each.achieved is not None and each.probe.answer in {"held", "missed"}
    ]
    held = [achieved / asked for each, asked, achieved in pairs if each.probe.answer == "held"]
    if not held:
        return Knee(None, None, _why_none(tries))
    follows = statistics.median(held)
    behind = [(asked, achieved, each.probe.load) for each, asked, achieved in pairs
              if achieved < FALLS_BEHIND * follows * asked]  # fmt: skip
    if not behind:
        return Knee(None, None, "the target kept up with every load that was tried")
    asked, achieved, load = min(behind)
    return Knee(achieved / follows * load / asked, achieved)


def _why_none(tries: Sequence[ProbeResult]) -> str:
    if any(each.asked is None and each.achieved is not None for each in tries):
        return "in the closed model the target sets the pace, so no rate is requested"
    return "no load passed"


@dataclass(frozen=True, slots=True)
class Search:
    """A whole search: what was asked, every probe, what follows.

    ``over`` is "connections" or "rate"; ``limits`` are the thresholds that had to hold, in words, ``added``
    those of them that were not the scenario's.
    """

    scenario: str
    label: str
    target: str
    simulated: bool
    over: str
    started: str
    took_s: float
    precision: float
    metric: str
    limits: tuple[str, ...]
    added: tuple[str, ...]
    tries: tuple[ProbeResult, ...]
    finding: Finding
    knee: Knee

    @property
    def unit(self) -> str:
        """Of the load."""
        return "connections" if self.over == "connections" else "turns/s"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for machines."""
        found = self.finding
        return {
            "schema": "loadtest.search/1",
            "scenario": self.scenario,
            "label": self.label,
            "target": {"url": self.target, "simulated": self.simulated},
            "started": self.started,
            "took_s": self.took_s,
            "over": self.over,
            "unit": self.unit,
            "precision": self.precision,
            "thresholds": list(self.limits),
            "added": list(self.added),
            "outcome": found.outcome,
            "exit_code": int(found.exit_code),
            "load": found.load,
            "missed": found.missed,
            "interval": list(found.interval),
            "load_at_end": found.load_at_end,
            "knee": self.knee.as_dict(),
            "metric": self.metric,
            "probes": [each.as_dict() for each in self.tries],
        }
