"""Metrics over a history of runs: segments of one level each, where the level changed, and the newest run.

A segment has the prediction interval in which 95 % of further runs lie if nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.change_points import (
    EffectBounds,
    LevelDifference,
    Prediction,
    change_points,
    level_difference,
    outside_prediction,
    predict,
)
from loadtest.judge.effect_size import Better, EffectMeasure, Word, effect_measure, word_for
from loadtest.judge.failure_share import is_share, own_variance, share_measure
from loadtest.judge.history import RunHistory, commit_of, explaining, missed_thresholds
from loadtest.judge.permutation import Array
from loadtest.judge.power import LEVEL, MIN_HISTORY, quantile
from loadtest.judge.run_standing import SUCCESS_RATIOS, Standing, value_in
from loadtest.judge.threshold_measurement import Measurement
from loadtest.plan.scenario import Compare


@dataclass(frozen=True, slots=True)
class Segment:
    """A level: the runs from ``first`` up to but not including ``last``, of which ``n`` make its mean.

    ``low`` and ``high`` are where 95 of 100 further runs lie if nothing changes, by the runs before the
    newest; None: too few to say.
    """

    first: int
    last: int
    n: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LevelShift:
    """From one level to another: by how much, as a part, its 95 % interval, and what that means."""

    word: Word
    change: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True, slots=True)
class ChangePoint(LevelShift):
    """A change of level at position ``at``, the first run after it, and what else changed with that run."""

    at: int
    run: str
    label: str | None
    started: str
    commit: str | None
    with_it: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewestRun:
    """The newest run against what the runs of its level predict; None where that cannot be said."""

    word: Word
    why: str
    value: float | None
    n: int
    before: int
    change: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class MetricTrend:
    """One metric over all runs. ``odd`` are positions of runs outside what their level predicts.

    ``missed``: the newest run misses a threshold on it, in the words of that threshold. ``standing`` is the
    newest level against the accepted one, or the one before; None where it is the same.
    """

    measure: EffectMeasure
    primary: bool
    values: tuple[float | None, ...]
    samples: int
    segments: tuple[Segment, ...]
    changes: tuple[ChangePoint, ...]
    odd: tuple[int, ...]
    newest: NewestRun
    standing: LevelShift | None
    missed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The metric's."""
        return self.measure.name

    @property
    def n(self) -> int:
        """How many runs measured it."""
        return sum(value is not None for value in self.values)

    @property
    def newest_from(self) -> int:
        """The position at which the newest level begins."""
        return self.changes[-1].at if self.changes else 0

    @property
    def judged(self) -> bool:
        """Whether there is history enough for a verdict on the newest run or its level."""
        return self.newest.change is not None or self.standing is not None

    @property
    def young(self) -> bool:
        """Whether the newest run is at a level that is too new to judge it by."""
        return bool(self.changes) and self.newest.value is not None and self.newest.change is None

    @property
    def vanished(self) -> bool:
        """Whether the newest run did not measure what its level did."""
        return self.newest.value is None and self.newest.before >= MIN_HISTORY

    def as_dict(self) -> dict[str, Any]:
        """As in the trend's JSON."""
        return {
            **self.measure.as_dict(),
            "primary": self.primary,
            "smallest_effect": self.measure.smallest,
            "samples": self.samples,
            "values": list(self.values),
            "newest": _plain(self.newest),
            "missed": list(self.missed),
            "level": None if self.standing is None else _plain(self.standing),
            "levels": [_plain(each) for each in self.segments],
            "changes": [_plain(each) for each in self.changes],
            "odd": list(self.odd),
        }


def _plain(part: NewestRun | Segment | LevelShift) -> dict[str, Any]:
    """The fields of a part, in the words of the JSON."""
    names = {"interval": "ci95", "word": "verdict", "why": "reason", "with_it": "changed_with_it"}
    return {
        names.get(name, name): list(value) if isinstance(value, tuple) else value
        for name, value in asdict(part).items()
    }


class TrendContext(NamedTuple):
    """The history, ``rules`` of its newest run, what is better as ``promised``, the ``accepted`` position.

    ``standings`` are what each run is worth.
    """

    history: RunHistory
    standings: Sequence[Standing]
    rules: Compare
    promised: Mapping[str, Better]
    accepted: int | None


class _MetricSeries(NamedTuple):
    """A metric with what each run measured of it, also turned, and its changes of level.

    ``turned`` is NaN too where the target was down: such a run is no part of any level. ``own`` is the
    variance that counting alone gives a value.
    """

    measure: EffectMeasure
    measured: Sequence[Measurement]
    turned: Array
    cuts: list[int]
    own: float

    @property
    def ends(self) -> list[int]:
        """Where levels begin, and where the last one ends."""
        return [0, *self.cuts, len(self.turned)]


