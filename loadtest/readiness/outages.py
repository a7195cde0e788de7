"""Outages of components, by the summaries of earlier assessments: since when, how long, how often. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.readiness.assessment import OutageRow
from loadtest.readiness.policy import Policy
from loadtest.readiness.status import lasts_s


@dataclass(slots=True)
class _Course:
    """What the summaries so far say of one component."""

    at: float | None = None
    status: str = ""
    since: float | None = None
    ended: list[float] = field(default_factory=list)
    known_s: float = 0.0
    down_s: float = 0.0

    def goes_on(self, at: float, status: str, most_s: float) -> None:
        """Add an assessment. What was found counts until the next one, but no longer than evidence counts."""
        if self.at is not None and self.status != "unknown":
            held_s = min(at - self.at, most_s)
            self.known_s += held_s
            self.down_s += held_s if self.status == "down" else 0.0
        self.at, self.status = at, status
        if status == "down" and self.since is None:
            self.since = at
        elif status in {"healthy", "degraded"} and self.since is not None:
            self.ended.append(at - self.since)
            self.since = None


def outage_rows(policy: Policy, summaries: Sequence[Mapping[str, Any]]) -> tuple[OutageRow, ...]:
    """A row per component; the last summary is that of now. Times are exact to their interval."""
    courses = {each.name: _Course() for each in policy.components}
    most_s = {each.name: lasts_s(each) for each in policy.components}
    last = -math.inf
    for row in summaries:
        if row["at"] < last:  # a clock that was set back
            continue
        last = row["at"]
        for name, part in (row.get("components") or {}).items():
            if name in courses and isinstance(part, Mapping):
                courses[name].goes_on(last, str(part.get("status")), most_s[name])
    return tuple(_row(each.name, each.title, courses[each.name]) for each in policy.components)


def _row(name: str, title: str, course: _Course) -> OutageRow:
    ended = course.ended
    return OutageRow(
        name=name,
        title=title,
        since=course.since,
        n=len(ended),
        last_s=ended[-1] if ended else None,
        mean_s=math.fsum(ended) / len(ended) if ended else None,
        up=1 - course.down_s / course.known_s if course.known_s else None,
        known_s=course.known_s,
    )
