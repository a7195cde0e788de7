"""What an event must carry: one language for every place of a protocol that names events.

A match is a type, as text, or a table of conditions that must all hold. Values compare as text by one rule:
text as it is, ``true``, ``false`` and ``null``, a number in its shortest form (3.0 is ``3``), what is no
scalar as JSON writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from loadtest.plan.printable_text import visible
from loadtest.plan.template import plain

Match = str | Mapping[str, object]
"""As it is written: an event type, or a table. Valid once ``plan.match_file`` has read it."""

TYPE = "type"
"""The key that stands for the event's type, wherever the protocol finds it; any other key is a path."""

PRESENCE = ("has", "lacks")
"""Keys that name paths and not values: something other than null stands there, or nothing does."""

TESTS = ("in", "prefix", "regex")
"""What may be asked of a value instead of being equal to it; as keys of a match they ask it of the type."""

KEEP = "keep"
"""The key of a match that asks for nothing: a table of names, and paths of the values to keep under them."""

NULL = "null"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")


class FieldTest(NamedTuple):
    """One condition of a match. ``path`` None is the event's type.

    ``how`` "in": the value is one of ``wanted``; "prefix", "regex": it is a scalar that begins with
    ``wanted[0]``, or in which that pattern is found; "has", "lacks": something other than null stands there,
    or nothing does.
    """

    path: str | None
    how: Literal["in", "prefix", "regex", "has", "lacks"]
    wanted: tuple[str, ...] = ()


def value_text(value: object) -> str:
    """A value of an event as it is compared: by the one rule."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain(value)


def wanted_texts(value: object) -> tuple[str, ...]:
    """What ``value_text`` may give for a value that equals a written one: ``"3.0"`` is the text and 3."""
    text = value_text(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return tuple(dict.fromkeys((text, value_text(json.loads(value)))))
    return (text,)


def conditions(match: Match, *, typed: bool = True) -> tuple[FieldTest, ...]:
    """The conditions of a match; ``typed``: the protocol says where types stand.

    Without, ``type`` in a table is a path as any other.
    """
    if isinstance(match, str):
        return (FieldTest(None, "in", wanted_texts(match)),)
    of_type = None if typed else TYPE
    asked = ((key, value) for key, value in match.items() if not is_keep(key, value))
    return tuple(each for key, value in asked for each in _conditions_of(key, value, of_type))


def is_keep(key: str, value: object) -> bool:
    """Whether a key of a match says what to keep; a scalar there is asked for as at any other path."""
    return key == KEEP and isinstance(value, Mapping)


def kept_by(match: Match | None) -> dict[str, str]:
    """What a match keeps of the events that fit: path by name."""
    keep = match.get(KEEP) if isinstance(match, Mapping) else None
    return {str(name): str(path) for name, path in keep.items()} if isinstance(keep, Mapping) else {}


def _conditions_of(key: str, value: object, of_type: str | None) -> Iterator[FieldTest]:
    if key in PRESENCE:
        for path in value if isinstance(value, (list, tuple)) else [value]:
            yield FieldTest(str(path), "has" if key == "has" else "lacks")
    elif key in TESTS:
        yield _tested(of_type, key, value)
    elif isinstance(value, Mapping):
        for how, wanted in value.items():
            yield _tested(of_type if key == TYPE else key, how, wanted)
    else:
        yield FieldTest(of_type if key == TYPE else key, "in", wanted_texts(value))


def _tested(path: str | None, how: str, wanted: object) -> FieldTest:
    if how == "in":
        values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        return FieldTest(path, "in", tuple(text for each in values for text in wanted_texts(each)))
    return FieldTest(path, "prefix" if how == "prefix" else "regex", (str(wanted),))


def match_words(match: Match) -> str:
    """A match in words: a type as it is, else "type = ping, data.n = 3"; control characters are escaped."""
    return visible(match if isinstance(match, str) else ", ".join(_words_of(match)))


def _words_of(match: Mapping[str, object]) -> Iterator[str]:
    for key, value in match.items():
        if is_keep(key, value):
            continue
        if key in PRESENCE:
            listed = value if isinstance(value, (list, tuple)) else [value]
            yield f"{key} {' and '.join(map(str, listed))}"
        elif key in TESTS:
            yield _tested_words(TYPE, key, value)
        elif isinstance(value, Mapping):
            yield from (_tested_words(key, how, wanted) for how, wanted in value.items())
        else:
            yield f"{key} = {value_text(value)}"


_HOW = {"in": "in", "prefix": "begins with", "regex": "fits"}


def _tested_words(path: str, how: str, wanted: object) -> str:
    if isinstance(wanted, (list, tuple)):
        return f"{path} {_HOW[how]} {', '.join(map(value_text, wanted))}"
    return f"{path} {_HOW[how]} {value_text(wanted)}"
