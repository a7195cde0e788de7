"""How the truth server frames an answer: one whole frame, three fragments, one compressed, one of 64 KiB."""

from __future__ import annotations

import zlib
from collections.abc import Callable

LARGE = 65_536
"""Bytes of the message of a large answer."""

WINDOW_BITS, MEMORY_LEVEL = 9, 1
"""The smallest compressor there is: each answer has one of its own, so that no context is taken over."""

Framing = Callable[[bytes], bytes]
"""Makes the bytes on the wire of an answer's payload, a JSON object."""


def _frame(head: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload


def _whole(payload: bytes) -> bytes:
    return _frame(0x81, payload)


def _fragmented(payload: bytes) -> bytes:
    third = len(payload) // 3
    first, second, last = payload[:third], payload[third : 2 * third], payload[2 * third :]
    return _frame(0x01, first) + _frame(0x00, second) + _frame(0x80, last)


def _compressed(payload: bytes) -> bytes:
    """RFC 7692 section 7.2.1: without the last four bytes of the flush."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -WINDOW_BITS, MEMORY_LEVEL)
    return _frame(0xC1, (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4])


def _large(payload: bytes) -> bytes:
    head = payload[:-1] + b',"text":"'
    return _whole(head + b"x" * (LARGE - len(head) - 2) + b'"}')


FRAMINGS: dict[str, Framing] = {"fragmented": _fragmented, "compressed": _compressed, "large": _large}


def framing_of(delay: str) -> Framing:
    """The framing of one of ``DELAYS``; most answer in one whole frame."""
    return FRAMINGS.get(delay, _whole)
