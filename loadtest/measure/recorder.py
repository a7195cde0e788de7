"""Hot buffers of one process, emptied into an ``Interval`` once a second.

On the hot path a value costs one append to a plain buffer (0.04 us) or one addition to a slot; numpy sees
them once a second. A turn's row is packed at once, so that the table needs no conversion.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import numpy as np

from loadtest import catalog
from loadtest.measure.frame_log import as_text, frame_log
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, TURN, Interval, add_counters, add_histograms
from loadtest.plan.threshold import BY_KIND, of_kind
from loadtest.speak.phase_metrics import BUFFERS, COUNTERS, PhaseMetrics
from loadtest.speak.session import Session
from loadtest.speak.turn import COMPLETE, NEVER, Outcome, Turn

WARMUP, MEASURED, DRAIN = range(3)

# The fields of measure.interval.TURN, in its order; the check below is of their size alone.
_ROW = struct.Struct("<qiibbhIiiiiqqqqq")
assert _ROW.size == TURN.itemsize  # noqa: S101 - two descriptions of one layout

WHOLE_RUN = frozenset(metric.name for metric in catalog.METRICS if metric.whole_run)
"""Metrics that speak of the whole run, whenever they were taken."""

INSTANTS = tuple(name for name in TURN.names or () if name.endswith("_ns"))
"""The fields of a turn's row that are instants."""

SLOWEST_KEPT = 10
BROKEN_KEPT = 20
EVIDENCE_KEPT = 20
"""Frame logs kept per second, and payloads of a kind: enough to explain, too few to slow the run."""


class PhaseRecord(PhaseMetrics):
    """Counters and buffers of one phase of the run, and how they are emptied."""

    __slots__ = ()

    def take_counters(self) -> dict[str, int]:
        """The counters that are not 0, by public name; they start again from 0."""
        taken, self.other = self.other, {}
        for name in COUNTERS:
            value = getattr(self, name)
            if value:
                taken[name.replace("_", ".", 1)] = value
                setattr(self, name, 0)
        return taken

    def take_histograms(self) -> dict[str, Histogram]:
        """A histogram per buffer that is not empty, by tag; the buffers start again empty."""
        prefix = "" if self.phase == MEASURED else f"{PHASES[self.phase]}:"
        taken = {}
        for name, metric in BUFFERS.items():
            buffer = getattr(self, name)
            if buffer:
                histogram = Histogram()
                histogram.record(np.frombuffer(buffer, np.int64))
                taken[metric if metric in WHOLE_RUN else prefix + metric] = histogram
                setattr(self, name, array("q"))
        return taken


class PhaseRecords:
    """The records of the three phases: of turns without a kind and all that is of no turn, and by kind.

    What one kind of turn has is in the sums of all, so that the kinds add up to the whole.
    """

    def __init__(self) -> None:
        self.plain = tuple(PhaseRecord(index) for index in range(len(PHASES)))
        self._by_kind: dict[str, tuple[PhaseRecord, ...]] = {}

    def of_kind(self, kind: str) -> tuple[PhaseRecord, ...]:
        """The records of one kind of turn, by phase."""
        found = self._by_kind.get(kind)
        if found is None:
            found = self._by_kind[kind] = tuple(PhaseRecord(index, kind) for index in range(len(PHASES)))
        return found

    def take(self) -> tuple[dict[str, Histogram], dict[str, dict[str, int]]]:
        """Histograms by tag and counters by phase since the last call; those of a kind under its name too."""
        histograms: dict[str, Histogram] = {}
        counters: dict[str, dict[str, int]] = {}
        for records in (self.plain, *self._by_kind.values()):
            for record in records:
                times, counted = record.take_histograms(), record.take_counters()
                if record.kind:
                    times |= {of_kind(tag, record.kind): each for tag, each in times.items()}
                    own = {of_kind(name, record.kind): n for name, n in counted.items() if name in BY_KIND}
                    counted |= own
                add_histograms(histograms, times)
                if counted:
                    add_counters(counters, {PHASES[record.phase]: counted})
        return histograms, counters


