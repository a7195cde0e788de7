"""What a session tells others: the end of a turn, and what it measures."""

from __future__ import annotations

from typing import Protocol

from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.turn import Turn


class TurnListener(Protocol):
    """Is told when a turn of a session ends."""

    def turn_ended(self, turn: Turn) -> None:
        """The turn has its outcome; its ledger may still wait for late events."""


class SessionRecorder(Protocol):
    """Receives what sessions measure."""

    @property
    def metrics(self) -> PhaseMetrics:
        """The metrics of the current phase of the run."""

    def metrics_at(self, intended_ns: int, kind: str = "") -> PhaseMetrics:
        """The metrics of the phase in which an intended instant lies, of one kind of turn where there are."""

    def metrics_in(self, phase: int) -> PhaseMetrics:
        """The metrics of one phase of the run, of no kind of turn."""

    def ended(self, turn: Turn) -> None:
        """A turn has ended and its ledger is closed; called once a turn."""

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:
        """Whether a turn id belongs to another virtual user's turn in flight."""

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        """Keep a payload that should not have come."""
