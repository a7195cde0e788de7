"""The computed sections of ``run.json``: metrics, counts, rates, the offered load, and the generator."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from loadtest import catalog
from loadtest.judge.censored_turns import times_of_due
from loadtest.judge.counts import count_all
from loadtest.judge.distribution import at_ranks, describe
from loadtest.judge.generator_summary import (
    COALESCED,
    coalesced_share,
    slow_sends,
    summarise_generator,
)
from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    conversations,
    count_or_zero,
    events_of_kinds,
    kinds,
    message_steps,
    observed,
    parts,
    populations,
    prepare_steps,
    section,
    sends,
    tick_ns,
)
from loadtest.judge.measurement_window import Turns, last_matched, measured_span, measured_turns
from loadtest.judge.offered_load import achieved
from loadtest.judge.populations import population_manifest, totals_of, under_their_names
from loadtest.judge.ranks import nearest_rank, needed, part_of
from loadtest.judge.rates import rates
from loadtest.judge.target_clock import AGE, ages_known, no_age
from loadtest.judge.target_health import target_health
from loadtest.judge.thresholds import rule_names
from loadtest.measure.histogram import Spectrum
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import BY_KIND, METRICS, of_kind, percentile, split_kind, split_metric

Instants = npt.NDArray[np.int64]

Reason = Callable[[Manifest], str]

BOUNDED = tuple(each.name for each in catalog.METRICS if each.bounded)
"""Metrics that are not exact where many events were coalesced: gaps may be longer or shorter, others less."""

GAP = "event.gap"

SLOW = "slow:"
"""Stands before the name of each metric of the users whom the plan makes read slowly."""

BOUNDED_BY = {each.name: each.bounded_by for each in catalog.METRICS}
"""The counters of the samples of a metric that are only bounded from above."""

SERVICE = frozenset(each.name for each in catalog.METRICS if each.group == "Service time")
"""Metrics that begin with the sending, and so contain the time that a slow one took."""

NOTABLE = 0.02
"""A percentile that may be lower by more than this part is not exact."""


def summarise(manifest: Manifest, totals: Totals, turns: Turns | None = None) -> dict[str, Any]:
    """The sections of ``run.json`` that are computed from what was recorded.

    ``metrics``, ``counts``, ``rates``, ``generator``, ``burst_positions`` and ``of_due`` (times of turns with
    those that never answered among them); ``load`` with ``achieved``;
    ``populations`` with the same of each population, whose names stand in ``metrics``, ``of_due`` and the
    turns of ``counts`` as well;
    ``slow_readers`` with the metrics of users whom the plan made read slowly, and ``health`` with what was
    sampled of the target, where there were any;
    ``unmeasured`` with a reason for each metric that has no sample (dotted names) beside the counters that
    the protocol gives no way to know. Nothing that was not measured is 0: it is null or absent.
    """
    summed = _summarised(manifest, totals, turns)
    names = populations(manifest)
    if not names:
        return summed
    found = {name: _of_population(manifest, totals, turns, name) for name in names}
    for what in ("metrics", "of_due"):
        summed[what] |= under_their_names({name: each[what] for name, each in found.items()})
    for counts, of in ((summed["counts"], ()), (summed["counts"]["measured"], ("measured",))):
        turns_of = {name: section(each, "counts", *of, "turns") for name, each in found.items()}
        whole = {
            name: {key: n for key, n in each.items() if isinstance(n, int)} for name, each in turns_of.items()
        }
        counts["turns"] |= under_their_names(whole)
    return {**summed, "populations": found}


def _of_population(manifest: Manifest, totals: Totals, turns: Turns | None, name: str) -> dict[str, Any]:
    """The same of one population; what was known of it before, as its plan, stays."""
    first, n = (
        count_or_zero(section(manifest, "populations", name).get(key)) for key in ("first_user", "users")
    )
    rows = None if turns is None else turns[(turns["user"] >= first) & (turns["user"] < first + n)]
    known = population_manifest(manifest, name)
    found = _summarised(known, totals_of(totals, name), rows)
    for counts in (found["counts"], found["counts"]["measured"]):
        # Which connections were ready at one instant is kept of all together only.
        counts["connections"]["peak"] = None
    found["load"]["achieved"]["connections"] = None
    return {**section(manifest, "populations", name), **found}


def _summarised(manifest: Manifest, totals: Totals, turns: Turns | None) -> dict[str, Any]:
    """The sections of a run, or of one population."""
    span = measured_span(manifest, totals, turns)
    metrics = describe_all(manifest, totals)
    known: dict[str, Any] = {**manifest, "counts": count_all(manifest, totals, span), "metrics": metrics}
    known["generator"] = summarise_generator(manifest, totals, span, metrics)
    if (coalesced_share(known) or 0) > COALESCED:
        for name, metric in metrics.items():
            if split_kind(name)[0] in BOUNDED:
                # A gap may also begin at an event that came before its stamp.
                metric["approximate" if split_kind(name)[0] == GAP else "upper_bound"] = True
    for name, metric in metrics.items():
        bounded = _bounded_samples(totals, name)
        metric["bounds"] = bounds(metric, bounded, totals.histograms[name].spectrum() if bounded else None)
        if slow_sends(known) and split_kind(name)[0] in SERVICE and not bounded:
            metric["bounds"] = _largest(metric)
    slow = describe_all(manifest, totals, prefix=SLOW)
    asked = {name: why for name, why in section(manifest, "unmeasured").items() if name not in METRICS}
    return {
        "metrics": metrics,
        **({"slow_readers": {"metrics": slow}} if slow else {}),
        "counts": known["counts"],
        "rates": rates(known, totals, span, last_matched(totals, turns)),
        "load": {**section(manifest, "load"), "achieved": achieved(manifest, known["counts"], span)},
        "generator": known["generator"],
        **({"health": health} if (health := target_health(known, totals, span)) else {}),
        "of_due": times_of_due(known, totals.histograms, _extra_percentiles(manifest)),
        "burst_positions": _positions(known, turns),
        "unmeasured": {**asked, **unmeasured_metrics(known, metrics)},
    }


def _bounded_samples(totals: Totals, name: str) -> int:
    """How many samples of a metric are upper bounds, since their event shared a read with a later one."""
    whole, kind = split_kind(name)
    counters = BOUNDED_BY.get(whole, ())
    return sum(totals.measured(each if kind is None else of_kind(each, kind)) for each in counters)


def _positions(manifest: Manifest, turns: Turns | None) -> list[dict[str, Any]]:
    """Places in the burst, with the statistics that may be upper bounds.

    Which turns shared a read is known of all together and not by place: every place may have had them all.
    """
    rows = burst_positions(turns, tick_ns(manifest))
    coalesced = section(manifest, "generator", "coalesced")
    for row in rows:
        for name, counter in (("first_event", "first_events"), ("completion", "ends")):
            found = row[name]
            found["bounds"] = bounds({"max_exact": None, **found}, count_or_zero(coalesced.get(counter)))
    return rows


_NAMED = {"conversation": conversations, "prepare": prepare_steps}
"""Where the names stand of what has a metric of its own, by its group; of all others: kinds of turn."""


def describe_all(
    manifest: Manifest, totals: Totals, only: Collection[str] = METRICS, *, prefix: str = ""
) -> dict[str, Any]:
    """Every metric of ``only`` that has samples, with the usual statistics and those that a rule names.

    ``prefix`` stands before the name in the tags of users whose times are kept apart.
    """
    extra = _extra_percentiles(manifest)
    tick = tick_ns(manifest)
    names = {name: _NAMED.get(name.partition(".")[0], kinds) for name in BY_KIND}
    of_kinds = [of_kind(name, kind) for name in METRICS if name in names for kind in names[name](manifest)]
    unknown = section(manifest, "part").get("without_kinds")
    wanted = (*METRICS, *of_kinds) if only is METRICS and not unknown else tuple(only)
    ages = ages_known(manifest, totals)
    described = {
        name: describe(totals.histograms[prefix + name], tick, extra.get(name, ()))
        for name in wanted
        if prefix + name in totals.histograms and (ages or split_kind(name)[0] != AGE)
    }
    return {name: metric for name, metric in described.items() if metric is not None}


def bounds(metric: Manifest, bounded: int, spectrum: Spectrum | None = None) -> list[str]:
    """The statistics of a metric that are upper bounds, where ``bounded`` of its samples are.

    A percentile is one where more samples are bounded than lie beyond it, or where so many may have moved it
    (``spectrum``: of the metric's histogram). So is the largest, of any bounded sample.
    """
    if not bounded or not metric["n"]:
        return []
    known = [name for name in metric if percentile(name) is not None and metric[name] is not None]
    beyond = {name: metric["n"] * (1 - part_of(name)) for name in known}
    found = [
        name
        for name in known
        if bounded > beyond[name] or (spectrum is not None and _may_have_moved(spectrum, name, bounded))
    ]
    return found + _largest(metric)


def _largest(metric: Manifest) -> list[str]:
    """The names of the largest sample that a metric has."""
    return [name for name in ("max", "max_exact") if metric[name] is not None]


def _may_have_moved(spectrum: Spectrum, name: str, bounded: int) -> bool:
    """Whether a percentile would be notably lower if all ``bounded`` samples were lower than it.

    They must also be more than its standard error in samples: chance alone moves it by so many.
    """
    part, n = part_of(name), int(spectrum[1][-1])
    if bounded <= math.sqrt(n * part * (1 - part)):
        return False
    rank = nearest_rank(part, n)
    low, high = at_ranks(spectrum, (max(rank - bounded, 1), rank))
    return low < high * (1 - NOTABLE)


def _extra_percentiles(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Percentiles beside the usual ones that thresholds and abort rules ask for, by metric."""
    extra: dict[str, tuple[str, ...]] = {}
    for name in rule_names(manifest):
        split = split_metric(name)
        if split and percentile(split[1]) is not None:
            extra[split[0]] = (*extra.get(split[0], ()), split[1])
    return extra


def burst_positions(turns: Turns | None, tick_ns: int = 1) -> list[dict[str, Any]]:
    """One row per place in the burst, from 0, of turns of the measured part; empty without bursts.

    ``turns`` is how many turns stood there. ``first_event`` and ``completion`` are response times in
    milliseconds, ``{n, p50, p95, max}``, of those turns that came to it; null where n or the clock
    (``tick_ns``) does not support it. All are of the turn table, which is exact, not bucketed.
    """
    rows = measured_turns(turns)
    if rows is None or not len(rows) or not rows["position"].any():
        return []
    ordered = rows[np.argsort(rows["position"], kind="stable")]
    places, starts = np.unique(ordered["position"], return_index=True)
    return [
        {
            "position": int(place),
            "turns": len(group),
            "first_event": _describe(_waited(group, "first_ns"), tick_ns),
            "completion": _describe(_waited(group[group["outcome"] == 0], "done_ns"), tick_ns),
        }
        for place, group in zip(places, np.split(ordered, starts[1:]), strict=True)
    ]


def _waited(rows: Turns, until: str) -> Instants:
    """Response times, ascending, of the rows that came to ``until``."""
    came = rows[rows[until] >= 0]
    waited: Instants = np.sort(np.maximum(came[until] - came["waited_from_ns"], 0))
    return waited


def _describe(waited: Instants, tick_ns: int) -> dict[str, Any]:
    n = len(waited)
    ranks = {name: nearest_rank(part_of(name), n) for name in ("p50", "p95") if n >= needed(part_of(name))}
    ranks |= {"max": n} if n else {}
    values = {name: int(waited[rank - 1]) for name, rank in ranks.items()}
    shown = {name: value / NS_PER_MS for name, value in values.items() if value >= tick_ns}
    return {"n": n, **{name: shown.get(name) for name in ("p50", "p95", "max")}}


def unmeasured_metrics(manifest: Manifest, metrics: Manifest) -> dict[str, str]:
    """Reason by metric, of every metric that has no sample; the manifest has ``counts``."""
    return {
        each.name: _REASONS[each.absent](manifest) for each in catalog.METRICS if each.name not in metrics
    }


def _no_connection(manifest: Manifest) -> str:
    connections = section(manifest, "counts", "connections")
    if not count_or_zero(connections.get("attempted")):
        return "no connection was attempted"
    return (
        "no connection got that far"
        if not count_or_zero(connections.get("ready"))
        else "no connection timed it"
    )


def _no_resolve(manifest: Manifest) -> str:
    host = urlsplit(str(section(manifest, "target").get("url") or "")).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "the name was looked up once, before the first connection"
    return "the target is an address, so there is no name to look up"


def _no_step(manifest: Manifest) -> str:
    return "no step was done" if prepare_steps(manifest) else "the scenario has no [[prepare]]"


def _no_proxy(manifest: Manifest) -> str:
    if section(manifest, "target").get("proxy"):
        return _no_connection(manifest)
    return "connections go through no proxy"


def _no_tls(manifest: Manifest) -> str:
    if section(manifest, "target").get("tls"):
        return _no_connection(manifest)
    return "the target is a ws:// URL, without TLS"


def _no_turn(manifest: Manifest) -> str:
    turns = section(manifest, "counts", "measured", "turns")
    if not sends(manifest):
        return "the scenario sends nothing"
    if not count_or_zero(turns.get("due")):
        return "no turn fell due in the measured part"
    if not count_or_zero(turns.get("begun")):
        return "no turn was begun in the measured part"
    return "no turn of the measured part has this time"


def _no_gap(manifest: Manifest) -> str:
    if count_or_zero(section(manifest, "counts", "measured", "events").get("matched")):
        return "no turn received two events in separate reads"
    return _no_turn(manifest)


def _no_upload(manifest: Manifest) -> str:
    if not message_steps(manifest):
        return "no turn has several messages"
    return _no_turn(manifest)


def _no_chunk(manifest: Manifest) -> str:
    if not any(section(step).get("chunks") for step in message_steps(manifest)):
        return "no turn sends a file in chunks"
    return _no_turn(manifest)


def _no_audio(manifest: Manifest) -> str:
    if not any(events.get("audio") for events in events_of_kinds(manifest)):
        return "the protocol does not say which events are `audio`"
    return _no_turn(manifest)


def _no_barge_in(manifest: Manifest) -> str:
    if not any(section(step).get("interrupt") for step in message_steps(manifest)):
        return "no turn has an interruption"
    if not count_or_zero(section(manifest, "counts", "measured", "turns").get("interrupted")):
        return "no turn was interrupted in the measured part: every answer ended too early"
    return "no interrupted turn ended"


def _no_conversation(manifest: Manifest) -> str:
    if not conversations(manifest):
        return "the scenario has no conversations"
    return "no conversation of the measured part ended"


def _no_lag(manifest: Manifest) -> str:
    if count_or_zero(section(manifest, "counts", "measured", "events").get("received")):
        return "the kernel gave no arrival stamps"
    return "no event was received in the measured part"


def _no_ping(manifest: Manifest) -> str:
    pings = section(manifest, "counts", "pings")
    return "no ping was answered" if count_or_zero(pings.get("sent")) else "the scenario sends no pings"


def _no_heartbeat(manifest: Manifest) -> str:
    sent = count_or_zero(section(manifest, "counts", "heartbeats").get("sent"))
    return "no heartbeat was answered" if sent else "the protocol has no heartbeat with `every`"


def _no_reconnect(_: Manifest) -> str:
    return "no user reconnected"


def _no_delivery(manifest: Manifest) -> str:
    if not any(section(part, "protocol", "events").get("audience") for part in parts(manifest)):
        return "the protocol has no `audience`"
    noted = (row for row in observed(manifest) if row["code"] == "copies_not_followed")
    if (fact := next(noted, None)) is not None:
        return f"copies were not followed: {section(fact, 'numbers').get('reason')}"
    spoken = [section(part, "protocol") for part in parts(manifest)]
    told_apart = all(
        "{uuid}" in str(section(each, "turn").get("id", "{uuid}"))
        for each in spoken
        if section(each, "events").get("audience")
    )
    if count_or_zero(section(manifest, "generator").get("processes")) > 1 and not told_apart:
        return (
            "several processes drove the run, and without {uuid} in the turn ids they cannot tell whose turn"
            " a copy belongs to"
        )
    return "no copy was due, or none arrived, in the measured part"


_REASONS: dict[catalog.Absent, Reason] = {
    "connection": _no_connection,
    "resolve": _no_resolve,
    "prepare": _no_step,
    "proxy": _no_proxy,
    "tls": _no_tls,
    "turn": _no_turn,
    "gap": _no_gap,
    "lag": _no_lag,
    "ping": _no_ping,
    "heartbeat": _no_heartbeat,
    "reconnect": _no_reconnect,
    "upload": _no_upload,
    "chunk": _no_chunk,
    "audio": _no_audio,
    "barge_in": _no_barge_in,
    "conversation": _no_conversation,
    "delivery": _no_delivery,
    "age": no_age,
}
"""Why a metric may have no sample, by what the catalog says of it."""
