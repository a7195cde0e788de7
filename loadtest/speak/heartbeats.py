"""The heartbeats that we send by our clock on one connection: when each is due, and which are unanswered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from loadtest.plan.template import KEPT
from loadtest.speak.compiled_protocol import Heard, OwnHeartbeat
from loadtest.speak.turn import NEVER


class HeartbeatTimer:
    """The beats of one connection; at most one is unanswered at a time.

    ``due_ns`` is the next instant at which one is due, ``NEVER`` where the target dictated no usable
    interval; ``overdue_ns`` when the answer to the last must have come, ``NEVER`` where none is awaited.
    ``number`` is how many went out.
    """

    __slots__ = ("beat", "due_ns", "number", "overdue_ns", "sent_ns")

    def __init__(self, beat: OwnHeartbeat) -> None:
        self.beat = beat
        self.number = 0
        self.due_ns = NEVER
        self.overdue_ns = NEVER
        self.sent_ns = NEVER

    def begin(self, now_ns: int, length_ns: int | None) -> None:
        """The next beat is due an interval of ``length_ns`` from now; None: no more are."""
        self.due_ns = NEVER if length_ns is None else now_ns + length_ns

    def sent(self, now_ns: int, length_ns: int) -> None:
        """A beat goes out, and the next is due an interval later; its answer must have come by then."""
        self.begin(now_ns, length_ns)
        self.number += 1
        if self.beat.answer is not None:
            self.sent_ns = now_ns
            self.overdue_ns = now_ns + min(self.beat.within_ns, length_ns)

    def answered(self, at_ns: int) -> int | None:
        """How long the answer that arrived took; None where none was awaited."""
        if self.sent_ns == NEVER:
            return None
        took_ns = max(at_ns - self.sent_ns, 0)
        self.sent_ns = self.overdue_ns = NEVER
        return took_ns


class Heartbeats:
    """All of one connection; ``kept`` are the values that it has kept, which may dictate an interval."""

    __slots__ = ("_timers",)

    def __init__(self, beats: Iterable[OwnHeartbeat]) -> None:
        self._timers = tuple(map(HeartbeatTimer, beats))

    @property
    def instants(self) -> list[int]:
        """When something is due, or overdue; some may be ``NEVER``."""
        return [each for timer in self._timers for each in (timer.due_ns, timer.overdue_ns)]

    def begin(self, now_ns: int, kept: Mapping[str, Any]) -> int:
        """The connection is ready: the first are due an interval from now. Returns how many cannot be."""
        lengths = [_length_of(timer, kept) for timer in self._timers]
        for timer, length_ns in zip(self._timers, lengths, strict=True):
            timer.begin(now_ns, length_ns)
        return lengths.count(None)

    def overdue(self, now_ns: int) -> bool:
        """Whether an answer has not come in time; it is not awaited any longer."""
        late = [timer for timer in self._timers if timer.overdue_ns != NEVER and now_ns >= timer.overdue_ns]
        for timer in late:
            timer.answered(NEVER)
        return bool(late)

    def send(self, now_ns: int, kept: Mapping[str, Any]) -> tuple[list[HeartbeatTimer], int]:
        """Those whose beat goes out now; and how many are due no more, since nothing usable dictates when."""
        due = [timer for timer in self._timers if timer.due_ns != NEVER and now_ns >= timer.due_ns]
        sent = []
        for timer in due:
            length_ns = _length_of(timer, kept)
            if length_ns is None:
                timer.begin(now_ns, None)
            else:
                timer.sent(now_ns, length_ns)
                sent.append(timer)
        return sent, len(due) - len(sent)

    def answered(self, heard: Heard, at_ns: int) -> tuple[OwnHeartbeat, int] | None:
        """The heartbeat that an event answers, and how long that took; None where none waits for it."""
        for timer in self._timers:
            if timer.beat.answer is not None and timer.beat.answer.fits(heard):
                took_ns = timer.answered(at_ns)
                if took_ns is not None:
                    return timer.beat, took_ns
        return None


def _length_of(timer: HeartbeatTimer, kept: Mapping[str, Any]) -> int | None:
    every = timer.beat.every
    return every.length_ns(kept.get(KEPT + every.name))
