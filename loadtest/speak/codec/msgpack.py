"""MessagePack: each binary frame is one message, as is each that is sent.

Bytes arrive as base64 text; ``{"base64": TEXT}`` is sent as bytes. An extension arrives as
``{"ext": NUMBER, "base64": TEXT}``, a timestamp as its ISO 8601 text.
"""

from __future__ import annotations

from typing import Any

import msgspec
from typing_extensions import override

from loadtest.speak.codec.codec import Codec, Frame
from loadtest.speak.codec.json_values import with_bytes

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode


class MessagePack(Codec):
    """The codec ``msgpack``."""

    @override
    def decode(self, frame: Frame) -> tuple[Any]:
        if isinstance(frame, str):
            raise ValueError("the frame is text, but MessagePack is binary")  # noqa: TRY004 - a fact about a frame
        return (_decode(frame),)

    @override
    def encode(self, message: Any) -> bytes:
        return _encode(with_bytes(message))
