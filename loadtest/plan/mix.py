"""Which kind of turn each turn of a run is: drawn by weight, from the seed and the number of the turn."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate

from loadtest.plan.random_draw import draw

MAX_KINDS = 16
"""Maximum kinds of turn in a run: each has metrics and counters of its own."""

MAX_WEIGHT = 1_000_000


class Mix:
    """Kinds of turn by weight. The draw depends on nothing but the seed and what is drawn for."""

    __slots__ = ("_bounds", "_names", "_seed")

    def __init__(self, weights: Mapping[str, int], seed: int) -> None:
        # By name, so that the order in which they were written changes nothing.
        self._names = sorted(weights)
        self._bounds = list(accumulate(weights[name] for name in self._names))
        self._seed = seed

    def kind(self, seq: int) -> str:
        """The kind of turn ``seq``."""
        drawn = draw(self._seed, "kind", seq) * self._bounds[-1]
        return self._names[bisect(self._bounds, drawn)]
