"""The number that a threshold names, with n, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from loadtest import catalog
from loadtest.judge.censored_turns import SLOW, missing_unknown, unbounded
from loadtest.judge.counts import SEQUENCED, cut_short, misnumbered
from loadtest.judge.distribution import too_few
from loadtest.judge.generator_summary import coalesced_share, slow_sends
from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    count_or_zero,
    number,
    planned,
    populations,
    section,
    settings,
    target_outcomes,
    tick_ns,
)
from loadtest.judge.populations import population_manifest
from loadtest.judge.target_clock import age_bound
from loadtest.plan.threshold import (
    COMPLETE_RATIO,
    DELIVERY_RATIOS,
    Threshold,
    of_kind,
    percentile,
    split_kind,
    split_metric,
    split_population,
    split_target,
)
from loadtest.units import format_bytes, format_cores, format_count, format_ms, format_number, format_ratio

COARSE_NS = 100_000
"""A clock whose step is at least this long bounds what it measures; below, its step is not told."""

FEW_CUT = 0.01
"""The part of the turns that may have broken off before the number of lost events is only a lower end."""

RARE = frozenset(each.key for each in catalog.COUNTERS if each.threshold and not each.always) - {"due"}
"""Counters that ``counts`` holds only when they rose; an absent one is 0. Any other is unknown, as are
connections due in a run of an earlier version, which did not count them."""

SHARE_OF = {each.key: each.share_of.partition(".")[2] for each in catalog.EVENT_COUNTERS if each.share_of}
"""By event counter, the one that its ratio is a share of."""

LACKED = {
    "turn.first_event": "had no first event",
    "turn.first_audio": "had no audio",
    "turn.barge_in": "that were interrupted did not stop",
}
"""What a turn without a time did, where it is not that it was not complete."""

OF_A_PART = "an earlier version of loadtest wrote this run, without the kind of each turn"

Bound = tuple[float, float | None]
"""The true value is at least the first and below the second; None: no upper end."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """``value`` in the unit of run.json, of ``n`` samples; None where it was not measured, with ``reason``.

    ``bound`` is set where the value is not exact, or not known but for where it must lie.
    """

    value: float | None
    n: int
    reason: str | None = None
    bound: Bound | None = None

    @property
    def unbounded(self) -> bool:
        """Whether no value is large enough: it is that of a turn that never answered."""
        return self.bound is not None and self.bound[0] == math.inf


def lookup(name: str, manifest: Manifest) -> Measurement:
    """What a summarised manifest says of a threshold's name.

    ``connections.*`` and ``events.foreign`` are of the whole run, everything else of the measured part.
    A count of things that there was no occasion for (lost events where none was expected) was not measured.
    """
    plain, population = split_population(name, populations(manifest))
    return (
        _looked_up(name, manifest)
        if population is None
        else lookup(plain, population_manifest(manifest, population))
    )


def _looked_up(name: str, manifest: Manifest) -> Measurement:
    if split := split_metric(name):
        return _statistic(manifest, *split)
    group, _, rest = name.partition(".")
    what, _, ratio = rest.partition(".")
    if health := split_target(name):
        return _health(manifest, *health)
    if name == "generator.cpu.max":
        return _generator(manifest)
    if group in {"rates", "connections", "conversations"}:
        return {"rates": _rate, "connections": _connections, "conversations": _conversations}[group](
            manifest, rest
        )
    counted = {"turns": _turns, "events": _events, "deliveries": _deliveries}.get(group)
    if counted is not None:
        return counted(manifest, what, ratio)
    return Measurement(None, 0, f"nothing measures {name}")


def measured_for(threshold: Threshold, manifest: Manifest) -> Measurement:
    """What a threshold is judged by: as ``lookup``, but turns that never answered count as infinitely late.

    Where a time of turns is limited from above, its percentiles are those of all turns that were due.
    """
    plain, population = split_population(threshold.name, populations(manifest))
    if population is not None:
        return measured_for(replace(threshold, name=plain), population_manifest(manifest, population))
    if threshold.default and threshold.name == COMPLETE_RATIO and settings(manifest, "chaos"):
        return _complete_of_kept(manifest)
    if threshold.default and threshold.name in DELIVERY_RATIOS and threshold.name.startswith("events."):
        what = threshold.name.split(".")[1]
        return _stray_errors(manifest) if what == "stray_errors" else _seen_of_delivered(what, manifest)
    from_above = threshold.operator in {"<", "<="}
    return of_all_due(threshold.name, manifest) if from_above else lookup(threshold.name, manifest)


def _complete_of_kept(manifest: Manifest) -> Measurement:
    """The part of the turns that were complete, without those that the plan itself kept from it.

    These are the turns of users whom it makes read slowly, and those of its own cuts and leavers.
    """
    counts = section(manifest, "counts", "measured")
    chaos, turns = section(counts, "chaos"), section(counts, "turns")
    kept = {
        name: max(0, count_or_zero(turns.get(name)) - count_or_zero(chaos.get(f"{SLOW}{name}")))
        for name in ("complete", *target_outcomes(manifest))
    }
    of = sum(kept.values())
    if not of:
        return Measurement(None, 0, "[chaos] of the scenario disturbed every turn that ended")
    return Measurement(kept["complete"] / of, of, "without the turns that [chaos] of the scenario disturbed")


def _stray_errors(manifest: Manifest) -> Measurement:
    """Errors that failed no turn, each as if it had been one, of the turns due.

    What answers a message that we broke on purpose is none.
    """
    counts = section(manifest, "counts", "measured")
    broken = count_or_zero(section(counts, "chaos").get("malformed.sent"))
    n = max(0, count_or_zero(section(counts, "events").get("stray_errors")) - broken)
    of = max(count_or_zero(section(counts, "turns").get("due")), n, 1)
    return Measurement(n / of, of, "of the turns due")


def _seen_of_delivered(what: str, manifest: Manifest) -> Measurement:
    """The part of the events that were seen to be lost, duplicate and so on: at least so many."""
    events = section(manifest, "counts", "measured", "events")
    of = max(
        count_or_zero(events.get("expected")),
        count_or_zero(events.get("received")),
        count_or_zero(events.get(what)),
        1,
    )
    return Measurement(count_or_zero(events.get(what)) / of, of)


def of_all_due(name: str, manifest: Manifest) -> Measurement:
    """As ``lookup``; a time of a turn is that of all turns due, those never answered among them."""
    plain, population = split_population(name, populations(manifest))
    if population is not None:
        return of_all_due(plain, population_manifest(manifest, population))
    measured = lookup(name, manifest)
    split = split_metric(name)
    if split is None or split[1] in {"n", "min"}:
        return measured
    if (why := missing_unknown(manifest, split[0])) is not None and measured.n:
        return Measurement(None, measured.n, why)
    of_due = section(manifest, "of_due", split[0])
    return _of_due(manifest, split, measured, of_due) if of_due else measured


def _of_due(
    manifest: Manifest, split: tuple[str, str], answered: Measurement, of_due: Manifest
) -> Measurement:
    """A statistic of all turns that were due, with what it is of those that answered."""
    metric, statistic = split
    n, without = (
        count_or_zero(of_due.get("n")),
        count_or_zero(of_due.get("n")) - count_or_zero(of_due.get("answered")),
    )
    lacked = LACKED.get(split_kind(metric)[0].removesuffix(".service"), "were not complete")
    share = f"{format_ratio(without / n)} of {format_count(n)} turns due {lacked}"
    alone = "" if answered.value is None else f"; of the others: {format_ms(answered.value)}"
    if unbounded(of_due, statistic):
        return Measurement(None, n, f"{share}{alone}", (math.inf, None))
    value = number(of_due.get(statistic))
    if value is None:
        return Measurement(
            None, n, answered.reason or "the summary does not contain this statistic", answered.bound
        )
    return Measurement(value, n, f"{share}{alone}", _step_bound(manifest, value))


def _statistic(manifest: Manifest, metric: str, statistic: str) -> Measurement:
    found = section(manifest, "metrics", metric)
    n = count_or_zero(found.get("n"))
    if not n:
        whole, kind = split_kind(metric)
        why = section(manifest, "unmeasured").get(whole) or "no sample in the measured part"
        if kind is not None and section(manifest, "part").get("without_kinds"):
            why = OF_A_PART
        elif kind is not None and whole in section(manifest, "metrics"):
            why = f"no turn of the kind `{kind}` has this time in the measured part"
        return Measurement(None, 0, str(why))
    value = number(found.get(statistic))
    if statistic == "n":
        return Measurement(n, n)
    if value is None:
        below = number(section(found, "below_resolution").get(statistic))
        why = section(found, "reasons").get(statistic) or "the summary does not contain this statistic"
        return Measurement(None, n, str(why), None if below is None else (0.0, below))
    aged = age_bound(manifest, metric, value)
    if aged is not None:
        return Measurement(
            value,
            n,
            "exact to the possible difference between the target's clock and ours",
            aged,
        )
    bound = _step_bound(manifest, value)
    return Measurement(value, n, _qualified(manifest, metric, statistic, bound), bound)


def _step_bound(manifest: Manifest, value: float) -> Bound | None:
    """The bounds of a time, where the clock's steps are so coarse that it shows."""
    tick = tick_ns(manifest)
    step_ms = tick / NS_PER_MS
    return (max(0.0, value - step_ms), value + step_ms) if tick >= COARSE_NS else None


