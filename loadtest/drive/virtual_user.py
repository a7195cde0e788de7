"""A virtual user in one visit: what it sends, and the connections it has one after the other.

connect ──► ready ──► lost ──► wait ──► connect ──► ready ──► ... ──► over
   └─ refused ──────────────► wait ──► connect                         ▲
   └─ no reconnect: the user leaves, has tried as often as allowed, or the scenario has none
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, Protocol

import gevent

from loadtest.drive.before_connect import BeforeConnect, prepared_values
from loadtest.drive.connection import Connection
from loadtest.drive.connection_state import ConnectionState
from loadtest.drive.context import Context
from loadtest.drive.task_traffic import TaskTraffic
from loadtest.drive.traffic import UserTraffic
from loadtest.errors import Layer
from loadtest.plan.chaos import retry_after_ns, wait_ns
from loadtest.plan.random_draw import draw
from loadtest.plan.stages import Visit
from loadtest.plan.template import plain
from loadtest.speak.connect_refusal import ConnectRefusal
from loadtest.speak.turn import NEVER

CLOSE_POLL_NS = 50_000_000
"""How often a user who leaves looks whether its turns have ended."""


class UserOwner(Protocol):
    """What a virtual user asks of its owner, the shard."""

    def new_connection(self, user: int, values: dict[str, Any]) -> Connection:
        """A connection of a user, not opened yet."""

    def new_traffic(self, connection: Connection, visit: Visit) -> UserTraffic:
        """What a user sends in one visit."""

    def never_ready(self) -> None:
        """A user was refused, and tries no more."""

    def user_over(self) -> None:
        """A user has no connection any more, and will have none."""


class VirtualUser:
    """Virtual user ``user`` in one visit. ``over``: it has no connection any more, and will have none."""

    __slots__ = (
        "_attempt",
        "_context",
        "_leaving",
        "_losses",
        "_lost_ns",
        "_owner",
        "_preparing",
        "_values",
        "connection",
        "over",
        "traffic",
        "user",
    )

    def __init__(self, context: Context, owner: UserOwner, visit: Visit, values: dict[str, Any]) -> None:
        self.user = visit.user
        self.over = False
        self._context = context
        self._owner = owner
        self._values = values
        self._leaving = False
        self._attempt = 0
        self._losses = 0
        self._lost_ns = NEVER
        self._preparing: gevent.Greenlet[..., None] | None = None
        self.connection = owner.new_connection(visit.user, values)
        self.traffic = owner.new_traffic(self.connection, visit)
        self._attach()

    def begin(self) -> None:
        """The planned connect instant has come."""
        self._context.recorder.metrics.count("connections.due")
        self.traffic.start()
        self._connect()

    def _connect(self) -> None:
        """Open the connection, once what has to be done before is done."""
        before, traffic = self._context.before, self.traffic
        prepares = isinstance(traffic, TaskTraffic) and traffic.prepares
        if prepares or (before is not None and before.waits):
            self._preparing = gevent.spawn(self._prepare, self.connection)
        else:
            self.connection.connect()

    def _prepare(self, connection: Connection) -> None:
        """Do what is to be done before an attempt, in a greenlet: it may wait, callbacks must not."""
        poller = self._context.poller
        step: Callable[[], None] = partial(self._prepared, connection)
        try:
            if self._context.before is not None:
                self._context.before.run(self.user, self._values)
            if isinstance(self.traffic, TaskTraffic) and self.traffic.prepares:
                self._values.update(self._of_task(self.traffic))
        except ConnectRefusal as refusal:
            step = partial(self._unprepared, connection, refusal)
        except Exception as error:
            step = partial(_crash, error)
        connection.session.hide(prepared_values(self._values))
        poller.timers.add(self._context.now(), lambda _due: step())
        poller.wake()

    @staticmethod
    def _of_task(traffic: TaskTraffic) -> dict[str, str]:
        """What the user's own code says before an attempt.

        Raises:
            ConnectRefusal: it raised something.
        """
        try:
            return {f"user.{name}": plain(value) for name, value in traffic.prepare().items()}
        except Exception as error:
            raise ConnectRefusal(Layer.AUTH, f"before_connect raised {type(error).__name__}") from None

    @staticmethod
    def _prepared(connection: Connection) -> None:
        # The user may have left meanwhile.
        if connection.state is ConnectionState.NEW:
            connection.connect()

    def _unprepared(self, connection: Connection, refusal: ConnectRefusal) -> None:
        if connection.state is ConnectionState.NEW:
            self._context.recorder.metrics.connections_attempted += 1
            connection.refused(refusal)

    @property
    def is_idle(self) -> bool:
        """Whether ending this user now would lose nothing."""
        return not self.traffic.busy and self.connection.session.at_rest

    @property
    def may_end(self) -> bool:
        """Whether nothing more is to come but events of subscriptions, which go on until this user ends."""
        session = self.connection.session
        return not self.traffic.busy and (session.at_rest or (bool(session.turns) and not session.awaits_end))

    def leave(self) -> None:
        """The visit ends as planned: wait for the turns in flight, then leave."""
        self._leaving = True
        self.traffic.leave()
        self._leave_when_idle(self._context.now() + self._context.longest_turn_ns)

    def _leave_when_idle(self, until_ns: int) -> None:
        now_ns = self._context.now()
        if not self.connection.session.awaits_end or now_ns >= until_ns:
            self.end()
        else:
            again_ns = now_ns + CLOSE_POLL_NS
            self._context.poller.timers.add(again_ns, lambda _due: self._leave_when_idle(until_ns))

    def end(self) -> None:
        """Leave now, and do not reconnect."""
        self._leaving = True
        if self.connection.state is ConnectionState.CLOSED:
            self._over()
            return
        if self.connection.state is ConnectionState.NEW and self._preparing is not None:
            metrics = self._context.recorder.metrics
            metrics.connections_attempted += 1
            metrics.connections_left += 1
            self._context.observations.saw_still_opening(f"{Layer.PREPARE}: not done yet")
        self.connection.close()

    # ------------------------------------------------------------------ what the connection reports

    def _attach(self) -> None:
        connection = self.connection
        connection.on_ready = self._ready
        connection.on_turn = self.traffic.ended
        connection.on_closed = self._closed

    def _ready(self, connection: Connection) -> None:
        if self._lost_ns != NEVER:
            metrics = self._context.recorder.metrics
            metrics.count("connections.reconnected")
            metrics.reconnect.append(max(self._context.now() - self._lost_ns, 0))
            self._lost_ns = NEVER
        self._attempt = 0
        self.traffic.ready(connection)

    def _closed(self, connection: Connection) -> None:
        refused = connection.refusal is not None
        if not refused and not self._leaving:
            self._losses += 1
            self._lost_ns = self._context.now()
        asked_ns = 0
        if connection.refusal is not None and connection.refusal.retry_after:
            asked_ns = retry_after_ns(connection.refusal.retry_after, time.time())
        if self._plan_reconnect(asked_ns):
            if connection.refusal is None or connection.refusal.layer is Layer.TCP:
                self._context.lookups.look_again()
        else:
            self._over()
            if refused and not self._losses:
                self._owner.never_ready()

    # ------------------------------------------------------------------ reconnecting

    def _plan_reconnect(self, asked_ns: int) -> bool:
        """Plan the next attempt, in ``asked_ns`` at the earliest; False if there is none."""
        context = self._context
        policy = context.reconnect
        if policy is None or self._leaving or (context.finishing and not self.traffic.busy):
            return False
        if self._attempt == policy.tries:
            context.recorder.metrics.count("connections.given_up")
            self._lost_ns = NEVER
            return False
        self._attempt += 1
        self.traffic.away()
        drawn = draw(context.seed, "reconnect", self.user, self._losses, self._attempt)
        own_ns = wait_ns(policy, self._attempt, drawn)
        if asked_ns > own_ns:
            context.recorder.metrics.count("connections.told_to_wait")
        context.poller.timers.add(context.now() + max(own_ns, asked_ns), self._reconnect)
        return True

    def _reconnect(self, _due_ns: int) -> None:
        """Open a new connection, with fresh credentials; its session knows the turns of the earlier one."""
        if self.over:
            return
        earlier = self.connection.session
        self.connection = self._owner.new_connection(self.user, self._values)
        self.connection.is_retry = True
        self.connection.is_reconnect = self._losses > 0
        self.connection.session.follow(earlier)
        self._attach()
        self._connect()

    def _over(self) -> None:
        if self.over:
            return
        self.over = True
        if self._lost_ns != NEVER and self._context.reconnect is not None:
            self._context.recorder.metrics.count("connections.away")
        if not self._leaving:
            self.traffic.gone()
        if self._context.before is not None and self._context.before.undoes:
            gevent.spawn(self._take_back, self._context.before)
        else:
            self._owner.user_over()

    def _take_back(self, before: BeforeConnect) -> None:
        """Take back what was prepared, also by a preparation that still goes on; then this user is over."""
        poller = self._context.poller
        try:
            if self._preparing is not None:
                self._preparing.join()
            before.undo(self.user, self._values)
        finally:
            poller.timers.add(self._context.now(), lambda _due: self._owner.user_over())
            poller.wake()


def _crash(error: Exception) -> NoReturn:
    """Raise a mistake of ours where the poller hears of it, and ends the run."""
    raise error
