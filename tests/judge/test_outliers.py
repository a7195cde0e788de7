from __future__ import annotations

import numpy as np
import pytest

from loadtest.judge.outliers import history_outliers, outliers, paired_outliers
from loadtest.judge.permutation import Array

FIVE = np.array([np.log(1.05)])
EIGHT = [0.0, 0.01, -0.01, 0.02, -0.02, 0.01, 0.0, -0.01]


def column(values: list[float]) -> Array:
    return np.array(values, np.float64).reshape(-1, 1)


def found(before: list[float], after: list[float]) -> tuple[list[int], list[int]]:
    one, other = outliers(column(before), column(after), FIVE)
    return [int(at) for at in np.flatnonzero(one[:, 0])], [int(at) for at in np.flatnonzero(other[:, 0])]


def test_runs_that_are_alike_have_none() -> None:
    assert found(EIGHT, EIGHT) == ([], [])
    assert found([0.0] * 8, [0.09] * 7 + [0.0]) == ([], [])


@pytest.mark.parametrize("far", [1.6, -1.6])
def test_one_that_took_five_times_as_long_or_a_fifth(far: float) -> None:
    assert found([*EIGHT[:7], far], EIGHT) == ([7], [])
    assert found(EIGHT, [far, *EIGHT[1:]]) == ([], [0])


def test_a_side_that_is_slower_as_a_whole_has_none() -> None:
    assert found(EIGHT, [value + 1.6 for value in EIGHT]) == ([], [])


def test_more_than_one_run_in_four_is_no_outlier_but_how_the_runs_are() -> None:
    assert found([*EIGHT[:6], 1.6, 1.6], EIGHT) == ([6, 7], [])
    assert found([*EIGHT[:5], 1.6, 1.6, 1.6], EIGHT) == ([], [])
    assert found([*EIGHT[:3], 1.6], EIGHT) == ([], [])  # of four runs none can be spared


def test_a_run_that_did_not_measure_is_none() -> None:
    assert found([*EIGHT[:6], np.nan, 1.6], EIGHT) == ([7], [])
    assert found([np.nan] * 8, EIGHT) == ([], [])


def test_of_pairs_enough_for_a_verdict_are_left() -> None:
    assert paired_outliers(column([*EIGHT[:7], 1.6]), FIVE)[:, 0].nonzero()[0].tolist() == [7]
    assert not paired_outliers(column([*EIGHT[:5], 1.6]), FIVE).any()
    assert history_outliers(column([*EIGHT[:5], 1.6]), FIVE).any()
