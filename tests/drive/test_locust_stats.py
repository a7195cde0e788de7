"""Locust's page moves with our counts; what was not measured is not there, and never 0 ms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.stats import RequestStats

from loadtest.drive.locust_stats import LocustStats
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval

MS = 1_000_000
STARTED = 1_700_000_000


def histogram(*values_ms: float) -> Histogram:
    made = Histogram()
    made.record(np.array([round(value * MS) for value in values_ms], np.int64))
    return made


class Page:
    """Locust's statistics, with a mirror in front of them."""

    def __init__(self) -> None:
        self.stats = RequestStats()
        self.stats.total.start_time = STARTED
        self.mirror = LocustStats(SimpleNamespace(stats=self.stats))


@pytest.fixture
def page() -> Page:
    return Page()


def test_a_run_that_is_ended_in_its_first_second_has_a_rate_that_can_be(page: Page) -> None:
    page.stats.total.start_time = STARTED + 0.75
    page.mirror.add(Interval(second=0, histograms={"turn.completion": histogram(*[1.0] * 30)}))
    assert page.stats.total.total_rps == pytest.approx(120)


def test_a_second_of_turns_is_shown(page: Page) -> None:
    page.mirror.add(
        Interval(
            second=3,
            histograms={"turn.completion": histogram(10, 20, 30), "turn.first_event": histogram(1, 2, 3)},
        )
    )
    turn = page.stats.get("turn", "WS")
    for entry in (turn, page.stats.total):
        assert entry.num_requests == 3
        assert entry.num_failures == 0
        assert entry.avg_response_time == pytest.approx(20)
        assert (entry.min_response_time, entry.max_response_time) == (10, 30)
        assert entry.response_times == {10: 1, 20: 1, 30: 1}
        assert entry.num_reqs_per_sec == {STARTED + 3: 3}
        assert entry.last_request_timestamp == STARTED + 4
    first = page.stats.get("first event", "WS")
    assert (first.num_requests, first.avg_response_time) == (3, pytest.approx(2))


def test_warm_up_is_shown_and_the_drain_is_not(page: Page) -> None:
    page.mirror.add(
        Interval(
            second=0,
            histograms={
                "warmup:turn.completion": histogram(5),
                "drain:turn.completion": histogram(7),
                "event.gap": histogram(9),
            },
        )
    )
    assert page.stats.total.response_times == {5: 1}


def test_seconds_add_up(page: Page) -> None:
    for second, values in enumerate([(10.0, 40.0), (20.0,), ()]):
        page.mirror.add(Interval(second=second, histograms={"turn.completion": histogram(*values)}))
    total = page.stats.total
    assert total.num_requests == 3
    assert (total.min_response_time, total.max_response_time) == (10, 40)
    assert total.num_reqs_per_sec == {STARTED: 2, STARTED + 1: 1}


def test_turns_that_failed_are_requests_without_a_time(page: Page) -> None:
    counters = {
        "warmup": {"turns.timed_out": 1},
        "measured": {"turns.failed": 2, "turns.lost": 3, "turns.refused": 4, "turns.abandoned": 50},
    }
    page.mirror.add(
        Interval(second=1, histograms={"turn.completion": histogram(*[30.0] * 10)}, counters=counters)
    )
    for entry in (page.stats.get("turn", "WS"), page.stats.total):
        assert (entry.num_requests, entry.num_failures, entry.num_none_requests) == (20, 10, 10)
        assert entry.fail_ratio == 0.5
        assert entry.avg_response_time == pytest.approx(30)
        assert entry.num_fail_per_sec == {STARTED + 1: 10}
        assert entry.get_response_time_percentile(0.5) == 30
        assert 0 not in entry.response_times


def test_where_nothing_was_answered_there_is_no_time(page: Page) -> None:
    page.mirror.add(Interval(second=0, counters={"measured": {"turns.timed_out": 5}}))
    total = page.stats.total
    assert (total.num_requests, total.num_failures, total.fail_ratio) == (5, 5, 1)
    assert total.response_times == {}
    assert total.min_response_time is None
    assert total.last_request_timestamp == STARTED + 1


def test_a_second_without_turns_shows_nothing(page: Page) -> None:
    page.mirror.add(Interval(second=0, histograms={"turn.completion": Histogram()}))
    assert page.stats.total.num_requests == 0
    assert page.stats.total.last_request_timestamp is None


def test_a_page_without_a_start_counts_from_nothing() -> None:
    page = Page()
    page.stats.total.start_time = 0
    page.mirror.add(Interval(second=2, histograms={"turn.completion": histogram(1)}))
    assert page.stats.total.num_reqs_per_sec == {2: 1}


@given(st.lists(st.lists(st.floats(0.001, 60_000), max_size=20), max_size=4), st.integers(0, 50))
def test_the_page_counts_what_we_count(seconds: list[list[float]], failed: int) -> None:
    page = Page()
    for second, values in enumerate(seconds):
        page.mirror.add(
            Interval(
                second=second,
                histograms={"turn.completion": histogram(*values)},
                counters={"measured": {"turns.failed": failed}},
            )
        )
    total = page.stats.total
    measured = sum(map(len, seconds))
    assert total.num_requests == measured + failed * len(seconds)
    assert sum(total.response_times.values()) == total.num_requests - total.num_none_requests == measured
    assert sum(total.num_reqs_per_sec.values()) == total.num_requests
    if measured:
        assert total.avg_response_time == pytest.approx(sum(map(sum, seconds)) / measured, abs=0.001)
