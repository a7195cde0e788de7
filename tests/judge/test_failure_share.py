from __future__ import annotations

import numpy as np
import pytest

from loadtest.judge.failure_share import (
    arcsine,
    arcsine_variance,
    points_measure,
    pooled,
    share_variance,
    smallest_change,
    smallest_on_arcsine,
)
from loadtest.plan.scenario import Compare


def test_the_smallest_effect_is_half_a_point_or_a_doubling() -> None:
    half = np.full(5, 0.005)
    assert smallest_change(np.array([0.0, 0.0005, 0.002, 0.02, np.nan]), half) == pytest.approx(
        [0.001, 0.001, 0.002, 0.005, 0.001]
    )


def test_a_share_has_its_own_smallest_effect_and_a_time_has_not() -> None:
    rules = Compare(smallest_effect=0.1, effects={"turns.lost.ratio": 0.02})
    found = [
        points_measure(name, [1.0], rules, None).smallest
        for name in ("turns.complete.ratio", "turns.lost.ratio", "turn.completion.p95", "generator.cpu.max")
    ]
    assert found == [0.005, 0.02, 0.1, 0.1]


@pytest.mark.parametrize("share", [0.003, 0.05, 0.5, 0.98])
def test_chance_gives_an_arcsine_one_variance_whatever_the_share(share: float) -> None:
    sizes = np.full(20_000, 1000.0)
    drawn = np.random.default_rng(1).binomial(1000, share, 20_000) / 1000
    assert arcsine(drawn, sizes).var() == pytest.approx(arcsine_variance(sizes)[0], rel=0.1)


def test_no_failure_at_all_is_not_without_variance() -> None:
    assert share_variance(np.zeros(1), np.full(1, 1000.0))[0] > 0


def test_all_runs_together_by_their_sizes() -> None:
    shares, sizes = np.array([[0.0], [0.5], [np.nan]]), np.array([[300.0], [100.0], [100.0]])
    assert pooled(shares, sizes)[0] == pytest.approx(0.125)
    assert np.isnan(pooled(np.full((2, 1), np.nan), np.ones((2, 1))))[0]


def test_a_rise_on_the_arcsine_is_that_of_the_shares() -> None:
    size = np.array([1000.0])
    step = smallest_on_arcsine(np.array([0.01]), np.array([0.005]), size)
    assert step == pytest.approx(arcsine(np.array([0.015]), size) - arcsine(np.array([0.01]), size))
