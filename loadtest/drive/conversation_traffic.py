"""A user who has one conversation after the other: each turn waits for the last, and for time to think."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from typing_extensions import override

from loadtest.drive.connection import Connection
from loadtest.drive.context import Context
from loadtest.drive.traffic import UserTraffic
from loadtest.plan.conversation import ConversationPlan, PlannedConversation
from loadtest.speak.turn import COMPLETE, NEVER, Turn


class ConversationTraffic(UserTraffic):
    """Turns as conversations plan them. A turn that is not complete breaks its conversation off.

    The next conversation falls due when one is over, plus the think time of [traffic]. ``numbers`` count the
    conversations of the user over all visits.
    """

    __slots__ = (
        "_connection",
        "_context",
        "_conversation",
        "_due_ns",
        "_first_ns",
        "_may_be_done",
        "_nth",
        "_numbers",
        "_over",
        "_place",
        "_plan",
        "_seq",
        "_turns_left",
    )

    def __init__(
        self,
        context: Context,
        plan: ConversationPlan,
        connection: Connection,
        numbers: Iterator[int],
        may_be_done: Callable[[], None],
    ) -> None:
        self._context = context
        self._plan = plan
        self._connection = connection
        self._numbers = numbers
        self._may_be_done = may_be_done
        self._turns_left = context.turns_per_connection
        self._over = False
        self._conversation: PlannedConversation | None = None
        self._nth = 0
        self._place = 0
        self._first_ns = NEVER
        # The turn in flight, and the instant at which the next one is due.
        self._seq: int | None = None
        self._due_ns = NEVER

    @property
    @override
    def busy(self) -> bool:
        return not self._over

    @override
    def ready(self, connection: Connection) -> None:
        """The first conversation begins; after a loss the next one, unless the user is still thinking."""
        self._connection = connection
        if self._due_ns == NEVER and self._seq is None:
            self._next_conversation(self._context.now())

    def _next_conversation(self, from_ns: int) -> None:
        self._nth = next(self._numbers)
        self._conversation = self._plan.conversation(self._connection.user, self._nth)
        self._place = 0
        self._plan_turn(from_ns)

    def _plan_turn(self, from_ns: int) -> None:
        """The user thinks, then says what is next."""
        if self._conversation is not None:
            self._wait_until(from_ns + self._conversation.turns[self._place].think_ns, from_ns)

    def _wait_until(self, due_ns: int, from_ns: int) -> None:
        self._due_ns = due_ns
        if due_ns == from_ns:
            self._due(due_ns)
        else:
            self._context.poller.timers.add(due_ns, self._due)

    def _due(self, due_ns: int) -> None:
        """A turn is due, or the next conversation."""
        if due_ns != self._due_ns or self._over:
            return
        self._due_ns = NEVER
        if not self._connection.is_open:
            self._break_off()
        elif due_ns >= self._context.end_ns or self._turns_left == 0:
            self.finish()
        elif self._conversation is None:
            self._next_conversation(due_ns)
        else:
            self._begin(self._conversation, due_ns)

    def _begin(self, conversation: PlannedConversation, due_ns: int) -> None:
        context = self._context
        user, kind = self._connection.user, conversation.turns[self._place].kind
        if self._place == 0:
            self._first_ns = due_ns
            context.recorder.metrics_at(due_ns, conversation.name).count("conversations.begun")
        if self._turns_left is not None:
            self._turns_left -= 1
        self._seq = seq = self._plan.seq(user, context.schedule.stride, self._nth, self._place)
        context.recorder.metrics_at(due_ns, kind).turns_due += 1
        self._connection.begin(seq, 0, due_ns, context.row(seq), kind)

    @override
    def ended(self, turn: Turn) -> None:
        """The next turn is planned; after the last one, or one that went wrong, the next conversation."""
        if turn.seq != self._seq or self._conversation is None:
            return
        self._seq = None
        done_ns = turn.done_ns if turn.done_ns != NEVER else self._context.now()
        self._place += 1
        rest_ns = 0
        if turn.outcome is not COMPLETE:
            self._break_off()
        elif self._place < len(self._conversation.turns):
            if not self._over:
                self._plan_turn(done_ns)
            return
        else:
            rest_ns = self._conversation.rest_ns
            metrics = self._context.recorder.metrics_at(self._first_ns, self._conversation.name)
            metrics.count("conversations.ended")
            metrics.count("conversations.complete")
            metrics.conversation.append(max(done_ns - self._first_ns, 0))
            self._conversation = None
        if not self._over and self._connection.is_open:
            self._wait_until(done_ns + rest_ns + self._context.think_ns, done_ns)

    def _break_off(self) -> None:
        """The conversation goes no further: a turn was not complete, or the connection was lost."""
        if self._conversation is not None and self._place:
            metrics = self._context.recorder.metrics_at(self._first_ns, self._conversation.name)
            metrics.count("conversations.ended")
            metrics.count("conversations.broken_off")
        self._conversation = None

    @override
    def away(self) -> None:
        """What was said is lost with its connection: on the next one another conversation begins."""
        if not self._over:
            self._break_off()

    @override
    def gone(self) -> None:
        if not self._over:
            self._break_off()
        self.finish()

    @override
    def schedule_over(self) -> None:
        self.finish()

    @override
    def finish(self) -> None:
        self._over = True
        self._may_be_done()
