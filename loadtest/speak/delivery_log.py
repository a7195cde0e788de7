"""What one of several processes knows of copies: who is ready, what was sent, what arrived.

Whether a copy is missing no process can say alone: the log of all of them, put in order of time, can
(``measure.delivery_replay``).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from loadtest.speak.deliveries import CopyRecorder
from loadtest.speak.phase_metrics import PhaseMetrics

OPENED, CLOSED, SENT, ARRIVED = range(4)
"""What a row of the log tells."""

COLUMNS = 5
"""What, when (of the process' clock), which user, which turn, and the phase of the run of a turn sent."""

MAX_ROWS = 200_000
"""Rows kept of one second; beyond them copies are not followed, and the run says so."""

CLOCKS_DIFFER_NS = 100_000_000
"""How far the clocks of two processes may differ: copies are waited for that much longer."""


class DeliveryLog:
    """Stands where ``Deliveries`` stands in a process that has all users.

    ``seq_of`` gives the number of a turn of this run by its id, None where the id does not tell. A process
    waits for ``within_ns`` after the last copy or message that it saw: others may still send.
    """

    __slots__ = ("_last_ns", "_now", "_now_ns", "_rows", "_seq_of", "_within_ns", "holders", "overflowed")

    def __init__(
        self, seq_of: Callable[[object], int | None], within_ns: int, now: Callable[[], int]
    ) -> None:
        self._seq_of = seq_of
        self._within_ns = within_ns + 4 * CLOCKS_DIFFER_NS
        self._now = now
        self._rows = array("q")
        self._last_ns = 0
        self._now_ns = 0
        self.holders = 1
        self.overflowed = False

    def _add(self, what: int, at_ns: int, user: int, seq: int = -1, phase: int = 0) -> None:
        if len(self._rows) < MAX_ROWS * COLUMNS:
            self._rows.extend((what, at_ns, user, seq, phase))
        else:
            self.overflowed = True

    def opened(self, user: int, recorder: CopyRecorder) -> None:  # noqa: ARG002 - who counts has all logs
        """A user is ready."""
        self._add(OPENED, self._now(), user)

    def closed(self, user: int) -> None:
        """A user has no connection any more."""
        self._add(CLOSED, self._now(), user)

    def sent(self, turn_id: object, sender: int, at_ns: int, metrics: PhaseMetrics) -> None:
        """The message of a turn goes to the kernel."""
        seq = self._seq_of(turn_id)
        if seq is not None:
            self._last_ns = max(self._last_ns, at_ns)
            self._add(SENT, at_ns, sender, seq, metrics.phase)

    def arrived(self, turn_id: object, receiver: int, at_ns: int) -> None:
        """An event of a turn came to another user than its own."""
        seq = self._seq_of(turn_id)
        if seq is not None:
            self._last_ns = max(self._last_ns, at_ns)
            self._add(ARRIVED, at_ns, receiver, seq)

    def expire(self, now_ns: int) -> None:
        """Note the time; accounts are closed where all are known."""
        self._now_ns = now_ns

    def waiting(self) -> bool:
        """Whether a copy may still come of what was sent last."""
        return self._last_ns > 0 and self._now_ns < self._last_ns + self._within_ns

    def close(self) -> None:
        """The process is done; what is missing is known elsewhere."""

    def take(self) -> array[int]:
        """The rows since the last call, one after the other."""
        taken, self._rows = self._rows, array("q")
        return taken
