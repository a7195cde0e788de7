from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.catalog import PERCENTILES
from loadtest.judge.distribution import describe, too_few
from loadtest.judge.ranks import needed, part_of
from loadtest.measure.histogram import Histogram
from tests.judge.made import MS, histogram

STEP = 15_600_000


def test_nothing_recorded_is_no_metric() -> None:
    assert describe(Histogram()) is None


def test_percentiles_are_nearest_rank_and_highest_equivalent() -> None:
    made = histogram(range(1, 1001))
    found = describe(made)
    assert found is not None
    assert found["unit"] == "ms"
    assert found["n"] == 1000
    for name in PERCENTILES:
        assert found[name] * MS == made.percentile(float(part_of(name) * 100))
    assert found["p50"] == pytest.approx(500, rel=1e-3)
    assert found["p50"] > 500
    assert (found["min"], found["max_exact"], found["mean"]) == (1.0, 1000.0, 500.5)
    assert found["max"] * MS == made.percentile(100)
    assert found["unsupported"] == []
    assert found["reasons"] == {}
    assert found["below_resolution"] == {}
    assert "clamped" not in found


def test_a_percentile_finer_than_n_supports_is_null_and_listed() -> None:
    found = describe(histogram([5.0] * 40))
    assert found is not None
    assert found["p95"] is not None
    assert found["p99"] is None
    assert found["unsupported"] == ["p99", "p99_9"]
    assert found["reasons"]["p99"] == "not enough samples: n = 40, but p99 needs 100"
    assert found["reasons"]["p99_9"] == "not enough samples: n = 40, but p99.9 needs 1,000"
    assert too_few("p99_99", 1) == "not enough samples: n = 1, but p99.99 needs 10,000"


@given(st.integers(1, 1200))
def test_a_percentile_is_given_exactly_where_n_supports_it(n: int) -> None:
    found = describe(histogram([3.0] * n))
    assert found is not None
    for name in PERCENTILES:
        assert (found[name] is None) == (n < needed(part_of(name))) == (name in found["unsupported"])
    assert found["max"] is not None


def test_a_threshold_may_ask_for_another_percentile() -> None:
    found = describe(histogram(range(1, 101)), extra=("p75", "p50"))
    assert found is not None
    assert found["p75"] == pytest.approx(75, rel=1e-3)
    assert "p75" not in (describe(histogram([1.0])) or {})


def test_confidence_intervals_are_order_statistics_of_this_run() -> None:
    found = describe(histogram(range(1, 401)))
    assert found is not None
    low, high = found["ci95"]["p50"]
    assert (low, high) == (pytest.approx(180, rel=1e-3), pytest.approx(221, rel=1e-3))
    assert low < found["p50"] < high
    assert found["ci95"]["p99"][1] == pytest.approx(400, rel=1e-3)
    assert found["ci95_scope"] == "within run"
    few = describe(histogram([1.0] * 40))
    assert few is not None
    assert few["ci95"]["p50"] is not None
    assert few["ci95"]["p99"] is None


def test_the_interval_covers_the_true_percentile_as_often_as_it_says() -> None:
    chance = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        found = describe(histogram(chance.exponential(10, 200)))
        assert found is not None
        low, high = found["ci95"]["p50"]
        covered += low <= 10 * np.log(2) <= high
    assert covered >= 0.93 * 400


def test_a_duration_below_the_clocks_step_is_null_and_says_what_it_is_below() -> None:
    found = describe(histogram([0] * 30 + [15.6] * 10), STEP)
    assert found is not None
    assert found["p50"] is None
    assert found["min"] is None
    assert found["mean"] is None
    assert found["below_resolution"] == {"min": 15.6, "mean": 15.6, "p50": 15.6}
    assert found["reasons"]["p50"] == "below the clock's step: < 15.6 ms"
    assert found["p90"] == pytest.approx(15.6, rel=1e-3)
    assert found["ci95"]["p50"] is None
    assert found["unsupported"] == ["p99", "p99_9"]


def test_a_duration_of_no_tick_at_all_is_below_the_clocks_resolution() -> None:
    found = describe(histogram([0.0, 0.0]))
    assert found is not None
    assert found["p50"] is None
    assert found["below_resolution"]["p50"] == 1 / MS


def test_values_beyond_the_range_are_told() -> None:
    found = describe(histogram([4_000_000.0]))
    assert found is not None
    assert found["clamped"] == 1


@given(st.lists(st.floats(0, 1e6), max_size=60), st.sampled_from([1, 1000, STEP]))
def test_no_statistic_is_ever_zero(values: list[float], tick: int) -> None:
    found = describe(histogram(values), tick)
    if found is None:
        assert not values
        return
    shown = [found[name] for name in ("min", *PERCENTILES, "max", "max_exact", "mean")]
    assert all(value is None or value * MS >= tick * (1 - 1e-9) for value in shown)
    assert set(found["reasons"]) == set(found["unsupported"]) | set(found["below_resolution"])
