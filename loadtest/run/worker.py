"""``loadtest worker``: one worker process of a distributed run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import gevent

from loadtest.drive.locust_import import Environment, Events
from loadtest.drive.generator_health import raise_file_limit
from loadtest.drive.worker import ShardWorker
from loadtest.errors import PATIENCE_S, Exit, LoadtestError
from loadtest.plan.scenario_file import scenario_from_settings
from loadtest.run.options import host_and_port
from loadtest.run.runner import ScenarioUser

CONNECTIONS_EXPECTED = 20_000
"""For the limit of open files."""


def work(master: str, *, child: bool) -> int:
    """Join the master at HOST:PORT, drive one shard of its run, and return the exit code.

    ``child``: the master started it; it ends when its standard input does, so that it never outlives it.

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
        # Before it joins: it would try to reach a master that is gone for a minute.
        gevent.spawn(_end_with_parent)
    environment = Environment(user_classes=[ScenarioUser], events=Events())  # type: ignore[no-untyped-call]  # Locust has no annotation there
    try:
        runner = environment.create_worker_runner(host, port)
    except (OSError, ConnectionError) as error:
        raise LoadtestError(f"the master at {master} could not be reached: {error}") from error
    ShardWorker(environment, scenario_from_settings)
    interrupted = (lambda: None) if child else _interrupt_handler()
    gevent.signal_handler(signal.SIGINT, interrupted)
    runner.greenlet.join()
    return Exit.PASS


def _interrupt_handler() -> Callable[[], None]:
    """The handler of Ctrl-C: the master, which may share our terminal, ends the run; a second one ends us."""
    first_s: list[float] = []

    def interrupted() -> None:
        if first_s and time.monotonic() - first_s[0] >= PATIENCE_S:
            os._exit(Exit.INTERRUPTED)
        if not first_s:
            first_s.append(time.monotonic())
            sys.stderr.write("loadtest: the master ends the run; again to leave at once\n")

    return interrupted


def _allow_many_files() -> None:
    """Allow as many open files as possible: the plan is not known yet."""
    try:
        raise_file_limit(CONNECTIONS_EXPECTED)
    except LoadtestError:
        logging.getLogger(__name__).info("the limit of open files stays as it is")


def _end_with_parent() -> None:
    """Standard input is a pipe from the master: its end is the master's."""
    gevent.get_hub().wait(gevent.get_hub().loop.io(sys.stdin.fileno(), 1))
    os._exit(Exit.INTERNAL)
