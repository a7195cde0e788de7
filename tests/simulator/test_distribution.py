from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulator.distribution import Distribution, read_distribution, read_time

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5ms", Distribution("constant", 5 * MS)),
        ("uniform:1ms,9ms", Distribution("uniform", MS, 9 * MS)),
        ("exp: 5ms", Distribution("exp", 5 * MS)),
        ("bimodal:2ms, 50ms, 10%", Distribution("bimodal", 2 * MS, 50 * MS, 0.1)),
    ],
)
def test_a_distribution_is_read(text: str, expected: Distribution) -> None:
    assert read_distribution(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "uniform:1ms", "normal:1ms,2ms", "exp:", "bimodal:1ms,2ms", "exp:1ms,2ms"]
)
def test_what_is_no_distribution_is_told_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match=r'write (a number and a unit|"5ms")'):
        read_distribution(text)


def test_a_range_the_wrong_way_round_is_told() -> None:
    with pytest.raises(ValueError, match="shorter time first"):
        read_distribution("uniform:9ms,1ms")


def test_a_time_over_an_hour_is_a_mistake() -> None:
    assert read_time("1h") == 3600 * 1000 * MS
    with pytest.raises(ValueError, match="longer than an hour"):
        read_time("2h")


@given(st.floats(0, 1, exclude_max=True))
def test_draws_stay_where_they_belong(u: float) -> None:
    assert Distribution("constant", 5).draw(u) == 5
    assert 10 <= Distribution("uniform", 10, 20).draw(u) <= 20
    assert 0 <= Distribution("exp", 10).draw(u) <= 200
    assert Distribution("bimodal", 2, 50, 0.1).draw(u) == (50 if u < 0.1 else 2)


def test_the_mean_of_an_exponential_is_what_was_asked() -> None:
    draws = [Distribution("exp", 5 * MS).draw((n + 0.5) / 1000) for n in range(1000)]
    assert sum(draws) / len(draws) == pytest.approx(5 * MS, rel=0.01)