def metric_trends(names: Iterable[str], context: TrendContext, *, primary: bool) -> list[MetricTrend]:
    """One entry per metric, in the order of ``names``; p is corrected over all of them.

    Where they do not decide, what no run measured is left out.
    """
    read = [_read(name, context) for name in names]
    seen = [each for each in read if primary or not np.isnan(each.turned).all()]
    if not seen or not context.history.runs:
        return []
    metrics = [
        each._replace(cuts=change_points(each.turned, each.measure.bound, len(seen), each.own))
        for each in seen
    ]
    values = np.stack([each.turned for each in metrics], axis=-1)
    bounds = _bounds(metrics)
    odd = outside_prediction(values, [each.cuts for each in metrics], bounds)
    newest = _newest(metrics, values, odd, bounds, context.standings[-1])
    return [
        _course(each, odd[:, at], newest[at], context, primary=primary) for at, each in enumerate(metrics)
    ]


def _read(name: str, context: TrendContext) -> _MetricSeries:
    measured = [value_in(name, run) for run in context.history.runs]
    failed = [each.target_failed for each in context.standings]
    values = [None if down else each.value for each, down in zip(measured, failed, strict=True)]
    made = share_measure if is_share(name) else effect_measure
    rule = made(name, values, context.rules, context.promised.get(name))
    own = own_variance(each.n for each in measured) if is_share(name) else 0.0
    return _MetricSeries(rule, measured, rule.turned(values), [], own)


def _bounds(metrics: Sequence[_MetricSeries]) -> EffectBounds:
    rules = [each.measure for each in metrics]
    effects, same = ([rule.bound for rule in rules], [rule.units(rule.smallest) for rule in rules])
    return EffectBounds(np.array(effects), np.array(same), np.array([each.own for each in metrics]))


def _course(
    each: _MetricSeries,
    odd: npt.NDArray[np.bool_],
    newest: NewestRun,
    context: TrendContext,
    *,
    primary: bool,
) -> MetricTrend:
    return MetricTrend(
        each.measure,
        primary,
        tuple(found.value for found in each.measured),
        sum(found.n for found in each.measured),
        _segments(each, odd),
        tuple(_change(each, number, context.history) for number in range(1, len(each.cuts) + 1)),
        tuple(int(at) for at in np.flatnonzero(odd)),
        newest,
        _standing(each, context.accepted),
        tuple(says for name, says in missed_thresholds(context.history.newest) if name == each.measure.name),
    )


def _segments(each: _MetricSeries, odd: npt.NDArray[np.bool_]) -> tuple[Segment, ...]:
    made = []
    fitting = np.where(odd, np.nan, each.turned)
    newest = len(fitting) - 1
    for first, last in zip(each.ends, each.ends[1:], strict=False):
        known = _known(fitting[first:last])
        if len(known):
            value = each.measure.value(float(known.mean()))
            band = _band(each, _known(fitting[first : min(last, newest)]))
            made.append(Segment(first, last, len(known), value, *band))
    return tuple(made)


def _band(each: _MetricSeries, known: Array) -> tuple[float, float] | tuple[None, None]:
    """Where 95 of 100 further runs lie, lower end first; a share stays between 0 and 1."""
    if len(known) < MIN_HISTORY:
        return None, None
    freedom, rule = len(known) - 1, each.measure
    spread = math.sqrt(max(float(known.var(ddof=1)), each.own))
    reach = quantile(1 - LEVEL / 2, freedom) * spread * math.sqrt(1 + 1 / len(known))
    ends = [rule.value(float(known.mean()) + side * reach) for side in (-1, 1)]
    low, high = min(ends), max(ends)
    return (max(low, 0.0), min(high, 1.0)) if rule.scale == "points" else (low, high)


def _change(each: _MetricSeries, number: int, past: RunHistory) -> ChangePoint:
    """The change between a level and the one before; that it is one was settled when it was found."""
    before, after = _level(each, number - 1), _level(each, number)
    found = level_difference(before, after, each.measure.bound, own=each.own)
    at = each.cuts[number - 1]
    run = past.runs[at]
    label = run.get("label")
    return ChangePoint(
        *_told(each.measure, found, word_for(each.measure, worse=found.estimate > 0), before),
        at,
        str(run.get("id")),
        None if label is None else str(label),
        str(run.get("started")),
        commit_of(run),
        tuple(explaining(past.runs[at - 1], run)),
    )


