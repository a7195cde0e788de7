"""The other way round: whether a text was made by a template, and what stood in its gaps."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from loadtest.plan.match import value_text
from loadtest.plan.template import PLACEHOLDER, Template, ends_inside

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Stand around the number of a gap: characters of the private use area, which no template holds."""

_GAP = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class TemplateMatch:
    """Finds the texts that a template makes.

    Where template and text are JSON they are compared as such: spaces and the order of keys are nothing.
    """

    __slots__ = ("_around", "_codes", "_names", "_shape")

    def __init__(self, template: Template) -> None:
        self._names = tuple(name for _, name, _ in template.slots)
        self._codes = tuple(found[1] for found in PLACEHOLDER.finditer(template.text))
        self._around = template.parts[::2]
        self._shape = _json_shape(self._around)

    def asks(self, name: str) -> bool:
        """Whether the template has a gap of that name."""
        return name in self._names

    def values(self, text: str) -> dict[str, str] | None:
        """What stands for each name; None: the template does not make this text."""
        values = _between(self._around, text) if self._shape is None else self._values_of_json(text)
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
        """A name that stands in two gaps has one value, however it is coded in each."""
        named: dict[str, str] = {}
        for name, code, coded in zip(self._names, self._codes, values, strict=True):
            value = _decoded(code, coded)
            if value is None or named.setdefault(name, value) != value:
                return None
        return named


def _decoded(code: str | None, text: str) -> str | None:
    """The value of a gap as it was before it was coded; None where it cannot have been coded so."""
    if code == "urlencode":
        return unquote(text)
    if code != "base64":
        return text
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape")
    except ValueError:
        return None


def _json_shape(around: tuple[str, ...]) -> Any:
    """The template as JSON, with marks in its gaps; None where it is no JSON."""
    pieces = [around[0]]
    inside = ends_inside(around[0], inside=False)
    for gap, text in enumerate(around[1:]):
        mark = f"{_OPEN}{gap}{_CLOSE}"
        pieces += [mark if inside else f'"{mark}"', text]
        inside = ends_inside(text, inside=inside)
    try:
        shape = json.loads("".join(pieces))
    except (ValueError, RecursionError):
        return None
    return shape if isinstance(shape, (dict, list)) else None


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
    between = _between(pieces[::2], found)
    if between is None:
        return False
    values.update(zip(map(int, pieces[1::2]), between, strict=True))
    return True


def _between(around: Sequence[str], text: str) -> list[str] | None:
    """What stands between the pieces of a text, each as short as may be; None: they do not make the text.

    Each piece is looked for behind the one before it, so that the time grows with the length alone.
    """
    first, *others = around
    if not others:
        return [] if text == first else None
    *inner, last = others
    at, end = len(first), len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last):
        return None
    found: list[str] = []
    for piece in inner:
        place = text.find(piece, at, end)
        if place < 0:
            return None
        found.append(text[at:place])
        at = place + len(piece)
    return [*found, text[at:end]] if at <= end else None
