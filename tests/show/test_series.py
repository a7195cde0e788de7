from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sample import SampleRun

from loadtest.keep.read import Run, read_run
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.show.series import MAX_BINS, Series, read_series
from tests.keep.samples import second as kept_second
from tests.keep.samples import write_run

Sample = Callable[[str], SampleRun]
NO_MOVES = np.empty((0, 2), np.int64)


def second(at: int, n: int = 1, **gauges: float) -> Interval:
    return Interval(
        second=at, counters={"warmup": {"turns.due": n}, "measured": {"turns.due": n}}, gauges=gauges
    )


def series_of(intervals: list[Interval], moves: np.ndarray = NO_MOVES, step_s: int = 1) -> Series:
    seconds = [each.second for each in intervals]
    return Series(intervals, moves, (min(seconds), max(seconds)) if seconds else None, step_s)


def test_counters_are_summed_over_the_parts_of_the_run() -> None:
    series = series_of([second(0), second(1, 3)])
    assert series.counted("turns.due").tolist() == [2, 6]
    assert series.starts_s.tolist() == [0, 1]


def test_seconds_that_nobody_saw_are_empty_and_their_gauges_unknown() -> None:
    series = series_of([second(0, cpu=0.5), second(2, cpu=0.7)])
    assert series.counted("turns.due").tolist() == [2, 0, 2]
    assert np.isnan(series.gauge("cpu")[1])


def test_a_bin_that_is_shorter_than_the_others_has_the_same_rate() -> None:
    series = series_of([second(at) for at in range(5)], step_s=2)
    assert series.widths_s.tolist() == [2, 2, 1]
    assert series.per_second("turns.due").tolist() == [2, 2, 2]


def test_gauges_of_a_bin_are_the_highest() -> None:
    series = series_of([second(0, cpu=0.9), second(1, cpu=0.2)], step_s=2)
    assert series.gauge("cpu").tolist() == [0.9]


def test_parts_of_one_second_are_merged() -> None:
    series = series_of([second(0, ready=5.0), second(0, ready=7.0)])
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
    p95 = series_of(intervals).percentile_ms("turn.first_event", "p95")
    assert np.isnan(p95[0])
    assert round(p95[1], 2) == 2


def test_a_part_of_a_run_begins_where_it_begins() -> None:
    series = series_of([second(7), second(8)])
    assert (series.start_s, series.end_s, series.starts_s.tolist()) == (7, 9, [7, 8])


def test_ready_connections_step_by_step() -> None:
    at, count = series_of([second(0)], np.array([[5, 1], [6, 1], [9, -1]])).ready()
    assert count.tolist() == [0, 1, 2, 1]
    assert (at * 1e9).round().tolist() == [0, 5, 6, 9]


def test_counters_of_a_kind_the_most_frequent_first() -> None:
    counters = {
        "measured": {"connections.closed.1006": 2, "connections.closed.1011": 9, "connections.ready": 1}
    }
    series = series_of([Interval(second=0, counters=counters)])
    assert list(series.counters_under("connections.closed.")) == ["1011", "1006"]


def test_a_long_run_is_drawn_in_steps(sample: Sample) -> None:
    run = SampleRun({}, [second(at) for at in range(3600)])
    series = read_series(run, run.totals())
    assert series.step_s == 8
    assert len(series) == 450 <= MAX_BINS
    assert len(read_series(sample("passed"), sample("passed").totals())) == 36


def test_nothing_is_nothing() -> None:
    series = series_of([])
    assert len(series) == 0
    assert series.counted("turns.due").sum() == 0


def of_column(run: Run) -> tuple[int, int, list[float], list[float]]:
    found = read_series(run, run.totals())
    n = found.samples("turn.completion")
    return found.start_s, found.end_s, found.counted("turns.complete").tolist(), n.tolist()


@pytest.mark.parametrize("most", [MAX_BINS, 3])
def test_seconds_that_came_in_any_order_stand_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("loadtest.show.series.MAX_BINS", most)
    numbers = [2, 3, 4, 5, 6, 7, 8]
    ordered, turned = (
        read_run(write_run(tmp_path / name, [kept_second(at, at + 1) for at in order]))
        for name, order in (("one", numbers), ("other", [8, 4, 2, 7, 6, 3, 5]))
    )
    assert of_column(turned) == of_column(ordered)
    assert of_column(ordered)[:2] == (2, 9)
    assert sum(of_column(ordered)[2]) == sum(at + 1 for at in numbers)


def test_a_second_far_away_takes_no_more_bins_than_a_page_shows(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, [kept_second(0), kept_second(1), kept_second(10**12)]))
    series = read_series(run, run.totals())
    assert len(series) <= MAX_BINS
    assert series.counted("turns.complete")[[0, -1]].tolist() == [10, 5]


@pytest.mark.parametrize("most", [MAX_BINS, 2])
def test_a_second_that_a_run_wrote_since_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("loadtest.show.series.MAX_BINS", most)
    earlier, later = (
        read_run(write_run(tmp_path / str(n), [kept_second(at) for at in range(n)])) for n in (3, 5)
    )
    series = read_series(later, earlier.totals())
    assert (series.start_s, series.end_s) == (0, 3)
    assert series.counted("turns.complete").sum() == 3 * 5
    assert series.samples("turn.completion").sum() == sum(of_column(earlier)[3])
