"""What some protocols have a connection note of a turn in flight, beside its ledger."""

from __future__ import annotations

from typing import Any

from loadtest.speak.compiled_protocol import Heard, Total
from loadtest.speak.turn import NEVER


class TurnNotes:
    """``kept`` are the values that the turn keeps for the one after it, as ``last.NAME``.

    ``expected`` is how many events one of them said there are, None before; ``counted`` how many came.
    ``audio_ns`` is when its first audio came, ``interrupt_ns`` when its user is to interrupt it,
    ``interrupted_ns`` when that was so; ``NEVER`` where it did not come to that.
    """

    __slots__ = ("audio_ns", "counted", "expected", "interrupt_ns", "interrupted_ns", "kept")

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.expected: int | None = None
        self.counted = 0
        self.audio_ns = NEVER
        self.interrupt_ns = NEVER
        self.interrupted_ns = NEVER

    def tally(self, total: Total, heard: Heard) -> bool:
        """Count an event of a turn that ends with as many as one says; whether they have all come."""
        said = total.number_in(heard.found)
        self.expected = self.expected if said is None else said
        self.counted += total.of is None or total.of.fits(heard)
        return self.expected is not None and self.counted >= self.expected
