"""Runs that lie far from the median of their sample: named, and left out of its numbers.

One run of eight may take five times as long, because something else ran on the machine. It widens the spread
so much that a change of a fifth cannot be seen. The mean of the other runs is the robust estimate. How far is
far is measured by the median and the median absolute deviation, which a few such runs hardly move. An outlier
among the candidate's runs may be the release's doing: see ``hiding`` of ``HypothesisResults``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loadtest.judge.permutation import Array
from loadtest.judge.power import MIN_PAIRS, MIN_RUNS

FAR = 10.0
"""Robust standard deviations, with ``ENOUGH`` runs or more; with fewer runs it is more, see ``_reach``.

If runs are spread normally, hardly any lies so far from the median.
"""

ENOUGH = 16
"""Fewer runs measure the spread badly: of 5 against 5 runs at a spread of 10 %, one in 25 comparisons
took a run for an outlier, and 5.6 of 100 were falsely called slower instead of 5."""

MATTERS = 2.0
"""Smallest effects. A run that lies nearer is no outlier, however alike the other runs are."""

MAX_ONE_IN = 4
"""At most one run in so many is an outlier; if more lie far away, the runs simply differ so much."""

NORMAL = 1.4826
"""The standard deviation of normal values in median absolute deviations."""

Flags = npt.NDArray[np.bool_]


def outliers(baseline: Array, candidate: Array, bounds: Array) -> tuple[Flags, Flags]:
    """Which runs of either sample lie far from its median, per run and metric: (..., runs, metrics).

    Both samples tell together how far runs differ. ``bounds`` is the smallest effect of each metric; infinite
    where no run may be called an outlier.
    """
    samples = (baseline, candidate)
    away = [sample - _median(sample) for sample in samples]
    scale = NORMAL * _median(np.abs(np.concatenate(away, axis=-2)))
    # A median takes one degree of freedom of each sample.
    runs = baseline.shape[-2] + candidate.shape[-2]
    scale = scale * np.sqrt(runs / max(runs - 2, 1))
    reach = _reach(scale, runs, bounds)
    first, second = (_few(np.abs(each) > reach, each) for each in away)
    return first, second


def history_outliers(values: Array, bounds: Array, least: int = MIN_RUNS) -> Flags:
    """The same of one sample; at least ``least`` runs are left."""
    away = values - _median(values)
    runs = values.shape[-2]
    scale = NORMAL * _median(np.abs(away)) * np.sqrt(runs / max(runs - 1, 1))
    reach = _reach(scale, runs, bounds)
    return _few(np.abs(away) > reach, away, least)


def paired_outliers(away: Array, bounds: Array) -> Flags:
    """The same of differences within pairs: enough pairs for a verdict are left."""
    return history_outliers(away, bounds, MIN_PAIRS)


def _reach(scale: Array, runs: int, bounds: Array) -> Array:
    """How far from the median a run must lie."""
    far = FAR * max(1.0, ENOUGH / runs)
    found: Array = np.maximum(far * scale, MATTERS * bounds[..., None, :])
    return found


def _few(far: Flags, values: Array, least: int = MIN_RUNS) -> Flags:
    """Those flags, where they are few enough to be outliers and enough other runs are left."""
    known = (~np.isnan(values)).sum(axis=-2, keepdims=True)
    flagged = far.sum(axis=-2, keepdims=True)
    few: Flags = far & (flagged * MAX_ONE_IN <= known) & (known - flagged >= least)
    return few


def _median(values: Array) -> Array:
    """Over the runs that measured; NaN where none did."""
    known = ~np.isnan(values)
    ordered = np.sort(values, axis=-2)  # NaN stands last
    n = known.sum(axis=-2, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0), axis=-2)
    high = np.take_along_axis(ordered, np.minimum(n // 2, values.shape[-2] - 1), axis=-2)
    middle: Array = (low + high) / 2
    return middle
