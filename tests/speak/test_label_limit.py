"""What a target sends that nobody accounts for is told in few, plain words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak.label_limit import MAX_KEYS, MAX_LABELS, NO_LABEL, OTHER, UNTYPED, LabelLimit


@pytest.mark.parametrize(
    ("seen", "label"),
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
def test_a_name_is_plain_or_not_told(seen: Any, label: str) -> None:
    assert LabelLimit().type_label(seen) == label


def test_keys_are_told_in_their_order_up_to_a_number() -> None:
    assert LabelLimit().keys_label({"kind": 1, "re": 2, "a b": 3}) == f"kind, re, {OTHER}"
    assert LabelLimit().keys_label({}) == NO_LABEL
    many = LabelLimit().keys_label({f"k{n}": n for n in range(MAX_KEYS + 1)})
    assert many.endswith(f"k{MAX_KEYS - 1}, …")


@given(st.lists(st.text(max_size=40), max_size=200))
def test_only_so_many_are_told_apart(seen: list[str]) -> None:
    labels = LabelLimit()
    assert len({labels.type_label(each) for each in seen}) <= MAX_LABELS + 1
    assert labels.type_label("a" * 33) == OTHER


def test_a_known_name_is_told_after_many_others() -> None:
    labels = LabelLimit()
    for n in range(MAX_LABELS + 5):
        labels.type_label(f"n{n}")
    assert labels.type_label("n0") == "n0"
    assert labels.type_label("another") == OTHER
