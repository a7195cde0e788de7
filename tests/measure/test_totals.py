from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals


def holding(*values: int) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    return histogram


def two_seconds() -> Totals:
    totals = Totals()
    totals.add(
        Interval(
            second=0,
            histograms={"turn.completion": holding(1, 2), "warmup:turn.completion": holding(9)},
            counters={"warmup": {"turns.due": 1}, "measured": {"turns.due": 2}},
            gauges={"users": 2},
            instants={"first_sent": 7, "last_sent": 8},
            moves=np.array([[5, 1], [9, 1]]),
        )
    )
    totals.add(
        Interval(
            second=1,
            histograms={"turn.completion": holding(3)},
            counters={"measured": {"turns.due": 4, "turns.lost": 1}},
            gauges={"users": 1},
            instants={"first_sent": 11, "last_sent": 12},
            moves=np.array([[12, -1]]),
        )
    )
    return totals


def test_everything_adds_up() -> None:
    totals = two_seconds()
    assert totals.histograms == {
        "turn.completion": holding(1, 2, 3),
        "warmup:turn.completion": holding(9),
    }
    assert (totals.count("turns.due"), totals.measured("turns.due")) == (7, 6)
    assert totals.instants == {"first_sent": 7, "last_sent": 12}
    assert totals.moves.tolist() == [[5, 1], [9, 1], [12, -1]]
    assert totals.peak_ready() == 2


def test_seconds_stay_apart() -> None:
    first, second = two_seconds().seconds
    assert (first.second, first.gauges, first.count("turns.due")) == (0, {"users": 2}, 3)
    assert (second.count("turns.due"), second.count("turns.begun")) == (4, 0)


def test_what_nobody_counted_is_zero() -> None:
    totals = Totals()
    assert (totals.count("turns.due"), totals.measured("turns.due"), totals.peak_ready()) == (0, 0, 0)
    assert totals.moves.shape == (0, 2)


def test_the_parts_stay_as_they_were() -> None:
    part = Interval(second=0, histograms={"a": holding(1)}, counters={"measured": {"n": 1}})
    totals = Totals()
    totals.add(part)
    totals.add(part)
    assert part.histograms == {"a": holding(1)}
    assert part.counters == {"measured": {"n": 1}}
    assert totals.measured("n") == 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([1, -1])), max_size=8), max_size=4))
def test_the_peak_does_not_depend_on_who_reported_first(parts: list[list[tuple[int, int]]]) -> None:
    totals = Totals()
    for second, moves in enumerate(parts):
        totals.add(Interval(second=second, moves=np.array(moves, np.int64).reshape(-1, 2)))
    ready = peak = 0
    for _, delta in sorted(move for part in parts for move in part):
        ready += delta
        peak = max(peak, ready)
    assert totals.peak_ready() == peak
    assert len(totals.moves) == sum(map(len, parts))


def test_a_connection_that_replaces_another_at_the_same_instant_makes_no_peak() -> None:
    totals = Totals()
    totals.add(Interval(second=0, moves=np.array([[1, 1], [5, 1], [5, -1]])))
    assert totals.peak_ready() == 1


def test_shown_with_what_it_holds() -> None:
    assert repr(two_seconds()) == (
        "Totals(seconds=2, histograms=['turn.completion', 'warmup:turn.completion'])"
    )
