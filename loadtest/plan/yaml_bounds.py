"""How much a YAML text holds, told from its events, before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class _Open(NamedTuple):
    """A list or a mapping that is not at its end; ``before``: values that came before it."""

    anchor: str | None
    before: int


class YamlBounds:
    """Counts values, those that aliases repeat as often as they stand there, and how deep they are nested.

    Keys are counted too. Merge keys (``<<``) repeat what aliases do, so they are bounded with them.
    """

    def __init__(self, events: Iterable[Any]) -> None:
        self._events = events
        self._open: list[_Open] = []
        self._weights: dict[str | None, int] = {}
        self._values = 0

    def exceeded(self, most: int, deepest: int) -> str:
        """The first bound that is exceeded, ``values`` or ``depth``; "" where none is. Reads no further."""
        for event in self._events:
            self._count(event, type(event).__name__)
            if self._values > most:
                return "values"
            if len(self._open) > deepest:
                return "depth"
        return ""

    def _count(self, event: Any, kind: str) -> None:
        if kind in {"SequenceStartEvent", "MappingStartEvent"}:
            self._open.append(_Open(event.anchor, self._values))
            self._values += 1
        elif kind in {"SequenceEndEvent", "MappingEndEvent"}:
            ended = self._open.pop()
            self._weights[ended.anchor] = self._values - ended.before
        elif kind == "ScalarEvent":
            self._values += 1
        elif kind == "AliasEvent":
            self._values += self._weights.get(event.anchor, 1)
