from __future__ import annotations

import math

import numpy as np
import pytest

from loadtest.judge.block_bootstrap import DRAWS, within_run
from loadtest.judge.permutation import SEED, Array
from loadtest.measure.histogram import Histogram

PARTS = (0.5, 0.95)


def second(seed: int, middle_ms: float = 20.0, n: int = 200) -> Histogram:
    made = Histogram()
    made.record((np.random.default_rng(seed).lognormal(np.log(middle_ms), 0.3, n) * 1e6).astype(np.int64))
    return made


def bounds(seconds: list[Histogram]) -> Array:
    found = within_run(seconds, PARTS)
    assert found is not None
    return found


def added(seconds: list[Histogram]) -> Histogram:
    whole = Histogram()
    for each in seconds:
        whole.add(each)
    return whole


def test_the_bounds_hold_what_the_run_measured() -> None:
    seconds = [second(at) for at in range(30)]
    for (low, high), part in zip(bounds(seconds), PARTS, strict=True):
        assert low <= (added(seconds).percentile(part * 100) or 0) <= high
        assert high / low < 1.1


def test_they_are_those_of_blocks_added_up_one_by_one() -> None:
    """Of 26 seconds a block has 4, of 20 seconds 3, since there must be 6 of them."""
    for n, length in ((26, 4), (20, 3)):
        seconds = [second(at, 20 + at) for at in range(n)]
        begins = np.random.default_rng(SEED).integers(0, n - length + 1, (DRAWS, n // length))
        drawn = [added([seconds[at + of] for at in row for of in range(length)]) for row in begins]
        found = np.quantile(
            [[draw.percentile(part * 100) or 0 for part in PARTS] for draw in drawn], [0.025, 0.975], axis=0
        )
        assert bounds(seconds) == pytest.approx(found.T)


def test_blocks_of_a_long_run_begin_at_fewer_places() -> None:
    """The last place has fewer seconds; what is said hardly differs."""
    seconds = [second(at, 20.0 if at // 15 % 2 else 22.0) for at in range(121)]
    fine, coarse = (
        bounds(seconds),
        within_run([added(seconds[at : at + 3]) for at in range(0, 121, 3)], PARTS, 3),
    )
    assert coarse is not None
    assert not np.array_equal(fine, coarse)
    assert np.log(coarse) == pytest.approx(np.log(fine), abs=0.01)


def test_seconds_that_differ_widen_the_bounds() -> None:
    calm = bounds([second(at) for at in range(24)])
    waves = bounds([second(at, 20.0 if at // 6 % 2 else 40.0) for at in range(24)])
    assert np.ptp(waves[0]) > 3 * np.ptp(calm[0])


def test_the_same_run_gives_the_same_bounds() -> None:
    seconds = [second(at) for at in range(10)]
    assert np.array_equal(bounds(seconds), bounds(seconds))


def test_a_second_without_samples_is_a_part_of_the_run() -> None:
    half = bounds([second(at) if at % 2 else Histogram() for at in range(12)])
    assert math.isfinite(half.sum())


def test_draws_that_hold_no_sample_say_nothing() -> None:
    one = bounds([second(1), *(Histogram() for _ in range(11))])
    assert one[0] == pytest.approx(second(1).percentile(50))


def test_few_seconds_are_too_few_and_none_with_samples_say_nothing() -> None:
    assert within_run([second(at) for at in range(5)], PARTS) is None
    assert within_run([Histogram()] * 12, PARTS) is None
