from __future__ import annotations

import pytest

from loadtest.plan.identifiers import is_column, is_header_value, is_name, is_token, is_variable


@pytest.mark.parametrize("word", ["a-B_1.2", "a" * 100])
def test_names_can_be_part_of_a_folders_name(word: str) -> None:
    assert is_name(word)


@pytest.mark.parametrize("word", ["", ".", "..", "a/b", "a b", "a" * 101])
def test_what_cannot_be_part_of_a_folders_name_is_no_name(word: str) -> None:
    assert not is_name(word)


@pytest.mark.parametrize(
    ("word", "allowed"), [("X-Run", 1), ("jwt.abc", 1), ("a b", 0), ("a,b", 0), ("é", 0), ("", 0)]
)
def test_tokens(word: str, allowed: int) -> None:
    assert is_token(word) == allowed


@pytest.mark.parametrize(
    ("word", "allowed"),
    [("Bearer {x}", 1), ("a\tb", 1), ("", 1), ("é", 1), ("a\r\nX: y", 0), (" a", 0), ("日", 0)],
)
def test_header_values(word: str, allowed: int) -> None:
    assert is_header_value(word) == allowed


def test_variables_and_columns() -> None:
    assert is_variable("AGENT_1")
    assert not is_variable("1A")
    assert is_column("1_a")
    assert not is_column("a.b")
