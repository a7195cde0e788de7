"""What is due when in one process."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[int], None]


class Agenda:
    """What is due when: a heap of instants and actions; an action gets the instant it was due at."""

    __slots__ = ("_entries", "_number")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Action]] = []
        self._number = itertools.count()

    def add(self, due_ns: int, action: Action) -> None:
        """Have ``action`` done at ``due_ns``; entries of one instant keep their order."""
        heapq.heappush(self._entries, (due_ns, next(self._number), action))

    @property
    def next_ns(self) -> int | None:
        """The earliest instant, or None."""
        return self._entries[0][0] if self._entries else None

    def run(self, now_ns: int) -> None:
        """Do all that is due."""
        entries = self._entries
        while entries and entries[0][0] <= now_ns:
            due_ns, _, action = heapq.heappop(entries)
            action(due_ns)
