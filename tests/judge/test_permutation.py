from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtest.judge.permutation import MAX_SPLITS, difference, p_values, splits

NOTHING = np.zeros(1)


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, np.float64).reshape(-1, 1)


def test_every_split_is_tried_and_the_first_is_as_it_was() -> None:
    rows = splits(2, 4)
    assert rows.tolist()[0] == [1, 1, 0, 0]
    assert {tuple(row) for row in rows} == set(itertools.permutations((1, 1, 0, 0)))
    assert len(splits(8, 16)) == 12_870


def test_of_too_many_splits_a_part_is_tried_always_the_same() -> None:
    rows = splits(10, 20)
    assert rows.shape == (MAX_SPLITS, 20)
    assert (rows.sum(axis=1) == 10).all()
    assert rows[0].tolist() == [1] * 10 + [0] * 10
    splits.cache_clear()
    assert (splits(10, 20) == rows).all()


@pytest.mark.parametrize(("runs", "least"), [(3, 1 / 20), (4, 1 / 70), (5, 1 / 252)])
def test_the_smallest_p_is_one_in_all_splits(runs: int, least: float) -> None:
    found = p_values(column(*range(runs)), column(*(100.0 + at for at in range(runs))), NOTHING)
    assert found.worse[0] == pytest.approx(least)
    assert found.better[0] == 1


def test_better_is_worse_turned_round() -> None:
    one, other = column(1, 2, 3, 4), column(2.5, 4, 5, 6.2)
    there, back = p_values(one, other, NOTHING), p_values(-one, -other, NOTHING)
    assert there.worse == pytest.approx(back.better)
    assert there.better == pytest.approx(back.worse)


def test_p_is_what_counting_by_hand_gives() -> None:
    """Of one metric, the statistic orders the splits as the difference of means does, within equal sizes."""
    one, other = [1.0, 2.0, 4.0, 7.0], [3.0, 8.0, 9.0, 6.5]
    pooled = np.array(one + other)
    reached = [
        sum(pooled[list(chosen)]) >= sum(other) - 1e-9 for chosen in itertools.combinations(range(8), 4)
    ]
    found = p_values(column(*one), column(*other), NOTHING)
    assert found.worse[0] == pytest.approx(np.mean(reached))


def test_what_is_negligible_is_no_evidence() -> None:
    one, other = column(0, 0.001, 0.002, 0.003, 0.004), column(0.02, 0.021, 0.022, 0.023, 0.024)
    assert p_values(one, other, np.array([0.0])).worse[0] < 0.01
    assert p_values(one, other, np.array([0.05])).worse[0] == 1


@given(st.integers(0, 2**31))
def test_runs_are_moved_back_by_what_is_negligible_before_they_are_exchanged(seed: int) -> None:
    """So p is that of runs which differ by exactly that much, for which it is exact."""
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(5, 2)), rng.normal(size=(5, 2)) + 4.0
    negligible = np.array([1.0, 0.5])
    assume((other.mean(axis=0) - one.mean(axis=0) > negligible).all())
    found = p_values(one, other, negligible)
    assert found.worse == pytest.approx(p_values(one, other - negligible, np.zeros(2)).worse)


def test_a_family_corrects_what_each_metric_says() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    other[:, 0] += 2.0
    alone = p_values(one[:, :1], other[:, :1], NOTHING).worse[0]
    together = p_values(one, other, np.zeros(6)).worse
    assert together[0] >= alone
    assert (together >= 0).all()
    assert (together <= 1).all()


def test_a_metric_that_never_changes_costs_the_others_nothing() -> None:
    one, other = column(1, 2, 3, 4), column(11, 12, 13, 14)
    constant = (
        np.concatenate([one, np.ones((4, 1))], axis=1),
        np.concatenate([other, np.ones((4, 1))], axis=1),
    )
    alone, together = p_values(one, other, NOTHING), p_values(*constant, np.zeros(2))
    assert together.worse[0] == alone.worse[0]
    assert together.worse[1] == 1


def test_runs_without_any_spread_that_differ_are_certain() -> None:
    found = p_values(column(1, 1, 1, 1, 1), column(2, 2, 2, 2, 2), NOTHING)
    assert found.worse[0] == pytest.approx(1 / 252)


def test_a_run_that_did_not_measure_is_left_out_for_that_metric() -> None:
    one = np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0], [4.0, 4.0], [5.0, 5.0]])
    found = difference(one, one + 10)
    assert found.estimate.tolist() == [10, 10]
    both = p_values(one, one + 10, np.zeros(2))
    assert (both.worse < 0.05).all()


def test_a_metric_that_no_run_measured_is_no_evidence_and_no_harm() -> None:
    one = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan], [4.0, np.nan]])
    found = p_values(one, one + 50, np.zeros(2))
    assert found.worse[1] == 1
    assert found.worse[0] == p_values(one[:, :1], one[:, :1] + 50, NOTHING).worse[0]


def test_the_difference_is_welchs() -> None:
    found = difference(column(1, 2, 3, 4), column(10, 10, 10, 30))
    before, after = 1.6666666667 / 4, 100 / 4
    assert found.estimate[0] == pytest.approx(12.5)
    assert found.error[0] == pytest.approx(np.sqrt(before + after))
    assert found.freedom[0] == pytest.approx((before + after) ** 2 / (before**2 / 3 + after**2 / 3))


def test_of_a_single_run_the_error_is_not_known() -> None:
    found = difference(column(1), column(2, 3))
    assert found.error[0] == np.inf
    assert np.isnan(found.freedom[0])


@given(st.integers(0, 2**31))
def test_runs_of_one_build_are_found_worse_and_better_no_more_often_than_said(seed: int) -> None:
    """Over all splits of any eight runs, 3 of 70 are called worse, and as many better: p is exact."""
    runs = np.random.default_rng(seed).normal(size=(8, 3))
    p = []
    for row in splits(4, 8):
        found = p_values(runs[row == 1], runs[row == 0], np.zeros(3))
        p.append((found.worse.min(), found.better.min()))
    assert (np.mean(np.array(p) <= 0.05, axis=0) == 3 / 70).all()


def test_pairs_in_a_batch_are_judged_as_each_alone() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 5, 2)) + 1
    together = p_values(one, other, np.full(2, 0.1))
    for at in range(3):
        alone = p_values(one[at], other[at], np.full(2, 0.1))
        assert together.worse[at] == pytest.approx(alone.worse)
        assert together.better[at] == pytest.approx(alone.better)
