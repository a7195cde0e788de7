"""What stands in messages for bytes, and JSON inside of other texts."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

_BASE64: Final = {"base64"}

_raw = msgspec.json.Decoder(msgspec.Raw).decode


def json_text(text: bytes | str) -> msgspec.Raw:
    """A text that is one JSON value, unread.

    Raises:
        ValueError: it is none.
    """
    try:
        return _raw(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def is_bytes(value: object) -> bool:
    """Whether a value of a message stands for bytes: ``{"base64": TEXT}``."""
    return type(value) is dict and value.keys() == _BASE64 and isinstance(value["base64"], str)


def bytes_of(value: Any) -> bytes:
    """The bytes that a value stands for.

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("`base64` is not valid base64") from None


def with_bytes(value: Any) -> Any:
    """A value of a message with bytes where ``{"base64": TEXT}`` stands."""
    if type(value) is dict:
        if is_bytes(value):
            return bytes_of(value)
        return {key: with_bytes(each) for key, each in value.items()}
    if type(value) is list:
        return [with_bytes(each) for each in value]
    return value


def compact(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()
