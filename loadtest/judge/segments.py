"""Tracing the course of metrics over a history: level by level, with the band in which further runs lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.change_points import Apart, Bounds, Foreseen, apart, change_points, foresee, unforetold
from loadtest.judge.course import Change, Course, Newest, Step, Stretch, Word, word_for
from loadtest.judge.effect_size import Better, Yardstick, yardstick
from loadtest.judge.history import History, commit_of, explaining, missed_thresholds
from loadtest.judge.measured import Measurement
from loadtest.judge.permutation import Array
from loadtest.judge.power import LEAST_HISTORY, LEVEL, quantile
from loadtest.judge.run_standing import SUCCESS_RATIOS, Standing, value_in
from loadtest.judge.share_effect import is_share, own_variance, share_yardstick
from loadtest.plan.scenario import Compare


class Terms(NamedTuple):
    """The history, ``rules`` of its newest run, what is better as ``promised``, the ``accepted`` position.

    ``standings`` are what each run is worth.
    """

    history: History
    standings: Sequence[Standing]
    rules: Compare
    promised: Mapping[str, Better]
    accepted: int | None


class _Metric(NamedTuple):
    """A metric with what each run measured of it, also turned, and its changes of level.

    ``turned`` is NaN too where the target was down: such a run is no part of any level. ``own`` is the
    variance that counting alone gives a value.
    """

    yardstick: Yardstick
    measured: Sequence[Measurement]
    turned: Array
    cuts: list[int]
    own: float

    @property
    def ends(self) -> list[int]:
        """Where levels begin, and where the last one ends."""
        return [0, *self.cuts, len(self.turned)]


def courses(names: Iterable[str], terms: Terms, *, primary: bool) -> list[Course]:
    """A course per metric, in the order of ``names``; p is corrected over all of them.

    Where they do not decide, what no run measured is left out.
    """
    read = [_read(name, terms) for name in names]
    seen = [each for each in read if primary or not np.isnan(each.turned).all()]
    if not seen or not terms.history.runs:
        return []
    metrics = [
        each._replace(cuts=change_points(each.turned, each.yardstick.bound, len(seen), each.own))
        for each in seen
    ]
    values = np.stack([each.turned for each in metrics], axis=-1)
    bounds = _bounds(metrics)
    odd = unforetold(values, [each.cuts for each in metrics], bounds)
    newest = _newest(metrics, values, odd, bounds, terms.standings[-1])
    return [_course(each, odd[:, at], newest[at], terms, primary=primary) for at, each in enumerate(metrics)]


def _read(name: str, terms: Terms) -> _Metric:
    measured = [value_in(name, run) for run in terms.history.runs]
    failed = [each.target_failed for each in terms.standings]
    values = [None if down else each.value for each, down in zip(measured, failed, strict=True)]
    made = share_yardstick if is_share(name) else yardstick
    rule = made(name, values, terms.rules, terms.promised.get(name))
    own = own_variance(each.n for each in measured) if is_share(name) else 0.0
    return _Metric(rule, measured, rule.turned(values), [], own)


def _bounds(metrics: Sequence[_Metric]) -> Bounds:
    rules = [each.yardstick for each in metrics]
    effects, same = ([rule.bound for rule in rules], [rule.units(rule.smallest) for rule in rules])
    return Bounds(np.array(effects), np.array(same), np.array([each.own for each in metrics]))


def _course(
    each: _Metric, odd: npt.NDArray[np.bool_], newest: Newest, terms: Terms, *, primary: bool
) -> Course:
    return Course(
        each.yardstick,
        primary,
        tuple(found.value for found in each.measured),
        sum(found.n for found in each.measured),
        _stretches(each, odd),
        tuple(_change(each, number, terms.history) for number in range(1, len(each.cuts) + 1)),
        tuple(int(at) for at in np.flatnonzero(odd)),
        newest,
        _standing(each, terms.accepted),
        tuple(says for name, says in missed_thresholds(terms.history.newest) if name == each.yardstick.name),
    )


def _stretches(each: _Metric, odd: npt.NDArray[np.bool_]) -> tuple[Stretch, ...]:
    made = []
    fitting = np.where(odd, np.nan, each.turned)
    newest = len(fitting) - 1
    for first, last in zip(each.ends, each.ends[1:], strict=False):
        known = _known(fitting[first:last])
        if len(known):
            value = each.yardstick.value(float(known.mean()))
            band = _band(each, _known(fitting[first : min(last, newest)]))
            made.append(Stretch(first, last, len(known), value, *band))
    return tuple(made)


def _band(each: _Metric, known: Array) -> tuple[float, float] | tuple[None, None]:
    """Where 95 of 100 further runs lie, lower end first; a share stays between 0 and 1."""
    if len(known) < LEAST_HISTORY:
        return None, None
    freedom, rule = len(known) - 1, each.yardstick
    spread = math.sqrt(max(float(known.var(ddof=1)), each.own))
    reach = quantile(1 - LEVEL / 2, freedom) * spread * math.sqrt(1 + 1 / len(known))
    ends = [rule.value(float(known.mean()) + side * reach) for side in (-1, 1)]
    low, high = min(ends), max(ends)
    return (max(low, 0.0), min(high, 1.0)) if rule.scale == "points" else (low, high)


def _change(each: _Metric, number: int, past: History) -> Change:
    """The change between a level and the one before; that it is one was settled when it was found."""
    before, after = _level(each, number - 1), _level(each, number)
    found = apart(before, after, each.yardstick.bound, own=each.own)
    at = each.cuts[number - 1]
    run = past.runs[at]
    label = run.get("label")
    return Change(
        *_told(each.yardstick, found, word_for(each.yardstick, worse=found.estimate > 0), before),
        at,
        str(run.get("id")),
        None if label is None else str(label),
        str(run.get("started")),
        commit_of(run),
        tuple(explaining(past.runs[at - 1], run)),
    )


def _standing(each: _Metric, accepted: int | None) -> Step | None:
    """The newest level against the one that was accepted, or the one before."""
    newest = len(each.cuts)
    against = newest - 1 if accepted is None else sum(cut <= accepted for cut in each.cuts)
    if not 0 <= against < newest:
        return None
    rule = each.yardstick
    before = _level(each, against)
    found = apart(before, _level(each, newest), rule.bound, own=each.own)
    beyond = abs(found.estimate) >= rule.bound and found.chance <= LEVEL
    if against == newest - 1 or beyond:
        return Step(*_told(rule, found, word_for(rule, worse=found.estimate > 0), before))
    same = rule.units(rule.smallest)
    within = -same <= found.low and found.high <= same
    return Step(*_told(rule, found, "same" if within else "cannot tell", before))


def _level(each: _Metric, number: int) -> Array:
    return _known(each.turned[each.ends[number] : each.ends[number + 1]])


def _told(
    rule: Yardstick, found: Apart, word: Word, before: Array
) -> tuple[Word, float, tuple[float, float], float]:
    level = float(before.mean())
    low, high = (_changed(rule, level, end) for end in (found.low, found.high))
    return word, _changed(rule, level, found.estimate), (min(low, high), max(low, high)), found.chance


def _changed(rule: Yardstick, level: float, turned: float) -> float:
    """A difference from a level, as it is told: of a share in points, else as a part."""
    return rule.value(level + turned) - rule.value(level) if is_share(rule.name) else rule.change(turned)


def _newest(
    metrics: Sequence[_Metric],
    values: Array,
    odd: npt.NDArray[np.bool_],
    bounds: Bounds,
    last: Standing,
) -> list[Newest]:
    """The newest run against the runs of its level that fit, metric by metric."""
    before = np.where(odd, np.nan, values)[:-1]
    for at, each in enumerate(metrics):
        before[: each.ends[-2], at] = np.nan
    counted = [int(n) for n in (~np.isnan(before)).sum(axis=0)]
    made = [_unjudged(each, counted[at], last) for at, each in enumerate(metrics)]
    columns = np.flatnonzero((np.array(counted) >= LEAST_HISTORY) & ~np.isnan(values[-1]))
    if len(columns):
        found = foresee(before[:, columns], values[-1, columns], bounds.of(columns))
        for place, at in enumerate(columns.tolist()):
            level = float(np.nanmean(before[:, at]))
            made[at] = _foretold(metrics[at], counted[at], level, found, place)
    return made


def _foretold(each: _Metric, before: int, level: float, found: Foreseen, place: int) -> Newest:
    """The newest run of the metric that is at ``place`` of those foreseen."""
    rule, last = each.yardstick, each.measured[-1]
    estimate, low, high = (float(part[place]) for part in (found.estimate, found.low, found.high))
    worse, better = bool(found.worse[place]), bool(found.better[place])
    settled: Word = "same" if found.same[place] else "cannot tell"
    word = word_for(rule, worse=worse) if worse or better else settled
    p = float((found.p_worse if estimate > 0 else found.p_better)[place])
    ends = _changed(rule, level, low), _changed(rule, level, high)
    change = _changed(rule, level, estimate)
    return Newest(word, WHY[word], last.value, last.n, before, change, (min(ends), max(ends)), p)


_WORSE_WHY = "worse than its level foretold, and by more than the smallest effect"
_BETTER_WHY = "better than its level foretold, and by more than the smallest effect"

WHY: dict[Word, str] = {
    "worse": _WORSE_WHY,
    "slower": _WORSE_WHY,
    "better": _BETTER_WHY,
    "faster": _BETTER_WHY,
    "same": "as its level foretold, within the smallest effect",
    "cannot tell": "nothing surely changed, but runs of its level differ by more than the smallest effect",
}


def _unjudged(each: _Metric, counted: int, standing: Standing) -> Newest:
    last = each.measured[-1]
    if standing.target_failed:
        word: Word = "worse" if each.yardstick.name in SUCCESS_RATIOS and last.value == 0 else "cannot tell"
        return Newest(word, f"the newest run {standing.reason}", last.value, last.n, counted)
    if last.value is None:
        return Newest("cannot tell", last.reason or "not measured", None, last.n, counted)
    why = f"{counted} {'run' if counted == 1 else 'runs'} before it at its level; it takes {LEAST_HISTORY}"
    return Newest("cannot tell", why, last.value, last.n, counted)


def _known(turned: Array) -> Array:
    return turned[~np.isnan(turned)]
