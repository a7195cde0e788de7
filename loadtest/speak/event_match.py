"""Matches compiled to functions: the same tests on a decoded struct and on JSON as it is.

A test takes where to look and the event's type (None: it has none). How a path is looked up is an argument,
so that one compilation serves both ways of decoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from loadtest.plan.match import NULL, FieldTest, Match, conditions, value_text

ABSENT: Any = object()
"""What stands at a path that leads nowhere; unlike None, which is JSON's null."""

Getter = Callable[[Any], Any]
"""Gives what stands at a path; ``ABSENT`` or None where nothing does."""

Test = Callable[[Any, str | None], bool]

_INDEX = re.compile(r"-?[0-9]{1,9}")


def is_index(key: str) -> bool:
    """Whether a key of a path may also be a place in an array."""
    return _INDEX.fullmatch(key) is not None


def has_index(path: str) -> bool:
    """Whether a path may lead through an array."""
    return any(map(is_index, path.split(".")))


@cache
def finder(path: str) -> Getter:
    """Finds what stands at a path of keys and indices in decoded JSON; ``ABSENT`` where nothing does."""
    keys = tuple((key, int(key) if is_index(key) else None) for key in path.split("."))

    def find(node: Any) -> Any:
        for key, index in keys:
            if isinstance(node, dict):
                node = node.get(key, ABSENT)
            elif isinstance(node, list) and index is not None and -len(node) <= index < len(node):
                node = node[index]
            else:
                return ABSENT
        return node

    return find


def compile_match(match: Match, *, typed: bool) -> Test:
    """The test of a match on decoded JSON."""
    return compile_conditions(conditions(match, typed=typed), finder)


def compile_conditions(wanted: Sequence[FieldTest], getter_of: Callable[[str], Getter]) -> Test:
    """The test whether all conditions hold; without conditions none does."""
    tests = tuple(_test(each, getter_of) for each in wanted)
    if len(tests) == 1:
        return tests[0]

    def holds(source: Any, kind: str | None) -> bool:
        return bool(tests) and all(test(source, kind) for test in tests)

    return holds


def _test(condition: FieldTest, getter_of: Callable[[str], Getter]) -> Test:
    if condition.path is None:
        fits = _fits(condition)
        return lambda _, kind: kind is not None and fits(kind)
    getter = getter_of(condition.path)
    if condition.how == "has":
        return lambda source, _: (value := getter(source)) is not None and value is not ABSENT
    if condition.how == "lacks":
        return lambda source, _: (value := getter(source)) is None or value is ABSENT
    fits = _fits(condition)
    if condition.how == "in":
        return lambda source, _: (value := getter(source)) is not ABSENT and fits(value)
    return lambda source, _: isinstance(value := getter(source), (str, int, float)) and fits(value)


def _fits(condition: FieldTest) -> Callable[[Any], bool]:
    """Whether a value, or a type, is as wanted."""
    if condition.how == "in":
        wanted = frozenset(condition.wanted)
        return lambda value: value_text(value) in wanted
    (text,) = condition.wanted
    if condition.how == "prefix":
        return lambda value: value_text(value).startswith(text)
    search = re.compile(text).search
    return lambda value: search(value_text(value)) is not None


def needs_whole(condition: FieldTest) -> bool:
    """Whether only JSON as it is decides a condition: it tells null from nothing, or asks a place."""
    if condition.path is None:
        return False
    return has_index(condition.path) or (condition.how == "in" and NULL in condition.wanted)
