"""Tracing the course of metrics over a history: level by level, with the band in which further runs lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loadtest.judge.changes import Apart, apart, change_points, unforetold
from loadtest.judge.compared import Word
from loadtest.judge.course import Change, Course, Newest, Step, Stretch
from loadtest.judge.history import History, commit_of, explaining
from loadtest.judge.measured import Measurement, lookup
from loadtest.judge.permutation import Array
from loadtest.judge.spread import LEAST_HISTORY, LEVEL, quantile
from loadtest.judge.weighing import Weighed, weigh, words
from loadtest.judge.yardstick import Better, Yardstick, yardstick
from loadtest.plan.scenario import Compare


class Terms(NamedTuple):
    """The history, ``rules`` of its newest run, what is better as ``promised``, the ``accepted`` position."""

    history: History
    rules: Compare
    promised: Mapping[str, Better]
    accepted: int | None


class _Metric(NamedTuple):
    """A metric with what each run measured of it, also turned, and its changes of level."""

    yardstick: Yardstick
    measured: Sequence[Measurement]
    turned: Array
    cuts: list[int]

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
        each._replace(cuts=change_points(each.turned, each.yardstick.bound, len(seen))) for each in seen
    ]
    values = np.stack([each.turned for each in metrics], axis=-1)
    bounds = np.array([each.yardstick.bound for each in metrics])
    odd = unforetold(values, [each.cuts for each in metrics], bounds)
    newest = _newest(metrics, values, odd, bounds)
    return [_course(each, odd[:, at], newest[at], terms, primary=primary) for at, each in enumerate(metrics)]


def _read(name: str, terms: Terms) -> _Metric:
    measured = [lookup(name, run) for run in terms.history.runs]
    values = [each.value for each in measured]
    rule = yardstick(name, values, terms.rules, terms.promised.get(name))
    return _Metric(rule, measured, rule.turned(values), [])


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
    )


def _stretches(each: _Metric, odd: npt.NDArray[np.bool_]) -> tuple[Stretch, ...]:
    made = []
    fitting = np.where(odd, np.nan, each.turned)
    newest = len(fitting) - 1
    for first, last in zip(each.ends, each.ends[1:], strict=False):
        known = _known(fitting[first:last])
        if len(known):
            value = each.yardstick.value(float(known.mean()))
            band = _band(each.yardstick, _known(fitting[first : min(last, newest)]))
            made.append(Stretch(first, last, len(known), value, *band))
    return tuple(made)


def _band(rule: Yardstick, known: Array) -> tuple[float, float] | tuple[None, None]:
    """Where 95 of 100 further runs lie, lower end first; a share stays between 0 and 1."""
    if len(known) < LEAST_HISTORY:
        return None, None
    freedom = len(known) - 1
    reach = quantile(1 - LEVEL / 2, freedom) * float(known.std(ddof=1)) * math.sqrt(1 + 1 / len(known))
    ends = [rule.value(float(known.mean()) + side * reach) for side in (-1, 1)]
    low, high = min(ends), max(ends)
    return (max(low, 0.0), min(high, 1.0)) if rule.scale == "points" else (low, high)


def _change(each: _Metric, number: int, past: History) -> Change:
    """The change between a level and the one before; that it is one was settled when it was found."""
    before, after = _level(each, number - 1), _level(each, number)
    found = apart(before, after, each.yardstick.bound)
    at = each.cuts[number - 1]
    run = past.runs[at]
    label = run.get("label")
    return Change(
        *_told(each.yardstick, found, "slower" if found.estimate > 0 else "faster"),
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
    found = apart(_level(each, against), _level(each, newest), rule.bound)
    beyond = abs(found.estimate) >= rule.bound and found.chance <= LEVEL
    if against == newest - 1 or beyond:
        return Step(*_told(rule, found, "slower" if found.estimate > 0 else "faster"))
    within = -rule.bound <= found.low and found.high <= rule.bound
    return Step(*_told(rule, found, "same" if within else "cannot tell"))


def _level(each: _Metric, number: int) -> Array:
    return _known(each.turned[each.ends[number] : each.ends[number + 1]])


def _told(rule: Yardstick, found: Apart, word: Word) -> tuple[Word, float, tuple[float, float], float]:
    return word, rule.change(found.estimate), rule.changes(found.low, found.high), found.chance


def _newest(
    metrics: Sequence[_Metric], values: Array, odd: npt.NDArray[np.bool_], bounds: Array
) -> list[Newest]:
    """The newest run against the runs of its level that fit, metric by metric."""
    before = np.where(odd, np.nan, values)[:-1]
    for at, each in enumerate(metrics):
        before[: each.ends[-2], at] = np.nan
    counted = [int(n) for n in (~np.isnan(before)).sum(axis=0)]
    made = [_unjudged(each.measured[-1], counted[at]) for at, each in enumerate(metrics)]
    columns = [at for at, n in enumerate(counted) if n >= LEAST_HISTORY and not np.isnan(values[-1, at])]
    if columns:
        found = weigh("prediction", before[:, columns], values[-1:, columns], bounds[columns])
        told = words(found, bounds[columns])
        for place, at in enumerate(columns):
            word: Word = next((word for word in SURE if getattr(told, word)[place]), "cannot tell")
            made[at] = _foretold(metrics[at], counted[at], word, Weighed(*(part[place] for part in found)))
    return made


def _foretold(each: _Metric, before: int, word: Word, found: Weighed) -> Newest:
    """The newest run of one metric; ``found`` is of this metric alone."""
    rule, last = each.yardstick, each.measured[-1]
    p = float(found.worse if found.estimate > 0 else found.better)
    interval = rule.changes(float(found.low), float(found.high))
    return Newest(
        word, WHY[word], last.value, last.n, before, rule.change(float(found.estimate)), interval, p
    )


SURE: tuple[Word, ...] = ("slower", "faster", "same")

WHY: dict[Word, str] = {
    "slower": "worse than its level foretold, and by more than the smallest effect",
    "faster": "better than its level foretold, and by more than the smallest effect",
    "same": "as its level foretold, within the smallest effect",
    "cannot tell": "nothing surely changed, but runs of its level differ by more than the smallest effect",
}


def _unjudged(last: Measurement, counted: int) -> Newest:
    if last.value is None:
        return Newest("cannot tell", last.reason or "not measured", None, last.n, counted)
    why = f"{counted} {'run' if counted == 1 else 'runs'} before it at its level; it takes {LEAST_HISTORY}"
    return Newest("cannot tell", why, last.value, last.n, counted)


def _known(turned: Array) -> Array:
    return turned[~np.isnan(turned)]
