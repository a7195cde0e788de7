from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sample import SampleRun

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.series import MAX_BINS, Series, read_series

Sample = Callable[[str], SampleRun]
NO_MOVES = np.empty((0, 2), np.int64)


def second(at: int, n: int = 1, **gauges: float) -> Interval:
    return Interval(
        second=at, counters={"warmup": {"turns.due": n}, "measured": {"turns.due": n}}, gauges=gauges
    )


def test_counters_are_summed_over_the_parts_of_the_run() -> None:
    series = Series([second(0), second(1, 3)], NO_MOVES)
    assert series.counted("turns.due").tolist() == [2, 6]
    assert series.starts_s.tolist() == [0, 1]


def test_seconds_that_nobody_saw_are_empty_and_their_gauges_unknown() -> None:
    series = Series([second(0, cpu=0.5), second(2, cpu=0.7)], NO_MOVES)
    assert series.counted("turns.due").tolist() == [2, 0, 2]
    assert np.isnan(series.gauge("cpu")[1])


def test_a_bin_that_is_shorter_than_the_others_has_the_same_rate() -> None:
    series = Series([second(at) for at in range(5)], NO_MOVES, step_s=2)
    assert series.widths_s.tolist() == [2, 2, 1]
    assert series.per_second("turns.due").tolist() == [2, 2, 2]


def test_gauges_of_a_bin_are_the_highest() -> None:
    series = Series([second(0, cpu=0.9), second(1, cpu=0.2)], NO_MOVES, step_s=2)
    assert series.gauge("cpu").tolist() == [0.9]


def test_parts_of_one_second_are_merged() -> None:
    series = Series([second(0, ready=5.0), second(0, ready=7.0)], NO_MOVES)
    assert series.counted("turns.due").tolist() == [4]
    assert series.gauge("ready").tolist() == [12]


def test_percentiles_need_their_samples_in_each_second() -> None:
    few, enough = Histogram(), Histogram()
    few.record(np.full(19, 1_000_000))
    enough.record(np.full(20, 2_000_000))
    intervals = [
        Interval(second=0, histograms={"turn.first_event": few}),
        Interval(second=1, histograms={"warmup:turn.first_event": enough}),
    ]
    p95 = Series(intervals, NO_MOVES).percentile_ms("turn.first_event", "p95")
    assert np.isnan(p95[0])
    assert round(p95[1], 2) == 2


def test_a_part_of_a_run_begins_where_it_begins() -> None:
    series = Series([second(7), second(8)], NO_MOVES)
    assert (series.start_s, series.end_s, series.starts_s.tolist()) == (7, 9, [7, 8])


def test_ready_connections_step_by_step() -> None:
    at, count = Series([second(0)], np.array([[5, 1], [6, 1], [9, -1]])).ready()
    assert count.tolist() == [0, 1, 2, 1]
    assert (at * 1e9).round().tolist() == [0, 5, 6, 9]


def test_counters_of_a_kind_the_most_frequent_first() -> None:
    counters = {
        "measured": {"connections.closed.1006": 2, "connections.closed.1011": 9, "connections.ready": 1}
    }
    series = Series([Interval(second=0, counters=counters)], NO_MOVES)
    assert list(series.counters_under("connections.closed.")) == ["1011", "1006"]


def test_a_long_run_is_drawn_in_steps(sample: Sample) -> None:
    run = SampleRun({}, [second(at) for at in range(3600)])
    series = read_series(run, run.totals())
    assert series.step_s == 8
    assert len(series) == 450 <= MAX_BINS
    assert len(read_series(sample("passed"), sample("passed").totals())) == 36


def test_nothing_is_nothing() -> None:
    series = Series([], NO_MOVES)
    assert len(series) == 0
    assert series.counted("turns.due").sum() == 0
