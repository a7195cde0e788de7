"""A sequence of child runs that are made up: what every such fake is asked, and when it is interrupted."""

from __future__ import annotations

from typing import ClassVar, Self

from loadtest.run.options import RunOptions


class MadeUp:
    """Counts what it is asked for; the ``interrupt_at``-th run is interrupted."""

    asked: ClassVar[list[RunOptions]] = []
    interrupt_at: int | None = None

    def __init__(self) -> None:
        self.interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def note(self, options: RunOptions) -> int:
        """One more run is asked for: its number, from 1."""
        self.asked.append(options)
        self.interrupted = len(self.asked) == self.interrupt_at
        return len(self.asked)
