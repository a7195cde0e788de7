"""Reading a stored manifest without trusting its shape: one that was cut short lacks its later sections."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loadtest.judge.manifest_access import section
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals


class ReadableRun(Protocol):
    """What a view reads of a run, as ``keep.read.Run`` has it; ``manifest`` is at hand, the rest is read."""

    @property
    def manifest(self) -> dict[str, Any]:
        """``run.json`` as plain data."""
        ...

    @property
    def path(self) -> Path:
        """The run's folder."""
        ...

    def totals(self, first: int | None = None, last: int | None = None) -> Totals:
        """The sum of the intervals from second ``first`` up to but not including ``last``."""
        ...

    def intervals(
        self,
        first: int | None = None,
        last: int | None = None,
        tags: Collection[str] | None = None,
        step: int = 1,
    ) -> Iterator[Interval]:
        """The seconds from ``first`` up to but not including ``last``, with histograms of these tags.

        Those of ``step`` seconds, counted from ``first``, may stand together in the last of them.
        """
        ...

    def turns(self) -> npt.NDArray[np.void]:
        """The turn table, of dtype ``measure.interval.TURN``."""
        ...

    def slowest(self) -> list[dict[str, Any]]:
        """The frame logs of the slowest and of the broken turns."""
        ...


def rows(of: object, *keys: str) -> list[dict[str, Any]]:
    """The mappings of the list found by following ``keys``; none where it is missing."""
    *path, last = keys
    found = section(of, *path).get(last)
    return [dict(row) for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def as_integer(value: object) -> int | None:
    """``value`` as an integer; None for anything that is no count."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
