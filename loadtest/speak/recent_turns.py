"""The turns of one user that ended last, to tell what a later event of theirs means."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Any

from loadtest.speak.turn import COMPLETE, LOST, NEVER, Outcome, Turn, sequence_number

if TYPE_CHECKING:
    from loadtest.speak.compiled_protocol import CompiledTurn

REMEMBERED = 64
"""Max ended turns that are remembered, to tell a late event from one that belongs to nobody."""

REMEMBERED_NS = 60_000_000_000
"""How long they are remembered at least. Older ones are forgotten with the next end that is not shared:
10,000 users who send each 10 s would else add 6.5 MiB a minute, for ten minutes."""


MAX_AFTER_FAILURE = 4
"""Events that may belong to the end of a turn that failed: one more error, and that the target is idle again.
More of them are of a target that is still at work on a turn which is over."""

SHARED_NS = 1_000_000_000
"""How long turns of one user that end alike share what is kept of their end."""


class AfterEnd(enum.Enum):
    """What an event means that came after its turn had ended."""

    ENTERED = enum.auto()
    DUPLICATE = enum.auto()
    LATE = enum.auto()
    RESUMED = enum.auto()
    UNKNOWN = enum.auto()


class _Ending:
    """How turns ended: the number expected next, those lost, the outcome, the kind of turn.

    ``until_ns``: its turns had their ledgers closed in the ``SHARED_NS`` before this instant.
    """

    __slots__ = ("kind", "missing", "next_seq", "outcome", "until_ns")

    def __init__(self, turn: Turn, at_ns: int) -> None:
        self.next_seq = turn.next_seq
        self.missing = turn.missing
        self.outcome = turn.outcome
        self.kind = turn.kind
        self.until_ns = at_ns + SHARED_NS


class RecentTurns:
    """The ended turns of one connection, or of several that a user had one after the other.

    ``waiting`` holds, by id, those whose missing numbers may still come, each with the instant at which they
    count as lost. Of the last others only the id is kept, and how they ended.
    """

    __slots__ = ("_after_failure", "_ending", "_last", "_start", "waiting")

    def __init__(self, sequence_start: int) -> None:
        self._start = sequence_start
        # Not a dictionary: to enter a turn and forget one costs 0.05 us and not 0.3, and who looks is rare.
        # Made with the first turn: empty ones would cost an idle connection 600 bytes.
        # Id and ending, id and ending: a tuple and an instant for each turn would be 130 bytes that no
        # cache of the CPU has any more when the turn is forgotten, which costs 0.5 us.
        self._last: deque[Any] | None = None
        self._ending: _Ending | None = None
        self._after_failure: dict[object, int] | None = None
        self.waiting: dict[str, tuple[int, Turn]] = {}

    def remember(self, turn: Turn, at_ns: int) -> None:
        """The ledger of ``turn`` is closed; those that were closed long before are forgotten."""
        turn_id = turn.id
        if self.waiting:
            self.waiting.pop(turn_id, None)
        last, ending = self._last, self._ending
        if (
            last is None
            or ending is None
            or at_ns >= ending.until_ns
            or turn.next_seq != ending.next_seq
            or turn.outcome is not ending.outcome
            or turn.kind is not ending.kind
            or turn.missing is not ending.missing
        ):
            last, ending = self._begin_ending(turn, at_ns)
        last.append(turn_id)
        last.append(ending)

    def _begin_ending(self, turn: Turn, at_ns: int) -> tuple[deque[Any], _Ending]:
        """A turn that ends otherwise than the last one, or long after it; those of long ago are forgotten."""
        last = self._last
        if last is None:
            last = self._last = deque(maxlen=2 * REMEMBERED)
        while last and last[1].until_ns < at_ns - REMEMBERED_NS:
            last.popleft()
            last.popleft()
        self._ending = _Ending(turn, at_ns)
        return last, self._ending

    def _known(self, turn_id: object) -> _Ending | None:
        """How the newest turn of that id ended: one may be used again."""
        newest_first = iter(reversed(self._last or ()))
        ending: _Ending
        for ending, known in zip(newest_first, newest_first, strict=True):
            if known == turn_id:
                return ending
        return None

    def knows(self, turn_id: object) -> bool:
        """Whether a turn of that id is remembered, or waits."""
        return turn_id in self.waiting or self._known(turn_id) is not None

    def complete_kind(self, turn_id: object) -> CompiledTurn | None:
        """The kind of the turn of that id, if it is remembered, or waits, and was complete."""
        waits = self.waiting.get(turn_id) if isinstance(turn_id, str) else None
        if waits is not None:
            return waits[1].kind if waits[1].outcome is COMPLETE else None
        known = self._known(turn_id)
        return known.kind if known is not None and known.outcome is COMPLETE else None

    def ends_failed(self, turn_id: object) -> bool:
        """Whether an event, one of the first few after its turn failed or was refused, belongs to its end."""
        waits = self.waiting.get(turn_id) if isinstance(turn_id, str) else None
        known = self._known(turn_id)
        outcome = waits[1].outcome if waits is not None else None if known is None else known.outcome
        if outcome not in {Outcome.FAILED, Outcome.REFUSED}:
            return False
        counted = self._after_failure
        if counted is None:
            counted = self._after_failure = {}
        # The newest stands last, and as many are kept as turns are remembered.
        n = counted.pop(turn_id, 0) + 1
        counted[turn_id] = n
        if len(counted) > REMEMBERED:
            del counted[next(iter(counted))]
        return n <= MAX_AFTER_FAILURE

    def last_complete_kind(self) -> CompiledTurn | None:
        """The kind of the turn that ended last, if it is remembered, and was complete."""
        ending = self._ending
        return ending.kind if ending is not None and ending.outcome is COMPLETE else None

    def due(self, now_ns: int) -> list[Turn]:
        """The turns that have waited long enough."""
        return [turn for until_ns, turn in self.waiting.values() if until_ns <= now_ns]

    def earliest(self) -> int:
        """The next instant at which a turn has waited long enough, or ``NEVER``."""
        return min((until_ns for until_ns, _ in self.waiting.values()), default=NEVER)

    def receive(self, turn_id: Any, seq: Any, kind: Any) -> AfterEnd:
        """Enter an event in the ledger of a turn that waits, which counts it itself, or say what it means.

        Only a missing number is still matched: an event that would follow the end is late, as is one that
        counted as lost before it came. Any event of a turn that was lost with its connection is resumed.
        """
        seq = sequence_number(seq)
        waits = self.waiting.get(turn_id)
        if waits is not None:
            turn = waits[1]
            if seq is None or not self._start <= seq < turn.next_seq:
                return AfterEnd.LATE
            turn.metrics.events_matched += turn.number(seq, kind)
            return AfterEnd.ENTERED
        known = self._known(turn_id)
        if known is None:
            return AfterEnd.UNKNOWN
        if known.outcome is LOST:
            return AfterEnd.RESUMED
        if seq is None or not self._start <= seq < known.next_seq or seq in (known.missing or ()):
            return AfterEnd.LATE
        return AfterEnd.DUPLICATE
