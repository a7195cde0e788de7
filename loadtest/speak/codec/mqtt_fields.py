"""The fields that packets of MQTT are made of (section 1.5): numbers, texts, data, lengths."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

MAX_VARINT: Final = 268_435_455
"""The largest number that four bytes of seven bits hold (section 1.5.5)."""


class PacketReader:
    """Reads the fields of one packet in order; ValueError where one is longer than the packet."""

    __slots__ = ("_body", "at", "end")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.at = 0
        self.end = len(body)

    def take(self, size: int) -> bytes:
        """So many bytes."""
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise ValueError("the packet ends in the middle of a field")
        return self._body[start : self.at]

    def number(self, size: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def data(self) -> bytes:
        """Bytes after their number."""
        return self.take(self.number(2))

    def text(self) -> str:
        """Text after the number of its bytes."""
        return self.data().decode()

    def varint(self) -> int:
        """A number in one to four bytes of seven bits."""
        found = 0
        for place in range(4):
            byte = self.number(1)
            found |= (byte & 0x7F) << (7 * place)
            if not byte & 0x80:
                return found
        raise ValueError("a number of variable length has more than 4 bytes")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.end - self.at)

    @property
    def left(self) -> bool:
        """Whether anything is left."""
        return self.at < self.end


def varint(value: int) -> bytes:
    """A number in as many bytes of seven bits as it needs.

    Raises:
        ValueError: it needs more than four.
    """
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"the length is {value:,} bytes, but MQTT allows at most {MAX_VARINT:,}")
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def text_of(name: str, value: Any) -> bytes:
    """A text after its length."""
    if not isinstance(value, str):
        raise ValueError(f"`{name}` must be text")  # noqa: TRY004 - as all wrong values of a message
    return _sized(name, value.encode())


def data_of(name: str, value: Any) -> bytes:
    """Data, given as base64, after its length."""
    try:
        return _sized(name, base64.b64decode(value, validate=True))
    except (binascii.Error, TypeError):
        raise ValueError(f"`{name}` must be base64") from None


def number_of(name: str, value: Any, size: int) -> bytes:
    """A number in so many bytes."""
    most = (1 << 8 * size) - 1
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"`{name}` must be a whole number from 0 to {most}")
    return value.to_bytes(size, "big")


def _sized(name: str, content: bytes) -> bytes:
    if len(content) > 65_535:
        raise ValueError(f"`{name}` may have at most 65,535 bytes, not {len(content):,}")
    return len(content).to_bytes(2, "big") + content
