"""Turns that wait for a socket whose buffer is full, and the byte with which each is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from loadtest.speak.turn import Turn


class UnsentTurns:
    """Turns whose last byte the kernel may not have taken yet, oldest first."""

    __slots__ = ("_handed_over", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Turn, int]] = deque()
        self._handed_over = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, frames: Sequence[bytes], queued: Iterable[tuple[Turn, int]]) -> None:
        """Frames went to the socket; ``queued`` are the turns among them, each with its frame's index."""
        ends = list(accumulate(map(len, frames), initial=self._handed_over))
        self._waiting += [(turn, ends[at + 1]) for turn, at in queued]
        self._handed_over = ends[-1]

    def take(self, left: int) -> Iterator[Turn]:
        """The turns that are sent, where ``left`` bytes are all that the kernel has not taken.

        With TLS, ``left`` counts encrypted bytes, which are a few more.
        """
        taken = self._handed_over - left
        while self._waiting and self._waiting[0][1] <= taken:
            yield self._waiting.popleft()[0]
