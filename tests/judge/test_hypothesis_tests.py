from __future__ import annotations

import numpy as np
import pytest

from loadtest.judge.hypothesis_tests import EffectEstimates, estimate_effects, method_for, words

FIVE = np.array([np.log(1.05)])


def column(values: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, np.float64).reshape(-1, 1)


@pytest.mark.parametrize(
    ("runs", "method"),
    [
        ((4, 4), "permutation"),
        ((4, 20), "permutation"),
        ((3, 4), None),
        ((8, 3), "prediction"),
        ((8, 1), "prediction"),
        ((7, 1), None),
        ((8, 0), None),
        ((1, 8), None),
    ],
)
def test_how_so_many_runs_are_weighed(runs: tuple[int, int], method: str | None) -> None:
    assert method_for(*runs) == method


def verdict(estimate: float, half: float, worse: float = 1.0, better: float = 1.0) -> tuple[bool, ...]:
    numbers = (estimate, estimate - 2 * half, estimate + 2 * half, worse, better, estimate + half)
    found = EffectEstimates(*(np.array([each]) for each in numbers))
    return tuple(bool(each[0]) for each in words(found, np.array([0.05])))


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((0.10, 0.02, 0.05), (True, False, False)),
        ((0.10, 0.02, 0.051), (False, False, False)),
        ((0.049, 0.002, 0.01), (False, False, False)),
        ((-0.10, 0.02, 1.0, 0.01), (False, True, False)),
        ((-0.04, 0.1, 1.0, 0.01), (False, False, False)),
        ((0.0, 0.05), (False, False, True)),
        ((0.0, 0.06), (False, False, False)),
        ((0.05, 0.0, 0.001), (True, False, False)),
        ((-0.049, 0.08), (False, False, True)),
        ((-0.05, 0.08), (False, False, False)),
    ],
)
def test_slower_faster_same_or_nobody_can_tell(numbers: tuple[float, ...], told: tuple[bool, ...]) -> None:
    assert verdict(*numbers) == told


def test_the_interval_is_welchs() -> None:
    from scipy import stats

    before, after = [1.0, 1.1, 0.9, 1.05], [1.2, 1.5, 1.1, 1.4]
    found = estimate_effects("permutation", column(before), column(after), FIVE)
    wanted = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    assert (found.low[0], found.high[0]) == pytest.approx((wanted.low, wanted.high))


def test_the_prediction_interval_is_students() -> None:
    from scipy import stats

    history = [0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.0]
    found = estimate_effects("prediction", column(history), column([0.3]), FIVE)
    half = stats.t.ppf(0.975, 7) * np.std(history, ddof=1) * np.sqrt(1 + 1 / 8)
    assert (found.low[0], found.high[0]) == pytest.approx((0.3 - half, 0.3 + half))


def test_a_night_that_is_like_the_others_is_slower_no_more_often_than_said() -> None:
    rng = np.random.default_rng(8)
    before, after = rng.normal(0, 0.03, (4000, 10, 6)), rng.normal(0, 0.03, (4000, 1, 6))
    found = words(estimate_effects("prediction", before, after, np.repeat(FIVE, 6)), np.repeat(FIVE, 6))
    assert found.slower.any(axis=-1).mean() <= 0.025


def test_a_step_of_a_fifth_is_found_the_same_night() -> None:
    """One run against a history of ten, at a spread of 3 %, six metrics: 95 of 100 nights, and more."""
    rng = np.random.default_rng(9)
    before = rng.normal(0, 0.03, (2000, 10, 6))
    after = rng.normal(np.log(1.2), 0.03, (2000, 1, 6))
    bounds = np.repeat(FIVE, 6)
    found = words(estimate_effects("prediction", before, after, bounds), bounds)
    assert found.slower.any(axis=-1).mean() >= 0.99
    assert found.slower[:, 0].mean() >= 0.9


def test_a_history_without_any_spread_is_certain() -> None:
    same, other = (
        words(estimate_effects("prediction", column([1.0] * 8), column([value]), FIVE), FIVE)
        for value in (1.0, 2.0)
    )
    assert same.same[0]
    assert other.slower[0]
