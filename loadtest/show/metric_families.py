"""What exporters tell of a run: families of samples in base units, made of the catalog and of merged totals.

Nothing here is called for an event: a family is computed when somebody asks for it, from the sums that the
run keeps anyway. What was not measured has no sample.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from loadtest import catalog
from loadtest.errors import Layer
from loadtest.judge.live_thresholds import ThresholdSoFar
from loadtest.judge.manifest_access import Manifest, planned, populations, section
from loadtest.measure.histogram import Histogram, highest_of
from loadtest.measure.interval import PHASES
from loadtest.measure.tagging import counter_of, with_population
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import of_kind, split_kind, split_population
from loadtest.show.sanitize import printable

PREFIX = "loadtest"

BOUNDS_NS = tuple(
    round(step * 10**power)
    for power in range(5, 11)
    for step in (1, 1.5, 2, 3, 5, 7)
    if 500_000 <= step * 10**power <= 60e9
)
"""Upper bounds of the buckets, 0.5 ms to 50 s: each at most 1.67 times the one before."""

BOUNDS_S = tuple(bound / 1e9 for bound in BOUNDS_NS)

MAX_LABELS = 32
"""Values of one label that a counter tells apart; all further ones together are ``other``."""

KNOWN = {"layer": tuple(Layer)}
"""The values of labels that are known before anything is counted."""

OTHER = "other"

KIND_IS = {"prepare": "step", "conversation": "conversation", "conversations": "conversation"}
"""What the label ``kind`` names, by the group of a metric or counter, where it is no kind of turn."""

LONGEST_LABEL = 120

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Buckets:
    """A distribution: per bound of ``BOUNDS_S``, and then for all, how many are not above it; seconds."""

    cumulated: tuple[int, ...]
    sum_s: float
    min_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name. ``name`` has its unit, and no ``_total``; ``unit`` is that of OpenTelemetry."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    samples: tuple[tuple[Labels, float | Buckets], ...]


class ExportedRun:
    """The families of a run as it goes on.

    ``manifest`` and ``totals`` are those of the recording. ``redacted`` takes secrets out of labels, some of
    which the target wrote.
    """

    def __init__(
        self,
        manifest: Manifest,
        totals: Totals,
        thresholds: Callable[[], Sequence[ThresholdSoFar]],
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._manifest = manifest
        self._totals = totals
        self._thresholds = thresholds
        self._redacted = redacted
        self._told: dict[str, dict[str, str]] = {}
        self._populations = populations(manifest)

    @property
    def seconds(self) -> int:
        """Seconds that are known: no number changes while this does not."""
        return len(self._totals.seconds)

    @property
    def labels(self) -> dict[str, str]:
        """What every sample of the run carries."""
        manifest = self._manifest
        return {
            "run": str(manifest.get("id") or ""),
            "scenario": str(section(manifest, "scenario").get("name") or ""),
            "label": str(manifest.get("label") or ""),
        }

    def families(self) -> Iterator[Family]:
        """Every family that has a sample."""
        parts = (self._about(), self._gauges(), self._counters(), self._distributions(), self._judged())
        yield from (family for part in parts for family in part if family.samples)

    def _about(self) -> Iterator[Family]:
        simulated = "true" if section(self._manifest, "target").get("simulated") else "false"
        yield _gauge("run_info", "what the run is", "1", 1.0, {"simulated": simulated})
        yield _gauge("elapsed_seconds", "seconds since the start of the run", "s", float(self.seconds))
        rate = planned(self._manifest, "turns_per_s")
        if rate is not None:
            yield _gauge("planned_turns_per_second", "turns that fall due by the plan", "{turn}/s", rate)

    def _gauges(self) -> Iterator[Family]:
        """The gauges of the last second; the target's own metrics in one family."""
        known = self._totals.seconds[-1].gauges if self._totals.seconds else {}
        for each in catalog.GAUGES:
            if each.name in known:
                yield _gauge(each.exported, each.help, "", known[each.name] / each.scale)
        declared = {each.name for each in catalog.GAUGES}
        own = sorted(name for name in known if name.startswith("target.") and name not in declared)
        samples = tuple(({"name": name.partition(".")[2]}, known[name]) for name in own)
        yield Family(f"{PREFIX}_target_value", "a metric of the target's own", "gauge", "", samples)

    def _counters(self) -> Iterator[Family]:
        counted: Counter[str] = Counter()
        for counters in list(self._totals.counters.values()):
            counted.update(counters)
        unknown = section(self._manifest, "unmeasured")
        kinds = self._kinds(counted)
        for each in catalog.COUNTERS:
            unmeasured = each.group == "events" and each.key in unknown
            if each.by:
                yield self._split(each, counted)
            elif (each.always or each.name in counted) and not unmeasured:
                samples: tuple[tuple[Labels, float], ...] = (({}, counted[each.name]),)
                yield Family(_counter_name(each), each.help, "counter", "", samples)
                yield self._counted_by_population(each, counted)
            if each.by_kind:
                of_kinds = tuple(({"kind": kind}, counted[of_kind(each.name, kind)]) for kind in kinds)
                name = f"{_counter_name(each)}_by_kind"
                yield Family(name, f"{each.help}; by {_kind_is(each.name)}", "counter", "", of_kinds)

    def _counted_by_population(self, counter: catalog.Counter, counted: Mapping[str, int]) -> Family:
        names = ((each, counter_of(counter.name, each)) for each in self._populations)
        samples = tuple(({"population": each}, counted[name]) for each, name in names if name in counted)
        name = f"{_counter_name(counter)}_by_population"
        return Family(name, f"{counter.help}; by population", "counter", "", samples)

    def _kinds(self, names: Mapping[str, Any]) -> list[str]:
        """The kinds of turn that names speak of, none of a population alone; the plan bounds their number."""
        found = (name.rpartition(":")[2] for name in names if name.endswith("]"))
        of_all = (name for name in found if split_population(name, self._populations)[1] is None)
        return sorted({kind for name in of_all if (kind := split_kind(name)[1])})

    def _split(self, counter: catalog.Counter, counted: Mapping[str, int]) -> Family:
        """A counter that is split by a label, which what the target wrote may be in."""
        label = re.sub(r"[^a-z]+", "_", counter.by.lower())
        prefix = f"{counter.name}."
        # Those that are known beforehand are there from the start: a rate does not see the first of a series.
        found: Counter[str] = Counter(dict.fromkeys(KNOWN.get(counter.by, ()), 0))
        for name, n in counted.items():
            if name.startswith(prefix):
                found[self._label_of(counter.name, name.removeprefix(prefix))] += n
        samples = tuple(({label: value}, n) for value, n in found.items())
        return Family(_counter_name(counter), counter.help, "counter", "", samples)

    def _label_of(self, counter: str, written: str) -> str:
        """The label's value; the first ``MAX_LABELS`` of a counter stay what they are, so none falls."""
        told = self._told.setdefault(counter, {})
        if written not in told:
            if len(told) >= MAX_LABELS:
                return OTHER
            told[written] = printable(self._redacted(written), LONGEST_LABEL)
        return told[written]

    def _distributions(self) -> Iterator[Family]:
        histograms = dict(self._totals.histograms)
        kinds = self._kinds(histograms)
        for each in catalog.METRICS:
            name = f"{PREFIX}_{each.name.replace('.', '_')}"
            help_ = f"{each.help}; by phase of the run"
            yield Family(
                f"{name}_seconds", help_, "histogram", "s", tuple(_phases(histograms, each.name, {}))
            )
            of_populations = tuple(
                sample
                for population in self._populations
                for sample in _phases(
                    histograms, with_population(each.name, population), {"population": population}
                )
            )
            yield Family(
                f"{name}_by_population_seconds", f"{help_} and population", "histogram", "s", of_populations
            )
            if each.by_kind:
                samples = tuple(
                    sample
                    for kind in kinds
                    for sample in _phases(histograms, of_kind(each.name, kind), {"kind": kind})
                )
                yield Family(
                    f"{name}_by_kind_seconds",
                    f"{help_} and {_kind_is(each.name)}",
                    "histogram",
                    "s",
                    samples,
                )

    def _judged(self) -> Iterator[Family]:
        """Where thresholds stand; one that is not measured has neither 0 nor 1."""
        stand = self._thresholds()
        decided = [each for each in stand if each.outcome != "not_measured"]
        yield Family(
            f"{PREFIX}_threshold_held",
            "1 if a threshold passes so far, 0 if it is missed; absent if it is not measured",
            "gauge",
            "1",
            tuple((_of(each), float(each.outcome == "held")) for each in decided),
        )
        yield Family(
            f"{PREFIX}_threshold_measured",
            "1 if there are enough samples to judge a threshold, else 0",
            "gauge",
            "1",
            tuple((_of(each), float(each.outcome != "not_measured")) for each in stand),
        )


