"""How old an event is when it arrives, by the time that the target wrote in it; how far clocks may differ.

The target's clock is another one. An event cannot arrive before it was sent, and what answers a message was
not written before that was sent; so each event with a time bounds how far the target's clock is ahead:

    its time - its arrival  <=  ahead  <=  its time - when the message that it answers was sent
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from loadtest.plan.protocol import SentAt
from loadtest.plan.template import plain
from loadtest.speak.event_match import ABSENT, finder
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import NEVER

AHEAD_AT_LEAST = "target_ahead_at_least"
AHEAD_AT_MOST = "first_target_ahead_at_most"
"""Nanoseconds by which the target's clock is ahead of ours, least and most, as instants of an interval: over
processes and seconds the highest of the first is taken, and the lowest of the second."""

STAMP_STEP = "target_stamp_step"
"""As these: the coarsest step of the times that the target wrote."""

NS_OF = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of a unit."""

EARLIEST_NS, LATEST_NS = 946_684_800 * 10**9, 4_102_444_800 * 10**9
"""The years 2000 to 2100: what lies outside is no time that an event was sent at."""

LONGEST_TIME = 40
"""Characters of a time."""

_NUMBER = re.compile(r"[0-9]{1,20}(?:\.([0-9]{1,12}))?")
_FRACTION = re.compile(r"[.,]([0-9]+)")


class EventAges:
    """Takes the age of events in one process, and what they tell of the target's clock.

    ``unix_offset_ns`` added to an instant of the run's clock is Unix time.
    """

    __slots__ = ("_get", "_to_unix_ns", "_unit_ns", "_unix_offset_ns", "bounds")

    def __init__(self, sent_at: SentAt, unix_offset_ns: int) -> None:
        self._get = finder(sent_at.path)
        self._unit_ns = NS_OF.get(sent_at.unit, 0)
        self._unix_offset_ns = unix_offset_ns
        self.bounds: dict[str, int] = {}

    def take(self, found: Any, at_ns: int, metrics: PhaseMetrics, asked_ns: int = NEVER) -> None:
        """Enter an event that came at ``at_ns``; ``asked_ns``: when the message that it answers was sent."""
        value = self._get(found)
        if value is ABSENT or value is None:
            return
        stamp = self._read(value)
        if stamp is None:
            metrics.count("events.undated")
            return
        stamp_ns, step_ns = stamp
        age_ns = at_ns + self._unix_offset_ns - stamp_ns
        metrics.count("events.dated")
        if age_ns < -step_ns:
            metrics.count("events.from_future")
        metrics.age.append(max(age_ns, 0))
        bounds = self.bounds
        bounds[AHEAD_AT_LEAST] = max(bounds.get(AHEAD_AT_LEAST, -age_ns), -age_ns)
        bounds[STAMP_STEP] = max(bounds.get(STAMP_STEP, step_ns), step_ns)
        if asked_ns != NEVER:
            most_ns = stamp_ns - asked_ns - self._unix_offset_ns
            bounds[AHEAD_AT_MOST] = min(bounds.get(AHEAD_AT_MOST, most_ns), most_ns)

    def _read(self, value: Any) -> tuple[int, int] | None:
        """A time in nanoseconds of Unix time and its step; None where it is none."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        text = plain(value)
        if len(text) > LONGEST_TIME:
            return None
        found = self._numeric(text) if self._unit_ns else _iso(text)
        return found if found is not None and EARLIEST_NS <= found[0] < LATEST_NS else None

    def _numeric(self, text: str) -> tuple[int, int] | None:
        match = _NUMBER.fullmatch(text)
        if match is None:
            return None
        whole, _, fraction = text.partition(".")
        step_ns = max(self._unit_ns // 10 ** len(fraction), 1)
        return int(whole) * self._unit_ns + int(fraction or 0) * self._unit_ns // 10 ** len(fraction), step_ns


def _iso(text: str) -> tuple[int, int] | None:
    """A time as ISO 8601 writes it; one that names no zone is of UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    fraction = _FRACTION.search(text)
    digits = min(len(fraction[1]), 6) if fraction else 0
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000, 10 ** (9 - digits)
