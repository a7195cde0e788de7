from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.effect_size import EffectMeasure, better_of, effect_measure, wanted
from loadtest.plan.scenario import Compare
from loadtest.plan.threshold import parse_threshold

LATENCY = effect_measure("turn.first_event.p95", [1.0], Compare(), None)
RATE = effect_measure("rates.turns_per_s", [1.0], Compare(), None)
SHARE = effect_measure("turns.complete.ratio", [1.0], Compare(), None)
COUNT = effect_measure("events.lost", [0, 4], Compare(), None)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("turn.first_event.p95", "lower"),
        ("turn.first_event.n", "higher"),
        ("rates.turns_per_s", "higher"),
        ("turns.complete.ratio", "higher"),
        ("turns.lost.ratio", "lower"),
        ("connections.ready.peak", "higher"),
        ("connections.refused.tls", "lower"),
        ("connections.closed.1006", "lower"),
        ("events.matched", "higher"),
        ("events.duplicate.ratio", "lower"),
        ("generator.cpu.max", "lower"),
    ],
)
def test_which_way_is_better(name: str, better: str) -> None:
    assert better_of(name) == better


def test_a_threshold_says_which_way_is_better() -> None:
    promises = [
        parse_threshold("turns.due", "< 10"),
        parse_threshold("turns.begun", ">= 10"),
        parse_threshold("turns.lost", "== 0"),
        parse_threshold("turns.failed", "< 10"),
        parse_threshold("turns.failed", "> 1"),
    ]
    assert wanted(promises) == {"turns.due": "lower", "turns.begun": "higher"}
    assert effect_measure("turns.due", [1], Compare(), "lower").better == "lower"


def test_durations_are_ratios_and_shares_are_points() -> None:
    assert (LATENCY.scale, RATE.scale, SHARE.scale, COUNT.scale) == ("ratio", "ratio", "points", "count")
    assert effect_measure("events.lost", [3, 4], Compare(), None).scale == "ratio"


def test_more_is_worse_when_turned() -> None:
    for rule in (LATENCY, COUNT):
        low, high = rule.turned([1.0, 2.0])
        assert low < high
    for rule in (RATE, SHARE):
        low, high = rule.turned([0.5, 1.0])
        assert low > high


def test_what_was_not_measured_stays_so() -> None:
    assert np.isnan(LATENCY.turned([None, 0.0])).all()
    assert COUNT.turned([0, None])[0] == 0


@given(st.floats(1e-3, 1e6), st.floats(1.001, 50))
def test_a_change_reads_back(value: float, factor: float) -> None:
    for rule in (LATENCY, RATE):
        before, after = rule.turned([value, value * factor])
        assert rule.value(float(before)) == pytest.approx(value)
        assert rule.change(float(after - before)) == pytest.approx(factor - 1)
    before, after = SHARE.turned([0.9, 0.6])
    assert SHARE.change(float(after - before)) == pytest.approx(-0.3)
    assert COUNT.value(float(COUNT.turned([7])[0])) == pytest.approx(7)


def test_an_interval_has_its_lower_end_first() -> None:
    assert LATENCY.changes(-0.1, 0.2) == pytest.approx((np.expm1(-0.1), np.expm1(0.2)))
    assert RATE.changes(-0.1, 0.2) == pytest.approx((np.expm1(-0.2), np.expm1(0.1)))
    assert SHARE.changes(-0.1, 0.2) == pytest.approx((-0.2, 0.1))


def test_the_smallest_effect_may_be_given_by_name() -> None:
    rules = Compare(smallest_effect=0.1, effects={"turns.complete.ratio": 0.01})
    assert effect_measure("turn.completion.p99", [1], rules, None).bound == pytest.approx(np.log(1.1))
    assert effect_measure("turns.complete.ratio", [1], rules, None).bound == 0.01
    assert isinstance(LATENCY, EffectMeasure)
