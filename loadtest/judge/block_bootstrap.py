"""The uncertainty within one run: a bootstrap over blocks of its seconds.

It says how much the samples of this run could have come out otherwise, and nothing about how the next run
will differ; so it is drawn, and named what it is, and never gives a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loadtest.judge.permutation import SEED, Array
from loadtest.judge.ranks import CONFIDENCE
from loadtest.measure.histogram import highest_of

DRAWS = 400

MIN_BLOCKS = 6
"""With fewer blocks there are too few different draws."""


class CountedSamples(Protocol):
    """A histogram, or what was kept of one."""

    @property
    def n(self) -> int:
        """How many samples there are."""

    def counts_nonzero(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The indices of the buckets that hold samples, ascending, and their counts."""


def within_run(steps: Sequence[CountedSamples], parts: Sequence[float], step_s: int = 1) -> Array | None:
    """95 % bounds of the quantiles ``parts`` (of one) in nanoseconds: shape (parts, 2), lower bound first.

    ``steps`` are a metric's seconds one after the other, ``step_s`` of them added up in each; the last may be
    shorter. Whole blocks of neighbours are drawn with replacement, since neighbours resemble each other; a
    block is about as long as the square root of the number of seconds, shorter where there would be fewer
    than 6 blocks. None where there are fewer than 6 steps, or no samples.
    """
    seconds = len(steps) * step_s
    length = min(max(1, round(math.sqrt(seconds) / step_s)), len(steps) // MIN_BLOCKS)
    if not length or not any(step.n for step in steps):
        return None
    counts, values = _table(steps)
    drawn = _drawn(len(counts), length) @ counts
    found = [_quantiles(row, values, parts) for row in drawn if row.any()]
    tail = (1 - CONFIDENCE) / 2
    bounds: Array = np.quantile(found, [tail, 1 - tail], axis=0).T
    return bounds


def _table(steps: Sequence[CountedSamples]) -> tuple[Array, Array]:
    """Samples per step and value: (steps, values), and the values in nanoseconds."""
    known = [step.counts_nonzero() for step in steps]
    indices, counts = (np.concatenate(parts) for parts in zip(*known, strict=True))
    used = np.flatnonzero(np.bincount(indices))
    rows = np.repeat(np.arange(len(steps)), [len(each) for each, _ in known])
    table = np.zeros((len(steps), len(used)))
    table[rows, np.searchsorted(used, indices)] = counts
    return table, highest_of(used).astype(np.float64)


def _drawn(steps: int, length: int) -> Array:
    """How often each step is in each draw of blocks of that length: (draws, steps)."""
    begins = steps - length + 1
    chosen = np.random.default_rng(SEED).integers(0, begins, (DRAWS, steps // length))
    begun = np.stack([np.bincount(row, minlength=begins) for row in chosen])
    # A step is in every block that began within one length before it.
    sums = np.pad(np.cumsum(begun, axis=1), ((0, 0), (length, length - 1)), mode="edge")
    sums[:, :length] = 0
    return (sums[:, length:] - sums[:, :-length]).astype(np.float64)


def _quantiles(counts: Array, values: Array, parts: Sequence[float]) -> Array:
    """Nearest rank, as for all percentiles."""
    cumulative = np.cumsum(counts)
    ranks = np.maximum(np.ceil(np.asarray(parts) * cumulative[-1]), 1)
    found: Array = values[np.minimum(np.searchsorted(cumulative, ranks), len(values) - 1)]
    return found
