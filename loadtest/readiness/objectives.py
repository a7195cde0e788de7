"""An objective in checkable form: an operator and a limit, and the units that limits are written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from loadtest.plan.threshold import COMPARE, EXPRESSION, Operator
from loadtest.units import (
    FORMATS,
    NS_PER,
    format_count,
    format_number,
    parse_bytes,
    parse_duration,
    parse_rate,
    parse_ratio,
)

Unit = Literal["ms", "count", "ratio", "per_s", "impact", "number", "days", "cores", "bytes"]

IMPACTS = ("none", "minor", "moderate", "critical")
"""How bad the worst business impact is, from nothing up; compared by their place here."""

EXAMPLES: Mapping[Unit, str] = {
    "ms": "< 500ms",
    "count": ">= 3",
    "ratio": "< 50%",
    "per_s": "> 20/s",
    "impact": ">= critical",
    "number": "< 0.5",
    "days": "< 14d",
    "cores": "< 1.5",
    "bytes": "< 512MiB",
}

DAYS_OF_NOTE = 30
"""So many days are told with a decimal."""

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


OPPOSITE: Mapping[Operator, Operator] = {
    "<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "==",
}  # fmt: skip


def opposite(expression: str) -> str:
    """The expression that holds where this one does not: "< 50%" of ">= 50%"."""
    match = EXPRESSION.fullmatch(expression.strip())
    return f"{OPPOSITE[cast('Operator', match[1])]} {match[2].strip()}" if match else expression


@dataclass(frozen=True, slots=True)
class Objective:
    """``expression`` as written; ``limit`` in ``unit`` (durations in milliseconds, ratios 0 to 1)."""

    expression: str
    operator: Operator
    limit: float
    unit: Unit

    def holds(self, value: float) -> bool:
        """Whether ``value``, in the objective's unit, keeps it."""
        return COMPARE[self.operator](value, self.limit)


def parse_objective(expression: str, unit: Unit) -> Objective:
    """An objective such as "< 500ms" for a value of that unit.

    Raises:
        ValueError: one sentence that shows the right form.
    """
    match = EXPRESSION.fullmatch(expression.strip())
    if match is None:
        raise ValueError(
            f'"{expression}" is not an operator with a value; write for example "{EXAMPLES[unit]}"',
        )
    return Objective(expression.strip(), cast("Operator", match[1]), _limit(match[2].strip(), unit), unit)


def _limit(text: str, unit: Unit) -> float:
    if unit == "ms":
        return parse_duration(text) / 1_000_000
    if unit == "days":
        return parse_duration(text) / NS_PER["d"]
    if unit == "ratio":
        return parse_ratio(text)
    if unit == "impact":
        if text not in IMPACTS:
            raise ValueError(f'"{text}" is not a business impact; write one of {", ".join(IMPACTS)}')
        return IMPACTS.index(text)
    if (unit == "per_s" and "/" in text) or (unit == "bytes" and not _NUMBER.fullmatch(text)):
        return parse_rate(text) if unit == "per_s" else float(parse_bytes(text))
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'"{text}" is not a number; write for example "{EXAMPLES[unit]}"')
    return float(text)


def format_value(value: float | None, unit: Unit) -> str:
    """A value as views print it; None is "not measured"."""
    if value is None:
        return "not measured"
    if unit in _SHOWN:
        return _SHOWN[unit](value)
    return format_count(int(value)) if float(value).is_integer() else format_number(value)


def _days(value: float) -> str:
    return f"{value:.1f} d" if abs(value) < DAYS_OF_NOTE else f"{value:,.0f} d"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    **FORMATS,
    "days": _days,
    "impact": lambda value: IMPACTS[int(value)],
}
