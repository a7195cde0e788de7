"""Dates as HTTP writes them (RFC 9110, 5.6.7)."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz


def http_date(text: str) -> float | None:
    """Unix time in seconds; None where the text is no date."""
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None
