from __future__ import annotations

import base64
import math
import time

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.histogram import BUCKETS, HIGHEST_NS, Histogram, Sparse, highest_of, index_of, lowest_of

durations = st.one_of(
    st.integers(0, 5000),
    st.integers(0, HIGHEST_NS),
    st.integers(0, 31).map(lambda k: 2048 << k).filter(lambda v: v <= HIGHEST_NS),
    st.integers(0, 31).map(lambda k: (2048 << k) - 1).filter(lambda v: v <= HIGHEST_NS),
    st.sampled_from([0, 1, 2047, 2048, HIGHEST_NS - 1, HIGHEST_NS]),
)
samples = st.lists(durations, max_size=60)


def recorded(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    return histogram


def reference(values: list[int]) -> HdrHistogram:
    histogram = HdrHistogram(1, HIGHEST_NS, 3)
    for value in values:
        assert histogram.record_value(value)
    return histogram


def counts_of(histogram: HdrHistogram) -> dict[int, int]:
    return {index: count for index, count in enumerate(histogram.counts) if count}


def counts(histogram: Histogram) -> dict[int, int]:
    indices, present = histogram.counts_nonzero()
    return dict(zip(indices.tolist(), present.tolist(), strict=True))


@given(samples)
def test_counts_and_encoding_are_those_of_the_reference(values: list[int]) -> None:
    ours, theirs = recorded(values), reference(values)
    assert counts(ours) == counts_of(theirs)
    assert base64.b64encode(ours.encode()) == theirs.encode()
    assert counts_of(HdrHistogram.decode(base64.b64encode(ours.encode()))) == counts(ours)


@given(samples)
def test_one_by_one_is_the_same_as_all_at_once(values: list[int]) -> None:
    single = Histogram()
    for value in values:
        single.record(np.array([value]))
    assert single == recorded(values)


@given(durations)
def test_a_bucket_holds_its_value_within_a_thousandth(value: int) -> None:
    index = index_of(np.array([value]))
    low, high = int(lowest_of(index)[0]), int(highest_of(index)[0])
    theirs = reference([value])
    assert low <= value <= high
    assert high - low <= value / 1000
    assert (low, high) == (
        theirs.get_lowest_equivalent_value(value),
        theirs.get_highest_equivalent_value(value),
    )
    assert 0 <= int(index[0]) < BUCKETS == theirs.counts_len


@given(samples, samples)
def test_a_merge_is_the_same_as_recording_together(some: list[int], others: list[int]) -> None:
    merged = recorded(some)
    merged.add(recorded(others))
    assert merged == recorded(some + others)


@given(samples.filter(bool))
def test_sums_and_ends_are_exact(values: list[int]) -> None:
    histogram = recorded(values)
    assert histogram.n == len(values)
    assert (histogram.min_ns, histogram.max_ns) == (min(values), max(values))
    assert histogram.total_ns == sum(values)
    assert histogram.mean_ns == sum(values) / len(values)


def test_a_sum_beyond_63_bits_is_exact() -> None:
    histogram = Histogram()
    histogram.record(np.full(3_000_000, HIGHEST_NS))
    assert histogram.total_ns == 3_000_000 * HIGHEST_NS > 2**63


@given(samples.filter(bool), st.sampled_from([0, 0.001, 25, 50, 90, 95, 99, 99.9, 99.99, 100]))
def test_a_percentile_is_the_nearest_rank(values: list[int], q: float) -> None:
    rank = max(1, math.ceil(round(q * 1000) * len(values) / 100_000))
    expected = reference([]).get_highest_equivalent_value(sorted(values)[rank - 1])
    assert recorded(values).percentile(q) == expected
    assert recorded(values).value_at_rank(rank) == expected


@pytest.mark.parametrize(
    ("q", "rank"), [(99.9, 999), (50, 500), (99.99, 1000), (0.1, 1), (29, 290), (57, 570)]
)
def test_ranks_do_not_slip_in_binary_fractions(q: float, rank: int) -> None:
    assert recorded(list(range(1, 1001))).percentile(q) == rank


def test_nothing_has_no_percentile_no_mean_and_no_ends() -> None:
    nothing = Histogram()
    nothing.record(np.array([], np.int64))
    assert nothing.percentile(50) is None
    assert nothing.mean_ns is None
    assert (nothing.min_ns, nothing.max_ns, nothing.n) == (None, None, 0)
    assert nothing.spectrum()[0].tolist() == []


@pytest.mark.parametrize("q", [-0.1, 100.1, math.nan])
def test_a_percentile_outside_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        recorded([1]).percentile(q)


@pytest.mark.parametrize("rank", [0, 3])
def test_a_rank_nobody_has_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match="no sample of rank"):
        recorded([1, 2]).value_at_rank(rank)


