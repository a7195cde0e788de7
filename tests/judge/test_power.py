from __future__ import annotations

import math

import numpy as np
import pytest

from loadtest.judge.power import beyond, quantile, quantiles, repeats, visible

FIVE, TEN = math.log(1.05), math.log(1.10)


def test_students_t() -> None:
    from scipy import stats

    assert quantile(0.975, 8) == pytest.approx(stats.t.ppf(0.975, 8))
    assert quantiles(0.975, np.array([8.0, np.nan]))[0] == pytest.approx(2.306, abs=1e-3)
    assert np.isnan(quantiles(0.975, np.array([np.nan]))[0])
    assert beyond(np.array([2.306]), np.array([8.0]))[0] == pytest.approx(0.025, abs=1e-4)


def test_more_runs_and_less_spread_see_more() -> None:
    seen = visible(0.03, (5, 5), FIVE, 6)
    assert visible(0.03, (10, 10), FIVE, 6) < seen < visible(0.05, (5, 5), FIVE, 6)
    assert visible(0.03, (5, 5), FIVE, 1) < seen


def test_nothing_below_the_smallest_effect_is_seen() -> None:
    assert visible(0.0, (5, 5), FIVE, 6) == FIVE


def test_repeats_grow_with_the_spread() -> None:
    counts = [repeats(cv, FIVE, TEN, 6) for cv in (0.0, 0.01, 0.03, 0.05)]
    assert counts[0] == 4
    assert counts == sorted(count for count in counts if count is not None)


def test_too_wide_a_spread_is_told_from_nothing_by_no_number_of_runs() -> None:
    assert repeats(0.5, FIVE, TEN, 6) is None


def test_so_many_repeats_are_enough() -> None:
    """At the number that is told, twice the smallest effect is found in 95 of 100 comparisons, and more."""
    from loadtest.judge.hypothesis_tests import estimate_effects, words

    runs = repeats(0.015, FIVE, TEN, 1)
    assert runs is not None
    rng = np.random.default_rng(3)
    before = rng.normal(0, 0.015, (400, runs, 1))
    after = rng.normal(TEN, 0.015, (400, runs, 1))
    found = words(estimate_effects("permutation", before, after, np.array([FIVE])), np.array([FIVE]))
    assert found.slower.mean() >= 0.94
