"""Codecs as a stranger may write them, good and bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any


class Plain:
    """Names after a length each, in binary; with no more than a codec must have."""

    def decode(self, frame: str | bytes) -> list[Any]:
        return [json.loads(frame)]

    def encode(self, message: Any) -> bytes:
        return json.dumps(message).encode()


class Raising(Plain):
    def decode(self, frame: str | bytes) -> list[Any]:
        raise KeyError("seq")


class HalfWay(Plain):
    def decode(self, frame: str | bytes) -> Iterator[Any]:
        yield {"first": 1}
        raise ValueError("the rest\nis no text")


class Endless(Plain):
    def decode(self, frame: str | bytes) -> Iterator[Any]:
        return repeat({})


class Growing(Plain):
    def decode(self, frame: str | bytes) -> list[Any]:
        return [{"x": "y" * 5_000}]


class Holding(Plain):
    held = 0

    def decode(self, frame: str | bytes) -> list[Any]:
        self.held += len(frame)
        return []


class Rubbish(Plain):
    def __init__(self, given: Any = None, *, made: Any = None, replies: Any = ()) -> None:
        self.given = given
        self.made = made
        self.replies = replies

    def decode(self, frame: str | bytes) -> Any:
        return self.given

    def encode(self, message: Any) -> Any:
        return self.made


class Careless:
    """No codec at all."""


class Costly:
    def __init__(self) -> None:
        raise RuntimeError("no licence")


NUMBER = 5
