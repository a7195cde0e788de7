from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure import encoding

HIGHEST = 3_600_000_000_000
BUCKETS = 33 * 1024


def packed(
    payload: bytes,
    *,
    cookie: int = 0x1C849313,
    offset: int = 0,
    digits: int = 3,
    lowest: int = 1,
    length: int | None = None,
    outer: int = 0x1C849314,
    outer_length: int | None = None,
    tail: bytes = b"",
) -> bytes:
    claimed = len(payload) if length is None else length
    inner = struct.pack(">IIIIQQd", cookie, claimed, offset, digits, lowest, HIGHEST, 1.0)
    body = zlib.compress(inner + payload) + tail
    return struct.pack(">II", outer, len(body) if outer_length is None else outer_length) + body


def unpacked(data: bytes) -> dict[int, int]:
    indices, counts = encoding.unpack(data, BUCKETS)
    return dict(zip(indices.tolist(), counts.tolist(), strict=True))


buckets = st.dictionaries(
    st.integers(0, BUCKETS - 1),
    st.one_of(st.integers(1, 200), st.integers(1, encoding.MAX_PER_BUCKET)),
    max_size=40,
)


def pack(counts: dict[int, int]) -> bytes:
    present = sorted(counts)
    return encoding.pack(
        np.array(present, np.int64), np.array([counts[index] for index in present], np.int64), HIGHEST
    )


@given(buckets)
def test_round_trip(counts: dict[int, int]) -> None:
    assert unpacked(pack(counts)) == counts


@given(st.lists(buckets, max_size=6))
def test_a_sum_is_bucket_by_bucket(parts: list[dict[int, int]]) -> None:
    total = encoding.unpack_sum((pack(part) for part in parts), BUCKETS)
    for index in {index for part in parts for index in part}:
        assert total[index] == sum(part.get(index, 0) for part in parts)
    assert total.sum() == sum(sum(part.values()) for part in parts)


def test_a_long_sum_is_taken_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_AT_ONCE", 5)
    assert encoding.unpack_sum([pack({3: 1, 9: 300})] * 10, BUCKETS)[[3, 9]].tolist() == [10, 3000]


def test_gaps_may_be_written_as_zero_counts_and_the_end_may_be_empty() -> None:
    # -1 and 0 both mean one empty bucket; writers differ, and some write trailing empty buckets.
    assert unpacked(packed(bytes([0, 2, 1, 4, 3]))) == {1: 1, 3: 2}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_histogram_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="istogram"):
        encoding.unpack(data, BUCKETS)


@given(st.binary(max_size=60))
def test_any_counts_are_buckets_or_a_value_error(payload: bytes) -> None:
    try:
        found = unpacked(packed(payload))
    except ValueError:
        return
    assert all(0 <= index < BUCKETS and count > 0 for index, count in found.items())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "ends within its header"),
        (packed(b"\x02", outer=0x1C849301), "not a compressed"),
        (packed(b"\x02", outer_length=3), "instead of 3"),
        (struct.pack(">II", 0x1C849314, 4) + b"abcd", "cannot be decompressed"),
        (packed(b"\x02", tail=b"x"), "followed by other data"),
        (packed(b"\x01" * 5_000_000), "too large"),
        (struct.pack(">II", 0x1C849314, 9) + zlib.compress(b""), "instead of 9"),
        (struct.pack(">II", 0x1C849314, 8) + zlib.compress(b""), "inner header"),
        (packed(b"\x02", cookie=0x1C849301), "not an HdrHistogram"),
        (packed(b"\x02", digits=2), "only 3, 1 and 0"),
        (packed(b"\x02", lowest=1000), "only 3, 1 and 0"),
        (packed(b"\x02", offset=7), "only 3, 1 and 0"),
        (packed(b"\x02", length=2), "bytes of counts"),
        (packed(b"\x02\x80"), "last count"),
        (packed(b"\xff" * 8 + b"\x01"), "too large"),
        (packed(b"\xff" * 7 + b"\x01"), "too large"),
        (packed(b"\x81\x80\x80\x04\x02"), "too large"),
        (packed(b"\xff\x8f\x04" * 2 + b"\x02"), "more than 33792 buckets"),
    ],
)
def test_what_is_malformed_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        encoding.unpack(data, BUCKETS)


def test_one_malformed_part_spoils_the_sum() -> None:
    with pytest.raises(ValueError, match="last count"):
        encoding.unpack_sum([pack({1: 1}), packed(b"\x80"), pack({1: 1})], BUCKETS)
