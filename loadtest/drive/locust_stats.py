"""Our counts in Locust's statistics, updated once a second, so that its page shows the run.

Locust's numbers are never our source: they are rounded to two digits and whole milliseconds. What has no
response time is left out rather than shown as 0.
"""

from __future__ import annotations

from typing import Any

from loadtest.measure.histogram import Histogram, highest_of
from loadtest.measure.interval import Interval

SHOWN = (("turn", "turn.completion"), ("first event", "turn.first_event"))
FAILED = ("turns.failed", "turns.timed_out", "turns.lost", "turns.refused")


class LocustStats:
    """Adds the turns of each interval to the statistics of one Locust environment."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def add(self, interval: Interval) -> None:
        """Add one second's turns."""
        stats = self._environment.stats
        second = int(stats.start_time or 0) + interval.second
        for name, metric in SHOWN:
            entries = [stats.get(name, "WS")]
            if name == SHOWN[0][0]:
                entries.append(stats.total)
            for tag in (metric, f"warmup:{metric}"):
                _add_all(entries, interval.histograms.get(tag), second)
        failures = sum(found.get(name, 0) for found in interval.counters.values() for name in FAILED)
        for entry in (stats.get(SHOWN[0][0], "WS"), stats.total) if failures else ():
            _count(entry, failures, second)
            # Requests without a response time: Locust knows such, and leaves them out of its times.
            entry.num_none_requests += failures
            entry.num_failures += failures
            entry.num_fail_per_sec[second] = entry.num_fail_per_sec.get(second, 0) + failures


def _add_all(entries: list[Any], histogram: Histogram | None, second: int) -> None:
    if histogram is None or not histogram.n:
        return
    for entry in entries:
        _add(entry, histogram, second)


def _add(entry: Any, histogram: Histogram, second: int) -> None:
    indices, counts = histogram.counts_nonzero()
    for value_ns, n in zip(highest_of(indices).tolist(), counts.tolist(), strict=True):
        bucket = round(value_ns / 1e6)
        entry.response_times[bucket] = entry.response_times.get(bucket, 0) + n
    _count(entry, histogram.n, second)
    entry.total_response_time += histogram.total_ns / 1e6
    low, high = (histogram.min_ns or 0) / 1e6, (histogram.max_ns or 0) / 1e6
    entry.min_response_time = low if entry.min_response_time is None else min(low, entry.min_response_time)
    entry.max_response_time = max(high, entry.max_response_time or 0)


def _count(entry: Any, n: int, second: int) -> None:
    entry.num_requests += n
    entry.num_reqs_per_sec[second] = entry.num_reqs_per_sec.get(second, 0) + n
    # The end of that second: Locust divides by the time since its start, which lies within the first one.
    entry.last_request_timestamp = second + 1
