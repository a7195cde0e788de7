"""What a target sends that nobody accounts for is told in few, plain words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak.sights import MOST_KEYS, MOST_NAMES, NOTHING, OTHER, UNTYPED, Sights


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ("agent.finished", "agent.finished"),
        (None, UNTYPED),
        (3, OTHER),
        ("a b", OTHER),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0", OTHER),
        ("", OTHER),
        ("line\n", OTHER),
    ],
)
def test_a_name_is_plain_or_not_told(seen: Any, told: str) -> None:
    assert Sights().name(seen) == told


def test_keys_are_told_in_their_order_up_to_a_number() -> None:
    assert Sights().keys({"kind": 1, "re": 2, "a b": 3}) == f"kind, re, {OTHER}"
    assert Sights().keys({}) == NOTHING
    many = Sights().keys({f"k{n}": n for n in range(MOST_KEYS + 1)})
    assert many.endswith(f"k{MOST_KEYS - 1}, …")


@given(st.lists(st.text(max_size=40), max_size=200))
def test_only_so_many_are_told_apart(seen: list[str]) -> None:
    sights = Sights()
    assert len({sights.name(each) for each in seen}) <= MOST_NAMES + 1
    assert sights.name("a" * 33) == OTHER


def test_a_known_name_is_told_after_many_others() -> None:
    sights = Sights()
    for n in range(MOST_NAMES + 5):
        sights.name(f"n{n}")
    assert sights.name("n0") == "n0"
    assert sights.name("another") == OTHER
