"""What every source of the target's health has in common."""

from __future__ import annotations

import abc
from collections.abc import Mapping


class NotSampledError(Exception):
    """Why a source had nothing to say: the end of a sentence."""


class HealthSource(abc.ABC):
    """One place where samples come from. ``names`` is what it may tell of."""

    names: tuple[str, ...]

    @abc.abstractmethod
    def sample(self) -> Mapping[str, float | str]:
        """What is known now by name: a value, or the reason why there is none.

        A rate lacks in the first sample. It may take as long as an answer takes, and blocks nobody else.

        Raises:
            NotSampledError: nothing is known now, and why.
        """


class CounterRate:
    """What a counter rises by a second, between two samples."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def of(self, value: float, at_s: float) -> float | None:
        """The increase a second since the last call; None of the first, and where the counter began anew."""
        before, self._before = self._before, (value, at_s)
        if before is None or value < before[0] or at_s <= before[1]:
            return None
        return (value - before[0]) / (at_s - before[1])
