"""Words for quantities: "30s", "100ms", "20/s" and "99%" in; "1.42 ms", "2 min 5 s" and "1,234/s" out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

NS_PER_S = 1_000_000_000
MIB = 1 << 20

NS_PER = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Nanoseconds in one unit. Both the micro sign and the Greek mu are read."""

PER_SECOND = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
"""Seconds in the unit a rate is counted over."""

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
"""Bytes in one unit."""

_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,18})?)"
_DURATION = re.compile(_NUMBER + r" ?([a-zµμ]{1,3})")
_RATE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,24})?(?:e[+-]?[0-9]{1,2})?) ?/ ?([a-z]{1,3})")
_SIZE = re.compile(_NUMBER + r" ?([A-Za-z]{1,3})")
_RATIO = re.compile(_NUMBER + r" ?%")


def cut(word: str) -> str:
    """A word as a sentence quotes it: not longer than 60 characters."""
    return word if len(word) <= 60 else f"{word[:57]}..."


def parse_duration(text: str) -> int:
    """Nanoseconds of "30s", "100ms", "1.5us", "2m", "1h".

    Raises:
        ValueError: one sentence that shows the right form.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or match[2] not in NS_PER:
        unit = " (it has no unit)" if re.fullmatch(_NUMBER, text.strip()) else ""
        raise ValueError(
            f'"{cut(text)}" is not a duration{unit}; write a number and a unit: "100ms", "30s", "2m"'
        )
    return round(Fraction(match[1]) * NS_PER[match[2]])


def parse_rate(text: str) -> float:
    """Per second, of "20/s", "100/m", "3/h".

    Raises:
        ValueError: one sentence that shows the right form.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None or match[2] not in PER_SECOND:
        raise ValueError(f'"{cut(text)}" is not a rate; write a number and a time, such as "20/s" or "100/m"')
    return float(Fraction(match[1]) / PER_SECOND[match[2]])


def parse_ratio(text: str) -> float:
    """A part of one, of "99%" or "0.99".

    Raises:
        ValueError: one sentence that shows the right form, also where the value is above 100 %.
    """
    stripped = text.strip()
    if percent := _RATIO.fullmatch(stripped):
        value = Fraction(percent[1]) / 100
    elif re.fullmatch(_NUMBER, stripped):
        value = Fraction(stripped)
    else:
        raise ValueError(
            f'"{cut(text)}" is not a ratio; write a percentage such as "99%" or a number from 0 to 1'
        )
    if value > 1:
        raise ValueError(f'"{cut(text)}" is more than 100%; write at most "100%" or a number from 0 to 1')
    return float(value)


def parse_bytes(text: str) -> int:
    """Bytes, of "16MiB", "64 KiB", "512B".

    Raises:
        ValueError: one sentence that shows the right form.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2] not in SIZES:
        raise ValueError(
            f'"{cut(text)}" is not a size; write a number and a unit, such as "64KiB" or "16MiB"'
        )
    return round(Fraction(match[1]) * SIZES[match[2]])


def exact_duration(ns: int) -> str:
    """What ``parse_duration`` reads back as the same number: "30s", "1500ms", "7ns"."""
    for unit in ("h", "m", "s", "ms", "us"):
        if ns and ns % NS_PER[unit] == 0:
            return f"{ns // NS_PER[unit]}{unit}"
    return f"{ns}ns" if ns else "0s"


def exact_rate(per_s: float) -> str:
    """What ``parse_rate`` reads back as the same number: "20/s", "1.5/s"."""
    return f"{int(per_s)}/s" if per_s == int(per_s) < 10**15 else f"{per_s!r}/s"


def exact_ratio(ratio: float) -> str:
    """What ``parse_ratio`` reads back as the same number, of one with at most 18 decimals: "0.05"."""
    return f"{Decimal(repr(ratio)):f}"


def format_duration(ns: float) -> str:
    """Three significant digits and the fitting unit: "1.42 ms", "305 µs", "12.3 s", "2 min 5 s"."""
    if not math.isfinite(ns):
        raise ValueError(f"a duration of {ns} cannot be printed; it was not measured")
    if ns <= 0:
        return "-" + format_duration(-ns) if ns else "0 s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)):
        digits = _three(ns / size)
        if float(digits) < (60 if unit == "s" else 1000):
            return f"{digits} {unit}"
    return _minutes(round(ns / NS_PER["s"]))


def _minutes(seconds: int) -> str:
    """Of whole seconds, 60 or more: the two largest units, the smaller left out where it is none."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    large, small = (f"{hours:,} h", (minutes_left, "min")) if hours else (f"{minutes} min", (rest, "s"))
    return f"{large} {small[0]} {small[1]}" if small[0] else large


