"""HdrHistogram's V2 compressed encoding, to and from buckets and their counts.

Outer header (cookie, length), then zlib over an inner header (cookie, length, normalizing offset,
digits, lowest, highest, conversion ratio) and the counts from bucket 0 up as ZigZag LEB128 words:
a positive word is a count, a negative one a run of that many empty buckets.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

DIGITS = 3
MAX_PER_BUCKET = 1 << 47
"""The highest count accepted from outside; the sum of all buckets then still fits 63 bits."""

_COOKIE = 0x1C849303
_COMPRESSED_COOKIE = 0x1C849304
_WORD_SIZE_BITS = 0xF0
_V2_WORDS = 0x10
_OUTER = struct.Struct(">II")
_INNER = struct.Struct(">IIIIQQd")
_MAX_BYTES = 4 * 1024 * 1024
_LONGEST_WORD = 8
_AT_ONCE = 1 << 20


def pack(indices: Integers, counts: Integers, highest: int) -> bytes:
    """The encoding of ascending bucket indices and their counts, all above 0."""
    payload = _leb128(_words(indices, counts))
    inner = _INNER.pack(_COOKIE | _V2_WORDS, len(payload), 0, DIGITS, 1, highest, 1.0)
    packed = zlib.compress(inner + payload)
    return _OUTER.pack(_COMPRESSED_COOKIE | _V2_WORDS, len(packed)) + packed


def unpack(data: bytes, buckets: int) -> tuple[Integers, Integers]:
    """Ascending bucket indices and their counts, all above 0.

    Raises:
        ValueError: the bytes are malformed, of other limits, or have more than ``buckets`` buckets.
    """
    payload = _payload(data)
    return _counts([payload], buckets) if payload else (np.zeros(0, np.int64), np.zeros(0, np.int64))


def unpack_sum(encodings: Iterable[bytes], buckets: int) -> Integers:
    """Counts by bucket, summed over all encodings; a fifth of the time of unpacking them one by one.

    Raises:
        ValueError: one of them is malformed, of other limits, or has more than ``buckets`` buckets.
    """
    total = np.zeros(buckets, np.int64)
    for payloads in _batches(map(_payload, encodings)):
        np.add.at(total, *_counts(payloads, buckets))
    return total


def _words(indices: Integers, counts: Integers) -> npt.NDArray[np.uint64]:
    """Counts and gaps in the order they are written, ZigZag coded."""
    gaps = np.diff(indices, prepend=-1) - 1
    pairs = np.column_stack((-gaps, counts)).ravel()
    written = pairs[pairs != 0]
    coded: npt.NDArray[np.uint64] = ((written << 1) ^ (written >> 63)).view(np.uint64)
    return coded


def _leb128(words: npt.NDArray[np.uint64]) -> bytes:
    """Seven bits a byte, low ones first, the top bit set on all but the last byte of a word."""
    if not len(words):
        return b""
    lengths = np.ones(len(words), np.int64)
    for k in range(1, _LONGEST_WORD):
        lengths += words >= np.uint64(1 << (7 * k))
    places = np.arange(lengths.max(), dtype=np.uint64)
    octets = (words[:, None] >> (np.uint64(7) * places)) & np.uint64(0x7F)
    octets |= np.where(places < lengths[:, None] - 1, 0x80, 0).astype(np.uint64)
    return octets[places < lengths[:, None]].astype(np.uint8).tobytes()


def _payload(data: bytes) -> bytes:
    """The counts part of one encoding, its headers checked."""
    if len(data) < _OUTER.size:
        raise ValueError("the histogram ends within its header")
    cookie, length = _OUTER.unpack_from(data)
    if cookie & ~_WORD_SIZE_BITS != _COMPRESSED_COOKIE:
        raise ValueError("the data is not a compressed HdrHistogram (V2)")
    if length != len(data) - _OUTER.size:
        raise ValueError(
            f"the histogram has {len(data) - _OUTER.size} bytes after its header instead of {length}"
        )
    return _checked(_inflated(data[_OUTER.size :]))


def _inflated(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inner = inflater.decompress(packed, _MAX_BYTES)
    except zlib.error as problem:
        raise ValueError(f"the histogram cannot be decompressed: {problem}") from problem
    if not inflater.eof or inflater.unused_data:
        raise ValueError(
            "the compressed part of the histogram is incomplete, too large, or followed by other data",
        )
    return inner


def _checked(inner: bytes) -> bytes:
    if len(inner) < _INNER.size:
        raise ValueError("the histogram ends within its inner header")
    cookie, length, offset, digits, lowest, _, _ = _INNER.unpack_from(inner)
    if cookie & ~_WORD_SIZE_BITS != _COOKIE:
        raise ValueError("the data is not an HdrHistogram (V2)")
    if (offset, digits, lowest) != (0, DIGITS, 1):
        raise ValueError(
            f"the histogram has {digits} significant digits, lowest value {lowest} and offset {offset};"
            " loadtest reads only 3, 1 and 0"
        )
    if length != len(inner) - _INNER.size:
        raise ValueError(f"the histogram has {len(inner) - _INNER.size} bytes of counts instead of {length}")
    return inner[_INNER.size :]


def _batches(payloads: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Lists of about a megabyte: large enough to decode at numpy's speed, small enough for any machine."""
    batch: list[bytes] = []
    size = 0
    for payload in payloads:
        if payload:
            batch.append(payload)
            size += len(payload)
        if size >= _AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _counts(payloads: Sequence[bytes], buckets: int) -> tuple[Integers, Integers]:
    """Bucket indices and counts of all payloads, one after the other; none of them is empty."""
    octets = np.frombuffer(b"".join(payloads), np.uint8)
    bounds = np.cumsum([len(payload) for payload in payloads])
    ends = np.flatnonzero(octets < 0x80)
    if (octets[bounds - 1] >= 0x80).any():
        raise ValueError("the histogram ends within its last count")
    values = _values(octets, ends)
    if values.max() > MAX_PER_BUCKET or values.min() < -buckets:
        raise ValueError("the histogram contains a count or a gap that is too large")
    places = np.cumsum(np.where(values < 0, -values, 1))
    indices = places - 1
    if len(payloads) > 1:
        words = np.diff(np.searchsorted(ends, bounds), prepend=0)
        before = np.cumsum(words) - words
        indices -= np.repeat(np.where(before > 0, places[before - 1], 0), words)
    if indices.max() >= buckets:
        raise ValueError(f"the histogram has more than {buckets} buckets")
    taken = values > 0
    return indices[taken], values[taken]


def _values(octets: npt.NDArray[np.uint8], ends: Integers) -> Integers:
    """The words that end at ``ends``, ZigZag decoded."""
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > _LONGEST_WORD:
        raise ValueError("the histogram contains a count that is too large")
    words = (octets[starts] & 0x7F).astype(np.int64)
    for k in range(1, longest):
        longer = np.flatnonzero(lengths > k)
        words[longer] |= (octets[starts[longer] + k] & 0x7F).astype(np.int64) << (7 * k)
    return (words >> 1) ^ -(words & 1)
