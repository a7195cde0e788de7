"""JSON: plain data without NaN or infinity; what does not exist is null."""

from __future__ import annotations

from typing import Any

from loadtest.keep.json import json_text


def as_json(data: Any) -> str:
    """Indented, ending with a newline."""
    return json_text(data, indent=2) + "\n"
