"""The counters and buffers that sessions and connections write to, for one phase of the run."""

from __future__ import annotations

from array import array

from loadtest import catalog


class PhaseMetrics:
    """Counters and buffers of one phase of the run (warm-up, measured or drain) in one process.

    ``phase`` is its index in ``measure.interval.PHASES``. ``kind``: it is of turns of that kind alone; empty:
    of all that are of none.

    A counter's first underscore is the dot of its public name (``events_sent``: ``events.sent``); a buffer
    holds nanoseconds and feeds the metric that ``BUFFERS`` names.
    """

    phase: int
    kind: str

    events_sent: int
    events_received: int
    events_matched: int
    events_expected: int
    events_lost: int
    events_duplicate: int
    events_out_of_order: int
    events_foreign: int
    events_unmatched: int
    events_malformed: int
    events_late: int
    events_coalesced: int
    events_heartbeat: int
    events_missing_required: int
    events_unpaired: int
    turns_due: int
    turns_begun: int
    turns_complete: int
    turns_failed: int
    turns_timed_out: int
    turns_lost: int
    turns_refused: int
    turns_abandoned: int
    turns_not_attempted: int
    turns_numbered: int
    turns_first_coalesced: int
    turns_end_coalesced: int
    bytes_sent: int
    bytes_received: int
    pings_sent: int
    pings_answered: int
    connections_attempted: int
    connections_established: int
    connections_ready: int
    connections_left: int

    first_event: array[int]
    completion: array[int]
    first_event_service: array[int]
    first_audio: array[int]
    first_audio_service: array[int]
    barge_in: array[int]
    completion_service: array[int]
    gap: array[int]
    upload: array[int]
    chunk_lateness: array[int]
    conversation: array[int]
    ping_rtt: array[int]
    heartbeat_rtt: array[int]
    lateness: array[int]
    receive_lag: array[int]
    resolve: array[int]
    prepare: array[int]
    tcp: array[int]
    proxy: array[int]
    tls: array[int]
    upgrade: array[int]
    ready: array[int]
    total: array[int]
    reconnect: array[int]
    delivery_time: array[int]
    delivery_skew: array[int]
    age: array[int]

    other: dict[str, int]

    # A slot is half as dear as an entry of a dictionary, and a turn changes thirty of them.
    __slots__ = tuple(__annotations__)

    def __init__(self, phase: int, kind: str = "") -> None:
        self.phase = phase
        self.kind = kind
        self.other: dict[str, int] = {}
        for name in COUNTERS:
            setattr(self, name, 0)
        for name in BUFFERS:
            setattr(self, name, array("q"))

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter that is no attribute, by its public name (``connections.refused.tcp``)."""
        self.other[name] = self.other.get(name, 0) + n


COUNTERS = tuple(
    name for name, kind in PhaseMetrics.__annotations__.items() if kind == "int" and name != "phase"
)

BUFFERS = {metric.buffer: metric.name for metric in catalog.METRICS}
"""The metric that each buffer feeds."""
