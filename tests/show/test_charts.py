from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import SampleRun

from loadtest.judge.ranks import nearest_rank, part_of
from loadtest.measure.histogram import Histogram
from loadtest.show.charts import Bins, grid, on_grid
from loadtest.show.plot.pictures import Pictures
from loadtest.show.series import BinSamples
from loadtest.show.threshold_limits import limits_of

Counts = list[tuple[int, int]]


def histogram(values: list[int]) -> Histogram:
    made = Histogram()
    made.record(np.array(values, np.int64))
    return made


def unpacked(data: bytes, bins: int) -> list[Counts]:
    """As the page's script reads it."""
    octets = iter(data)

    def number() -> int:
        value = scale = 0
        while (octet := next(octets)) >= 128:
            value |= (octet & 127) << scale
            scale += 7
        return value | octet << scale

    found: list[Counts] = []
    for _ in range(bins):
        index, of_bin = 0, []
        for _ in range(number()):
            index += number()
            of_bin.append((index, number()))
        found.append(of_bin)
    assert next(octets, None) is None
    return found


def highest_ns(index: int, bits: int) -> int:
    shift = max((index >> (bits - 1)) - 1, 0)
    return ((index - (shift << (bits - 1)) + 1) << shift) - 1


@given(
    st.lists(st.none() | st.lists(st.integers(0, 10**12), min_size=1, max_size=30), max_size=6),
    st.integers(6, 11),
)
def test_what_is_packed_is_there_again(values: list[list[int] | None], bits: int) -> None:
    bins = Bins.of([None if each is None else BinSamples.of(histogram(each)) for each in values])
    if bits < bins.bits and len(bins.bins):
        bins = bins.coarser(bits)
    data = bins.packed()
    assert len(data) == bins.size
    found = unpacked(data, len(values))
    assert [sum(n for _, n in each) for each in found] == [len(each or ()) for each in values]
    for each, of_bin in zip(values, found, strict=True):
        for value in each or ():
            reached = min((top for index, _ in of_bin if (top := highest_ns(index, bins.bits)) >= value))
            assert reached - value <= value * 2.0 ** (1 - bins.bits) + 1


def _lead(run: SampleRun) -> Any:
    return Pictures(run).plot("timeline").charts()[0]


def _percentiles(run: SampleRun) -> Iterator[tuple[str, str, float, int]]:
    """Of the whole run, from what its page holds of every second."""
    chart = _lead(run)
    spans = chart["spans"]
    for metric, _, text, bounded in spans["metrics"]:
        assert not bounded
        summed: dict[int, int] = {}
        for of_bin in unpacked(base64.b64decode(text), len(chart["x"])):
            for index, n in of_bin:
                summed[index] = summed.get(index, 0) + n
        total = sum(summed.values())
        for name, _, _, least in spans["percentiles"]:
            if total >= least:
                rank = nearest_rank(part_of(name.replace(".", "_")), total)
                yield metric, name, highest_ns(at_rank(summed, rank), spans["bits"]) / 1e6, total


def at_rank(counts: dict[int, int], rank: int) -> int:
    """The bucket of the sample of that rank."""
    ordered = sorted(counts)
    reached = np.cumsum([counts[index] for index in ordered])
    return ordered[int(np.searchsorted(reached, rank))]


@pytest.mark.parametrize("name", ["passed", "failed"])
def test_the_span_of_the_whole_run_has_the_percentiles_of_the_report(
    name: str, sample: Callable[[str], SampleRun]
) -> None:
    run = sample(name)
    found = list(_percentiles(run))
    assert len(found) == 10
    for metric, percentile, value, n in found:
        told = run.manifest["metrics"][metric]
        assert n == told["n"]
        assert value == pytest.approx(told[percentile.replace(".", "_")], rel=1e-3)


def test_a_point_has_its_n_and_the_threshold_its_line(sample: Callable[[str], SampleRun]) -> None:
    chart = _lead(sample("failed"))
    first = chart["series"][0]
    assert len(chart["x"]) == len(first["values"]) == len(first["n"])
    assert max(first["n"]) > 100
    assert chart["limits"] == [{"label": "first event p95 < 100ms", "value": 100.0, "missed": True}]
    assert chart["bands"][0][0] == "warm-up"


def test_a_spectrum_ends_where_n_does() -> None:
    points = grid(1000)
    assert (points[0], points[-1]) == (1, 1000)
    values = on_grid(histogram([10**6] * 99 + [10**9]), points)
    assert np.isnan(values[points > 101]).all()
    assert values[np.searchsorted(points, 99)] == pytest.approx(1.0, rel=1e-2)


def test_a_run_that_measured_nothing_has_no_charts_of_it(sample: Callable[[str], SampleRun]) -> None:
    pictures = Pictures(sample("unreachable"))
    assert pictures.plot("spectrum").charts() == []
    assert pictures.plot("ledger").charts() == []


def test_a_threshold_that_cannot_be_read_is_no_line() -> None:
    rows = [
        {"name": "turn.first_event.p95", "expression": "< 100ms", "stage": 1},
        {"name": "turn.first_event.p95", "expression": "whatever"},
        {"name": "nothing.of.ours", "expression": "< 1"},
        "foreign",
    ]
    (found,) = limits_of({"verdict": {"thresholds": rows}})
    assert (found.label, found.value, found.missed) == ("p95 < 100ms (stage 2)", 100, False)
