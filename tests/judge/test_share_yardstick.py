from __future__ import annotations

import math

import numpy as np
import pytest

from loadtest.judge.failure_share import is_share, own_variance, share_measure
from loadtest.plan.scenario import Compare

COMPLETE = "turns.complete.ratio"


def test_what_is_a_share() -> None:
    assert is_share(COMPLETE)
    assert is_share("events.lost.ratio")
    assert not is_share("generator.cpu.max")


@pytest.mark.parametrize("name", [COMPLETE, "turns.lost.ratio"])
def test_more_failures_are_worse_and_every_share_comes_back(name: str) -> None:
    values = [0.0, 0.01, 0.5, 0.99, 1.0]
    rule = share_measure(name, values, Compare(), None)
    turned = rule.turned([*values, None])
    assert math.isnan(turned[-1])
    assert [rule.value(float(each)) for each in turned[:-1]] == pytest.approx(values)
    steps = np.diff(turned[:-1])
    assert (steps < 0).all() if name == COMPLETE else (steps > 0).all()
    assert rule.value(-1.0) == rule.value(0.0)
    assert rule.value(9.0) == pytest.approx(rule.value(math.pi / 2))


@pytest.mark.parametrize(("usual", "rise"), [(1.0, 0.001), (0.998, 0.002), (0.9, 0.005)])
def test_half_a_point_or_twice_as_many_failures_matter(usual: float, rise: float) -> None:
    rule = share_measure(COMPLETE, [usual] * 3, Compare(), None)
    assert rule.bound == pytest.approx(rule.units(rise))
    assert rule.change(rule.bound) == pytest.approx(-rise)
    assert (rule.scale, rule.smallest) == ("points", 0.005)


def test_what_matters_can_be_written_in_the_scenario() -> None:
    rule = share_measure(COMPLETE, [1.0], Compare(smallest_effect=0.2, effects={COMPLETE: 0.03}), None)
    assert rule.bound == pytest.approx(rule.units(0.03))
    assert share_measure(COMPLETE, [], Compare(), "lower").better == "lower"


def test_what_counting_alone_makes_shares_differ_by() -> None:
    assert own_variance([1000, 0, 250]) == pytest.approx((1 / 4000 + 1 / 1000) / 2)
    assert own_variance([0]) == 0.0
    rng = np.random.default_rng(1)
    rule = share_measure(COMPLETE, [0.95], Compare(), None)
    turned = rule.turned(1 - rng.binomial(1000, 0.05, 4000) / 1000)
    assert float(turned.var()) == pytest.approx(own_variance([1000]), rel=0.1)