UPPER_BOUND = "an upper bound"
"""How the reason of a time begins that may have been less: its event was read together with a later one."""


def _qualified(manifest: Manifest, name: str, statistic: str, bound: Bound | None) -> str | None:
    if bound:
        return f"exact to the clock's step of {format_ms(tick_ns(manifest) / NS_PER_MS)}"
    metric, share = section(manifest, "metrics", name), coalesced_share(manifest)
    if share is not None and (metric.get("upper_bound") or metric.get("approximate")):
        together = f"{format_ratio(share)} of the events shared a read with a later frame"
        return f"{UPPER_BOUND if metric.get('upper_bound') else 'not exact'}: {together}"
    if statistic in metric.get("bounds", ()):
        slow = slow_sends(manifest) and ".service" in name and statistic in {"max", "max_exact"}
        also = ", or the generator took long to send the message" if slow else ""
        return f"{UPPER_BOUND}: in too many turns the timed event shared a read with a later frame{also}"
    return None


def _rate(manifest: Manifest, name: str) -> Measurement:
    rate = section(manifest, "rates", name)
    value, n = number(rate.get("value")), count_or_zero(rate.get("n"))
    if value is None:
        at_least, at_most = number(rate.get("at_least")), number(rate.get("at_most"))
        known = at_least is not None or at_most is not None
        return Measurement(
            None, n, str(rate.get("reason") or "not measured"), (at_least or 0.0, at_most) if known else None
        )
    part = number(rate.get("precision"))
    if part is None:
        return Measurement(value, n)
    why = f"exact to {format_ratio(part)}, because of the clock's step"
    return Measurement(value, n, why, (value / (1 + part), value / (1 - part)))


