from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.random_draw import chosen, draw


def test_a_draw_is_known_before_the_run() -> None:
    """Pinned: another draw would be another run for the same seed."""
    assert draw(1, "leaver", 7) == draw(1, "leaver", 7)
    assert draw(1, "leaver", 7) == pytest.approx(0.14247301389429645)
    assert draw(2, "leaver", 7) != draw(1, "leaver", 7) != draw(1, "leaver", 8)
    assert draw(1, "a", "b") != draw(1, "ab")


@given(st.integers(), st.text() | st.just("\ud800"), st.integers())
def test_a_draw_is_a_part_of_one(seed: int, name: str, number: int) -> None:
    assert 0 <= draw(seed, name, number) < 1


def test_draws_are_spread_evenly() -> None:
    draws = sorted(draw(3, "x", number) for number in range(2000))
    assert max(b - a for a, b in pairwise([0.0, *draws, 1.0])) < 0.01


@given(st.integers(), st.floats(0, 1), st.integers(1, 500))
def test_exactly_so_many_users_are_chosen(seed: int, share: float, users: int) -> None:
    found = chosen(seed, "cut:0", share, users)
    assert len(found) == max(1, round(share * users))
    assert found <= set(range(users))
    assert found == chosen(seed, "cut:0", share, users)


def test_who_is_chosen_depends_on_what_for() -> None:
    assert chosen(1, "cut:0", 0.5, 100) != chosen(1, "cut:1", 0.5, 100) != chosen(2, "cut:1", 0.5, 100)
