"""``intervals.jsonl``: one JSON object per second, with everything but its histograms.

A row is written after everything else of its second, so a row that is there whole says that the second
is. Its ``histograms`` name the lines of the second in ``intervals.hlog``, in their order, with the exact
values that an encoded histogram does not carry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval

Whole = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
"""Counts and nanoseconds, which arrays of 64 bits must hold."""

Gauge = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]


class Exact(NamedTuple):
    """What is known of a histogram exactly; durations in nanoseconds."""

    n: Whole
    min_ns: Whole
    max_ns: Whole
    total_ns: int
    clamped: Whole


class Row(msgspec.Struct, forbid_unknown_fields=False):
    """One interval without its histograms, turns and frames.

    ``turns`` ended in this second; ``turns_kept`` of them are in ``turns.npy``.
    """

    second: Whole
    histograms: dict[str, Exact]
    counters: dict[str, dict[str, Whole]]
    gauges: dict[str, Gauge]
    instants: dict[str, Whole]
    moves: list[tuple[Whole, Whole]]
    turns: Whole
    turns_kept: Whole

    def interval(self) -> Interval:
        """The interval, with neither histograms, nor turns, nor frames."""
        return Interval(
            second=self.second,
            counters=self.counters,
            gauges=self.gauges,
            instants=self.instants,
            moves=np.array(self.moves, np.int64).reshape(-1, 2),
        )


_decoder = msgspec.json.Decoder(Row)


def row_of(interval: Interval, turns_kept: int) -> Row:
    """What is kept of an interval as its row."""
    return Row(
        second=interval.second,
        histograms={
            tag: Exact(histogram.n, histogram.min_ns, histogram.max_ns, histogram.total_ns, histogram.clamped)
            for tag, histogram in interval.histograms.items()
            if histogram.min_ns is not None and histogram.max_ns is not None
        },
        counters=interval.counters,
        gauges={name: float(value) for name, value in interval.gauges.items() if math.isfinite(value)},
        instants=interval.instants,
        moves=interval.moves.tolist(),
        turns=len(interval.turns),
        turns_kept=turns_kept,
    )


def line(row: Row) -> bytes:
    """The row as one line, with its end."""
    return msgspec.json.encode(row) + b"\n"


def read_rows(source: Iterable[bytes]) -> Iterator[Row]:
    """The rows, up to the end or to a line that was cut.

    Raises:
        ValueError: a whole line is not a row.
    """
    for number, text in enumerate(source, 1):
        if not text.endswith(b"\n"):
            return
        try:
            yield _decoder.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            raise ValueError(f"line {number} is not an interval: {problem}") from None


def exact(histogram: Histogram, known: Iterable[Exact]) -> Histogram:
    """A decoded histogram, itself, with the exact values of the parts that it is the sum of.

    Raises:
        ValueError: they do not belong to it.
    """
    parts = list(known)
    if histogram.n != sum(part.n for part in parts):
        raise ValueError("a histogram has more or fewer samples than its row says")
    return histogram.with_exact(
        min((part.min_ns for part in parts), default=None),
        max((part.max_ns for part in parts), default=None),
        sum(part.total_ns for part in parts),
        sum(part.clamped for part in parts),
    )
