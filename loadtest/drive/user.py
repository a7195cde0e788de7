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
                self.fail("no answer about July")

A user without ``@task`` has a greenlet that never starts; its traffic runs on callbacks. One with ``@task``
has a greenlet that waits for each turn; what it does is measured, kept and judged in the same way. A run
whose tasks raise, or call ``fail``, has failed.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from locust import User
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING
from typing_extensions import override

from loadtest.speak.turn import Outcome, Turn

if TYPE_CHECKING:
    from loadtest.drive.task_traffic import Guide

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
        self._guide: Guide | None = None

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
    def guide(self) -> Guide:
        """What this user's tasks drive.

        Raises:
            StopUser: the run is over.
        """
        if self._guide is None or self._guide.over:
            raise StopUser
        return self._guide

    @property
    def events(self) -> deque[bytes]:
        """The payloads that arrived, oldest first, the last 10,000 of them; take with ``popleft``."""
        return self.guide.events

    def turn(self, **data: Any) -> Turn:
        """Send one turn and wait for its end. ``data`` gives ``{data.NAME}`` of the message.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self.guide.turn(data)

    def burst(self, n: int, **data: Any) -> list[Turn]:
        """Send ``n`` turns back to back and wait for the end of all.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        return self.guide.burst(n, data)

    def send(self, payload: str | bytes | Mapping[str, Any]) -> None:
        """Send a message that is no turn; a mapping is sent as JSON.

        Raises:
            StopUser: the run is over, or the connection is.
        """
        self.guide.send(payload)

    def fail(self, reason: str) -> None:
        """Say that something is not as it should be, such as the answer to a turn; the task goes on.

        The turn keeps its outcome: by the protocol it was complete. What tasks fail is counted apart, as
        ``counts.tasks.failed``, and the run fails.

        Raises:
            StopUser: the run is over.
        """
        self.guide.failed(reason, sys._getframe(1))


class AgentUser(WebSocketUser):
    """A virtual user of an AI-agent backend: one message, and the stream of events that answers it."""

    abstract = True
    scenario = "agent-burst"


def _live(user: WebSocketUser) -> None:
    """The life of a user. Locust finds its users by this function's argument."""
    user._state = LOCUST_STATE_RUNNING
    try:
        share = _share_of(user)
        _guided(user, share)
        share.done.wait()
    except gevent.GreenletExit:
        return


def _guided(user: WebSocketUser, share: Any) -> None:
    """Wait for this user's connection to be ready, then run its tasks as Locust does."""
    guide = share.next_guide()
    if guide is not None and guide.wait_ready():
        user._guide = guide
        try:
            user.run()  # type: ignore[no-untyped-call]  # Locust has no annotation there
        except (Exception, gevent.Timeout) as error:  # a Timeout is no Exception, and checks are made with it
            # Of on_start, on_stop or wait_time: it has ended this user's tasks, and nobody else hears of it.
            share.tasks.raised(error)


def _share_of(user: WebSocketUser) -> Any:
    """This process's share of the run, once it has begun."""
    environment: Any = user.environment
    begun: Event | None = getattr(environment, "loadtest_begun", None)
    if begun is not None:
        begun.wait()
    share = environment.loadtest_share
    share.begun.wait()
    return share
