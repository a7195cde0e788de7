"""Virtual users as Locust users.

    from loadtest import AgentUser

    class Chat(AgentUser):
        scenario = "agent-burst"            # follows the scenario's schedule

    class Asker(AgentUser):
        scenario = "agent-burst"

        @task
        def ask(self):                      # its own conversation on the same connection
            turn = self.turn(question="And compared with July?")
            if turn.outcome is Outcome.COMPLETE:
                self.turn(question="Why?")
            else:
                turn.fail("no answer about July")

A user without ``@task`` has a greenlet that never starts; its traffic runs in callbacks. A user with
``@task`` has a greenlet that waits for each turn; its turns are measured, stored and judged in the same way.
A run whose tasks raise an exception, or call ``fail``, has failed.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from typing_extensions import override

from loadtest.drive.locust_import import LOCUST_STATE_RUNNING, StopUser, User
from loadtest.plan.match import Match
from loadtest.speak.turn import Outcome, Turn
from loadtest.units import parse_duration

if TYPE_CHECKING:
    from loadtest.drive.task_traffic import TaskTraffic, TaskTurn

__all__ = ["AgentUser", "Outcome", "Turn", "WebSocketUser"]

# Locust warns that users without tasks cannot be made; ours can, and most have none.
logging.getLogger().addFilter(lambda record: "had no tasks left after filtering" not in str(record.msg))


class WebSocketUser(User):
    """A virtual user with one WebSocket connection, driven by a scenario.

    ``scenario`` is a shipped name or the path of a TOML file. ``connection`` is ready before ``on_start``.
    """

    abstract = True
    scenario: str = "echo-steady"

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._traffic: TaskTraffic | None = None

    @override
    def start(self, group: Any) -> Any:
        """Enter the user's greenlet into ``group``, where Locust counts it and stops it.

        Without tasks it is never started: a greenlet that only waits would cost 7 KiB for its stack.
        """
        self._group = group
        if self.tasks:
            self._greenlet = group.spawn(_live, self)
        else:
            self._greenlet = gevent.Greenlet(_live, self)
            group.add(self._greenlet)
        return self._greenlet

    @property
    def _running_traffic(self) -> TaskTraffic:
        """What this user's tasks send.

        Raises:
            StopUser: the run is over.
        """
        if self._traffic is None or self._traffic.over:
            raise StopUser
        return self._traffic

    @property
    def events(self) -> deque[bytes]:
        """The payloads that arrived, oldest first, the last 10,000 of them; take with ``popleft``."""
        return self._running_traffic.events

    def before_connect(self) -> Mapping[str, object] | None:
        """Called before every attempt to connect, such as to log in; it may block, and is not measured.

        What it returns are values of this user: ``{"ticket": "..."}`` is ``{user.ticket}`` in headers, the
        query and messages. The scenario lists the names in ``[target] before_connect``. An exception is
        counted as one of a task, and the attempt as refused.
        """
        return None

    def turn(self, *, payload: str | bytes | None = None, **data: Any) -> TaskTurn:
        """Send one turn and wait for its end. ``data`` gives ``{data.NAME}`` of the message.

        ``payload`` is sent in the place of the protocol's message: bytes as they are, in a binary frame; a
        text with its placeholders filled, of which ``{turn.id}`` is one.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self._running_traffic.turn(data, payload)

    def receive(self, match: Match, within: str | float | None = None) -> bytes:
        """Take the first event that fits ``match`` and was not taken yet, or wait for one.

        Looks through ``events`` first. ``match`` is a MATCH of protocols: a type, or a table of conditions.
        ``within`` is a duration ("500ms") or seconds; without it, the scenario's timeout.

        Raises:
            TimeoutError: none came in time; not caught, it is counted as an exception of the task.
            ValueError: ``match`` or ``within`` is none.
            StopUser: the run is over, or the connection is.
        """
        within_ns = None if within is None else _nanoseconds(within)
        return self._running_traffic.receive(match, within_ns)

    def burst(self, n: int, **data: Any) -> list[TaskTurn]:
        """Send ``n`` turns back to back and wait for the end of all.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self._running_traffic.burst(n, data)

    def send(self, payload: str | bytes | Mapping[str, Any]) -> None:
        """Send a message that belongs to no turn; a mapping is sent as JSON.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        self._running_traffic.send(payload)

    def fail(self, reason: str) -> None:
        """Report that a check failed, such as of the answer to a turn; the task goes on.

        The turn keeps its outcome: by the protocol it was complete. Failed checks are counted apart, as
        ``counts.tasks.failed``, and the run fails.

        Raises:
            StopUser: the run is over.
        """
        self._running_traffic.failed(reason, sys._getframe(1))


class AgentUser(WebSocketUser):
    """A virtual user of an AI-agent backend: one message, and the stream of events that answers it."""

    abstract = True
    scenario = "agent-burst"


def _nanoseconds(within: str | float) -> int:
    """A duration as text, or in seconds."""
    return parse_duration(within) if isinstance(within, str) else round(within * 1e9)


def _live(user: WebSocketUser) -> None:
    """The life of a user. Locust finds its users by this function's argument."""
    user._state = LOCUST_STATE_RUNNING
    try:
        shard = _shard_of(user)
        _run_tasks(user, shard)
        shard.done.wait()
    except gevent.GreenletExit:
        return


def _run_tasks(user: WebSocketUser, shard: Any) -> None:
    """Wait for this user's connection to be ready, then run its tasks as Locust does."""
    traffic = shard.next_task_traffic()
    if traffic is not None:
        traffic.claim(user.before_connect)
    if traffic is not None and traffic.wait_ready():
        user._traffic = traffic
        try:
            user.run()  # type: ignore[no-untyped-call]  # Locust has no annotation there
        except (Exception, gevent.Timeout) as error:  # a Timeout is no Exception, and tasks use it for checks
            # From on_start, on_stop or wait_time: it has ended this user's tasks, and nobody else reports it.
            shard.tasks.raised(error, traffic.public)


def _shard_of(user: WebSocketUser) -> Any:
    """This process's shard, once it has begun."""
    environment: Any = user.environment
    begun: Event | None = getattr(environment, "loadtest_begun", None)
    if begun is not None:
        begun.wait()
    shard = environment.loadtest_shard
    shard.begun.wait()
    return shard
