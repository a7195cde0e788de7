"""A family of metrics, tested together over the runs of two sides; p is corrected over all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from loadtest.judge.effect_size import Better, EffectMeasure, Word, word_for
from loadtest.judge.failure_share import is_share, points_measure, pooled, share_variance
from loadtest.judge.hypothesis_tests import (
    HypothesisResults,
    Method,
    Sample,
    Scales,
    judge_samples,
    method_for,
)
from loadtest.judge.permutation import Array
from loadtest.judge.power import (
    MAX_REPEATS,
    MIN_HISTORY,
    MIN_PAIRS,
    MIN_RUNS,
    SAME_LEVEL,
    enough_runs,
    repeats,
    visible,
)
from loadtest.judge.ranks import needed, part_of
from loadtest.judge.run_standing import standing
from loadtest.judge.samples import Side
from loadtest.judge.threshold_measurement import Measurement
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import percentile, split_metric
from loadtest.units import format_count


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """A metric on one side: what each run measured, and the mean of those that did, in its own unit.

    The mean is that of the runs that are no outliers; of a share it is that of all runs together.
    ``samples`` is how many samples stand behind it in all runs together; ``reason`` says why a run has none.
    ``never`` has id and reason of runs in which it is the time of a turn that never answered: of no value.
    """

    values: tuple[float | None, ...]
    value: float | None
    samples: int
    reason: str = ""
    never: tuple[tuple[str, str], ...] = ()

    @property
    def n(self) -> int:
        """How many runs measured it."""
        return sum(value is not None for value in self.values)

    def as_dict(self) -> dict[str, Any]:
        """As in the comparison's JSON."""
        return {
            "value": self.value,
            "runs": self.n,
            "never": [{"id": run, "reason": why} for run, why in self.never],
            "samples": self.samples,
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric compared.

    ``change``, ``interval`` (95 %, of this metric alone) and ``visible`` are parts of the baseline, or of
    one where the measure's scale is points. ``p`` is of the direction in which the change lies,
    corrected over the metrics that were judged together.
    ``outliers`` are the ids of runs that lie far from the median of their side; the numbers leave them out.
    ``spread`` is how far runs of one side differ (standard deviation, as a part; of pairs, how far their
    differences do), ``visible`` the change that these runs find in 95 of 100 comparisons, ``repeats`` the
    runs a side (or pairs) that would tell the smallest effect from nothing, ``enough`` those that would
    decide if the difference stays as it is; None: over 200, or the spread is not known.
    """

    measure: EffectMeasure
    primary: bool
    baseline: SampleSummary
    candidate: SampleSummary
    word: Word
    why: str
    method: Method | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    spread: float | None = None
    visible: float | None = None
    repeats: int | None = None
    enough: int | None = None
    outliers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The metric's."""
        return self.measure.name

    def as_dict(self) -> dict[str, Any]:
        """As in the comparison's JSON."""
        return {
            **self.measure.as_dict(),
            "primary": self.primary,
            "smallest_effect": self.measure.smallest,
            "verdict": self.word,
            "reason": self.why,
            "method": self.method,
            "baseline": self.baseline.as_dict(),
            "candidate": self.candidate.as_dict(),
            "change": self.change,
            "ci95": None if self.interval is None else list(self.interval),
            "p": self.p,
            "spread": self.spread,
            "visible": self.visible,
            "repeats": self.repeats,
            "enough_runs": self.enough,
            "outliers": list(self.outliers),
        }


class ComparisonOptions(NamedTuple):
    """``rules`` are [compare] of the scenario, ``noise`` is the spread learned earlier.

    ``promised``: by metric, which direction its threshold makes the better one.

    ``paired``: the k-th runs of both sides are alternating blocks.
    """

    rules: Compare
    promised: Mapping[str, Better]
    noise: Mapping[str, float]
    paired: bool = False


class _MetricSamples(NamedTuple):
    """A metric with the turned values of both sides; of a share these are its failures.

    ``sizes`` are of how many each value is a share, ``ids`` those of runs; ``without``: how many runs of
    either side have no value, but for those that lack a few samples by chance; ``failed_runs`` how many of
    them because the target was down. ``doubling``: twice the failures matter.
    """

    measure: EffectMeasure
    levels: tuple[SampleSummary, SampleSummary]
    before: Array
    after: Array
    sizes: tuple[Array, Array]
    ids: tuple[list[str], list[str]]
    without: tuple[int, int]
    failed_runs: tuple[int, int]
    doubling: bool
    paired: bool

    @property
    def runs(self) -> tuple[int, int]:
        """How many runs of either side have a value that can be compared; of pairs, whose partner has too."""
        if self.paired:
            pairs = len(_known(self.after - self.before))
            return pairs, pairs
        return len(_known(self.before)), len(_known(self.after))

    @property
    def method(self) -> Method | None:
        """How it is tested."""
        return method_for(*self.runs, paired=self.paired)

    @property
    def share(self) -> bool:
        """Whether it is a share of what was asked for."""
        return is_share(self.measure.name)

    @property
    def lacks_more(self) -> bool:
        """Whether more runs of the candidate than of the baseline have no value: maybe its worst.

        A slower target has fewer turns, so that just its slow runs have too few for a percentile.
        """
        return self._more(self.without)

    @property
    def fails_more(self) -> bool:
        """Whether more runs of the candidate than of the baseline have no value because the target failed."""
        return self._more(self.failed_runs)

    def _more(self, runs: tuple[int, int]) -> bool:
        one, other = runs
        return other * len(self.before) > one * len(self.after)


def compare_family(
    sides: tuple[Side, Side],
    names: Iterable[str],
    options: ComparisonOptions,
    *,
    primary: bool,
) -> list[MetricComparison]:
    """A row per metric, in the order of ``names``; p is corrected over all of them that have runs enough."""
    metrics = [_metric(name, sides, options) for name in names]
    rows: dict[str, MetricComparison] = {}
    methods: tuple[Method, ...] = ("permutation", "prediction", "pairs")
    for method in methods:
        family = [each for each in metrics if each.method == method]
        rows |= {row.name: row for row in _rows(family, method, primary=primary)}
    for each in metrics:
        if each.method is None:
            rows[each.measure.name] = _undecided(
                each, len(metrics), options.noise.get(each.measure.name), primary=primary
            )
    return [rows[each.measure.name] for each in metrics]


def _metric(name: str, sides: tuple[Side, Side], options: ComparisonOptions) -> _MetricSamples:
    measured = [side.measured(name) for side in sides]
    values = [[each.value for each in of_side] for of_side in measured]
    rule = points_measure(name, [*values[0], *values[1]], options.rules, options.promised.get(name))
    failures = 1.0 if is_share(name) and rule.better == "higher" else 0.0
    before, after = (rule.turned(of_side) + failures for of_side in values)
    failed = [np.array([standing(run).target_failed for run in side.runs], np.bool_) for side in sides]
    if is_share(name) and failed[0].sum() * len(after) > failed[1].sum() * len(before):
        # The candidate is better by that anyway; and so wide a spread would hide a few failures of its own.
        before[failed[0]] = np.nan
    sizes = tuple(np.array([max(each.n, 1) for each in of_side], np.float64) for of_side in measured)
    usual = float(np.median([each.n for each in measured[0]])) if measured[0] else 0.0
    without = tuple(sum(_lacks(name, each, usual) for each in found) for found in measured)
    failed_runs = tuple(
        sum(each.value is None and bool(down) for each, down in zip(found, of_side, strict=True))
        for found, of_side in zip(measured, failed, strict=True)
    )
    ids = tuple([str(run.get("id")) for run in side.runs] for side in sides)
    one, other = (
        _level(rule, of_side, turned, size, of_runs)
        for of_side, turned, size, of_runs in zip(measured, (before, after), sizes, ids, strict=True)
    )
    return _MetricSamples(
        rule,
        (one, other),
        before,
        after,
        (sizes[0], sizes[1]),
        (ids[0], ids[1]),
        (without[0], without[1]),
        (failed_runs[0], failed_runs[1]),
        name not in options.rules.effects,
        options.paired,
    )


def _lacks(name: str, measured: Measurement, usual: float) -> bool:
    """Whether a run has no value, and not only since chance gave it a few samples too few for a percentile.

    ``usual`` is the number of samples of a run of the baseline; chance alone makes it less by three times its
    root at most.
    """
    if measured.value is not None:
        return False
    split = split_metric(name)
    if split is None or percentile(split[1]) is None:
        return True
    return not usual - 3 * math.sqrt(usual) <= measured.n < needed(part_of(split[1]))


def _level(
    rule: EffectMeasure, measured: Sequence[Measurement], turned: Array, sizes: Array, ids: Sequence[str]
) -> SampleSummary:
    known = _known(turned)
    reasons = dict.fromkeys(each.reason for each in measured if each.value is None and each.reason)
    return SampleSummary(
        tuple(each.value for each in measured),
        _mean(rule, turned, sizes) if len(known) else None,
        sum(each.n for each in measured),
        "; ".join(reasons),
        tuple((run, each.reason or "") for run, each in zip(ids, measured, strict=True) if each.unbounded),
    )


def _mean(rule: EffectMeasure, turned: Array, sizes: Array) -> float:
    """Of the runs that have a value, in the unit of the metric; of a share that of all of them together."""
    if not is_share(rule.name):
        return rule.value(float(_known(turned).mean()))
    failed = float(pooled(turned[:, None], sizes[:, None])[0])
    return 1 - failed if rule.better == "higher" else failed


def _known(turned: Array) -> Array:
    return turned[~np.isnan(turned)]


def _rows(family: Sequence[_MetricSamples], method: Method, *, primary: bool) -> list[MetricComparison]:
    if not family:
        return []
    samples = [
        Sample(
            np.stack([getattr(each, of) for each in family], axis=-1),
            np.stack([each.sizes[at] for each in family], axis=-1),
        )
        for at, of in enumerate(("before", "after"))
    ]
    scales = Scales(
        np.array([each.measure.bound for each in family]),
        np.array([each.share for each in family]),
        np.array([each.share and each.doubling for each in family]),
    )
    judged = judge_samples(method, samples[0], samples[1], scales)
    return [_row(each, judged, at, primary=primary) for at, each in enumerate(family)]


def _word(each: _MetricSamples, judged: HypothesisResults, at: int) -> Word:
    told = judged.words
    if told.slower[at]:
        return word_for(each.measure, worse=True)
    if each.lacks_more or each.levels[1].never:
        # Its other runs alone would be held against the baseline: it must not look better for its worst.
        return "cannot tell"
    if told.faster[at]:
        return word_for(each.measure, worse=False)
    return "same" if told.same[at] else "cannot tell"


def _row(each: _MetricSamples, judged: HypothesisResults, at: int, *, primary: bool) -> MetricComparison:
    rule, found = each.measure, judged.found
    flags = [of_side[..., at] for of_side in judged.outliers]
    rest = each._replace(
        before=np.where(flags[0], np.nan, each.before), after=np.where(flags[1], np.nan, each.after)
    )
    family = len(found.estimate)
    estimate = float(found.estimate[at])
    p = float(found.worse[at] if estimate > 0 else found.better[at])
    spread, rise = _spread(rest), float(judged.bounds[at])
    seen = rule.change(visible(spread, rest.runs, rise, family, paired=each.paired))
    repeated = repeats(spread, rule.bound, rule.units(2 * rule.smallest), family, paired=each.paired)
    enough = enough_runs(estimate, spread, rest.runs, rule.bound, family, paired=each.paired)
    word = _word(each, judged, at)
    one, other = (
        replace(level, value=_mean(rule, turned, size))
        for level, turned, size in zip(each.levels, (rest.before, rest.after), each.sizes, strict=True)
    )
    return MetricComparison(
        rule,
        primary,
        one,
        other,
        word,
        _told(_why(word, each, p, enough, hiding=bool(judged.hiding[at])), each),
        each.method,
        rule.change(estimate),
        rule.changes(float(found.low[at]), float(found.high[at])),
        p,
        _part(rule, spread),
        seen,
        repeated,
        enough if word == "cannot tell" and not each.lacks_more else None,
        tuple(
            run
            for ids, of_side in zip(each.ids, flags, strict=True)
            for run, far in zip(ids, of_side, strict=True)
            if far
        ),
    )


def _undecided(each: _MetricSamples, family: int, noise: float | None, *, primary: bool) -> MetricComparison:
    """Too few runs for a verdict: the difference is shown without a p."""
    rule, runs = each.measure, each.runs
    if not min(runs):
        return MetricComparison(rule, primary, *each.levels, "cannot tell", _told(_missing(each), each))
    change = rule.change(float(_known(each.after).mean() - _known(each.before).mean()))
    if each.paired:
        why = _told(f"there are only {runs[0]} pairs of blocks; a verdict needs {MIN_PAIRS}", each)
        return MetricComparison(rule, primary, *each.levels, "cannot tell", why, change=change)
    few = (
        f"the sides have {runs[0]} and {runs[1]} runs; a verdict needs {MIN_RUNS} per side, or {MIN_HISTORY}"
        " in the baseline"
    )
    spread = _spread(each) if max(runs) > 1 else noise
    if spread is None:
        why = _told(f"{few} (a single run does not show how much runs differ by chance)", each)
        return MetricComparison(rule, primary, *each.levels, "cannot tell", why, change=change)
    with_four = (max(runs[0], MIN_RUNS), max(runs[1], MIN_RUNS))
    seen = rule.change(visible(spread, with_four, rule.bound, family))
    enough = repeats(spread, rule.bound, rule.units(2 * rule.smallest), family)
    return MetricComparison(
        rule,
        primary,
        *each.levels,
        "cannot tell",
        _told(f"{few}; {_takes(enough, each)}", each),
        None,
        change,
        None,
        None,
        _part(rule, spread),
        seen,
        enough,
    )


def _missing(each: _MetricSamples) -> str:
    """Why there is nothing to compare."""
    without = [
        f"not measured in the {name}" + (f": {level.reason}" if level.reason else "")
        for name, level, turned in zip(
            ("baseline", "candidate"), each.levels, (each.before, each.after), strict=True
        )
        if not len(_known(turned)) and not level.never
    ]
    if any(level.never for level in each.levels):
        return "; ".join(without)
    return "; ".join(without) or "no pair of blocks measured this metric on both sides"


def _told(why: str, each: _MetricSamples) -> str:
    """``why``, and which runs are not in the numbers because their value is never."""
    never = [
        f"{len(level.never)} of {len(level.values)} runs of the {name} have no value (in {level.never[0][0]}"
        f" {level.never[0][1]})"
        for name, level in zip(("baseline", "candidate"), each.levels, strict=True)
        if level.never
    ]
    return "; ".join(filter(None, (why, *never)))


def _why(word: Word, each: _MetricSamples, p: float, enough: int | None, *, hiding: bool) -> str:
    rule = each.measure
    matters = f"the smallest effect of {_size(rule, rule.smallest)}"
    chance = f"p = {p:.2g}"
    if word == "same":
        return f"not worse by {matters}, with {100 * (1 - SAME_LEVEL):.0f} % confidence"
    if word != "cannot tell":
        doubled = each.share and each.doubling
        return f"the change reaches {matters}{' or a doubling' if doubled else ''}, {chance}"
    if lacking := _lacking(each):
        return lacking
    if hiding:
        return (
            "some runs of the candidate are much worse than the others; make more runs to see whether this"
            " happens again"
        )
    unit = "pairs of blocks" if each.paired else "runs per side"
    now = min(each.runs)
    if enough is None:
        takes, also = f"more than {now + MAX_REPEATS} {unit}", "; longer runs vary less"
    else:
        takes, also = f"about {format_count(enough)} {unit} ({format_count(enough - now)} more)", ""
    return (
        f"these runs do not show whether the change reaches {matters}, {chance}; if the change stays the"
        f" same, a verdict needs {takes}{also}"
    )


def _lacking(each: _MetricSamples) -> str | None:
    """Why the candidate's runs that have a value do not speak for all; None where they do."""
    of = f"{len(each.after)} runs of the candidate"
    if each.fails_more:
        return f"{each.failed_runs[1]} of {of} have no value, because the target failed"
    if each.levels[1].never:
        return "some runs of the candidate have no value; only its other runs were compared"
    if each.lacks_more:
        return (
            f"{each.without[1]} of {of} did not measure it, more than of the baseline:"
            f" {each.levels[1].reason}. The others alone may be its best. Make longer runs, or choose another"
            " metric"
        )
    return None


def _takes(enough: int | None, each: _MetricSamples) -> str:
    double = _size(each.measure, 2 * each.measure.smallest)
    unit = "pairs of blocks" if each.paired else "runs per side"
    if enough is None:
        return f"to detect a change of {double}, make more than {MAX_REPEATS} {unit}, or longer runs"
    return f"to detect a change of {double}, make about {format_count(enough)} {unit}"


def _size(rule: EffectMeasure, part: float) -> str:
    """An effect: "5 %", or "0.5 points" of a share."""
    return f"{part * 100:.3g} {'points' if rule.scale == 'points' else '%'}"


def _spread(each: _MetricSamples) -> float:
    """The standard deviation of runs of one side; of the history alone in a test against a history.

    Of pairs: of the differences within them.
    """
    if each.method == "pairs":
        away = float(np.std(_known(each.after - each.before), ddof=1))
        return max(away, math.sqrt(2) * _chance_alone(each)) if each.share else away
    sides = [each.before] if each.method == "prediction" else [each.before, each.after]
    known = [_known(side) for side in sides]
    freedom = sum(len(side) - 1 for side in known)
    total = sum(float(((side - side.mean()) ** 2).sum()) for side in known)
    spread = float(np.sqrt(total / freedom))
    return max(spread, _chance_alone(each)) if each.share else spread


def _chance_alone(each: _MetricSamples) -> float:
    """The standard deviation that a share has for the number of what it is a share of."""
    found = [
        share_variance(values, sizes)
        for values, sizes in zip((each.before, each.after), each.sizes, strict=True)
    ]
    return float(np.sqrt(np.nanmean(np.concatenate(found))))


def _part(rule: EffectMeasure, spread: float) -> float:
    return spread if rule.scale == "points" else float(np.expm1(spread))
