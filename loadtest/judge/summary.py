"""What a run's totals say: metrics, counts, rates, the load that was offered, and how the generator fared."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import Any

from loadtest.judge.censored_turns import times_of_due
from loadtest.judge.counts import count_all
from loadtest.judge.distribution import describe
from loadtest.judge.generator import COALESCED, coalesced_share, watch
from loadtest.judge.load import achieved
from loadtest.judge.measurement_window import Turns, last_matched, measured_span
from loadtest.judge.positions import burst_positions
from loadtest.judge.ranks import part_of
from loadtest.judge.rates import rates
from loadtest.judge.sections import Manifest, section, tick_ns, whole
from loadtest.judge.thresholds import rule_names
from loadtest.judge.unmeasured import unmeasured_metrics
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import METRICS, percentile, split_metric

BOUNDED = ("turn.first_event", "turn.first_event.service", "event.gap")
"""Metrics that coalesced events leave only bounded from above."""

SLOW = "slow:"
"""Stands before the name of each metric of the users whom the plan makes read slowly."""

BOUNDED_BY = {
    "turn.first_event": "first_events",
    "turn.first_event.service": "first_events",
    "turn.completion": "ends",
    "turn.completion.service": "ends",
}
"""Which coalesced events leave single percentiles of a metric only bounded from above."""


def summarise(manifest: Manifest, totals: Totals, turns: Turns | None = None) -> dict[str, Any]:
    """The sections of ``run.json`` that are computed from what was recorded.

    ``metrics``, ``counts``, ``rates``, ``generator``, ``burst_positions`` and ``of_due`` (times of turns with
    those that never answered among them); ``load`` with ``achieved``;
    ``slow_readers`` with the metrics of users whom the plan made read slowly, where there were any;
    ``unmeasured`` with a reason for each metric that has no sample (dotted names) beside the counters that
    the protocol gives no way to know. Nothing that was not measured is 0: it is null or absent.
    """
    span = measured_span(manifest, totals, turns)
    metrics = describe_all(manifest, totals)
    known: dict[str, Any] = {**manifest, "counts": count_all(manifest, totals, span), "metrics": metrics}
    known["generator"] = watch(manifest, totals, span, metrics)
    if (coalesced_share(known) or 0) > COALESCED:
        for name in BOUNDED:
            if name in metrics:
                metrics[name]["upper_bound"] = True
    for name, metric in metrics.items():
        coalesced = whole(section(known, "generator", "coalesced").get(BOUNDED_BY.get(name, "")))
        metric["bounds"] = bounds(metric, Fraction(coalesced, metric["n"]))
    slow = describe_all(manifest, totals, prefix=SLOW)
    asked = {name: why for name, why in section(manifest, "unmeasured").items() if name not in METRICS}
    return {
        "metrics": metrics,
        **({"slow_readers": {"metrics": slow}} if slow else {}),
        "counts": known["counts"],
        "rates": rates(known, totals, span, last_matched(totals, turns)),
        "load": {**section(manifest, "load"), "achieved": achieved(manifest, known["counts"], span)},
        "generator": known["generator"],
        "of_due": times_of_due(known, totals.histograms, _extra_percentiles(manifest)),
        "burst_positions": _positions(known, turns),
        "unmeasured": {**asked, **unmeasured_metrics(known, metrics)},
    }


def _positions(manifest: Manifest, turns: Turns | None) -> list[dict[str, Any]]:
    """Places in the burst, with the statistics that may be upper bounds.

    Which turns shared a read is known of all together and not by place: every place may have had them all.
    """
    rows = burst_positions(turns, tick_ns(manifest))
    coalesced = section(manifest, "generator", "coalesced")
    for row in rows:
        for name, counter in (("first_event", "first_events"), ("completion", "ends")):
            found = row[name]
            share = Fraction(min(whole(coalesced.get(counter)), found["n"]), max(found["n"], 1))
            found["bounds"] = bounds({"max_exact": None, **found}, share)
    return rows


def describe_all(
    manifest: Manifest, totals: Totals, only: Collection[str] = METRICS, *, prefix: str = ""
) -> dict[str, Any]:
    """Every metric of ``only`` that has samples, with the usual statistics and those that a rule names.

    ``prefix`` stands before the name in the tags of users whose times are kept apart.
    """
    extra = _extra_percentiles(manifest)
    tick = tick_ns(manifest)
    described = {
        name: describe(totals.histograms[prefix + name], tick, extra.get(name, ()))
        for name in METRICS
        if name in only and prefix + name in totals.histograms
    }
    return {name: metric for name, metric in described.items() if metric is not None}


def bounds(metric: Manifest, share: Fraction) -> list[str]:
    """The statistics of a metric that are upper bounds, where ``share`` of its samples are.

    A percentile is one where more samples are bounded than lie beyond it; so is the largest, of any.
    """
    known = [name for name in metric if percentile(name) is not None and metric[name] is not None]
    bounded = [name for name in known if share > 1 - part_of(name)]
    return bounded + ([name for name in ("max", "max_exact") if metric[name] is not None] if share else [])


def _extra_percentiles(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Percentiles beside the usual ones that thresholds and abort rules ask for, by metric."""
    extra: dict[str, tuple[str, ...]] = {}
    for name in rule_names(manifest):
        split = split_metric(name)
        if split and percentile(split[1]) is not None:
            extra[split[0]] = (*extra.get(split[0], ()), split[1])
    return extra
