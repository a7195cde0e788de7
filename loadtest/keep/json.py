"""Anything as JSON that every reader accepts: no NaN, no infinity, no half surrogate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np


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
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_text(data: Any, indent: int | None = None) -> str:
    """``data`` as JSON text that can be written in UTF-8."""
    text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, indent=indent)
    return text.encode("utf-8", "replace").decode()