def _three(value: float) -> str:
    """Three significant digits of a number below 1000, without an exponent and without trailing zeros."""
    if value == 0:
        return "0"
    decimals = min(12, max(0, 2 - math.floor(math.log10(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_ms(ms: float | None) -> str:
    """As ``format_duration``, from milliseconds; None is "not measured"."""
    return "not measured" if ms is None else format_duration(ms * 1_000_000)


def format_rate(per_s: float) -> str:
    """Per second: "1,234/s" from 100 on whole, below with three significant digits: "20.5/s"."""
    if not math.isfinite(per_s):
        raise ValueError(f"a rate of {per_s} cannot be printed; it was not measured")
    if per_s < 0:
        return "-" + format_rate(-per_s)
    return f"{per_s:,.0f}/s" if per_s >= 99.95 else f"{_three(per_s)}/s"


def format_count(n: int) -> str:
    """With thousands apart: "12,345"."""
    return f"{n:,}"


def format_ratio(ratio: float) -> str:
    """As a percentage with one decimal, "99.3 %"; never rounded up to 100 nor down to 0."""
    if not math.isfinite(ratio):
        raise ValueError(f"a ratio of {ratio} cannot be printed; it was not measured")
    percent = ratio * 100
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    if 0 < percent < 0.05:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent in {0, 100} else f"{percent:.1f} %"


def format_spread(part: float, *, points: bool) -> str:
    """A difference without direction: "5.0 %"; of a share "0.5 points", which are points of a percent."""
    return format_ratio(part).replace("%", "points") if points else format_ratio(part)


def format_change(part: float, *, points: bool) -> str:
    """A finite change with its sign: "+10.2 %"; of a share "−30.0 points", which are points of a percent."""
    percent = part * 100
    text = f"{abs(percent):,.0f}" if abs(percent) >= 100 else f"{abs(percent):.1f}"
    unit = "points" if points else "%"
    if float(text.replace(",", "")) == 0:
        return f"0.0 {unit}"
    return f"{'+' if percent > 0 else '−'}{text} {unit}"


def format_cores(cores: float) -> str:
    """Of CPU: "0.42 cores", "1 core"."""
    if not math.isfinite(cores) or cores < 0:
        raise ValueError(f"{cores} cores cannot be printed; they were not measured")
    text = _three(cores) if cores < 1000 else f"{cores:,.0f}"
    return f"{text} core{'' if text == '1' else 's'}"


def format_number(value: float) -> str:
    """A plain number: four significant digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_bytes(n: int) -> str:
    """In powers of 1024: "512 B", "1.2 MiB"."""
    size = float(n)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{n} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


FORMATS: Mapping[str, Callable[[float], str]] = {
    "ms": format_ms,
    "per_s": format_rate,
    "ratio": format_ratio,
    "count": lambda count: format_count(int(count)) if count == int(count) else format_number(count),
    "cores": format_cores,
    "bytes": lambda size: format_bytes(round(size)),
    "number": format_number,
}
"""How a value is written, by the unit that ``run.json`` gives it."""
