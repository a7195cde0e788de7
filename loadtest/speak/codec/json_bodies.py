"""Bodies of other protocols as they stand in messages: JSON, text or bytes."""

from __future__ import annotations

import base64
from typing import Any

from loadtest.speak.codec.json_values import bytes_of, compact, is_bytes, json_text


def body_of(content: bytes) -> Any:
    """A body in a message: a JSON object or array, other text as text, bytes as ``{"base64": TEXT}``."""
    if content[:1] in {b"{", b"["}:
        try:
            return json_text(content)
        except ValueError:
            pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def content_of(body: Any) -> bytes:
    """The bytes of a body."""
    if isinstance(body, str):
        return body.encode()
    return bytes_of(body) if is_bytes(body) else compact(body).encode()
