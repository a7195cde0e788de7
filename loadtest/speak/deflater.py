"""Compresses the messages that one connection sends (RFC 7692), as its two sides have agreed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Final

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate

from loadtest.speak.frames import BINARY, DEFLATE_TAIL, RSV1, TEXT, encode

_MESSAGES: Final = frozenset({TEXT, BINARY})


def negotiated(extensions: Sequence[Extension]) -> PerMessageDeflate | None:
    """The compression that both sides agreed to; None where there is none."""
    return next((each for each in extensions if isinstance(each, PerMessageDeflate)), None)


class Deflater:
    """Makes the frames of one connection's messages; its window is no larger than the target allows.

    Where contexts are taken over, a message refers to those before it: what was encoded has to be sent, in
    its order. ``count`` is told of each message: its bytes, and those of its frame, head included.
    """

    __slots__ = ("_bits", "_count", "_encoder")

    def __init__(self, agreed: PerMessageDeflate, count: Callable[[int, int], None]) -> None:
        self._bits = agreed.local_max_window_bits
        self._encoder = None if agreed.local_no_context_takeover else agreed.encoder
        self._count = count

    def encode(self, payload: bytes | memoryview, opcode: int = TEXT) -> bytes:
        """One frame; what is no message, or empty, is not compressed."""
        if opcode not in _MESSAGES or not payload:
            return encode(payload, opcode)
        encoder = self._encoder or zlib.compressobj(wbits=-self._bits)
        packed = encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH)
        frame = encode(packed.removesuffix(DEFLATE_TAIL), RSV1 | opcode)
        self._count(len(payload), len(frame))
        return frame
