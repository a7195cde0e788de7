from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.generator_summary import (
    coalesced_share,
    lateness_ms,
    own_lateness_ms,
    saturated,
    summarise_generator,
)
from loadtest.judge.measurement_window import Span
from loadtest.measure.interval import Interval
from tests.judge.made import MS, S, good_totals, manifest, totals


def watched(seconds: list[dict[str, float]], **kwargs: Any) -> dict[str, Any]:
    made = totals()
    made.seconds.clear()
    for second, gauges in enumerate(seconds):
        made.add(Interval(second, gauges=gauges, counters={"measured": kwargs.get("counters", {})}))
    return {"generator": summarise_generator(manifest(), made, Span(0, len(seconds) * S), {})}


def test_cpu_is_of_the_busiest_process_in_each_second() -> None:
    made = totals(seconds=0)
    for worker, share in ((1, 0.2), (2, 0.6), (1, 0.4)):
        made.add(Interval(0 if share != 0.4 else 1, worker, gauges={"cpu": share}))
    cpu = summarise_generator(manifest(), made, Span(0, 2 * S), {})["cpu"]
    assert cpu == {"mean": 0.5, "max": 0.6, "n": 2, "saturated": 0}


def test_a_short_second_counts_by_its_length_and_is_no_peak() -> None:
    """The last interval of a run may be a few milliseconds of one busy loop turn."""
    cpu = watched(
        [{"cpu": 0.2, "watched_s": 1.0}, {"cpu": 0.4, "watched_s": 0.5}, {"cpu": 1.0, "watched_s": 0.01}]
    )
    shares = cpu["generator"]["cpu"]
    assert shares["mean"] == pytest.approx((0.2 + 0.2 + 0.01) / 1.51)
    assert (shares["max"], shares["n"], shares["saturated"]) == (0.4, 3, 0)


def test_of_a_run_that_was_all_short_its_own_seconds_count() -> None:
    shares = watched([{"cpu": 0.95, "watched_s": 0.05}])["generator"]["cpu"]
    assert (shares["mean"], shares["max"], shares["saturated"]) == (pytest.approx(0.95), 0.95, 1)


def test_waiting_for_a_core_is_of_the_process_that_waited_most() -> None:
    delay = watched([{"run_delay": 0.5, "watched_s": 1.0}, {"run_delay": 0.1, "watched_s": 3.0}])["generator"]
    assert delay["run_delay"] == {"mean": pytest.approx(0.2), "max": 0.5, "n": 2}
    assert watched([{}])["generator"]["run_delay"]["reason"]


def test_what_was_not_watched_is_null_with_a_reason() -> None:
    generator = watched([{}])["generator"]
    assert generator["cpu"]["max"] is None
    assert generator["cpu"]["reason"]
    assert generator["loop_lag"]["max"] is None
    assert generator["lateness"] is None
    assert generator["receive_lag"] is None
    assert generator["coalesced"]["share"] is None
    assert generator["processes"] == 1


def test_only_seconds_of_the_measured_part_count() -> None:
    made = good_totals(seconds=0)
    for second, share in enumerate([0.99, 0.1, 0.1, 0.99]):
        made.add(Interval(second, gauges={"cpu": share, "loop_lag_ns": share * MS}))
    generator = summarise_generator(manifest(), made, Span(S, 3 * S), {})
    assert generator["cpu"]["max"] == 0.1
    assert generator["loop_lag"]["max"] == 0.1


@pytest.mark.parametrize(
    ("shares", "busy"),
    [
        ([0.5] * 20, False),
        ([0.95] * 5, True),
        ([0.95], True),
        ([0.95] + [0.2] * 4, False),
        ([0.95] * 2 + [0.2] * 18, False),
        ([0.95] * 3 + [0.2] * 17, True),
        ([], False),
    ],
)
def test_a_generator_is_saturated_on_average_or_in_many_seconds(shares: list[float], *, busy: bool) -> None:
    assert saturated(watched([{"cpu": share} for share in shares])) is busy


def test_the_share_of_coalesced_events_is_of_those_received() -> None:
    generator = watched([{}], counters={"events.received": 200, "events.coalesced": 3})
    assert coalesced_share(generator) == 0.015
    assert generator["generator"]["coalesced"]["n"] == 200


def test_lateness_is_p99_or_the_largest_of_few() -> None:
    assert lateness_ms({"generator": {"lateness": {"p99": 3.0, "max_exact": 9.0}}}) == 3.0
    assert lateness_ms({"generator": {"lateness": {"p99": None, "max_exact": 9.0}}}) == 9.0
    assert lateness_ms({"generator": {"lateness": None}}) is None


@pytest.mark.parametrize(
    ("lag", "connect", "own"),
    [(2.0, None, 2.0), (50.0, None, 9.0), (None, None, 9.0), (None, 5.0, 9.0), (None, 3000.0, None)],
)
def test_waiting_for_the_target_is_not_our_own_lateness(
    lag: float | None, connect: float | None, own: float | None
) -> None:
    made = {
        "generator": {"lateness": {"p99": 9.0}, "loop_lag": {"max": lag}},
        "metrics": {"connect.total": {"max_exact": connect}},
    }
    assert own_lateness_ms(made) == own


def test_a_saturated_generator_answers_for_all_its_lateness() -> None:
    busy = watched([{"cpu": 0.99, "loop_lag_ns": 1.0 * MS}])["generator"]
    assert own_lateness_ms({"generator": {**busy, "lateness": {"p99": 9.0}}}) == 9.0


def test_nothing_sent_is_not_late() -> None:
    assert own_lateness_ms({}) is None