def _connections(manifest: Manifest, name: str) -> Measurement:
    counts = section(manifest, "counts", "connections")
    attempted = count_or_zero(counts.get("attempted"))
    what, _, which = name.partition(".")
    if name == "ready.ratio":
        return _ready_ratio(manifest, counts)
    if name == "ready.peak":
        value = _count(counts, "peak")
    elif what in {"refused", "closed"}:
        group = section(counts, what)
        value = count_or_zero(group.get(which)) if which else sum(group.values())
    else:
        value = _count(counts, name)
    if not attempted and not value:
        return Measurement(None, 0, "no connection was attempted")
    return Measurement(value, attempted, None if value is not None else f"connections.{name} was not counted")


def _ready_ratio(manifest: Manifest, counts: Manifest) -> Measurement:
    """Of the connections that the plan asks for, the part that was ever ready; those never due were not."""
    due = count_or_zero(counts.get("due"))
    if not due and not section(manifest, "part"):
        # A run of an earlier version did not count them.
        due = round(planned(manifest, "connections") or 0)
    elif not section(manifest, "part"):
        due += round(planned(manifest, "never_due") or 0)
    if not due:
        return Measurement(None, 0, "no connection was due")
    ready = count_or_zero(counts.get("ready")) - count_or_zero(counts.get("reconnected"))
    return Measurement(min(1.0, ready / due), due)


