"""What JSON can hold of what TOML can say."""

from __future__ import annotations

from collections.abc import Mapping


def is_cut(error: ValueError, text: str) -> bool:
    """Whether a text is wrong as JSON only in that it ends too early."""
    at = getattr(error, "pos", 0)
    return at >= len(text.rstrip()) - 1 or "Unterminated" in str(error)


def is_plain(value: object) -> bool:
    """Whether JSON can hold the value: no dates, no infinite numbers."""
    if isinstance(value, list):
        return all(is_plain(each) for each in value)
    if isinstance(value, Mapping):
        return all(is_plain(each) for each in value.values())
    return isinstance(value, (str, int)) or (isinstance(value, float) and abs(value) < float("inf"))
