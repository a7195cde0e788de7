"""How often: a duration, or a number that the target dictates and a unit."""

from __future__ import annotations

import re
from typing import NamedTuple

from loadtest.units import NS_PER, format_duration, parse_duration

MIN_NS = 100_000_000
"""No interval is shorter, whatever a target dictates."""

MAX_NS = 86_400_000_000_000
"""Nor longer."""

_DICTATED = re.compile(r"\{kept\.([A-Za-z0-9_]+)\} ?([a-z]{1,3})")


class Period(NamedTuple):
    """``ns`` where it is written; else the number kept as ``name`` times ``unit_ns``."""

    ns: int | None
    name: str = ""
    unit_ns: int = 0

    def length_ns(self, value: object) -> int | None:
        """The interval where the target said ``value``; None where that is no number."""
        if self.ns is not None:
            return self.ns
        try:
            dictated = float(value) if isinstance(value, (int, float, str)) else None
            said_ns = None if dictated is None else round(dictated * self.unit_ns)
        except (ValueError, OverflowError):
            return None
        if said_ns is None or isinstance(value, bool) or said_ns <= 0:
            return None
        return min(max(said_ns, MIN_NS), MAX_NS)


def parse_period(text: str) -> Period:
    """Of "30s", or of "{kept.interval}ms".

    Raises:
        ValueError: one sentence that shows the right form.
    """
    match = _DICTATED.fullmatch(text.strip())
    if match is not None and match[2] in NS_PER:
        return Period(None, match[1], NS_PER[match[2]])
    if "{" in text:
        raise ValueError('this is not a kept value with a unit; write for example "{kept.interval}ms"')
    ns = parse_duration(text)
    if not MIN_NS <= ns <= MAX_NS:
        bounds = f"from {format_duration(MIN_NS)} to {format_duration(MAX_NS)}"
        raise ValueError(f"the interval must be {bounds}, not {format_duration(ns)}")
    return Period(ns)