class Recorder:
    """All that one process measures. Implements ``speak.session.SessionRecorder``.

    Instants are of the run's clock; ``start_ns`` is the run's start on it. ``sessions`` are the
    conversations of this process. ``kinds``: the names of the kinds of turn that the scenario sends.
    """

    def __init__(
        self,
        start_ns: int,
        warmup_ns: int,
        duration_ns: int,
        worker: int = 0,
        kinds: Iterable[str] = (),
    ) -> None:
        self.start_ns = start_ns
        self._kind_numbers = {name: number for number, name in enumerate(("", *sorted(kinds)))}
        self.worker = worker
        self.measured_ns = start_ns + warmup_ns
        self.end_ns = self.measured_ns + duration_ns
        self._records = PhaseRecords()
        self.phases = self._records.plain
        self.metrics = self.phases[WARMUP if warmup_ns else MEASURED]
        self.instants: dict[str, int] = {}
        self.ready = 0
        self.sessions: Iterable[Session] = ()
        self._last_matched_ns = NEVER
        self._moves = array("q")
        self._rows = bytearray()
        self._frames: list[dict[str, Any]] = []
        self._evidence: Counter[str] = Counter()
        self._slowest: list[tuple[int, Turn]] = []
        self._slow_ns = NEVER
        self._broken: list[Turn] = []
        self._faulty: list[Turn] = []

    # ------------------------------------------------------------------ speak.session.SessionRecorder

    def metrics_at(self, intended_ns: int, kind: str = "") -> PhaseRecord:
        """The metrics of the phase in which an intended instant lies, of one kind of turn where there are."""
        phases = self._records.of_kind(kind) if kind else self.phases
        if intended_ns < self.measured_ns:
            return phases[WARMUP]
        return phases[MEASURED if intended_ns < self.end_ns else DRAIN]

    def metrics_in(self, phase: int) -> PhaseRecord:
        """The metrics of one phase of the run, of no kind of turn."""
        return self.phases[phase]

    def enter(self, now_ns: int) -> None:
        """Move to the phase of the run that ``now_ns`` lies in; called at each boundary."""
        self.metrics = self.metrics_at(now_ns)
        for session in self.sessions:
            session.enter_phase()

    def ended(self, turn: Turn) -> None:
        """Enter a turn that has ended and whose ledger is closed."""
        outcome = turn.outcome
        metrics = turn.metrics
        done_ns = turn.done_ns
        if outcome is COMPLETE:
            metrics.turns_complete += 1
            completion = done_ns - turn.waited_from_ns
            metrics.completion.append(completion if completion > 0 else 0)  # noqa: FURB136 - max() costs 0.1 us
            if turn.sent_ns != NEVER:
                metrics.completion_service.append(done_ns - turn.sent_ns if done_ns > turn.sent_ns else 0)
            if completion > self._slow_ns and turn.frames is not None and metrics.phase == MEASURED:
                self._slow(turn, completion)
            faulty = turn.lost or turn.duplicate or turn.out_of_order or turn.misnumbered
            if faulty and len(self._faulty) < BROKEN_KEPT:
                self._faulty.append(turn)
        else:
            self._ended_badly(turn, metrics)
        if turn.last_ns > self._last_matched_ns and metrics.phase == MEASURED:
            self._last_matched_ns = turn.last_ns
        self._rows += _ROW.pack(
            turn.seq,
            turn.user,
            turn.position,
            metrics.phase,
            self._kind_numbers.get(metrics.kind, 0) if metrics.kind else 0,
            outcome,
            turn.payload_crc,
            turn.received,
            turn.lost,
            turn.duplicate,
            turn.out_of_order,
            turn.intended_ns,
            turn.waited_from_ns,
            turn.sent_ns,
            turn.first_ns,
            done_ns,
        )

    def _ended_badly(self, turn: Turn, metrics: PhaseMetrics) -> None:
        name = f"turns_{OUTCOMES[turn.outcome or 0]}"
        setattr(metrics, name, getattr(metrics, name) + 1)
        if turn.reason:
            metrics.count(f"turns.{OUTCOMES[turn.outcome or 0]}_by.{turn.reason}")
        if turn.outcome is not Outcome.ABANDONED:
            # Counted where it is 0 as well: then it is known that each of them had a first event.
            metrics.count("turns.no_first_event", int(turn.first_ns == NEVER))
        if turn.outcome is not Outcome.ABANDONED and len(self._broken) < BROKEN_KEPT:
            self._broken.append(turn)

    def _slow(self, turn: Turn, completion: int) -> None:
        """Keep one of the slowest turns of this second."""
        slowest = self._slowest
        slowest.append((completion, turn))
        slowest.sort(key=itemgetter(0), reverse=True)
        del slowest[SLOWEST_KEPT:]
        if len(slowest) == SLOWEST_KEPT:
            self._slow_ns = slowest[-1][0]

    def owned_elsewhere(self, turn_id: object, user: int) -> bool:
        """Whether a turn id belongs to another virtual user of this process."""
        return any(session.owns(turn_id) for session in self.sessions if session.user != user)

    def evidence(self, kind: str, payload: bytes, user: int) -> None:
        """Keep a payload that should not have come, up to a maximum of each kind."""
        if self._evidence[kind] < EVIDENCE_KEPT:
            self._evidence[kind] += 1
            self._frames.append({"kind": kind, "user": user, "frames": [[None, as_text(payload)]]})

    # ------------------------------------------------------------------ what drive reports

    def not_attempted(
        self, seq: int, user: int, position: int, intended_ns: int, kind: str = "", *, reason: str = ""
    ) -> None:
        """A turn fell due and was never begun; ``reason``: other than that its connection was not ready."""
        metrics = self.metrics_at(intended_ns, kind)
        metrics.turns_not_attempted += 1
        if reason:
            metrics.count(f"turns.not_attempted_by.{reason}")
        row = (
            seq,
            user,
            position,
            metrics.phase,
            self._kind_numbers.get(kind, 0),
            Outcome.NOT_ATTEMPTED,
            0,
            0,
            0,
            0,
            0,
            intended_ns,
            intended_ns,
            NEVER,
            NEVER,
            NEVER,
        )
        self._rows += _ROW.pack(*row)

    def moved(self, now_ns: int, delta: int) -> None:
        """A connection became ready (+1) or stopped being so (-1)."""
        self.ready += delta
        self._moves.extend((now_ns - self.start_ns, delta))

    def instant(self, name: str, now_ns: int) -> None:
        """Note an instant: names starting ``first_`` keep the earliest, ``last_`` the latest."""
        offset = now_ns - self.start_ns
        known = self.instants.get(name, offset)
        self.instants[name] = min(known, offset) if name.startswith("first_") else max(known, offset)

    def take(self, second: int, gauges: dict[str, float]) -> Interval:
        """Everything since the last call, as the interval ``second``."""
        histograms, counters = self._records.take()
        if self._last_matched_ns != NEVER:
            self.instant("last_matched", self._last_matched_ns)
        interval = Interval(
            second=second,
            worker=self.worker,
            histograms=histograms,
            counters=counters,
            gauges={"ready": float(self.ready), **gauges},
            instants=dict(self.instants),
            moves=np.array(self._moves, np.int64).reshape(-1, 2),
            turns=self._take_rows(),
            frames=self._take_frames(),
        )
        self._moves = array("q")
        return interval

    def _take_rows(self) -> np.ndarray:
        """The rows of the turns that ended, their instants counted from the run's start."""
        rows = np.frombuffer(self._rows, TURN)
        self._rows = bytearray()
        for name in INSTANTS:
            instants = rows[name]
            instants[instants != NEVER] -= self.start_ns
        return rows

    def _take_frames(self) -> list[dict[str, Any]]:
        taken = self._frames
        taken += [frame_log("slowest", turn, self.start_ns) for _, turn in self._slowest]
        taken += [frame_log("broken", turn, self.start_ns) for turn in self._broken]
        taken += [frame_log("faulty", turn, self.start_ns) for turn in self._faulty]
        self._frames, self._slowest, self._broken, self._faulty = [], [], [], []
        self._evidence.clear()
        self._slow_ns = NEVER
        return taken
