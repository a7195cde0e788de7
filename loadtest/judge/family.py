"""A family of metrics that is judged together, over the runs of two sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from loadtest.judge.compared import Level, Row, Word
from loadtest.judge.measured import Measurement
from loadtest.judge.permutation import Array
from loadtest.judge.sides import Side
from loadtest.judge.spread import LEAST, LEAST_PAIRS, repeats, visible
from loadtest.judge.weighing import Method, Weighed, method_for, weigh, words
from loadtest.judge.yardstick import Better, Yardstick, yardstick
from loadtest.plan.scenario import Compare
from loadtest.units import format_count


class Terms(NamedTuple):
    """``rules`` of the scenario, what is better as ``promised`` by thresholds, ``noise`` learned earlier.

    ``paired``: the k-th runs of both sides are blocks that took turns.
    """

    rules: Compare
    promised: Mapping[str, Better]
    noise: Mapping[str, float]
    paired: bool = False


class _Metric(NamedTuple):
    """A metric with the turned values of both sides."""

    yardstick: Yardstick
    levels: tuple[Level, Level]
    before: Array
    after: Array
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
        """How it is weighed."""
        return method_for(*self.runs, paired=self.paired)


def compare_family(
    sides: tuple[Side, Side],
    names: Iterable[str],
    terms: Terms,
    *,
    primary: bool,
) -> list[Row]:
    """A row per metric, in the order of ``names``; p is corrected over all of them that have runs enough."""
    metrics = [_metric(name, sides, terms) for name in names]
    rows: dict[str, Row] = {}
    methods: tuple[Method, ...] = ("permutation", "prediction", "pairs")
    for method in methods:
        family = [each for each in metrics if each.method == method]
        rows |= {row.name: row for row in _rows(family, method, primary=primary)}
    for each in metrics:
        if each.method is None:
            rows[each.yardstick.name] = _undecided(
                each, len(metrics), terms.noise.get(each.yardstick.name), primary=primary
            )
    return [rows[each.yardstick.name] for each in metrics]


def _metric(name: str, sides: tuple[Side, Side], terms: Terms) -> _Metric:
    measured = [side.measured(name) for side in sides]
    values = [[each.value for each in of_side] for of_side in measured]
    rule = yardstick(name, [*values[0], *values[1]], terms.rules, terms.promised.get(name))
    before, after = (rule.turned(of_side) for of_side in values)
    one, other = (_level(rule, *each) for each in zip(measured, (before, after), strict=True))
    return _Metric(rule, (one, other), before, after, terms.paired)


def _level(rule: Yardstick, measured: Sequence[Measurement], turned: Array) -> Level:
    known = _known(turned)
    reasons = dict.fromkeys(each.reason for each in measured if each.value is None and each.reason)
    return Level(
        tuple(each.value for each in measured),
        rule.value(float(known.mean())) if len(known) else None,
        sum(each.n for each in measured),
        "; ".join(reasons),
    )


def _known(turned: Array) -> Array:
    return turned[~np.isnan(turned)]


def _rows(family: Sequence[_Metric], method: Method, *, primary: bool) -> list[Row]:
    if not family:
        return []
    before = np.stack([each.before for each in family], axis=-1)
    after = np.stack([each.after for each in family], axis=-1)
    bounds = np.array([each.yardstick.bound for each in family])
    found = weigh(method, before, after, bounds)
    told = words(found, bounds)
    return [
        _row(each, found, at, _word(*(bool(is_so[at]) for is_so in told)), primary=primary)
        for at, each in enumerate(family)
    ]


def _word(slower: bool, faster: bool, same: bool) -> Word:  # noqa: FBT001 - three answers, one of which is yes
    return "slower" if slower else "faster" if faster else "same" if same else "cannot tell"


def _row(each: _Metric, found: Weighed, at: int, word: Word, *, primary: bool) -> Row:
    rule = each.yardstick
    family = len(found.estimate)
    estimate = float(found.estimate[at])
    p = float(found.worse[at] if estimate > 0 else found.better[at])
    spread = _spread(each)
    seen = rule.change(visible(spread, each.runs, rule.bound, family, paired=each.paired))
    enough = repeats(spread, rule.bound, rule.units(2 * rule.smallest), family, paired=each.paired)
    return Row(
        rule,
        primary,
        *each.levels,
        word,
        _why(word, each, p, enough),
        each.method,
        rule.change(estimate),
        rule.changes(float(found.low[at]), float(found.high[at])),
        p,
        _part(rule, spread),
        seen,
        enough,
    )


def _undecided(each: _Metric, family: int, noise: float | None, *, primary: bool) -> Row:
    """Too few runs for a verdict; the difference is told all the same, without any p."""
    rule, runs = each.yardstick, each.runs
    if not min(runs):
        return Row(rule, primary, *each.levels, "cannot tell", _missing(each))
    change = rule.change(float(_known(each.after).mean() - _known(each.before).mean()))
    if each.paired:
        why = f"{runs[0]} pairs of blocks; a verdict takes {LEAST_PAIRS}"
        return Row(rule, primary, *each.levels, "cannot tell", why, change=change)
    few = f"{runs[0]} against {runs[1]} runs; a verdict takes {LEAST} a side"
    spread = _spread(each) if max(runs) > 1 else noise
    if spread is None:
        why = f"{few}, and of single runs nobody knows how far they differ by chance"
        return Row(rule, primary, *each.levels, "cannot tell", why, change=change)
    with_four = (max(runs[0], LEAST), max(runs[1], LEAST))
    seen = rule.change(visible(spread, with_four, rule.bound, family))
    enough = repeats(spread, rule.bound, rule.units(2 * rule.smallest), family)
    return Row(
        rule,
        primary,
        *each.levels,
        "cannot tell",
        f"{few}; {_takes(enough, each)}",
        None,
        change,
        None,
        None,
        _part(rule, spread),
        seen,
        enough,
    )


def _missing(each: _Metric) -> str:
    """Why there is nothing to compare."""
    without = [
        f"not measured in the {name}" + (f": {level.reason}" if level.reason else "")
        for name, level, turned in zip(
            ("baseline", "candidate"), each.levels, (each.before, each.after), strict=True
        )
        if not len(_known(turned))
    ]
    return "; ".join(without) or "no pair of blocks measured it on both sides"


def _why(word: Word, each: _Metric, p: float, enough: int | None) -> str:
    rule = each.yardstick
    matters = f"the smallest effect of {_percent(rule.smallest)}"
    chance = f"p = {p:.2g}"
    if word == "same":
        return f"the whole interval lies within {matters}"
    if word == "cannot tell":
        return f"the interval reaches beyond {matters}, {chance}; {_takes(enough, each)}"
    return f"{chance}, and by more than {matters}"


def _takes(enough: int | None, each: _Metric) -> str:
    double = _percent(2 * each.yardstick.smallest)
    unit = "pairs of blocks" if each.paired else "runs a side"
    if enough is None:
        return f"to tell {double} from nothing takes more than 200 {unit}, or longer ones"
    return f"to tell {double} from nothing takes about {format_count(enough)} {unit}"


def _percent(part: float) -> str:
    return f"{part * 100:.3g} %"


def _spread(each: _Metric) -> float:
    """The standard deviation of runs of one side; of the history alone where it is held against that.

    Of pairs: of the differences within them.
    """
    if each.method == "pairs":
        return float(np.std(_known(each.after - each.before), ddof=1))
    sides = [each.before] if each.method == "prediction" else [each.before, each.after]
    known = [_known(side) for side in sides]
    freedom = sum(len(side) - 1 for side in known)
    total = sum(float(((side - side.mean()) ** 2).sum()) for side in known)
    return float(np.sqrt(total / freedom))


def _part(rule: Yardstick, spread: float) -> float:
    return spread if rule.scale == "points" else float(np.expm1(spread))
