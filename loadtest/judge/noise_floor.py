"""The noise floor: how much runs of the same build differ, and which promises lie below that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.judge.compare import explored, primary_of, rules_of
from loadtest.judge.compare_warnings import PlainWarning, plain_warning
from loadtest.judge.effect_size import EffectMeasure, wanted
from loadtest.judge.failure_share import points_measure
from loadtest.judge.manifest_access import Manifest, number, section
from loadtest.judge.permutation import Array
from loadtest.judge.power import LEVEL, MAX_REPEATS, MIN_RUNS, beyond, quantile, repeats, visible
from loadtest.judge.samples import Side
from loadtest.judge.thresholds import thresholds_of
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import Threshold
from loadtest.units import format_count, format_ratio

SCHEMA = "loadtest.noise/1"

AGAINST = 5
"""Runs per side for which the floor is printed."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How far runs of one build differ in one metric.

    ``spread`` is their standard deviation as a part (``turned`` in units that add up), ``visible`` the change
    that 5 against 5 find in 95 of 100 comparisons, ``repeats`` the runs per side at which the smallest effect
    is told from twice as much; None: over 200.
    """

    measure: EffectMeasure
    primary: bool
    value: float
    runs: int
    turned: float
    spread: float
    visible: float
    repeats: int | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        rule = self.measure
        return {
            "name": rule.name,
            "unit": rule.unit,
            "scale": rule.scale,
            "primary": self.primary,
            "value": self.value,
            "runs": self.runs,
            "spread": self.spread,
            "turned_spread": self.turned,
            "smallest_effect": rule.smallest,
            "visible_5_against_5": self.visible,
            "repeats": self.repeats,
        }


@dataclass(frozen=True, slots=True)
class Floor:
    """The noise of a build, by metric; none where fewer than 4 runs count."""

    side: Side
    rows: tuple[Noise, ...]
    notices: tuple[PlainWarning, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data; ``learned`` gives back what a comparison needs of it."""
        newest = self.side.newest
        return {
            "schema": SCHEMA,
            "scenario": section(newest, "scenario").get("name"),
            "sha256": section(newest, "scenario").get("sha256"),
            "machine": section(newest, "fingerprint").get("machine"),
            "label": self.side.name,
            "runs": [run.get("id") for run in self.side.runs],
            "metrics": [row.as_dict() for row in self.rows],
            "notices": list(self.notices),
        }


def floor(side: Side, rules: Compare | None = None) -> Floor:
    """What the runs of one side, all of the same build, say about noise."""
    rules = rules or rules_of(side.newest)
    if len(side.runs) < MIN_RUNS:
        few = plain_warning(
            "too_few_runs",
            f"{side.name} has only {len(side.runs)} usable runs; to measure the noise, loadtest needs"
            f" {MIN_RUNS}.",
            "Make more runs: loadtest run SCENARIO --label LABEL --repeat 8.",
        )
        return Floor(side, (), (few,))
    deciding = primary_of(rules, side.newest)[0]
    promises = thresholds_of(side.newest)
    ways = wanted(promises)
    rows: list[Noise] = []
    warnings: list[PlainWarning] = []
    for name in dict.fromkeys((*deciding, *explored(side.newest))):
        values = [each.value for each in side.measured(name)]
        rule = points_measure(name, values, rules, ways.get(name))
        known = rule.turned(values)
        known = known[~np.isnan(known)]
        if len(known) >= MIN_RUNS:
            rows.append(_noise(rule, known, len(deciding), primary=name in deciding))
            warnings += _too_near(rule, known, promises)
    return Floor(side, tuple(rows), (*_below(rows), *warnings))


def learned(kept: object, newest: Manifest) -> dict[str, float]:
    """Spreads by metric of a floor that was kept, if it speaks of the plan and machine of this run.

    ``kept`` is a file's content: whatever in it is not as it should be is not known.
    """
    found = section(kept)
    same = found.get("sha256") == section(newest, "scenario").get("sha256")
    here = found.get("machine") == section(newest, "fingerprint").get("machine")
    if found.get("schema") != SCHEMA or not same or not here:
        return {}
    rows = found.get("metrics")
    known = (section(row) for row in (rows if isinstance(rows, list) else ()))
    spreads = ((row.get("name"), number(row.get("turned_spread"))) for row in known)
    return {name: spread for name, spread in spreads if isinstance(name, str) and spread is not None}


def _noise(rule: EffectMeasure, known: Array, family: int, *, primary: bool) -> Noise:
    spread = float(known.std(ddof=1))
    return Noise(
        rule,
        primary,
        rule.value(float(known.mean())),
        len(known),
        spread,
        spread if rule.scale == "points" else math.expm1(spread),
        rule.change(visible(spread, (AGAINST, AGAINST), rule.bound, family)),
        repeats(spread, rule.bound, rule.units(2 * rule.smallest), family),
    )


def _below(rows: Sequence[Noise]) -> Iterator[PlainWarning]:
    for row in rows:
        enough = row.repeats
        if row.primary and (enough is None or enough > AGAINST):
            takes = f"more than {MAX_REPEATS}" if enough is None else f"about {format_count(enough)}"
            yield plain_warning(
                "effect_below_noise",
                f"{row.measure.name}: runs of one build differ by {format_ratio(row.spread)}. So a"
                f" comparison of {AGAINST} with {AGAINST} runs cannot detect a change of"
                f" {format_ratio(row.measure.smallest)}.",
                f"Make {takes} runs per side, make longer runs, or raise the smallest effect in [compare].",
            )


def _too_near(rule: EffectMeasure, known: Array, promises: Sequence[Threshold]) -> Iterator[PlainWarning]:
    """Thresholds that some runs of this very build miss, and others hold."""
    for each in promises:
        if each.name != rule.name or each.stage is not None or not known.std():
            continue
        limit = float(rule.turned([each.limit])[0])
        gap, spread = abs(limit - float(known.mean())), float(known.std(ddof=1))
        chance = float(
            beyond(np.array(gap / (spread * math.sqrt(1 + 1 / len(known)))), np.array(len(known) - 1.0))
        )
        if chance > LEVEL / 2:
            yield plain_warning(
                "threshold_below_noise",
                f"{each.name} {each.expression}: the limit is so near to the usual value that about"
                f" {format_ratio(chance)} of single runs cross it by chance.",
                f"Judge the mean of {_mean_takes(gap, spread)} runs, make longer runs, or move the limit.",
            )


def _mean_takes(gap: float, spread: float) -> str:
    """How many runs have a mean that surely lies on its side of a limit."""
    runs = range(2, MAX_REPEATS + 1)
    enough = (n for n in runs if quantile(1 - LEVEL / 2, n - 1) * spread / math.sqrt(n) <= gap)
    found = next(enough, None)
    return f"more than {MAX_REPEATS}" if found is None else f"about {found}"
