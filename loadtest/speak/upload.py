"""A turn of several messages while they are being sent: which one is next, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.plan.template import Template
from loadtest.speak.compiled_protocol import Awaited, CompiledStep
from loadtest.speak.event_match import Getter
from loadtest.speak.turn import NEVER, Turn


class Upload:
    """The messages of one turn that are still to be sent.

    ``queued`` of them wait to be handed to the kernel. ``first_ns`` is when the first was sent, ``until_ns``
    when the pause or the wait of the current step is over; both ``NEVER`` where it did not come to that.
    ``values`` fill the templates.
    """

    __slots__ = ("_at", "_steps", "_timeout_ns", "first_ns", "queued", "turn", "until_ns", "values")

    def __init__(
        self, turn: Turn, steps: tuple[CompiledStep, ...], values: Mapping[str, Any], timeout_ns: int
    ) -> None:
        self.turn = turn
        self.values = values
        self.first_ns = NEVER
        self.until_ns = NEVER
        self.queued = 1
        self._steps = steps
        self._timeout_ns = timeout_ns
        self._at = 0

    @property
    def wakes_ns(self) -> int:
        """When something is due unless an event comes before; ``NEVER`` until the first message is sent."""
        if self.first_ns == NEVER:
            return NEVER
        overdue_ns = self.first_ns + self._timeout_ns
        return overdue_ns if self.until_ns == NEVER else min(self.until_ns, overdue_ns)

    @property
    def awaited(self) -> Awaited | None:
        """What must arrive before the next message goes out; None while nothing is waited for."""
        return None if self.until_ns == NEVER else self._steps[self._at].wait

    @property
    def keep(self) -> Mapping[str, Getter]:
        """What is kept of the event that is waited for."""
        return self._steps[self._at].keep

    def next_messages(self) -> list[Template]:
        """The messages that may go out now: those up to the next pause or wait."""
        found: list[Template] = []
        if self.until_ns != NEVER:
            return found
        for step in self._steps[self._at :]:
            if step.send is None:
                break
            found.append(step.send)
        self._at += len(found)
        self.queued += len(found)
        return found

    def sent(self, at_ns: int) -> bool:
        """One message is handed to the kernel; whether it was the last."""
        if self.first_ns == NEVER:
            self.first_ns = at_ns
        self.queued -= 1
        if self.queued:
            return False
        if self._at == len(self._steps):
            return True
        self._begin_step(at_ns)
        return False

    def pass_step(self, at_ns: int) -> None:
        """The pause is over, or what was waited for has come; a pause or a wait after it begins at once."""
        self.until_ns = NEVER
        self._at += 1
        self._begin_step(at_ns)

    def _begin_step(self, at_ns: int) -> None:
        """A pause or a wait begins; a message is none."""
        step = self._steps[self._at]
        if step.send is None:
            lasts_ns = step.pause_ns if step.pause_ns is not None else step.within_ns
            self.until_ns = at_ns + (self._timeout_ns if lasts_ns is None else lasts_ns)
