"""Anything as JSON that every reader accepts: no NaN, no infinity, no half surrogate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

LARGEST = 10**30
"""Far above any number of a run (instants are nanoseconds), and far below where arithmetic overflows."""

DEEPEST = 64
"""Tables within tables; a manifest has about ten."""


def plain(data: Any) -> Any:
    """``data`` as JSON knows it: a number that is not finite becomes null, what is unknown its text."""
    if isinstance(data, np.generic):
        data = data.item()
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset | np.ndarray):
        return [plain(item) for item in data]
    if isinstance(data, bytes | bytearray):
        return bytes(data).decode("utf-8", "replace")
    return data.isoformat() if isinstance(data, datetime) else str(data)


def parsed(text: str | bytes) -> Any:
    """What JSON says that somebody else may have written.

    Raises:
        ValueError: it is not JSON, nested too deeply, or holds a number that no arithmetic can bear.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if why := unbearable(found):
        raise ValueError(why)
    return found


def json_text(data: Any, indent: int | None = None) -> str:
    """``data`` as JSON text that can be written in UTF-8."""
    text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, indent=indent)
    return text.encode("utf-8", "replace").decode()


def unbearable(found: object) -> str | None:
    """Why nothing of ours made this JSON: a number that is too large, or too many tables within tables."""
    waiting = [(found, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            return "it is nested too deeply"
        if isinstance(node, dict):
            waiting.extend((each, depth + 1) for each in node.values())
        elif isinstance(node, list):
            waiting.extend((each, depth + 1) for each in node)
        elif isinstance(node, int | float) and abs(node) > LARGEST:
            return f"the file contains the number {_short(node)}, which is too large for a run"
    return None


def _short(number: float) -> str:
    """A number that may be too large for a float, or for the digits that Python writes."""
    try:
        return f"{number:.3g}"
    except OverflowError:
        return f"of {number.bit_length() if isinstance(number, int) else 1024} bits"
