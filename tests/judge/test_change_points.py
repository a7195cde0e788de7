from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.change_points import (
    FOLLOWING,
    EffectBounds,
    change_points,
    level_difference,
    outside_prediction,
    predict,
    without_strays,
)
from loadtest.judge.hypothesis_tests import estimate_effects, words

BOUND = float(np.log(1.05))


def bounds(metrics: int, own: float = 0.0) -> EffectBounds:
    effect = np.full(metrics, BOUND)
    return EffectBounds(effect, effect, np.full(metrics, own))


def stepped(
    *levels: tuple[int, float], cv: float = 0.03, seed: int = 1
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(np.log(factor), cv, n) for n, factor in levels])


@pytest.mark.parametrize(
    "levels",
    [((10, 1), (5, 1.2)), ((5, 1.2), (10, 1)), ((360, 1), (5, 1.2)), ((20, 1), (20, 1.3), (20, 1.1))],
)
def test_a_change_is_found_where_it_is_once_five_runs_follow(levels: tuple[tuple[int, float], ...]) -> None:
    cuts = list(np.cumsum([n for n, _ in levels[:-1]]))
    assert change_points(stepped(*levels), BOUND, 6) == cuts


def test_four_runs_are_not_enough() -> None:
    assert change_points(stepped((30, 1), (FOLLOWING - 1, 1.3)), BOUND, 1) == []
    assert change_points(stepped((4, 1), (5, 1.3)), BOUND, 1) == []


def test_a_year_without_a_change_has_none() -> None:
    found = [change_points(stepped((365, 1), cv=0.03, seed=seed), BOUND, 6) for seed in range(100)]
    assert sum(map(bool, found)) <= 2


def test_a_change_below_the_smallest_effect_is_none() -> None:
    assert change_points(stepped((100, 1), (100, 1.03), cv=0.001), BOUND, 1) == []


def test_single_odd_runs_make_no_level() -> None:
    values = stepped((60, 1))
    values[[7, 30, 31, 59]] += 1.0
    assert change_points(values, BOUND, 1) == []


def test_runs_that_did_not_measure_are_passed_over() -> None:
    values = stepped((20, 1), (20, 1.3))
    values[[3, 19, 25]] = np.nan
    assert change_points(values, BOUND, 1) == [20]


def test_without_spread_a_step_is_found_and_sameness_is_not() -> None:
    assert change_points(np.zeros(20), BOUND, 1) == []
    assert change_points(np.repeat([0.0, 1.0], 10), BOUND, 1) == [10]


def test_without_spread_strays_stay_as_they_are() -> None:
    assert without_strays(np.ones(12)).tolist() == [1.0] * 12


@given(st.integers(5, 30), st.integers(5, 30), st.floats(0.1, 2.0))
def test_a_level_of_five_is_no_stray(before: int, after: int, step: float) -> None:
    values = np.repeat([0.0, step], (before, after)) + np.tile([0.0, 0.001], 40)[: before + after]
    assert np.allclose(without_strays(values), values, atol=0.01)


def test_how_far_levels_lie_apart() -> None:
    found = level_difference(np.array([1.0, 1.2, 0.8, 1.0]), np.array([2.0, 2.2, 1.8, 2.0]), BOUND)
    assert found.estimate == pytest.approx(1.0)
    assert found.low < 1.0 < found.high
    assert found.chance == found.worse < 0.01
    assert found.better > 0.999
    back = level_difference(np.array([2.0, 2.2, 1.8]), np.array([1.0, 1.2, 0.8]), BOUND)
    assert back.chance == back.better < 0.05


def test_without_spread_it_is_certain_or_impossible() -> None:
    assert level_difference(np.zeros(5), np.ones(5), BOUND).worse == 0.0
    assert level_difference(np.zeros(5), np.zeros(5), BOUND).worse == 1.0


def test_more_tests_are_paid_for() -> None:
    before, after = stepped((10, 1)), stepped((10, 1.1), seed=2)
    assert level_difference(before, after, BOUND, 10).worse == pytest.approx(
        10 * level_difference(before, after, BOUND).worse
    )


def test_every_bad_night_is_told_and_not_only_the_first() -> None:
    values = stepped((10, 1), (4, 1.3)).reshape(-1, 1)
    found = outside_prediction(values, [[]], bounds(1))
    assert found[:, 0].tolist() == [False] * 10 + [True] * 4


def test_what_was_before_a_change_does_not_speak_of_what_comes_after() -> None:
    values = stepped((10, 1), (10, 1.3)).reshape(-1, 1)
    assert not outside_prediction(values, [[10]], bounds(1)).any()


def test_each_metric_has_its_own_changes() -> None:
    values = np.stack([stepped((10, 1), (10, 1.3)), stepped((20, 1), seed=3)], axis=-1)
    values[19, 1] += 0.4
    found = outside_prediction(values, [[10], []], bounds(2))
    assert np.argwhere(found).tolist() == [[19, 1]]


def test_runs_that_agree_by_chance_are_not_surer_than_their_counts() -> None:
    """Ten runs without a failure do not prove that one failure in the next is a change."""
    same = np.zeros(10)
    assert level_difference(same, same[:3] + 0.06, BOUND, own=0.0).chance == 0.0
    assert level_difference(same, same[:3] + 0.06, BOUND, own=0.01).chance > 0.05
    values = np.concatenate([same, same[:5] + 0.06])
    assert change_points(values, BOUND, 1) == [10]
    assert change_points(values, BOUND, 1, own=0.01) == []
    once = np.append(same, 0.06).reshape(-1, 1)
    assert outside_prediction(once, [[]], bounds(1)).any()
    assert not outside_prediction(once, [[]], bounds(1, own=0.01)).any()


@given(st.integers(0, 10_000), st.floats(0.9, 1.3))
def test_one_run_is_foreseen_as_a_comparison_foresees_it(seed: int, factor: float) -> None:
    values = stepped((12, 1), (1, factor), seed=seed).reshape(-1, 1)
    told = predict(values[:12], values[12], bounds(1))
    limits = np.array([BOUND])
    found = estimate_effects("prediction", values[:12], values[12:], limits)
    assert np.allclose(np.array(told[:5]), np.array(found[:5]))
    verdict = words(found, limits)
    assert (told.worse, told.better, told.same) == (verdict.slower, verdict.faster, verdict.same)
