"""``loadtest worker``: one worker process of a distributed run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import gevent
import locust  # noqa: F401 - patches the standard library before anything opens a socket
from locust.env import Environment
from locust.event import Events

from loadtest.drive.generator import raise_file_limit
from loadtest.drive.worker import Follow
from loadtest.errors import PATIENCE_S, Exit, LoadtestError
from loadtest.plan.scenario_file import scenario_from_settings
from loadtest.run.options import host_and_port
from loadtest.run.runner import ScenarioUser

CONNECTIONS_EXPECTED = 20_000


def work(master: str, *, child: bool) -> int:
    """Join the master at HOST:PORT, do one run's share, and return the exit code.

    ``child``: started by the master itself; ends when its standard input does, so that it never outlives it.

    Raises:
        ConfigError: ``master`` is not HOST:PORT.
        LoadtestError: the master could not be reached, or was lost.
    """
    host, port = host_and_port(master, "--master")
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    _allow_many_files()
    if child:
        # Before it joins: a master that is gone would be tried for a minute.
        gevent.spawn(_end_with_parent)
    environment = Environment(user_classes=[ScenarioUser], events=Events())  # type: ignore[no-untyped-call]  # Locust has no annotation there
    try:
        runner = environment.create_worker_runner(host, port)
    except (OSError, ConnectionError) as error:
        raise LoadtestError(f"the master at {master} could not be reached: {error}") from error
    Follow(environment, scenario_from_settings)
    interrupted = (lambda: None) if child else _leaves_when_asked_again()
    gevent.signal_handler(signal.SIGINT, interrupted)
    runner.greenlet.join()
    return Exit.PASS


def _leaves_when_asked_again() -> Callable[[], None]:
    """What Ctrl-C does: the master ends the run, and may share our terminal; a second one leaves it."""
    first_s: list[float] = []

    def interrupted() -> None:
        if first_s and time.monotonic() - first_s[0] >= PATIENCE_S:
            os._exit(Exit.INTERRUPTED)
        if not first_s:
            first_s.append(time.monotonic())
            sys.stderr.write("loadtest: the master ends the run; again to leave without its word\n")

    return interrupted


def _allow_many_files() -> None:
    """As many files as this machine allows: the plan is not known yet."""
    try:
        raise_file_limit(CONNECTIONS_EXPECTED)
    except LoadtestError:
        logging.getLogger(__name__).info("the limit of open files stays as it is")


def _end_with_parent() -> None:
    """Standard input is a pipe from the master: its end is the master's."""
    gevent.get_hub().wait(gevent.get_hub().loop.io(sys.stdin.fileno(), 1))
    os._exit(Exit.INTERNAL)
