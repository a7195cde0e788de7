from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.totals_between import totals_between
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from tests.judge.made import MS, S, histogram, row, table

Moves = list[tuple[int, int]]


def interval(second: int, moves: Moves | None = None, **counters: int) -> Interval:
    return Interval(
        second,
        histograms={"turn.completion": histogram([second + 1.0]), "event.gap": histogram([5.0])},
        counters={"measured": {name.replace("__", "."): n for name, n in counters.items()}},
        gauges={"cpu": second / 10},
        instants={"last_matched": second * S},
        moves=np.array(moves or [], np.int64).reshape(-1, 2),
    )


def test_a_part_is_the_sum_of_the_seconds_that_begin_in_it() -> None:
    part = totals_between([interval(second, events__received=1) for second in range(5)], 1, 3)
    assert [each.second for each in part.seconds] == [1, 2]
    assert part.measured("events.received") == 2
    assert part.histograms["turn.completion"].n == 2
    assert part.instants == {"last_matched": 2 * S}


def test_nothing_in_the_part_is_nothing() -> None:
    part = totals_between([interval(0)], 5, 9)
    assert part.seconds == []
    assert part.histograms == {}
    assert part.peak_ready() == 0


def test_connections_that_were_ready_before_are_in_it_from_its_start() -> None:
    intervals = [
        interval(0, [(1, 1), (2, 1)]),
        interval(1, [(S + 5, -1), (S + 9, 1)]),
        interval(2, [(2 * S, 1), (2 * S + 1, 1)]),
    ]
    part = totals_between(intervals, 1, 2)
    assert part.moves.tolist() == [[S, 2], [S + 5, -1], [S + 9, 1]]
    assert part.peak_ready() == 2
    assert totals_between(intervals, 0, 3).peak_ready() == 4
    assert totals_between(intervals, 0, 3).moves.tolist()[0] == [1, 1]


def test_the_intervals_are_left_as_they_are() -> None:
    intervals = [interval(0, [(1, 1)]), interval(1)]
    totals_between(intervals, 0, 2, table([row(0)]))
    assert intervals[0].moves.tolist() == [[1, 1]]
    assert "turns.due" not in intervals[0].counters["measured"]
    assert intervals[0].histograms["turn.completion"].n == 1


def test_with_the_whole_table_turns_belong_to_where_they_fell_due() -> None:
    rows = [
        row(0, intended_ns=0, sent_ns=MS, first_ns=20 * MS, done_ns=2 * S),
        row(1, intended_ns=S, sent_ns=S + MS, first_ns=S + 20 * MS, done_ns=S + 100 * MS),
        row(2, intended_ns=S + 1, sent_ns=S + MS, first_ns=-1, done_ns=9 * S, outcome="timed_out"),
        row(3, intended_ns=S + 2, sent_ns=-1, first_ns=-1, done_ns=-1, outcome="not_attempted"),
        row(4, intended_ns=S + 3, sent_ns=S, first_ns=S + 7, done_ns=S + 9 * MS, phase="warmup"),
        row(5, intended_ns=2 * S),
    ]
    part = totals_between(
        [interval(0), interval(1, turns__complete=1, turns__failed_by__order=1, turns__numbered=1)],
        1,
        2,
        table(rows),
    )
    assert part.counters["measured"]["turns.due"] == 3
    assert part.counters["measured"]["turns.begun"] == 2
    assert part.counters["measured"]["turns.complete"] == 1
    assert part.counters["measured"]["turns.timed_out"] == 1
    assert part.counters["measured"]["turns.not_attempted"] == 1
    assert part.counters["measured"]["turns.numbered"] == 1
    assert part.counters["warmup"]["turns.complete"] == 1
    assert "drain" not in part.counters
    assert part.histograms["turn.completion"].min_ns == 100 * MS
    assert part.histograms["turn.completion"].n == 1
    assert part.histograms["turn.completion.service"].min_ns == 99 * MS
    assert part.histograms["turn.first_event"].n == 1
    assert part.histograms["send.lateness"].n == 2
    assert part.histograms["warmup:send.lateness"].min_ns == 0
    assert part.histograms["event.gap"].n == 1


def test_a_turn_that_sends_at_its_pace_belongs_to_when_it_was_due_and_is_timed_from_its_last_chunk() -> None:
    rows = table([row(intended_ns=0, waited_from_ns=2 * S, sent_ns=2 * S, first_ns=3 * S, done_ns=4 * S)])
    part = totals_between([interval(0), interval(4)], 0, 1, rows)
    assert part.counters["measured"]["turns.complete"] == 1
    assert part.histograms["turn.first_event"].min_ns == S
    assert part.histograms["turn.completion"].min_ns == 2 * S


def test_turns_of_which_some_carried_no_numbers_stay_so() -> None:
    part = totals_between(
        [interval(0, turns__complete=9, turns__numbered=3)], 0, 1, table([row(i) for i in range(5)])
    )
    assert part.counters["measured"]["turns.numbered"] == 3
    assert part.counters["measured"]["turns.complete"] == 5


def test_metrics_of_turns_that_ended_in_the_part_but_fell_due_before_go() -> None:
    assert "turn.completion" not in totals_between([interval(1)], 1, 2, table([row(0)])).histograms


@given(st.lists(st.integers(0, 9), unique=True), st.integers(0, 10))
def test_two_parts_are_together_the_whole(seconds: list[int], cut: int) -> None:
    intervals = [interval(second, [(second * S, 1)], events__received=second) for second in sorted(seconds)]
    parts = [totals_between(intervals, 0, cut), totals_between(intervals, cut, 10)]
    whole = totals_between(intervals, 0, 10)
    assert sum(part.count("events.received") for part in parts) == whole.count("events.received")
    assert sum(_n(part) for part in parts) == _n(whole)
    assert max(part.peak_ready() for part in parts) == whole.peak_ready()


def _n(part: Totals) -> int:
    found = part.histograms.get("event.gap")
    return found.n if found else 0


@pytest.mark.parametrize(("from_s", "to_s", "seconds"), [(0.5, 2.0, [1]), (0.0, 0.5, [0])])
def test_a_second_that_begins_outside_is_outside(from_s: float, to_s: float, seconds: list[int]) -> None:
    part = totals_between([interval(second) for second in range(3)], from_s, to_s)
    assert [each.second for each in part.seconds] == seconds
