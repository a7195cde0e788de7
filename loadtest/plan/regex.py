"""Regular expressions of users, which are held against what an untrusted target sends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as constants  # type: ignore[attr-defined]  # the parser that `re` itself uses
from re import _parser as parser  # type: ignore[attr-defined]  # the same
from typing import Any

_REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT)
"""Repeats that are tried again with fewer; possessive ones are not."""

_SURE = (constants.LITERAL, constants.NOT_LITERAL, constants.IN, constants.ANY)


def problem_of(pattern: str) -> str | None:
    """What is wrong with a pattern, as the end of a sentence; None where it can be used.

    A repeat of what is itself a repeat and nothing else, such as ``(a+)+``, may take time that doubles with
    each letter. Not every slow pattern is found: the texts that patterns see are bounded as well.
    """
    try:
        re.compile(pattern)
        slow = _is_slow(parser.parse(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a regular expression: {error}"
    return "repeats a repeated group, as in (a+)+, which may never finish; repeat only once" if slow else None


def _is_slow(parts: Iterable[Any]) -> bool:
    """Whether an unbounded repeat holds an unbounded repeat, and nothing that parts them."""
    for kind, value in parts:
        below = _below(kind, value)
        if kind in _REPEATS and value[1] == constants.MAXREPEAT and any(map(_is_bare, below)):
            return True
        if any(map(_is_slow, below)):
            return True
    return False


def _is_bare(parts: Iterable[Any]) -> bool:
    """Whether a sequence holds an unbounded repeat, and nothing that must stand beside it."""
    found = False
    for kind, value in parts:
        if kind in _SURE:
            return False
        unbounded = kind in _REPEATS and value[1] == constants.MAXREPEAT
        found = found or unbounded or any(map(_is_bare, _below(kind, value)))
    return found


def _below(kind: Any, value: Any) -> list[Iterable[Any]]:
    """The sequences inside a part of a pattern."""
    if kind in _REPEATS or kind is constants.POSSESSIVE_REPEAT:
        return [value[2]]
    if kind is constants.SUBPATTERN:
        return [value[3]]
    if kind is constants.BRANCH:
        return list(value[1])
    if kind in (constants.ASSERT, constants.ASSERT_NOT):
        return [value[1]]
    return []
