"""The noise floor of a build, for a terminal and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator

from loadtest.judge.noise import AGAINST, Floor, Noise
from loadtest.show.comparison import FORMATS, change_text
from loadtest.show.sanitize import printable
from loadtest.show.terminal_screen import ASCII, aligned
from loadtest.units import format_count, format_ratio

HEADS = (
    "",
    "mean",
    "runs",
    "runs differ by",
    f"{AGAINST} against {AGAINST} show",
    "runs a side for the smallest effect",
)


def as_json(floor: Floor) -> str:
    """The floor as plain data."""
    return json.dumps(floor.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_text(floor: Floor, *, ascii_only: bool = False) -> str:
    """The floor as lines: what decides first."""
    text = "\n".join(_lines(floor)) + "\n"
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


def _lines(floor: Floor) -> Iterator[str]:
    yield f"Noise of {printable(floor.side.name)}: how much runs of one build differ"
    yield ""
    for title, rows in (
        ("What decides", [row for row in floor.rows if row.primary]),
        ("Exploratory", [row for row in floor.rows if not row.primary]),
    ):
        if rows:
            yield title
            yield from (f"  {line}" for line in aligned([HEADS, *map(_cells, rows)], "lrrrrr", 200))
            yield ""
    for each in floor.notices:
        yield f"! {each['code']}: {printable(each['message'])}"
        yield f"  → {printable(each['remedy'])}"


def _cells(row: Noise) -> tuple[str, ...]:
    rule = row.yardstick
    takes = "over 200" if row.repeats is None else format_count(row.repeats)
    return (
        rule.name,
        FORMATS[rule.unit](row.value),
        format_count(row.runs),
        f"{format_ratio(row.spread)}{' points' if rule.scale == 'points' else ''}",
        change_text(rule, row.visible),
        f"{takes} ({format_ratio(rule.smallest)})",
    )
