"""Response times and the generator's own delay: which misses it may explain, and why the others count.

The house's rule: a miss is undecided where our own delay is more than a tenth of the limit and may be the
cause of it. All durations are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadtest.catalog import FAILURES
from loadtest.judge.generator_summary import longest_lateness_ms, own_lateness_ms, saturated
from loadtest.judge.manifest_access import Manifest, count_or_zero, model, number, populations, section
from loadtest.judge.populations import population_manifest
from loadtest.judge.threshold_measurement import UPPER_BOUND, Measurement, measured_for
from loadtest.judge.thresholds import Decision, decide, late_for, response_metric
from loadtest.judge.warnings import RunWarning
from loadtest.plan.threshold import Threshold, split_population
from loadtest.units import format_count, format_ms, format_ratio

COUNTS = "but the miss counts, because "
"""Between what ailed the generator and why a threshold is missed all the same."""

AILED = {
    "generator_starved": "waited for a core for {mean} of the time",
    "generator_saturated": "was saturated (CPU {mean})",
    "generator_late": "was late with its messages",
}
"""By the code of a warning that spoils nothing, what the generator suffered from."""


def own_delay(
    threshold: Threshold, manifest: Manifest, measured: Measurement, outcome: Decision
) -> str | None:
    """Why a response-time threshold is not decided: our own delay is more than a tenth of its limit.

    In the closed model a saturated generator leaves every such threshold undecided: it offered less load.
    Else only a miss is in doubt, for response time with our delay in it is an upper bound; and only where
    neither service time, which does not contain our delay, misses as well, nor response time without the
    longest that we were ever late. Of times that are upper bounds, as their events shared a read, what we
    read late is taken off first.
    """
    metric, late = response_metric(threshold), late_for(threshold, manifest)
    if metric is None or outcome == "not_measured" or late is None:
        return None
    if model(manifest) == "closed" and saturated(manifest):
        return f"the generator was saturated, and its own lateness of {format_ms(late)} is too near the limit"
    if outcome == "held" or _surely(threshold, manifest, measured, late):
        return None
    of_service = replace(threshold, name=threshold.name.replace(metric, f"{metric}.service"))
    service = measured_for(of_service, manifest)
    if decide(threshold, service) != "missed":
        return (
            f"the generator's own lateness of {format_ms(late)} may be the cause, because service time passes"
        )
    read_late = _read_late_ms(service, manifest)
    if not read_late or (service.value or 0.0) - read_late > threshold.limit:
        return None
    own = f"the generator sent {format_ms(late)} late and read {format_ms(read_late)} late;"
    return f"{own} this may be the cause, because service time is an upper bound too"


def _surely(threshold: Threshold, manifest: Manifest, measured: Measurement, late: float) -> bool:
    """Whether the limit is missed also without the longest that we were ever late."""
    longest = longest_lateness_ms(manifest) or late
    # Turns that were never answered are not late by our delay.
    own_ms = longest + _read_late_ms(measured, manifest)
    return measured.unbounded or (measured.value is not None and measured.value - own_ms > threshold.limit)


def _read_late_ms(measured: Measurement, manifest: Manifest) -> float:
    """How much of a time may be that we read late: the p99 of it where the time is an upper bound, else 0."""
    if not str(measured.reason).startswith(UPPER_BOUND):
        return 0.0
    return number(section(manifest, "generator", "receive_lag").get("p99")) or 0.0


def counts_anyway(
    manifest: Manifest,
    warnings: Iterable[RunWarning],
    judged: Sequence[tuple[Threshold, Mapping[str, Any]]],
) -> list[str]:
    """One sentence where a generator that was itself in need stands beside a missed response time.

    ``judged`` are thresholds with their rows. It says why the miss counts all the same; empty where no
    warning of ``AILED`` is there, or no response time of the whole run was missed.
    """
    found = {warning.code: warning for warning in reversed(list(warnings))}
    ailed = [words.format(mean=_mean(found[code])) for code, words in AILED.items() if code in found]
    missed = (each for each, row in judged if row["outcome"] == "missed" and each.stage is None)
    reasons = dict.fromkeys(why for each in missed for why in _reasons(each, manifest))
    if not ailed or not reasons:
        return []
    return [f"The generator itself {' and '.join(ailed)}, {COUNTS}{'; '.join(reasons)}."]


def _mean(warning: RunWarning) -> str:
    """The share that a warning tells; "" where it tells none."""
    mean = number(warning.numbers.get("mean"))
    return "" if mean is None else format_ratio(mean)


def _reasons(threshold: Threshold, manifest: Manifest) -> Iterator[str]:
    """Why a miss of a response or service time is not our own delay's doing; nothing of another metric."""
    plain, population = split_population(threshold.name, populations(manifest))
    if population is not None:
        yield from _reasons(replace(threshold, name=plain), population_manifest(manifest, population))
        return
    if response_metric(threshold) is None:
        if ".service." in plain:
            yield "service time, which does not include this delay, missed"
        return
    own, late = own_lateness_ms(manifest), late_for(threshold, manifest)
    measured = measured_for(threshold, manifest)
    if own is None:
        # Nobody knows how late it was, so that nothing is claimed.
        return
    if late is None:
        yield "this delay was less than a tenth of the limit"
    elif measured.unbounded:
        yield _unfinished(plain, manifest)
    elif _surely(threshold, manifest, measured, late):
        yield "the time exceeds the limit by more than the longest such delay"
    else:
        yield "service time, which does not include this delay, missed too"


def _unfinished(name: str, manifest: Manifest) -> str:
    """What became of the turns that have no time of a metric: which never had it, or how they ended."""
    if not name.startswith("turn.completion"):
        return "some turns never received the event that ends this time"
    turns = section(manifest, "counts", "measured", "turns")
    ended = (
        (count_or_zero(turns.get(each)), each.replace("_", " ")) for each in (*FAILURES, "not_attempted")
    )
    told = ", ".join(f"{format_count(n)} {words}" for n, words in ended if n)
    return f"turns did not complete{f' ({told})' if told else ''}"
