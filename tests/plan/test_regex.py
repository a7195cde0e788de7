"""Patterns that may take for ever are refused."""

from __future__ import annotations

import pytest

from loadtest.plan.regex import problem_of

GOOD = [
    "^tool_", r"(,\d+)*", r"^(?P<type>\w+) (?P<turn>\d+)$", "(a{1,3})*", "(?:a++)+", r"(?:[a-z]+\.)*[a-z]+",
    "(?!a+)b", "a|b", "(?P<a>x)(?P=a)",
]  # fmt: skip
SLOW = [
    "(a+)+", "(?:a|b+)*", r"(\w+\s?)*", "((a+))*", "(a*b?)+", "(?=(a+)+)x", "(a{2,})*", "(?:(?:ab)+)+?",
    "x((a+)+)?", "(?:(?:a+)+)++",
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_that_can_be_used(pattern: str) -> None:
    assert problem_of(pattern) is None


@pytest.mark.parametrize("pattern", SLOW)
def test_a_repeat_of_a_repeat_is_refused(pattern: str) -> None:
    assert (problem_of(pattern) or "").startswith("repeats a repeated group")


@pytest.mark.parametrize("pattern", ["(", "a**", "(?P<1>a)"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    assert (problem_of(pattern) or "").startswith("is not a regular expression")
