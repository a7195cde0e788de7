"""One visit of a virtual user as it goes: what it sends, and the connections it has one after the other.

connect ──► ready ──► lost ──► wait ──► connect ──► ready ──► ... ──► over
   └─ refused ──────────────► wait ──► connect                         ▲
   └─ nothing to come back for: the user leaves, has tried too often, or never tries again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.drive.connection import Connection, Stage
from loadtest.plan.chaos import wait_ns
from loadtest.plan.connections import Visit
from loadtest.plan.random_draw import draw
from loadtest.speak.turn import NEVER

if TYPE_CHECKING:
    from loadtest.drive.shard import Share

CLOSE_ASKED_EVERY_NS = 50_000_000


class Stay:
    """A user in one visit. ``over``: it has no connection any more, and will have none."""

    __slots__ = (
        "_attempt",
        "_leaving",
        "_losses",
        "_lost_ns",
        "_share",
        "_values",
        "connection",
        "over",
        "traffic",
        "user",
    )

    def __init__(self, share: Share, visit: Visit, values: dict[str, Any]) -> None:
        self.user = visit.user
        self.over = False
        self._share = share
        self._values = values
        self._leaving = False
        self._attempt = 0
        self._losses = 0
        self._lost_ns = NEVER
        self.connection = share.new_connection(visit.user, values)
        self.traffic = share.new_traffic(self.connection, visit)
        self._attach()

    def begin(self) -> None:
        """The planned connect instant has come."""
        self._share.recorder.metrics.count("connections.due")
        self.traffic.start()
        self.connection.connect()

    @property
    def is_idle(self) -> bool:
        """Whether ending this user now would lose nothing."""
        return not self.traffic.busy and self.connection.session.at_rest

    def leave(self) -> None:
        """The visit ends as planned: drain what is in flight, then go."""
        self._leaving = True
        self.traffic.leave()
        self._leave_when_idle(self._share.now() + self._share.timeout_ns)

    def _leave_when_idle(self, until_ns: int) -> None:
        now_ns = self._share.now()
        if not self.connection.session.turns or now_ns >= until_ns:
            self.end()
        else:
            again_ns = now_ns + CLOSE_ASKED_EVERY_NS
            self._share.poller.agenda.add(again_ns, lambda _due: self._leave_when_idle(until_ns))

    def end(self) -> None:
        """Go, and do not come back."""
        self._leaving = True
        if self.connection.stage is Stage.CLOSED:
            self._over()
        else:
            self.connection.close()

    # ------------------------------------------------------------------ what the connection tells

    def _attach(self) -> None:
        connection = self.connection
        connection.on_ready = self._ready
        connection.on_turn = self.traffic.ended
        connection.on_closed = self._closed

    def _ready(self, connection: Connection) -> None:
        if self._lost_ns != NEVER:
            part = self._share.recorder.metrics
            part.count("connections.reconnected")
            part.reconnect.append(max(self._share.now() - self._lost_ns, 0))
            self._lost_ns = NEVER
        self._attempt = 0
        self.traffic.ready(connection)

    def _closed(self, connection: Connection) -> None:
        refused = connection.refusal is not None
        first = refused and not self._attempt and not self._losses
        if not refused and not self._leaving:
            self._losses += 1
            self._lost_ns = self._share.now()
        if not self._comes_back():
            self._over()
        if first:
            self._share.refused_at_first()

    # ------------------------------------------------------------------ coming back

    def _comes_back(self) -> bool:
        """Plan the next attempt, unless there is none."""
        share = self._share
        policy = share.reconnect
        if policy is None or self._leaving or (share.finishing and not self.traffic.busy):
            return False
        if self._attempt == policy.tries:
            share.recorder.metrics.count("connections.given_up")
            self._lost_ns = NEVER
            return False
        self._attempt += 1
        self.traffic.away()
        drawn = draw(share.seed, "reconnect", self.user, self._losses, self._attempt)
        share.poller.agenda.add(share.now() + wait_ns(policy, self._attempt, drawn), self._again)
        return True

    def _again(self, _due_ns: int) -> None:
        """Open a new connection, with fresh credentials; what the earlier one was asked is not forgotten."""
        if self.over:
            return
        earlier = self.connection.session
        self.connection = self._share.new_connection(self.user, self._values)
        self.connection.again = self._losses > 0
        self.connection.session.follow(earlier)
        self._attach()
        self.connection.connect()

    def _over(self) -> None:
        if self.over:
            return
        self.over = True
        if self._lost_ns != NEVER and self._share.reconnect is not None:
            self._share.recorder.metrics.count("connections.away")
        if not self._leaving:
            self.traffic.gone()
        self._share.stay_over()
