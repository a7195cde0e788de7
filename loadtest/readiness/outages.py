"""Outages of components, by the summaries of earlier assessments: since when, how long, how often. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from loadtest.readiness.assessment import OutageRow, UptimeShare
from loadtest.readiness.policy import Policy
from loadtest.readiness.status import lasts_s

WINDOWS_S: Mapping[str, float] = {"1h": 3_600.0, "24h": 86_400.0, "7d": 604_800.0}
"""The last hour, day and week, of each of which the share of the time is told."""

MAX_SPANS = 10_000
"""So many times are remembered of one component; of one that changes more often, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class KnownTime:
    """A time in which a component was known, and down or not."""

    begin: float
    end: float
    down: bool


@dataclass(slots=True)
class _Course:
    """What the summaries so far say of one component. ``begun`` is from when on everything is remembered."""

    begun: float | None = None
    at: float = 0.0
    status: str = ""
    since: float | None = None
    n: int = 0
    last_s: float | None = None
    total_s: float = 0.0
    known_s: float = 0.0
    down_s: float = 0.0
    spans: list[KnownTime] = field(default_factory=list)

    def goes_on(self, at: float, status: str, most_s: float) -> None:
        """Add an assessment. What was found counts until the next one, but no longer than evidence counts."""
        if self.begun is None:
            self.begun = at
        elif self.status != "unknown":
            self._known(self.at, min(at, self.at + most_s), down=self.status == "down")
        self.at, self.status = at, status
        if status == "down" and self.since is None:
            self.since = at
        elif status in {"healthy", "degraded"} and self.since is not None:
            self.last_s, self.since = at - self.since, None
            self.n, self.total_s = self.n + 1, self.total_s + self.last_s

    def _known(self, begin: float, end: float, *, down: bool) -> None:
        self.known_s += end - begin
        self.down_s += end - begin if down else 0.0
        before = self.spans[-1] if self.spans else None
        if before and before.end == begin and before.down == down:
            self.spans[-1] = replace(before, end=end)
        else:
            self.spans.append(KnownTime(begin, end, down))
        longest = max(WINDOWS_S.values())
        while self.spans[0].end < end - longest or len(self.spans) > MAX_SPANS:
            self.begun = self.spans.pop(0).end

    def shares(self) -> Iterator[UptimeShare]:
        """The share of the last hour, day and week, each where what is remembered reaches so far back."""
        for over, seconds in WINDOWS_S.items():
            begin = self.at - seconds
            known = down = 0.0
            for span in self.spans:
                inside = max(0.0, span.end - max(span.begin, begin))
                known += inside
                down += inside if span.down else 0.0
            held = self.begun is not None and self.begun <= begin
            yield UptimeShare(over, 1 - down / known if held and known else None, min(1.0, known / seconds))


@dataclass(slots=True)
class Outages:
    """What the summaries that were added say of each component; each is added once, oldest first."""

    last: float = -math.inf
    _courses: dict[str, _Course] = field(default_factory=dict)

    def add(self, policy: Policy, summaries: Sequence[Mapping[str, Any]]) -> None:
        """Add those that are newer than the last; a clock that was set back is waited for."""
        last = self.last
        new = list(takewhile(lambda row: row["at"] > last, reversed(summaries)))
        most_s = {each.name: lasts_s(each) for each in policy.components}
        for row in reversed(new):
            if row["at"] > self.last:
                self.last = row["at"]
                self._add(row, most_s)

    def _add(self, row: Mapping[str, Any], most_s: Mapping[str, float]) -> None:
        parts = row.get("components")
        for name, part in (parts if isinstance(parts, Mapping) else {}).items():
            if name in most_s and isinstance(part, Mapping):
                self._courses.setdefault(name, _Course()).goes_on(
                    row["at"], str(part.get("status")), most_s[name]
                )

    def rows(self, policy: Policy, now: Mapping[str, Any]) -> tuple[OutageRow, ...]:
        """A row per component; ``now`` is the newest summary, which is not added.

        Times are exact to their interval.
        """
        courses = {name: replace(course, spans=list(course.spans)) for name, course in self._courses.items()}
        after = Outages(self.last, courses)
        after.add(policy, [now])
        return tuple(
            _row(each.name, each.title, courses.get(each.name, _Course())) for each in policy.components
        )


def _row(name: str, title: str, course: _Course) -> OutageRow:
    return OutageRow(
        name=name,
        title=title,
        since=course.since,
        n=course.n,
        last_s=course.last_s,
        mean_s=course.total_s / course.n if course.n else None,
        up=1 - course.down_s / course.known_s if course.known_s else None,
        known_s=course.known_s,
        shares=tuple(course.shares()),
    )
