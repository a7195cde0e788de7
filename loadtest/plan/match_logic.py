"""What follows from the conditions of a match alone: that none can fit, that another one fits as well.

Both are said only where they are certain, whatever an event may be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadtest.plan.match import NULL, FieldTest


def never_true(wanted: Sequence[FieldTest]) -> str:
    """Why no event can meet all conditions; "" where one may."""
    for path in dict.fromkeys(each.path for each in wanted):
        if why := _never_at(path, [each for each in wanted if each.path == path]):
            return why
    for each in wanted:
        for other in wanted:
            if why := _never_below(each, other):
                return why
    return ""


def _name(path: str | None) -> str:
    return "the type" if path is None else f"`{path}`"


def _never_at(path: str | None, tests: Sequence[FieldTest]) -> str:
    """Why nothing can meet all conditions on one path."""
    how = {each.how for each in tests}
    if {"has", "lacks"} <= how:
        return f"it requires {_name(path)} to be both present and absent"
    values = _values(tests)
    if values is not None and not values:
        return f"no value of {_name(path)} fits all its conditions"
    if "lacks" in how and (how & {"prefix", "regex"} or (values is not None and NULL not in values)):
        return f"it requires {_name(path)} to be absent and also to have a value"
    prefixes = sorted((each.wanted[0] for each in tests if each.how == "prefix"), key=len)
    if any(not prefixes[-1].startswith(each) for each in prefixes):
        return f"it requires {_name(path)} to begin with two different texts"
    return ""


def _values(tests: Sequence[FieldTest]) -> set[str] | None:
    """The values that all conditions on one path leave; None where any may."""
    lists = [set(each.wanted) for each in tests if each.how == "in"]
    if not lists:
        return None
    return {text for text in set.intersection(*lists) if all(_fits(each, text) for each in tests)}


def _fits(test: FieldTest, text: str) -> bool:
    if test.how == "prefix":
        return text.startswith(test.wanted[0])
    return test.how != "regex" or re.search(test.wanted[0], text) is not None


def _never_below(outer: FieldTest, inner: FieldTest) -> str:
    """Why one condition leaves no place for what another asks further in."""
    if outer.path is None or inner.path is None or inner.how == "lacks":
        return ""
    if not inner.path.startswith(f"{outer.path}."):
        return ""
    if outer.how == "lacks":
        return (
            f"it requires {_name(outer.path)} to be absent, but {_name(inner.path)} inside it to be present"
        )
    is_scalar = outer.how in {"prefix", "regex"} or (outer.how == "in" and not _holds_more(outer))
    if not is_scalar:
        return ""
    return f"it requires {_name(outer.path)} to be a single value, but also to contain {_name(inner.path)}"


def _holds_more(test: FieldTest) -> bool:
    """Whether one of the values wanted may be the text of an object or an array."""
    return any(text.startswith(("{", "[")) for text in test.wanted)


def implies(wanted: Sequence[FieldTest], other: Sequence[FieldTest]) -> bool:
    """Whether every event that meets the first conditions meets the others."""
    return bool(wanted) and bool(other) and all(any(_one(each, of) for each in wanted) for of in other)


def _one(given: FieldTest, asked: FieldTest) -> bool:
    """Whether one condition alone brings another."""
    if given == asked:
        return True
    if asked.how in {"has", "lacks"}:
        return _presence(given, asked)
    if given.path != asked.path:
        return False
    if asked.how == "in":
        return given.how == "in" and set(given.wanted) <= set(asked.wanted)
    if given.how == "in":
        # What is no scalar, and null, begins with nothing.
        plain = not _holds_more(given) and NULL not in given.wanted
        return plain and all(_fits(asked, text) for text in given.wanted)
    return given.how == asked.how == "prefix" and given.wanted[0].startswith(asked.wanted[0])


def _presence(given: FieldTest, asked: FieldTest) -> bool:
    if given.path is None or asked.path is None:
        return False
    if asked.how == "lacks":
        return given.how == "lacks" and asked.path.startswith(f"{given.path}.")
    there = given.how in {"has", "prefix", "regex"} or (given.how == "in" and NULL not in given.wanted)
    inside = given.path.startswith(f"{asked.path}.") and given.how != "lacks"
    return inside or (there and given.path == asked.path)