def _standing(each: _MetricSeries, accepted: int | None) -> LevelShift | None:
    """The newest level against the one that was accepted, or the one before."""
    newest = len(each.cuts)
    against = newest - 1 if accepted is None else sum(cut <= accepted for cut in each.cuts)
    if not 0 <= against < newest:
        return None
    rule = each.measure
    before = _level(each, against)
    found = level_difference(before, _level(each, newest), rule.bound, own=each.own)
    beyond = abs(found.estimate) >= rule.bound and found.chance <= LEVEL
    if against == newest - 1 or beyond:
        return LevelShift(*_told(rule, found, word_for(rule, worse=found.estimate > 0), before))
    same = rule.units(rule.smallest)
    within = -same <= found.low and found.high <= same
    return LevelShift(*_told(rule, found, "same" if within else "cannot tell", before))


def _level(each: _MetricSeries, number: int) -> Array:
    return _known(each.turned[each.ends[number] : each.ends[number + 1]])


def _told(
    rule: EffectMeasure, found: LevelDifference, word: Word, before: Array
) -> tuple[Word, float, tuple[float, float], float]:
    level = float(before.mean())
    low, high = (_changed(rule, level, end) for end in (found.low, found.high))
    return word, _changed(rule, level, found.estimate), (min(low, high), max(low, high)), found.chance


def _changed(rule: EffectMeasure, level: float, turned: float) -> float:
    """A difference from a level, as it is told: of a share in points, else as a part."""
    return rule.value(level + turned) - rule.value(level) if is_share(rule.name) else rule.change(turned)


def _newest(
    metrics: Sequence[_MetricSeries],
    values: Array,
    odd: npt.NDArray[np.bool_],
    bounds: EffectBounds,
    last: Standing,
) -> list[NewestRun]:
    """The newest run against the runs of its level that fit, metric by metric."""
    before = np.where(odd, np.nan, values)[:-1]
    for at, each in enumerate(metrics):
        before[: each.ends[-2], at] = np.nan
    counted = [int(n) for n in (~np.isnan(before)).sum(axis=0)]
    made = [_unjudged(each, counted[at], last) for at, each in enumerate(metrics)]
    columns = np.flatnonzero((np.array(counted) >= MIN_HISTORY) & ~np.isnan(values[-1]))
    if len(columns):
        found = predict(before[:, columns], values[-1, columns], bounds.of(columns))
        for place, at in enumerate(columns.tolist()):
            level = float(np.nanmean(before[:, at]))
            made[at] = _predicted(metrics[at], counted[at], level, found, place)
    return made


def _predicted(each: _MetricSeries, before: int, level: float, found: Prediction, place: int) -> NewestRun:
    """The newest run of the metric that is at ``place`` of those predicted."""
    rule, last = each.measure, each.measured[-1]
    estimate, low, high = (float(part[place]) for part in (found.estimate, found.low, found.high))
    worse, better = bool(found.worse[place]), bool(found.better[place])
    settled: Word = "same" if found.same[place] else "cannot tell"
    word = word_for(rule, worse=worse) if worse or better else settled
    p = float((found.p_worse if estimate > 0 else found.p_better)[place])
    ends = _changed(rule, level, low), _changed(rule, level, high)
    change = _changed(rule, level, estimate)
    return NewestRun(word, WHY[word], last.value, last.n, before, change, (min(ends), max(ends)), p)


_WORSE_WHY = "worse than its level predicts, by more than the smallest effect"
_BETTER_WHY = "better than its level predicts, by more than the smallest effect"

WHY: dict[Word, str] = {
    "worse": _WORSE_WHY,
    "slower": _WORSE_WHY,
    "better": _BETTER_WHY,
    "faster": _BETTER_WHY,
    "same": "as its level predicts, within the smallest effect",
    "cannot tell": (
        "no change is proven, but the runs of its level differ too much to prove that nothing changed"
    ),
}


def _unjudged(each: _MetricSeries, counted: int, standing: Standing) -> NewestRun:
    last = each.measured[-1]
    if standing.target_failed:
        word: Word = "worse" if each.measure.name in SUCCESS_RATIOS and last.value == 0 else "cannot tell"
        return NewestRun(word, f"the newest run {standing.reason}", last.value, last.n, counted)
    if last.value is None:
        return NewestRun("cannot tell", last.reason or "not measured", None, last.n, counted)
    earlier = "1 run is" if counted == 1 else f"{counted} runs are"
    why = f"only {earlier} at its level before it; a verdict needs {MIN_HISTORY}"
    return NewestRun("cannot tell", why, last.value, last.n, counted)


def _known(turned: Array) -> Array:
    return turned[~np.isnan(turned)]
