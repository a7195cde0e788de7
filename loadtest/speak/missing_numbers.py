"""The sequence numbers of a turn that have not come."""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain, islice


class MissingNumbers:
    """Sequence numbers below the highest of a turn that have not come, as runs of neighbours.

    A target that numbers all its events with one counter leaves out tens of thousands in every turn: a run
    of any length costs 100 bytes, a list of its numbers 40 each.
    """

    __slots__ = ("_count", "_ends", "_starts")

    def __init__(self) -> None:
        self._count = 0
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return self._run_of(number) is not None

    def add(self, start: int, end: int) -> None:
        """``start`` to ``end - 1`` are missing; all that were missing before are below ``start``."""
        self._starts.append(start)
        self._ends.append(end)
        self._count += end - start

    def remove(self, number: int) -> bool:
        """A number came after all; False: it was not missing."""
        run = self._run_of(number)
        if run is None:
            return False
        start, end = self._starts[run], self._ends[run]
        left = [(a, b) for a, b in ((start, number), (number + 1, end)) if a < b]
        self._starts[run : run + 1] = [a for a, _ in left]
        self._ends[run : run + 1] = [b for _, b in left]
        self._count -= 1
        return True

    def below(self, number: int) -> int:
        """How many below ``number`` are missing; ``number`` itself is not."""
        runs = bisect_right(self._starts, number)
        return sum(self._ends[:runs]) - sum(self._starts[:runs])

    def first(self, n: int) -> list[int]:
        """The lowest ``n``, or all of them."""
        runs = map(range, self._starts, self._ends)
        return list(islice(chain.from_iterable(runs), n))

    def _run_of(self, number: int) -> int | None:
        run = bisect_right(self._starts, number) - 1
        return run if run >= 0 and number < self._ends[run] else None