def _gauge(name: str, about: str, unit: str, value: float, labels: Labels | None = None) -> Family:
    return Family(f"{PREFIX}_{name}", about, "gauge", unit, ((labels or {}, value),))


def _of(each: ThresholdSoFar) -> Labels:
    return {"threshold": each.threshold.name, "expression": each.threshold.expression}


def _counter_name(counter: catalog.Counter) -> str:
    """The unit stands last, as is the custom: "sent_bytes"."""
    name = f"{counter.key}.bytes" if counter.group == "bytes" else counter.name
    return f"{PREFIX}_{name.replace('.', '_')}"


def _kind_is(name: str) -> str:
    return KIND_IS.get(name.partition(".")[0], "kind of turn")


def _phases(
    histograms: Mapping[str, Histogram], name: str, labels: Labels
) -> Iterator[tuple[Labels, Buckets]]:
    """The distribution of each phase that has a sample."""
    for phase in PHASES:
        found = histograms.get(name if phase == "measured" else f"{phase}:{name}")
        if found is not None and found.n:
            yield {"phase": phase, **labels}, buckets_of(found)


def buckets_of(histogram: Histogram) -> Buckets:
    """The distribution in our bounds; a value counts as the highest equivalent one, as in percentiles."""
    indices, counts = histogram.counts_nonzero()
    below = np.concatenate([[0], np.cumsum(counts)])
    places = np.searchsorted(highest_of(indices), BOUNDS_NS, side="right")
    cumulated = (*(int(n) for n in below[places]), histogram.n)
    seconds = (each / 1e9 for each in (histogram.total_ns, histogram.min_ns or 0, histogram.max_ns or 0))
    return Buckets(cumulated, *seconds)
