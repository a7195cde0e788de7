"""The measured numbers of a report as text: metrics, rates, places in the burst."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from loadtest import catalog
from loadtest.catalog import PERCENTILES, in_report_order
from loadtest.judge.censored_turns import unbounded
from loadtest.judge.counts import in_doubt
from loadtest.judge.manifest_access import Manifest, number, observed, populations, section
from loadtest.judge.ranks import needed, part_of
from loadtest.plan.threshold import METRICS, of_kind, split_kind
from loadtest.show.manifest import as_integer, rows
from loadtest.show.report_model import (
    HEADINGS,
    STATISTICS,
    Fact,
    MetricGroup,
    MetricRow,
    PositionRow,
    RateRow,
)
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_duration, format_ms, format_rate

NOT_MEASURED = "not measured"

NEVER = "never"
"""Stands for a time of a turn that was never answered."""

GROUPS = tuple(
    (
        group.title,
        group.meaning,
        {each.name: each.label for each in in_report_order(catalog.METRICS) if each.group == group.title},
    )
    for group in catalog.METRIC_GROUPS
)
"""Metrics by the instant they are measured from: title, meaning, label of each."""

LABELS = {name: label for _, _, names in GROUPS for name, label in names.items()}

RATES = {each.name: each.label for each in catalog.RATES}

BOUNDS = {
    "plan": "limited by the plan",
    "target": "limited by the target",
    "generator": "limited by the generator",
}
"""What limited a rate; where it was the plan, it does not say what the target could do."""

PLANNED = {each.name: each.planned for each in catalog.RATES if each.planned}
"""Under which name the plan has what a rate repeats."""

PLACED = ("p50", "p95", "max")
"""The statistics by place in the burst."""


@dataclass(slots=True)
class Footnotes:
    """Footnotes in order of first use, each text once."""

    texts: list[str] = field(default_factory=list)

    def number_of(self, text: str) -> int:
        """The number of the footnote that says ``text``, from 1."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def duration_text(metric: Manifest, statistic: str) -> str | None:
    """A statistic in readable units, or None.

    ``< 15.6 ms`` where the clock could not tell it from less; ``≤`` before what is only bounded from above,
    ``≈`` before what may be less or more.
    """
    value = number(metric.get(statistic))
    if value is not None:
        bounded = metric.get("upper_bound") or statistic in (metric.get("bounds") or ())
        return f"{'≈' if metric.get('approximate') else '≤' if bounded else ''}{format_ms(value)}"
    below = number(section(metric, "below_resolution").get(statistic))
    return None if below is None else f"< {format_ms(below)}"


def metric_groups(manifest: Manifest, footnotes: Footnotes) -> tuple[MetricGroup, ...]:
    """The metrics that the manifest speaks of, response time first, unknown ones last."""
    metrics = section(manifest, "metrics")
    others = {name: printable(name, 60) for name in metrics if split_kind(name)[0] not in LABELS}
    made = []
    for title, meaning, labels in (*GROUPS, ("Other", "of this run alone", others)):
        present = dict(_with_kinds(labels, metrics, populations(manifest)))
        measured = tuple(
            row
            for name, label in present.items()
            for row in (
                _metric(name, label, section(metrics, name), footnotes),
                *_of_due(name, label, manifest, footnotes),
            )
        )
        made.append(MetricGroup(title, meaning + _left_out(title, manifest), measured))
    made.append(_slow_readers(manifest, footnotes))
    return tuple(group for group in made if group.metrics)


def _with_kinds(labels: Manifest, metrics: Manifest, apart: Collection[str]) -> Iterator[tuple[str, str]]:
    """The metrics of a group that the run has, each followed by the same of every kind of turn or population.

    Where all samples are of one of the populations (``apart``), the row of that says it all.
    """
    for name, label in labels.items():
        n = section(metrics, name).get("n")
        one = any(section(metrics, of_kind(name, each)).get("n") == n for each in apart)
        if name in metrics and not one:
            yield name, label
        for other in metrics:
            whole, kind = split_kind(other)
            if kind is not None and whole == name:
                yield other, f"{label}, {printable(kind.replace('/', ' '))}"


def _left_out(title: str, manifest: Manifest) -> str:
    """What the times of a group do not contain, or may not be, where that is more than nothing."""
    if title == "Delivery":
        return _clocks(manifest)
    counts = section(manifest, "counts", "measured")
    timed_out = as_integer(section(counts, "turns").get("timed_out")) or 0
    if title == "Stream" and timed_out:
        return f"; without the wait at the end of {format_count(timed_out)} turns that timed out"
    if title in {"Response time", "Service time", "Stream"} and in_doubt(counts):
        return "; in doubt, because some answers may belong to earlier turns"
    return ""


def _clocks(manifest: Manifest) -> str:
    """How far the clocks of several processes may differ: half the longest of the quickest round trips."""
    workers = next((section(row, "numbers") for row in observed(manifest) if row["code"] == "workers"), {})
    trips = [number(section(workers, name).get("round_trip_ms")) for name in workers]
    known = [trip for trip in trips if trip is not None]
    if not known:
        return ""
    told = f"; measured across {format_count(len(trips))} processes, whose clocks differ by at most"
    return f"{told} {format_ms(max(known) / 2)}"


def _slow_readers(manifest: Manifest, footnotes: Footnotes) -> MetricGroup:
    """The times of users whom the plan made read slowly; they are in no other group."""
    metrics = section(manifest, "slow_readers", "metrics")
    found = (
        _metric(f"slow:{name}", printable(name, 60), section(metrics, name), footnotes) for name in metrics
    )
    return MetricGroup(
        "Slow readers", "of users with `slow_readers`, whose slow reading changes these times", tuple(found)
    )


