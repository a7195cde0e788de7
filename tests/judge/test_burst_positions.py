from __future__ import annotations

import pytest

from loadtest.judge.summary import burst_positions
from tests.judge.made import MS, row, table


def test_without_bursts_there_is_nothing_to_tell() -> None:
    assert burst_positions(None) == []
    assert burst_positions(table([])) == []
    assert burst_positions(table([row(i) for i in range(5)])) == []


def test_each_place_in_the_burst_has_its_own_latencies() -> None:
    rows = [
        row(i, position=i % 2, first_ns=(10 + 10 * (i % 2)) * MS, done_ns=(100 + i) * MS, intended_ns=0)
        for i in range(80)
    ]
    first, second = burst_positions(table(rows))
    assert (first["position"], first["turns"]) == (0, 40)
    assert first["first_event"] == {"n": 40, "p50": 10.0, "p95": 10.0, "max": 10.0}
    assert second["first_event"]["p95"] == 20.0
    assert first["completion"] == {"n": 40, "p50": 138.0, "p95": 174.0, "max": 178.0}


def test_only_turns_of_the_measured_part_that_came_to_it_count() -> None:
    rows = [
        row(0, position=1),
        row(1, position=1, first_ns=-1, outcome="timed_out"),
        row(2, position=1, phase="warmup"),
        row(3, position=0, first_ns=-1, outcome="lost", done_ns=-1),
    ]
    none, some = burst_positions(table(rows))
    assert none == {
        "position": 0,
        "turns": 1,
        "first_event": {"n": 0, "p50": None, "p95": None, "max": None},
        "completion": {"n": 0, "p50": None, "p95": None, "max": None},
    }
    assert some["turns"] == 2
    assert some["first_event"] == {"n": 1, "p50": None, "p95": None, "max": 20.0}
    assert some["completion"]["n"] == 1


@pytest.mark.parametrize(("tick", "shown"), [(1, 20.0), (20 * MS, 20.0), (21 * MS, None)])
def test_below_the_clocks_step_it_is_null(tick: int, shown: float | None) -> None:
    rows = [row(i, position=1) for i in range(2)]
    assert burst_positions(table(rows), tick)[0]["first_event"]["p50"] == shown
