"""Outages of components, by the summaries of earlier assessments: since when, how long, how often. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.readiness.assessment import OutageRow
from loadtest.readiness.policy import Policy
from loadtest.readiness.status import lasts_s


def outage_rows(policy: Policy, summaries: Sequence[Mapping[str, Any]]) -> tuple[OutageRow, ...]:
    """A row per component; the last summary is that of now. Every time is exact to the interval of assessments."""
    return tuple(
        _row(each.name, each.title, list(_course(each.name, summaries)), lasts_s(each))
        for each in policy.components
    )


def _course(name: str, summaries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, str]]:
    """When it was assessed, and its status, in the order of time."""
    last = -math.inf
    for row in summaries:
        part = (row.get("components") or {}).get(name)
        if isinstance(part, Mapping) and row["at"] >= last:
            last = float(row["at"])
            yield last, str(part.get("status"))


def _row(name: str, title: str, course: list[tuple[float, str]], most_s: float) -> OutageRow:
    since: float | None = None
    ended: list[float] = []
    known_s = down_s = 0.0
    for at, status in course:
        if status == "down" and since is None:
            since = at
        elif status in {"healthy", "degraded"} and since is not None:
            ended.append(at - since)
            since = None
    for (at, status), (after, _) in zip(course, course[1:], strict=False):
        # What was found counts until the next assessment, but no longer than evidence counts.
        held_s = min(after - at, most_s)
        if status != "unknown":
            known_s += held_s
            down_s += held_s if status == "down" else 0.0
    return OutageRow(
        name=name,
        title=title,
        since=since,
        n=len(ended),
        last_s=ended[-1] if ended else None,
        mean_s=math.fsum(ended) / len(ended) if ended else None,
        up=1 - down_s / known_s if known_s else None,
        known_s=known_s,
    )
