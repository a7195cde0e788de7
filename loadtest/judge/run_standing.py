"""What a stored run is worth to a comparison or a trend: it counts, the target was down, or it is left out.

A target that was down is what a comparison exists to find, so such a run counts: none of its turns was
complete and none of its connections ready. Its times are missing because of the target and not by chance, so
that nobody may drop the run and judge the others alone. A run is left out only for a cause in the generator,
in the measurement, or in whoever stopped it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loadtest.judge.manifest_access import (
    Manifest,
    breaks_turns,
    count_or_zero,
    planned,
    populations,
    section,
    target_outcomes,
    turns_never_end,
)
from loadtest.judge.matching_doubts import untold
from loadtest.judge.populations import population_manifest
from loadtest.judge.threshold_measurement import Measurement, lookup, of_all_due
from loadtest.plan.threshold import COMPLETE_RATIO, READY_RATIO, split_population

StandingKind = Literal["measured", "unanswered", "down", "left out"]
"""``measured``: the target answered. ``unanswered``: connections came up, and no turn was ever complete.
``down``: no connection was ever ready, because the target was unreachable or refused. ``left out``: the run
says nothing about its target."""

SUCCESS_RATIOS = frozenset({COMPLETE_RATIO, READY_RATIO})
"""Ratios of success, which are 0 in a run that was down."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run is worth; ``reason`` is a clause for people, empty where it was measured."""

    kind: StandingKind
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is one of the runs that are compared."""
        return self.kind != "left out"

    @property
    def target_failed(self) -> bool:
        """Whether the target did nothing of what was asked, so that its times are missing for that reason."""
        return self.kind in {"down", "unanswered"}


def standing(manifest: Manifest) -> Standing:
    """What a judged run is worth. One that missed a threshold, or was too short for it, is measured."""
    if why := left_out_because(manifest):
        return Standing("left out", why)
    if _is_down(manifest):
        return Standing("down", "could not reach the target")
    turns = section(manifest, "counts", "measured", "turns")
    if not count_or_zero(turns.get("due")) or turns.get("complete") != 0 or turns_never_end(manifest):
        return Standing("measured")
    if breaks_turns(manifest) and not any(
        count_or_zero(turns.get(name)) for name in target_outcomes(manifest)
    ):
        return Standing("measured")
    return Standing("unanswered", "had no turn complete")


def left_out_because(manifest: Manifest) -> str | None:
    """Why a run says nothing about its target; None where it counts."""
    if manifest.get("status") not in {"complete", None}:
        return f"the run is {manifest['status']}"
    if section(manifest, "failure"):
        return "the run failed before it began, or loadtest itself failed"
    if manifest.get("interrupted"):
        return "the run was interrupted"
    if _is_down(manifest):
        # As in the verdict of the run: no notice about the generator outweighs a target that never answered.
        return None
    notices = manifest.get("notices")
    rows = [row for row in notices if isinstance(row, dict)] if isinstance(notices, list | tuple) else []
    spoiling = [row for row in rows if row.get("spoils")]
    return f"the run is invalid: {spoiling[0].get('message')}" if spoiling else None


def value_in(name: str, manifest: Manifest) -> Measurement:
    """What a run says of a metric, as ``lookup``; of one that was down, what follows from that.

    Then ratios of success are 0 of all that was planned. No other number of turns, events and rates was
    measured; the counters of connections are as they were counted. Where events may have been matched to the
    wrong turns, so that the run's own thresholds are not decided, nothing is compared either.
    """
    plain, population = split_population(name, populations(manifest))
    if population is not None:
        return value_in(plain, population_manifest(manifest, population))
    found = standing(manifest)
    if found.kind == "unanswered":
        measured = _told(name, manifest, lookup(name, manifest))
        return measured if measured.value is not None else _missing(measured, "no turn was complete")
    if found.kind != "down":
        # A target that drops its slow turns must not look faster for it.
        return _told(name, manifest, of_all_due(name, manifest))
    if name in SUCCESS_RATIOS:
        return Measurement(0.0, _planned_number(name, manifest), "the target could not be reached")
    measured = lookup(name, manifest)
    group = name.partition(".")[0]
    if group in {"turns", "events", "rates"} or measured.value is None:
        return _missing(measured, "the target could not be reached")
    return measured


def _told(name: str, manifest: Manifest, measured: Measurement) -> Measurement:
    """A number, unless it may be made of events that were matched to the wrong turns."""
    why = None if measured.value is None else untold(name, manifest, measured)
    return measured if why is None else _missing(measured, why)


def _missing(measured: Measurement, why: str) -> Measurement:
    return Measurement(None, measured.n, why)


def _is_down(manifest: Manifest) -> bool:
    return section(manifest, "verdict").get("outcome") == "unreachable"


def _planned_number(name: str, manifest: Manifest) -> int:
    """Connections or turns that were planned; where the plan does not say, those that were counted."""
    if name == READY_RATIO:
        attempted = count_or_zero(section(manifest, "counts", "connections").get("attempted"))
        return round(planned(manifest, "connections") or attempted)
    due = count_or_zero(section(manifest, "counts", "turns").get("due"))
    return round(planned(manifest, "turns_due") or due)
