from __future__ import annotations

import json
import math

import pytest

from loadtest.keep import interval_rows
from loadtest.keep.interval_rows import Exact
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval
from tests.keep.samples import MS, holding, second


def test_a_row_gives_its_second_back() -> None:
    original = second(3)
    (row,) = interval_rows.read_rows([interval_rows.line(interval_rows.row_of(original, 4))])
    found = row.interval()
    assert (found.second, found.counters, found.instants) == (3, original.counters, original.instants)
    assert found.gauges == original.gauges
    assert found.moves.tolist() == original.moves.tolist()
    assert (row.turns, row.turns_kept) == (5, 4)
    assert list(row.histograms) == ["turn.completion", "turn.first_event", "warmup:turn.completion"]


def test_a_row_holds_what_an_encoded_histogram_does_not() -> None:
    original = holding(1_234_567, 9_876_543, 2**50)
    row = interval_rows.row_of(Interval(second=0, histograms={"a": original}), 0)
    decoded = Histogram.decode(original.encode())
    assert decoded != original
    assert interval_rows.exact(decoded, [row.histograms["a"]]) == original


def test_a_sum_takes_the_ends_of_its_parts() -> None:
    parts = [holding(5 * MS, 6 * MS), holding(1_234_567)]
    row = interval_rows.row_of(Interval(second=0, histograms=dict(zip("ab", parts, strict=True))), 0)
    together = Histogram.decode_sum(part.encode() for part in parts)
    assert interval_rows.exact(together, row.histograms.values()) == holding(5 * MS, 6 * MS, 1_234_567)


@pytest.mark.parametrize("known", [[], [Exact(2, 1, 1, 2, 0)], [Exact(1, 3, 3, 3, 0)]])
def test_a_histogram_that_is_not_of_its_row_is_refused(known: list[Exact]) -> None:
    with pytest.raises(ValueError, match="histogram"):
        interval_rows.exact(holding(1), known)


def test_a_gauge_that_is_no_number_is_left_out() -> None:
    row = interval_rows.row_of(Interval(second=0, gauges={"cpu": math.nan, "lag": math.inf, "users": 2}), 0)
    assert json.loads(interval_rows.line(row))["gauges"] == {"users": 2.0}


def test_a_row_that_was_cut_is_left_out() -> None:
    whole = interval_rows.line(interval_rows.row_of(second(0), 5))
    for length in range(len(whole)):
        assert [row.second for row in interval_rows.read_rows([whole, whole[:length]])] == [0]


def test_a_row_of_a_later_version_may_hold_more() -> None:
    row = json.loads(interval_rows.line(interval_rows.row_of(second(0), 5))) | {"new": 1}
    assert [found.second for found in interval_rows.read_rows([json.dumps(row).encode() + b"\n"])] == [0]


@pytest.mark.parametrize("text", [b"{}\n", b"nonsense\n", b"[]\n", b"\xff\n"])
def test_a_whole_line_that_is_no_row_is_told_by_number(text: bytes) -> None:
    with pytest.raises(ValueError, match="line 2 is not an interval"):
        list(interval_rows.read_rows([interval_rows.line(interval_rows.row_of(second(0), 5)), text]))
