"""HDR histograms of nanoseconds on numpy: exact counts, exact merge, at most 0.1 % off per value.

The buckets, and so the counts and the encoding, are those of HdrHistogram with lowest trackable
value 1, highest 3,600,000,000,000 (one hour) and 3 significant digits; any HdrHistogram tool reads
what ``encode`` writes. Layout and wire format: https://github.com/HdrHistogram/HdrHistogram.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from loadtest.measure import encoding

Counts = npt.NDArray[np.int64]
Spectrum = tuple[Counts, Counts]
"""The highest equivalent value of each bucket in use, and how many samples do not exceed it."""

HIGHEST_NS = 3_600_000_000_000
"""The highest value that is distinguished; longer ones count here and in ``clamped``."""

SUB_BITS = 11
"""Each power of two is cut into 2**10 steps, so a step is less than a thousandth of its value."""

HALF = 1 << (SUB_BITS - 1)
BUCKETS = 33 * HALF
"""How many buckets HdrHistogram allocates for these limits."""


class Sparse(NamedTuple):
    """A histogram as plain data, exact: what a worker's message carries.

    ``indices`` are little-endian 32-bit, ``counts`` little-endian 64-bit integers of equal number.
    """

    indices: bytes
    counts: bytes
    min_ns: int | None
    max_ns: int | None
    total_ns: int
    clamped: int


def index_of(values: Counts) -> Counts:
    """The bucket of each value; values must lie in 0 to ``HIGHEST_NS``."""
    # The exponent field of a double gives the bit length: faster than np.frexp, exact below 2**53.
    widened = (values | (2 * HALF - 1)).astype(np.float64).view(np.int64)
    shift = (widened >> 52) - (1022 + SUB_BITS)
    return (shift << (SUB_BITS - 1)) + (values >> shift)


def lowest_of(indices: Counts) -> Counts:
    """The lowest value that falls into each bucket."""
    shift = np.maximum((indices >> (SUB_BITS - 1)) - 1, 0)
    lowest: Counts = (indices - (shift << (SUB_BITS - 1))) << shift
    return lowest


def highest_of(indices: Counts) -> Counts:
    """The highest value that falls into each bucket: HdrHistogram's highest equivalent value."""
    return lowest_of(indices) + _widths(indices) - 1


def _widths(indices: Counts) -> Counts:
    widths: Counts = np.int64(1) << np.maximum((indices >> (SUB_BITS - 1)) - 1, 0)
    return widths


