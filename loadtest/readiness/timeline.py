"""How a system went on: its health and each component over the assessments that are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from loadtest.readiness.assessment import CoursePoint, Status

MAX_POINTS = 72
"""More assessments share points, the worst of each being told."""

WORST_FIRST: tuple[Status, ...] = ("down", "unknown", "degraded", "healthy")


def course(summaries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[CoursePoint, ...]:
    """At most ``MAX_POINTS`` points of equally many assessments, the last one that of now."""
    each = -(-len(summaries) // MAX_POINTS)
    return tuple(_points(summaries, names, max(1, each)))


def _points(summaries: Sequence[Mapping[str, Any]], names: Sequence[str], each: int) -> Iterator[CoursePoint]:
    # The first point may be of fewer, so that the last assessment ends the last one.
    first = len(summaries) % each or each
    bounds = [0, *range(first, len(summaries) + 1, each)]
    for begin, end in pairwise(bounds):
        rows = summaries[begin:end]
        if not rows:
            continue
        healths = [row.get("health") for row in rows]
        known = [float(health) for health in healths if isinstance(health, int | float)]
        status = {name: worst for name in names if (worst := _worst(rows, name))}
        yield CoursePoint(rows[-1]["at"], len(rows), min(known, default=None), status)


def _worst(rows: Sequence[Mapping[str, Any]], name: str) -> Status | None:
    found = set()
    for row in rows:
        parts = row.get("components")
        part = parts.get(name) if isinstance(parts, Mapping) else None
        if isinstance(part, Mapping):
            found.add(part.get("status"))
    return next((status for status in WORST_FIRST if status in found), None)
