"""CBOR (RFC 8949): each binary frame is one message, as is each that is sent.

Bytes arrive as base64 text; ``{"base64": TEXT}`` is sent as bytes. A tag builds nothing: it is
``{"tag": NUMBER, "value": VALUE}``, received and sent, but for those that add nothing to their value, which
arrives alone. Keys are text; whole numbers become text. ``undefined`` is null, another simple value is
``{"simple": NUMBER}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import Any, Final

import cbor2
import msgspec
from typing_extensions import override

from loadtest.speak.codec.codec import Codec, Frame
from loadtest.speak.codec.json_values import bytes_of, is_bytes

MAX_DEPTH: Final = 256
"""Arrays, maps and tags that may stand in each other."""

ALONE: Final = frozenset({0, 1, 32, 1004, 55_799})
"""Tags that only say what can be seen: dates as text or as seconds, a URI, a date, and that this is CBOR."""

_TAGGED: Final = {"tag", "value"}


class Cbor(Codec):
    """The codec ``cbor``."""

    @override
    def decode(self, frame: Frame) -> tuple[bytes]:
        if isinstance(frame, str):
            raise ValueError("the frame is text, but CBOR is binary")  # noqa: TRY004 - a fact about a frame
        file = BytesIO(frame)
        try:
            found = _json(_decoder(file).decode())
        except cbor2.CBORError as error:
            raise ValueError(f"the frame is not CBOR: {error.__cause__ or error}") from error
        if behind := len(frame) - file.tell():
            raise ValueError(f"{behind:,} bytes follow after the message")
        return (found,)

    @override
    def encode(self, message: Any) -> bytes:
        return cbor2.dumps(_sent(message))


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """What makes a value of a tag, for every number there is: no tag is left to the library."""

    def __missing__(self, number: int) -> Callable[[Any, bool], Any]:
        return partial(_tagged, number)


def _tagged(number: int, value: Any, _immutable: bool) -> dict[str, Any]:  # noqa: FBT001 - as the library calls it
    return {"tag": number, "value": value}


def _alone(value: Any, _immutable: bool) -> Any:  # noqa: FBT001 - as the library calls it
    return value


def _with_text_keys(found: Mapping[Any, Any], _immutable: bool) -> Mapping[Any, Any]:  # noqa: FBT001 - as the library calls it
    """A map as JSON can hold it.

    Raises:
        ValueError: a key is neither text nor a whole number, or two are the same text.
    """
    kinds = set(map(type, found))
    if kinds <= {str}:
        return found
    if not kinds <= {str, int}:
        raise ValueError("a key of a map is neither text nor a whole number")
    plain = {str(key): value for key, value in found.items()}
    if len(plain) < len(found):
        raise ValueError("two keys of a map have the same text")
    return plain


_decoder: Final = partial(
    cbor2.CBORDecoder,
    max_depth=MAX_DEPTH,
    allow_duplicate_keys=False,
    semantic_decoders=_Tags(dict.fromkeys(ALONE, _alone)),
    object_hook=_with_text_keys,
)


def _plain_value(value: Any) -> object:
    """What JSON has no form for: ``undefined``, and simple values."""
    if value is cbor2.undefined:
        return None
    return {"simple": value.value}


_json: Final = msgspec.json.Encoder(enc_hook=_plain_value).encode


def _sent(value: Any) -> Any:
    """A value of a message with bytes and tags where they are written."""
    if type(value) is dict:
        if is_bytes(value):
            return bytes_of(value)
        if value.keys() == _TAGGED and type(value["tag"]) is int and value["tag"] >= 0:
            return cbor2.CBORTag(value["tag"], _sent(value["value"]))
        return {key: _sent(each) for key, each in value.items()}
    if type(value) is list:
        return [_sent(each) for each in value]
    return value