class Histogram:
    """Counts of durations in integer nanoseconds.

    ``min_ns``, ``max_ns`` and ``total_ns`` are exact for what was recorded or added; after ``decode``
    they are bucket edges and an estimate, since the encoding does not carry them.
    """

    __slots__ = ("_counts", "clamped", "max_ns", "min_ns", "n", "total_ns")

    def __init__(self) -> None:
        self._counts: Counts = np.zeros(0, np.int64)
        self.n = 0
        self.min_ns: int | None = None
        self.max_ns: int | None = None
        self.total_ns = 0
        self.clamped = 0

    def __repr__(self) -> str:
        return f"Histogram(n={self.n}, min_ns={self.min_ns}, max_ns={self.max_ns}, clamped={self.clamped})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.to_sparse() == other.to_sparse()

    __hash__ = None  # type: ignore[assignment]  # it changes as it records

    def record(self, values: npt.NDArray[np.integer[Any]]) -> None:
        """Record every value of an array of nanoseconds.

        Values above ``HIGHEST_NS`` count as ``HIGHEST_NS`` and in ``clamped``.

        Raises:
            ValueError: a value is negative; nothing was recorded.
        """
        if not len(values):
            return
        taken = np.asarray(values, np.int64)
        low, high = int(taken.min()), int(taken.max())
        if low < 0:
            raise ValueError(f"a duration cannot be negative ({low} ns)")
        if high > HIGHEST_NS:
            self.clamped += int(np.count_nonzero(taken > HIGHEST_NS))
            taken = np.minimum(taken, HIGHEST_NS)
        self._add_counts(np.bincount(index_of(taken)))
        self.n += len(taken)
        self.total_ns += _exact_sum(taken)
        self._widen(min(low, HIGHEST_NS), min(high, HIGHEST_NS))

    def add(self, other: Histogram) -> None:
        """Add another's counts: the same as if all had been recorded here."""
        if other.min_ns is None or other.max_ns is None:
            return
        self._add_counts(other._counts)
        self.n += other.n
        self.total_ns += other.total_ns
        self.clamped += other.clamped
        self._widen(other.min_ns, other.max_ns)

    def copy(self) -> Histogram:
        """An independent histogram of the same counts."""
        twin = Histogram()
        twin.add(self)
        return twin

    @property
    def mean_ns(self) -> float | None:
        """The arithmetic mean, or None of nothing."""
        return self.total_ns / self.n if self.n else None

    def percentile(self, q: float) -> int | None:
        """The smallest value that ``q`` percent of the samples do not exceed (nearest rank).

        Given as its bucket's highest equivalent value; None if there are no samples.

        Raises:
            ValueError: ``q`` is not within 0 to 100.
        """
        if not 0 <= q <= 100:
            raise ValueError(f"a percentile must be from 0 to 100, not {q}")
        if not self.n:
            return None
        # Fractions of the text: 99.9 % of 1,000 is rank 999, which binary floats miss by one.
        exact = Fraction(repr(float(q))) * self.n / 100
        return self.value_at_rank(max(1, -(-exact.numerator // exact.denominator)))

    def value_at_rank(self, rank: int) -> int:
        """The highest equivalent value of the sample that is ``rank``-th in order, from 1.

        Raises:
            ValueError: there is no such sample.
        """
        if not 1 <= rank <= self.n:
            raise ValueError(f"there is no sample of rank {rank} among {self.n}")
        index = np.searchsorted(np.cumsum(self._counts), rank)
        return int(highest_of(np.array([index], np.int64))[0])

    def counts_nonzero(self) -> tuple[Counts, Counts]:
        """The indices of the buckets that hold samples, ascending, and their counts."""
        indices = np.flatnonzero(self._counts)
        return indices, self._counts[indices]

    def spectrum(self) -> Spectrum:
        """The highest equivalent value of each bucket in use, and how many samples do not exceed it."""
        indices, counts = self.counts_nonzero()
        return highest_of(indices), np.cumsum(counts)

    def encode(self) -> bytes:
        """HdrHistogram's V2 compressed encoding, raw (a log line carries it in base64)."""
        return encoding.pack(*self.counts_nonzero(), HIGHEST_NS)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What ``encode`` wrote, here or in another HdrHistogram tool with lowest 1 and 3 digits.

        Raises:
            ValueError: the bytes are no such encoding.
        """
        return cls._of(*encoding.unpack(data, BUCKETS))

    @classmethod
    def decode_sum(cls, encodings: Iterable[bytes]) -> Self:
        """The sum of many encodings: a fifth of the time of decoding and adding them one by one.

        Raises:
            ValueError: one of them is no such encoding.
        """
        counts = encoding.unpack_sum(encodings, BUCKETS)
        indices = np.flatnonzero(counts)
        return cls._of(indices, counts[indices])

    @classmethod
    def _of(cls, indices: Counts, counts: Counts) -> Self:
        made = cls()
        if len(indices):
            ends = indices[[0, -1]]
            made._reserve(int(ends[1]) + 1)
            made._counts[indices] = counts
            made.n = int(counts.sum())
            made.min_ns, made.max_ns = int(lowest_of(ends)[0]), int(highest_of(ends)[1])
            middles = lowest_of(indices) + (_widths(indices) - 1) / 2
            estimate = int(np.dot(counts.astype(np.float64), middles))
            made.total_ns = min(max(estimate, made.n * made.min_ns), made.n * made.max_ns)
        return made

    def to_sparse(self) -> Sparse:
        """Everything, exactly, as plain data."""
        indices, counts = self.counts_nonzero()
        return Sparse(
            indices.astype("<i4").tobytes(),
            counts.astype("<i8").tobytes(),
            self.min_ns,
            self.max_ns,
            self.total_ns,
            self.clamped,
        )

    @classmethod
    def from_sparse(cls, sparse: Sparse) -> Self:
        """What ``to_sparse`` made.

        Raises:
            ValueError: its parts contradict each other.
        """
        if len(sparse.indices) % 4 or len(sparse.counts) != 2 * len(sparse.indices):
            raise ValueError("a histogram has different numbers of indices and counts")
        indices = np.frombuffer(sparse.indices, "<i4").astype(np.int64)
        counts = np.frombuffer(sparse.counts, "<i8").astype(np.int64)
        _check_buckets(indices, counts)
        return cls._of(indices, counts).with_exact(
            sparse.min_ns, sparse.max_ns, sparse.total_ns, sparse.clamped
        )

    def with_exact(self, min_ns: int | None, max_ns: int | None, total_ns: int, clamped: int) -> Self:
        """Itself, with the exact values that its buckets only bound.

        Raises:
            ValueError: they do not fit the buckets.
        """
        if min_ns is None or max_ns is None or self.min_ns is None or self.max_ns is None:
            if (min_ns, max_ns, total_ns, clamped, self.n) != (None, None, 0, 0, 0):
                raise ValueError("a histogram without samples has no minimum, maximum or sum")
            return self
        fits = self.min_ns <= min_ns <= max_ns <= self.max_ns
        if not fits or not self.n * min_ns <= total_ns <= self.n * max_ns or not 0 <= clamped <= self.n:
            raise ValueError("a histogram's minimum, maximum or sum does not fit its counts")
        self.min_ns, self.max_ns, self.total_ns, self.clamped = min_ns, max_ns, total_ns, clamped
        return self

    def _reserve(self, length: int) -> None:
        if length > len(self._counts):
            grown = np.zeros(min(-(-length // HALF) * HALF, BUCKETS), np.int64)
            grown[: len(self._counts)] = self._counts
            self._counts = grown

    def _add_counts(self, counts: Counts) -> None:
        self._reserve(len(counts))
        self._counts[: len(counts)] += counts

    def _widen(self, low: int, high: int) -> None:
        self.min_ns = low if self.min_ns is None else min(self.min_ns, low)
        self.max_ns = high if self.max_ns is None else max(self.max_ns, high)


def _exact_sum(values: Counts) -> int:
    """The sum, also where it would not fit 63 bits."""
    return (int((values >> 21).sum()) << 21) + int((values & 0x1FFFFF).sum())


def _check_buckets(indices: Counts, counts: Counts) -> None:
    if len(indices) and (indices[0] < 0 or indices[-1] >= BUCKETS or (np.diff(indices) <= 0).any()):
        raise ValueError("a histogram's indices are not in ascending order, or are outside its buckets")
    if ((counts <= 0) | (counts > encoding.MAX_PER_BUCKET)).any():
        raise ValueError("a histogram contains a count that is zero, negative or too large")
