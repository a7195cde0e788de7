"""The other way round: whether a text was made by a template, and what stood in its gaps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from loadtest.plan.match import value_text
from loadtest.plan.template import Template

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Stand around the number of a gap: characters of the private use area, which no template holds."""

_GAP = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


LONGEST = 65_536
"""Characters of a text in which several gaps are looked for: the time grows with a power of the length."""


class TemplateMatch:
    """Finds the texts that a template makes.

    Where template and text are JSON they are compared as such: spaces and the order of keys are nothing.
    """

    __slots__ = ("_names", "_pattern", "_shape")

    def __init__(self, template: Template) -> None:
        self._names = tuple(name for _, name, _ in template.slots)
        around = template.parts[::2]
        self._shape = _json_shape(around)
        gaps = (f"(?P<g{gap}>.*?)" for gap in range(len(self._names)))
        pieces = [re.escape(around[0])]
        for gap, text in zip(gaps, around[1:], strict=True):
            pieces += [gap, re.escape(text)]
        self._pattern = re.compile("".join(pieces), re.DOTALL)

    def values(self, text: str) -> dict[str, str] | None:
        """What stands for each name; None: the template does not make this text."""
        if self._shape is None:
            too_long = len(text) > LONGEST and len(self._names) > 1
            found = None if too_long else self._pattern.fullmatch(text)
            values = None if found is None else list(found.groups())
        else:
            values = self._values_of_json(text)
        return None if values is None else self._by_name(values)

    def _values_of_json(self, text: str) -> list[str] | None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        values: dict[int, str] = {}
        if not _fits(self._shape, found, values):
            return None
        return [values.get(gap, "") for gap in range(len(self._names))]

    def _by_name(self, values: list[str]) -> dict[str, str] | None:
        """A name that stands in two gaps has one value."""
        named: dict[str, str] = {}
        for name, value in zip(self._names, values, strict=True):
            if named.setdefault(name, value) != value:
                return None
        return named


def _json_shape(around: tuple[str, ...]) -> Any:
    """The template as JSON, with marks in its gaps; None where it is no JSON."""
    pieces = [around[0]]
    inside = _ends_inside(around[0], inside=False)
    for gap, text in enumerate(around[1:]):
        mark = f"{_OPEN}{gap}{_CLOSE}"
        pieces += [mark if inside else f'"{mark}"', text]
        inside = _ends_inside(text, inside=inside)
    try:
        shape = json.loads("".join(pieces))
    except (ValueError, RecursionError):
        return None
    return shape if isinstance(shape, (dict, list)) else None


def _ends_inside(piece: str, *, inside: bool) -> bool:
    """Whether a piece of JSON ends inside a string; ``inside``: it begins there."""
    escape = False
    for letter in piece:
        if escape:
            escape = False
        elif inside and letter == "\\":
            escape = True
        elif letter == '"':
            inside = not inside
    return inside


def _fits(shape: Any, found: Any, values: dict[int, str]) -> bool:
    """Whether a value has the shape; what stands in gaps is put into ``values``."""
    if isinstance(shape, Mapping):
        same = isinstance(found, Mapping) and shape.keys() == found.keys()
        return same and all(_fits(shape[key], found[key], values) for key in shape)
    if isinstance(shape, list):
        same = isinstance(found, list) and len(found) == len(shape)
        return same and all(_fits(each, one, values) for each, one in zip(shape, found, strict=True))
    if not isinstance(shape, str) or _OPEN not in shape:
        return type(shape) is type(found) and bool(shape == found)
    whole = _GAP.fullmatch(shape)
    if whole is not None:
        values[int(whole[1])] = value_text(found)
        return True
    return isinstance(found, str) and _fits_text(shape, found, values)


def _fits_text(shape: str, found: str, values: dict[int, str]) -> bool:
    """As ``_fits``, of a text that has gaps in it."""
    pieces = _GAP.split(shape)
    if len(found) > LONGEST and len(pieces) > 3:
        return False
    pattern = "".join("(.*?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))
    match = re.fullmatch(pattern, found, re.DOTALL)
    if match is None:
        return False
    values.update(zip(map(int, pieces[1::2]), match.groups(), strict=True))
    return True
