"""Times of turns with the turns that never answered among them, each as if it took infinitely long.

A percentile of the answered turns alone improves when a target drops the slow ones. Of all that were due it
cannot: a turn without an answer waits longer than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.catalog import FAILURES, PERCENTILES
from loadtest.judge.distribution import at_ranks
from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    count_or_zero,
    kinds,
    planned,
    section,
    settings,
    speaking_kinds,
)
from loadtest.judge.ranks import nearest_rank, needed, part_of
from loadtest.measure.histogram import Histogram
from loadtest.plan.threshold import of_kind, split_kind

SLOW = "slow.turns."
"""Stands before the counters of users whom the plan made read slowly: their times are kept apart."""

FIRST, SERVICE = "turn.first_event", ".service"

AUDIO, BARGE_IN = "turn.first_audio", "turn.barge_in"

UNBOUNDED = "unbounded"
"""The statistics that fall on a turn that was never answered."""


def without_answer(counts: Manifest, answered: Mapping[str, int], kind: str | None = None) -> dict[str, int]:
    """How many turns each time of a turn is missing of; ``counts`` are those of the measured part.

    ``answered`` is how many samples each metric has. ``kind``: of turns of that kind alone.
    Turns that we left ourselves are not among them. A turn that was never sent has no service time.
    """
    if kind is not None:
        return _of_kind(section(counts, "turns"), kind)
    turns, chaos = section(counts, "turns"), section(counts, "chaos")
    failures = sum(
        max(0, count_or_zero(turns.get(name)) - count_or_zero(chaos.get(f"{SLOW}{name}")))
        for name in FAILURES
    )
    silent = turns.get("no_first_event")
    if silent is None:
        # A run of an earlier version: first events beyond the complete turns are those of failed ones.
        early = max(0, answered.get(FIRST, 0) - count_or_zero(turns.get("complete")))
        silent = failures - min(early, failures)
    silent = max(0, count_or_zero(silent) - count_or_zero(chaos.get(f"{SLOW}no_first_event")))
    unsent = count_or_zero(turns.get("not_attempted"))
    return {
        FIRST: silent + unsent,
        FIRST + SERVICE: silent,
        "turn.completion": failures + unsent,
        "turn.completion" + SERVICE: failures,
    }


def _of_kind(turns: Manifest, kind: str) -> dict[str, int]:
    """As ``without_answer``: a plan with kinds has no slow readers, and its run counted the silent."""

    def count(name: str) -> int:
        return count_or_zero(turns.get(of_kind(name, kind)))

    failures, unsent, silent = sum(map(count, FAILURES)), count("not_attempted"), count("no_first_event")
    missing = {
        FIRST: silent + unsent,
        FIRST + SERVICE: silent,
        "turn.completion": failures + unsent,
        "turn.completion" + SERVICE: failures,
    }
    return {of_kind(name, kind): n for name, n in missing.items()}


def _without_audio(manifest: Manifest, answered: Mapping[str, int]) -> dict[str, int]:
    """How many turns have no first audio, where the protocol says what that is: of all, and by kind.

    Unlike a first event, it may be missing of a turn that is complete.
    """
    turns = section(manifest, "counts", "measured", "turns")
    found = {}
    for kind, speaks in speaking_kinds(manifest).items():
        due, unsent, left = (
            count_or_zero(turns.get(of_kind(name, kind) if kind else name))
            for name in ("due", "not_attempted", "abandoned")
        )
        for name, n in ((AUDIO, due - left), (AUDIO + SERVICE, due - left - unsent)):
            of = of_kind(name, kind) if kind else name
            found[of] = n - answered.get(of, 0) if speaks else 0
    return found


def _without_stop(manifest: Manifest, answered: Mapping[str, int]) -> dict[str, int]:
    """How many turns that their user interrupted have no end of theirs: of all, and by kind."""
    turns = section(manifest, "counts", "measured", "turns")
    found = {}
    for kind in ("", *kinds(manifest)):
        of = of_kind(BARGE_IN, kind) if kind else BARGE_IN
        found[of] = count_or_zero(turns.get(of_kind("interrupted", kind) if kind else "interrupted"))
        found[of] -= answered.get(of, 0)
    return found


def missing_unknown(manifest: Manifest, metric: str) -> str | None:
    """Why nobody knows how many turns lack a time, so that no percentile of it is of all turns; else None.

    Counters of audio and of interruptions are of a whole run, and of users who read at their pace.
    """
    if split_kind(metric)[0].removesuffix(SERVICE) not in {AUDIO, BARGE_IN}:
        return None
    if section(manifest, "part"):
        return "it is not known how many turns of this part have no such time"
    if section(settings(manifest, "chaos"), "slow_readers"):
        return "with `slow_readers` it is not known how many turns have no such time"
    return None


def times_of_due(
    manifest: Manifest, histograms: Mapping[str, Histogram], extra: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The section ``of_due`` of a manifest that has ``counts``: by metric, where a turn has no answer.

    ``n`` turns were due, ``answered`` have a time. Percentiles (``extra`` ones by metric too) are of all
    of them, in milliseconds; null and named in ``unbounded`` where the turn of that rank never answered.
    ``mean`` counts each of these with the turn's timeout, the least that its user waited.
    """
    answered = {name: histogram.n for name, histogram in histograms.items()}
    counts = section(manifest, "counts", "measured")
    missing = without_answer(counts, answered)
    for kind in kinds(manifest):
        missing |= without_answer(counts, answered, kind)
    missing |= _without_audio(manifest, answered) | _without_stop(manifest, answered)
    missing = {name: n for name, n in missing.items() if missing_unknown(manifest, name) is None}
    timeout_ms = (planned(manifest, "timeout_s") or 0.0) * 1000
    return {
        name: _described(histograms.get(name, Histogram()), n, tuple(extra.get(name, ())), timeout_ms)
        for name, n in missing.items()
        if n > 0
    }


def _described(
    histogram: Histogram, missing: int, extra: tuple[str, ...], timeout_ms: float
) -> dict[str, Any]:
    n = histogram.n + missing
    ranks = {
        name: nearest_rank(part_of(name), n)
        for name in dict.fromkeys((*PERCENTILES, *extra))
        if n >= needed(part_of(name))
    }
    bounded = [name for name, rank in ranks.items() if rank <= histogram.n]
    values = at_ranks(histogram.spectrum(), [ranks[name] for name in bounded]) if bounded else []
    known = {name: value / NS_PER_MS for name, value in zip(bounded, values, strict=True)}
    mean = ((histogram.mean_ns or 0.0) / NS_PER_MS * histogram.n + timeout_ms * missing) / n
    return {
        "unit": "ms",
        "n": n,
        "answered": histogram.n,
        **{name: known.get(name) for name in ranks},
        "max": None,
        "mean": mean if timeout_ms else None,
        UNBOUNDED: [*(name for name in ranks if name not in known), "max"],
    }


def unbounded(of_due: Manifest, statistic: str) -> bool:
    """Whether a statistic of a metric of ``of_due`` falls on a turn that never answered."""
    return statistic in (of_due.get(UNBOUNDED) or ())