def _count(counts: Manifest, name: str) -> int | None:
    """A counter; None where the run did not count it. Some are kept only when they rose."""
    return count_or_zero(counts.get(name)) if name in counts or name in RARE else None


def _turns(manifest: Manifest, outcome: str, ratio: str) -> Measurement:
    if section(manifest, "part").get("turns_by") == "second":
        return Measurement(None, 0, "the turn table is a sample, so the turns of this part cannot be counted")
    turns = section(manifest, "counts", "measured", "turns")
    _, kind = split_kind(f"turns.{outcome}")
    if kind is not None and section(manifest, "part").get("without_kinds"):
        return Measurement(None, 0, OF_A_PART)
    due = count_or_zero(turns.get("due" if kind is None else of_kind("due", kind)))
    if not due:
        which = "" if kind is None else f" of the kind `{kind}`"
        return Measurement(None, 0, f"no turn{which} fell due in the measured part")
    value = _count(turns, outcome)
    if value is None:
        return Measurement(None, due, f"turns.{outcome} was not counted")
    return Measurement(value / due if ratio else value, due)


def _conversations(manifest: Manifest, rest: str) -> Measurement:
    """A count of conversations, of one name or of all; or its share of those begun."""
    counted = section(manifest, "counts", "measured", "conversations")
    whole, name = split_kind(f"conversations.{rest}")
    key, _, ratio = whole.removeprefix("conversations.").partition(".")
    base = "ended" if ratio else "begun"
    n = count_or_zero(counted.get(base if name is None else of_kind(base, name)))
    if not n:
        which = "" if name is None else f" named `{name}`"
        return Measurement(None, 0, f"no conversation{which} was {base} in the measured part")
    value = count_or_zero(counted.get(key if name is None else of_kind(key, name)))
    return Measurement(value / n if ratio else value, n)


def _events(manifest: Manifest, what: str, ratio: str) -> Measurement:
    counts = section(manifest, "counts") if what == "foreign" else section(manifest, "counts", "measured")
    events = section(counts, "events")
    value, occasions, of = _count(events, what), *_occasions(counts, what)
    why = section(events, "unmeasured").get(what)
    if why or value is None:
        return Measurement(None, 0, str(why or f"events.{what} was not counted"))
    if not value and not occasions:
        where = "" if what == "foreign" else " in the measured part"
        return Measurement(None, 0, f"no {of}{where}")
    if not ratio:
        return _maybe_partial(manifest, counts, what, Measurement(value, occasions))
    base = SHARE_OF[what]
    if why := section(events, "unmeasured").get(base):
        return Measurement(None, 0, str(why))
    total = count_or_zero(events.get(base))
    if not total:
        return Measurement(None, 0, f"no event was {base} in the measured part")
    return _maybe_partial(manifest, counts, what, Measurement(value / total, total))


def _deliveries(manifest: Manifest, what: str, ratio: str) -> Measurement:
    deliveries = section(manifest, "counts", "measured", "deliveries")
    due = count_or_zero(deliveries.get("due"))
    if not due:
        why = section(manifest, "unmeasured").get("delivery.time")
        return Measurement(None, 0, str(why or "no copy was due in the measured part"))
    n = count_or_zero(deliveries.get(what))
    return Measurement(n / due if ratio else n, due)


