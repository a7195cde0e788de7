from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.catalog import PERCENTILES
from loadtest.judge.ranks import (
    binomial_quantile,
    confidence_ranks,
    nearest_rank,
    needed,
    part_of,
)

PARTS = [part_of(name) for name in PERCENTILES]


def exact_quantile(q: Fraction, n: int, p: Fraction) -> int:
    total = Fraction(0)
    for k in range(n + 1):
        total += comb(n, k) * p**k * (1 - p) ** (n - k)
        if total >= q:
            return k
    raise AssertionError


def test_the_samples_a_percentile_needs() -> None:
    assert [needed(part) for part in PARTS] == [2, 10, 20, 100, 1000]
    assert needed(part_of("p10")) == 10
    assert needed(part_of("p99_99")) == 10_000


@pytest.mark.parametrize(
    ("name", "n", "rank"), [("p50", 1, 1), ("p50", 4, 2), ("p99", 100, 99), ("p99_9", 1000, 999)]
)
def test_the_nearest_rank_has_no_rounding_error(name: str, n: int, rank: int) -> None:
    assert nearest_rank(part_of(name), n) == rank


@given(
    st.integers(1, 60),
    st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100),
    st.sampled_from([Fraction(25, 1000), Fraction(1, 2), Fraction(975, 1000), Fraction(999, 1000)]),
)
def test_the_quantile_is_that_of_exact_arithmetic(n: int, p: Fraction, q: Fraction) -> None:
    found = binomial_quantile(float(q), n, float(p))
    # A cumulative probability that equals q to the last bit may fall on either side.
    assert found in {
        exact_quantile(q - Fraction(1, 10**12), n, p),
        exact_quantile(q + Fraction(1, 10**12), n, p),
    }


@pytest.mark.parametrize("n", [1, 7, 100, 368, 1000, 4567, 100_000, 3_000_000, 100_000_000])
def test_the_quantile_is_that_of_scipy(n: int) -> None:
    stats = pytest.importorskip(
        "scipy.stats", reason="scipy is not installed; exact arithmetic is compared above"
    )
    for part in PARTS:
        for q in (0.0001, 0.025, 0.3, 0.975, 0.9999):
            assert binomial_quantile(q, n, float(part)) == stats.binom.ppf(q, n, float(part))


@pytest.mark.parametrize("n", [1, 7, 4567])
def test_half_of_a_symmetric_distribution_is_reached_in_its_middle(n: int) -> None:
    assert binomial_quantile(0.5, n, 0.5) == (n - 1) // 2


def test_the_ranks_are_those_of_scipys_quantile_test() -> None:
    stats = pytest.importorskip(
        "scipy.stats", reason="scipy is not installed; exact arithmetic is compared above"
    )
    for n in (10, 50, 400, 1000):
        samples = list(range(1, n + 1))
        for name in ("p50", "p95", "p99"):
            theirs = stats.quantile_test(samples, p=float(part_of(name))).confidence_interval(0.95)
            ours = confidence_ranks(part_of(name), n)
            assert ours == (
                (theirs.low, theirs.high) if theirs.low == theirs.low and theirs.high == theirs.high else None
            )


def test_an_interval_exists_only_where_both_ends_do() -> None:
    assert confidence_ranks(Fraction(1, 2), 0) is None
    assert confidence_ranks(Fraction(1, 2), 5) is None
    assert confidence_ranks(Fraction(1, 2), 6) == (1, 6)
    assert confidence_ranks(part_of("p99"), 367) is None
    assert confidence_ranks(part_of("p99"), 368) == (360, 368)


@given(st.integers(6, 500), st.sampled_from(PARTS))
def test_the_interval_covers_at_least_what_it_says(n: int, part: Fraction) -> None:
    ranks = confidence_ranks(part, n)
    if ranks is None:
        return
    low, high = ranks
    p = float(part)
    covered = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(low, high))
    assert covered >= 0.95 - 1e-9
    assert 1 <= low <= nearest_rank(part, n) <= high <= n
