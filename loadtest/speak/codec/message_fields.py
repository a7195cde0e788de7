"""The fields of a message that is to be sent: each is taken once; what is wrong or unknown is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MessageFields:
    """The fields of one message; every reader raises ValueError, with a sentence, for a wrong value."""

    __slots__ = ("_left", "type")

    def __init__(self, message: Any) -> None:
        if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
            raise ValueError('a message must be an object with a `type`, such as {"type": "event"}')  # noqa: TRY004 - as all wrong values
        self.type: str = message["type"]
        self._left = {key: value for key, value in message.items() if key != "type"}

    def take(self, key: str, default: Any = None) -> Any:
        """Whatever stands there."""
        return self._left.pop(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        value = self._left.pop(key, default)
        if not isinstance(value, str):
            raise ValueError(f"`{key}` of `{self.type}` must be text")  # noqa: TRY004 - as all wrong values
        return value

    def number(self, key: str, default: int | None = None, most: int = 65_535) -> int:
        """A whole number from 0."""
        value = self._left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise ValueError(f"`{key}` of `{self.type}` must be a whole number from 0 to {most}")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise ValueError(f"`{key}` of `{self.type}` must be true or false")  # noqa: TRY004 - as all wrong values
        return value

    def items(self, key: str) -> list[Any]:
        """A list; empty where it is not written."""
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, list):
            raise ValueError(f"`{key}` of `{self.type}` must be a list")
        return value or []

    def close(self) -> None:
        """Refuse what was not taken: it would not be sent."""
        if self._left:
            raise ValueError(f"`{self.type}` has no `{next(iter(self._left))}`; remove it")
