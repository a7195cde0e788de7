"""Real simulators, each in its process, and clients that speak to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from loadtest.simulator.process import Simulator

SOON_S = 60.0
"""How long a client waits for what must come."""

END = {"agent_completed", "error_message"}


class Client:
    """One connection that is ready, and what can be done with it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.ready = self.event()

    def event(self, within_s: float = SOON_S) -> dict[str, Any]:
        """The next message, read as JSON; what is none is {"broken": text}."""
        text = self.connection.recv(within_s)
        try:
            return dict(json.loads(text))
        except ValueError:
            return {"broken": text}

    def start(self, run: str, thread: str = "thread-1", **payload: object) -> None:
        """Send ``start_agent``."""
        body = {"user_request": "?", "thread_id": thread, "run_id": run} | payload
        self.connection.send(json.dumps({"type": "start_agent", "payload": body}))

    def ask(self, text: str) -> dict[str, Any]:
        """Send a message and take the next one."""
        self.connection.send(text)
        return self.event()

    def until(self, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Messages up to and including the one that is ``last``."""
        found = [self.event()]
        while not last(found[-1]):
            found.append(self.event())
        return found

    def to_the_end(self) -> tuple[list[dict[str, Any]], ConnectionClosed]:
        """Messages until the connection is closed, and how that was."""
        found = []
        while True:
            try:
                found.append(self.event())
            except ConnectionClosed as ended:
                return found, ended

    def turn(self, run: str, thread: str = "thread-1", **payload: object) -> list[dict[str, Any]]:
        """The events of one turn, up to its end."""
        self.start(run, thread, **payload)
        return self.until(lambda event: event.get("type") in END and event.get("run_id") == run)

    def rest(self) -> list[dict[str, Any]]:
        """All that was said before now: what stands before the answer to a marker."""
        self.connection.send('{"type":"marker"}')
        return self.until(lambda event: event.get("received_type") == "marker")[:-1]


Start = Callable[..., Simulator]
Join = Callable[..., Client]
Open = Callable[..., ClientConnection]


@pytest.fixture(scope="session")
def honest() -> Iterator[Simulator]:
    """One simulator without faults, for all who do not count."""
    with Simulator.start() as simulator:
        yield simulator


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a simulator of one's own; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda *faults, **options: stack.enter_context(Simulator.start(faults=faults, **options))


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open a connection to a path of a simulator; it is closed after the test."""
    with ExitStack() as stack:

        def open_connection(simulator: Simulator, path: str = "/ws", **options: Any) -> ClientConnection:
            settings = {"compression": None, "max_size": None, "close_timeout": 1} | options
            return stack.enter_context(connect(simulator.url + path, **settings))

        yield open_connection


@pytest.fixture
def join(opened: Open) -> Join:
    """Open a connection to ``/ws`` and wait until it is ready."""
    return lambda simulator, path="/ws", **options: Client(opened(simulator, path, **options))