def test_what_is_too_long_counts_as_the_highest_and_as_clamped() -> None:
    histogram = recorded([5, HIGHEST_NS + 1, 2**62])
    assert (histogram.n, histogram.clamped) == (3, 2)
    assert histogram.max_ns == HIGHEST_NS
    assert counts(histogram) == counts_of(reference([5, HIGHEST_NS, HIGHEST_NS]))
    only = recorded([2**62])
    assert (only.min_ns, only.max_ns, only.total_ns) == (HIGHEST_NS,) * 3


def test_a_negative_duration_is_refused_and_nothing_recorded() -> None:
    histogram = recorded([7])
    with pytest.raises(ValueError, match="negative"):
        histogram.record(np.array([1, -1]))
    assert histogram == recorded([7])


@given(samples)
def test_the_spectrum_counts_up_to_n(values: list[int]) -> None:
    heights, cumulative = recorded(values).spectrum()
    for height, so_far in zip(heights.tolist(), cumulative.tolist(), strict=True):
        assert so_far == sum(value <= height for value in values)


def test_a_copy_is_independent() -> None:
    first = recorded([1, 2])
    second = first.copy()
    second.record(np.array([3]))
    assert first == recorded([1, 2])
    assert second == recorded([1, 2, 3])


def test_equal_only_to_histograms_and_shown_with_its_ends() -> None:
    assert recorded([1]) != "1"
    assert repr(recorded([1, 9])) == "Histogram(n=2, min_ns=1, max_ns=9, clamped=0)"


@given(samples)
def test_decode_gives_the_counts_with_bucket_edges(values: list[int]) -> None:
    original = recorded(values)
    decoded = Histogram.decode(original.encode())
    assert counts(decoded) == counts(original)
    assert decoded.n == original.n
    if values:
        assert decoded.min_ns == reference([]).get_lowest_equivalent_value(min(values))
        assert decoded.max_ns == reference([]).get_highest_equivalent_value(max(values))
        assert decoded.total_ns == pytest.approx(sum(values), rel=1e-3)
    assert Histogram.from_sparse(decoded.to_sparse()) == decoded


@given(st.lists(samples, max_size=5))
def test_the_sum_of_encodings_is_the_sum_of_histograms(parts: list[list[int]]) -> None:
    together = recorded([value for part in parts for value in part])
    assert counts(Histogram.decode_sum(recorded(part).encode() for part in parts)) == counts(together)


def test_decode_reads_what_the_reference_wrote() -> None:
    values = [0, 1, 2047, 2048, 10**6, 10**9, HIGHEST_NS]
    theirs = reference(values)
    assert counts(Histogram.decode(base64.b64decode(theirs.encode()))) == counts_of(theirs)


@given(samples, st.sampled_from([[], [2**50]]))
def test_sparse_keeps_everything(values: list[int], too_long: list[int]) -> None:
    histogram = recorded([*values, *too_long])
    assert Histogram.from_sparse(histogram.to_sparse()) == histogram


@pytest.mark.parametrize(
    "change",
    [
        {"indices": b"\x01\x00\x00"},
        {"counts": b""},
        {"indices": b"\x05\x00\x00\x00\x01\x00\x00\x00"},
        {"indices": b"\xff\xff\xff\xff\x01\x00\x00\x00"},
        {"indices": b"\x01\x00\x00\x00\x00\x84\x00\x00"},
        {"counts": b"\x00" * 16},
        {"counts": b"\x01" + b"\x00" * 14 + b"\x01"},
        {"min_ns": None},
        {"max_ns": None},
        {"min_ns": 0},
        {"max_ns": 6},
        {"min_ns": 6},
        {"total_ns": 100},
        {"total_ns": 0},
        {"clamped": -1},
        {"clamped": 3},
        {"indices": b"", "counts": b""},
        {"indices": b"", "counts": b"", "min_ns": None},
    ],
)
def test_sparse_parts_that_contradict_each_other_are_refused(change: dict[str, object]) -> None:
    sparse = recorded([1, 5]).to_sparse()
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_sparse(sparse._replace(**change))


def test_sparse_of_nothing() -> None:
    assert Histogram().to_sparse() == Sparse(b"", b"", None, None, 0, 0)
    assert Histogram.from_sparse(Histogram().to_sparse()) == Histogram()


@pytest.mark.timed
def test_recording_is_fast_enough_for_the_second_it_happens_in() -> None:
    values = np.random.default_rng(1).lognormal(14, 1.5, 100_000).astype(np.int64)
    begun = time.process_time()
    for _ in range(7):
        Histogram().record(values)
    assert time.process_time() - begun < 7 * 0.1
