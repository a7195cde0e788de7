"""Users who are counted with all others while their times are kept apart: those whom we make slow."""

from __future__ import annotations

from loadtest.measure.interval import PHASES, Interval, add_counters, add_histograms
from loadtest.measure.recorder import PhaseRecord, Recorder
from loadtest.speak.turn import Outcome, Turn

TAG = "slow:"
"""Stands before the name of each of their metrics."""

OWN_DOING = ("events.coalesced", "events.late", "turns.first_coalesced", "turns.end_coalesced")
"""Counters that say nothing of the target, but how slowly they read: they are counted apart."""

TOLD = (
    "turns.begun",
    "turns.complete",
    "turns.failed",
    "turns.timed_out",
    "turns.lost",
    "turns.refused",
    "turns.no_first_event",
)
"""Counters that are told apart as well, so that those of all others can be seen."""


class Aside:
    """A ``SessionRecorder`` beside the recorder of the process, for users whose times would mislead."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._parts = tuple(PhaseRecord(index) for index in range(len(PHASES)))

    @property
    def metrics(self) -> PhaseRecord:
        """The metrics of the current phase of the run."""
        return self._parts[self._recorder.metrics.phase]

    def metrics_at(self, intended_ns: int) -> PhaseRecord:
        """The metrics of the phase in which an intended instant lies."""
        return self._parts[self._recorder.metrics_at(intended_ns).phase]

    def ended(self, turn: Turn) -> None:
        """A turn has ended: it stands in the turn table, but not among the slowest of the run."""
        if turn.outcome is Outcome.COMPLETE:
            turn.frames = None
        self._recorder.ended(turn)

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:
        """Whether a turn id belongs to another virtual user's turn in flight."""
        return self._recorder.owned_elsewhere(turn_id, user)

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        """Keep a payload that should not have come."""
        self._recorder.evidence(kind, payload, user)

    def add_to(self, interval: Interval) -> None:
        """Add everything since the last call: counters to those of all, histograms under own tags."""
        for part in self._parts:
            counters = part.take_counters()
            apart = {name: counters.pop(name) for name in OWN_DOING if name in counters}
            apart |= {name: counters[name] for name in TOLD if name in counters}
            counters |= {f"chaos.slow.{name}": n for name, n in apart.items()}
            if counters:
                add_counters(interval.counters, {PHASES[part.phase]: counters})
            found = {TAG + tag: histogram for tag, histogram in part.take_histograms().items()}
            add_histograms(interval.histograms, found)