def unmeasured_metrics(manifest: Manifest) -> tuple[Fact, ...]:
    """The metrics that have no sample, each with the reason."""
    reasons = section(manifest, "unmeasured")
    return tuple(
        Fact(name, printable(reasons[name]))
        for name in dict.fromkeys((*LABELS, *METRICS))
        if name in reasons and name not in section(manifest, "metrics")
    )


def _metric(
    name: str, label: str, metric: Manifest, footnotes: Footnotes, never: Collection[str] = ()
) -> MetricRow:
    """``never``: the statistics that are times of turns that were never answered."""
    n = as_integer(metric.get("n")) or 0
    texts = {key: NEVER if key in never else duration_text(metric, key) for key in STATISTICS}
    missing = [statistic for statistic, text in texts.items() if text is None]
    note = footnotes.number_of(why_missing(metric, missing)) if missing else 0
    return MetricRow(
        name=printable(name),
        label=label,
        n=format_count(n) if n else "none",
        cells={statistic: text or "–" for statistic, text in texts.items()},
        notes=dict.fromkeys(missing, note),
        ci95={key: interval for key in STATISTICS if (interval := interval_text(metric, key))},
    )


def _of_due(name: str, label: str, manifest: Manifest, footnotes: Footnotes) -> Iterator[MetricRow]:
    """The same of all turns that were due, where some of them were never answered."""
    of_due = section(manifest, "of_due", name)
    if not of_due:
        return
    known = {**of_due, "min": section(manifest, "metrics", name).get("min")}
    never = [key for key in STATISTICS if unbounded(of_due, key)]
    yield _metric(f"{name}, of all due", f"{label}, of all due", known, footnotes, never)


def why_missing(metric: Manifest, statistics: list[str]) -> str:
    """One footnote for the ``statistics`` of a metric that are null."""
    n = as_integer(metric.get("n")) or 0
    if any(n < needed(part_of(key)) for key in statistics if key in PERCENTILES):
        # The same for every metric, so that it is said once; n stands beside it.
        needs = (f"{HEADINGS[key]} needs {format_count(needed(part_of(key)))}" for key in PERCENTILES)
        return f"not enough samples (n): {', '.join(needs)}"
    reasons = section(metric, "reasons")
    given = dict.fromkeys(str(reasons[key]) for key in statistics if key in reasons)
    return printable(f"{NOT_MEASURED}: {'; '.join(given) or 'the run does not say why'}")


def interval_text(metric: Manifest, statistic: str) -> str:
    """The 95 % confidence interval of a percentile, "1.21–1.44 ms"; empty where there is none."""
    bounds = section(metric, "ci95").get(statistic)
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        return ""
    low, high = number(bounds[0]), number(bounds[1])
    if low is None or high is None:
        return ""
    (start, _, unit), end = format_ms(low).rpartition(" "), format_ms(high)
    return f"{start}–{end}" if end.endswith(f" {unit}") and " " not in start else f"{start} {unit}–{end}"


def rate_of(rate: Manifest) -> float | None:
    """The value of a rate; None where nothing was counted, whatever the manifest holds."""
    return number(rate.get("value")) if as_integer(rate.get("n")) else None


def rate_rows(manifest: Manifest) -> tuple[RateRow, ...]:
    """Every rate, measured or with the reason why not."""
    rates = section(manifest, "rates")
    names = [*(name for name in RATES if name in rates), *(name for name in rates if name not in RATES)]
    asked = section(manifest, "load", "planned")
    plan = {name: number(asked.get(key)) for name, key in PLANNED.items()}
    return tuple(_rate(name, section(rates, name), plan.get(name)) for name in names)


def _rate(name: str, rate: Manifest, asked: float | None) -> RateRow:
    label = RATES.get(name, printable(name))
    value, n, over = rate_of(rate), as_integer(rate.get("n")), number(rate.get("over_s"))
    span = f" over {format_duration(over * 1e9)}" if over else ""
    if value is None or n is None:
        reason = rate.get("reason") or (f"none counted{span}" if n == 0 else "the run does not say why")
        return RateRow(name, label, _bounded(rate), printable(reason), "", measured=False)
    bound = BOUNDS.get(str(rate.get("bound")), "")
    if rate.get("bound") == "plan" and asked:
        bound += f" ({format_rate(asked)})"
    return RateRow(name, label, format_rate(value), f"n={format_count(n)}{span}", bound, measured=True)


def _bounded(rate: Manifest) -> str:
    """What is known of a rate that was not measured: "< 0.1/s" where not one came, else that it was not."""
    for key, sign in (("at_most", "<"), ("at_least", ">")):
        known = number(rate.get(key))
        if known:
            return f"{sign} {format_rate(known)}"
    return NOT_MEASURED


def position_rows(manifest: Manifest) -> tuple[PositionRow, ...]:
    """Response times by place in the burst; none without bursts."""
    return tuple(
        PositionRow(
            position=format_count((as_integer(row.get("position")) or 0) + 1),
            turns=format_count(as_integer(row.get("turns")) or 0),
            first_event={key: duration_text(section(row, "first_event"), key) or "–" for key in PLACED},
            completion={key: duration_text(section(row, "completion"), key) or "–" for key in PLACED},
        )
        for row in rows(manifest, "burst_positions")
    )