def _occasions(counts: Manifest, what: str) -> tuple[int, str]:
    """How often it could have happened, and what is counted there."""
    events = section(counts, "events")
    if what in {"lost", "expected"}:
        return count_or_zero(events.get("expected")), "event was expected"
    if what in SEQUENCED:
        # Counted where the turn fell due, as those matched are; received are counted when they came.
        return count_or_zero(events.get("matched")), "event answered a turn"
    if what in {"sent", "received", "matched", "missing_required", "unpaired"}:
        return count_or_zero(section(counts, "turns").get("due")), "turn fell due"
    return count_or_zero(events.get("received")), "event was received"


def _maybe_partial(manifest: Manifest, counts: Manifest, what: str, measured: Measurement) -> Measurement:
    """At least so many, where some turns were answered without sequence numbers, or without user marks."""
    turns = section(counts, "turns")
    if what in SEQUENCED and (why := misnumbered(turns)):
        return Measurement(measured.value, measured.n, f"a lower bound: {why}", (measured.value or 0, None))
    if what in SEQUENCED:
        carried, carrying = "numbered", "sequence number"
    elif what in section(manifest, "unless_marked"):
        carried, carrying = "marked", "user mark"
    else:
        return measured
    # Turns that broke off may have carried one too, and then make up for none that ended without.
    fewer = count_or_zero(turns.get("complete")) - count_or_zero(turns.get(carried))
    without = max(count_or_zero(turns.get(f"un{carried}")), fewer)
    if without <= 0 or measured.value is None:
        return _of_cut_turns(counts, measured) if what == "lost" else measured
    why = f"a lower bound: {format_count(without)} turns that ended carried no {carrying}"
    return Measurement(measured.value, measured.n, why, (measured.value, None))


def _of_cut_turns(counts: Manifest, measured: Measurement) -> Measurement:
    """At least so many were lost, where turns broke off: what was still to come of them carries no number.

    Few such turns leave the number as it is; the ratios of turns speak of them.
    """
    cut, begun = cut_short(counts), count_or_zero(section(counts, "turns").get("begun"))
    if not cut:
        return measured
    why = (
        f"a lower bound: {format_count(cut)} turns broke off, and it is not known how many of their events"
        " are missing"
    )
    bound = (measured.value or 0.0, None) if cut > begun * FEW_CUT else None
    return Measurement(measured.value, measured.n, why, bound)


_AMOUNTS: Mapping[str, Callable[[float], str]] = {
    "cores": format_cores,
    "bytes": lambda size: format_bytes(int(size)),
}


def _health(manifest: Manifest, name: str, statistic: str) -> Measurement:
    """A statistic of what was sampled of the target; of too few seconds the highest is at least so high."""
    found = section(manifest, "health", name)
    n, value = count_or_zero(found.get("n")), number(found.get(statistic))
    if statistic == "n":
        return Measurement(n, n)
    if not n:
        why = "[target.health] of the scenario does not sample this metric"
        return Measurement(None, 0, str(found.get("reason") or why))
    if found.get("partial"):
        bound = (value, None) if statistic == "max" and value is not None else None
        shown = _AMOUNTS.get(str(found.get("unit")), format_number)
        least = "" if bound is None or value is None else f"at least {shown(value)}: "
        return Measurement(None, n, f"{least}{found.get('reason')}", bound)
    if value is not None:
        return Measurement(value, n)
    # Only a percentile may be missing; of any other the file was damaged.
    few = percentile(statistic) is not None
    return Measurement(None, n, too_few(statistic, n) if few else f"the run does not say its {statistic}")


def _generator(manifest: Manifest) -> Measurement:
    cpu = section(manifest, "generator", "cpu")
    value = number(cpu.get("max"))
    why = None if value is not None else str(cpu.get("reason") or "CPU time was not read")
    return Measurement(value, count_or_zero(cpu.get("n")), why)
