"""``loadtest worker``: one worker process of a distributed run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from loadtest.drive.locust_import import Environment, Events, RPCError
from loadtest.drive.generator_health import raise_file_limit
from loadtest.drive.worker import ShardWorker
from loadtest.drive.worker_port import guard
from loadtest.errors import PATIENCE_S, Exit, LoadtestError
from loadtest.keep.redact import RedactingFormatter, Redactor
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import scenario_from_settings
from loadtest.plan.secrets import scenario_secrets
from loadtest.plan.written_secrets import plan_secrets
from loadtest.run.locust_runner import ScenarioUser
from loadtest.run.options import host_and_port

UNANSWERED_S = 10.0
"""Seconds without an answer after which a worker says so."""

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"

CONNECTIONS_EXPECTED = 20_000
"""For the limit of open files."""


def work(master: str, key: str | None, *, child: bool = False) -> int:
    """Join the master at HOST:PORT, drive one shard of its run, and return the exit code.

    ``key``: what all machines of the run share; None where the master is on this one and has none.
    ``child``: the master started it; it ends when its standard input does, so that it never outlives it.

    Raises:
        ConfigError: ``master`` is not HOST:PORT.
        LoadtestError: the master could not be reached, or was lost.
    """
    host, port = host_and_port(master, "--master")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=LOG_FORMAT)
    _allow_many_files()
    if child:
        # Before it joins: it would try to reach a master that is gone for a minute.
        gevent.spawn(_end_with_parent)
    environment = Environment(user_classes=[ScenarioUser], events=Events())  # type: ignore[no-untyped-call]  # Locust has no annotation there
    guard(key)
    waiting = gevent.spawn_later(UNANSWERED_S, _say_unanswered, master, keyed=key is not None)
    try:
        runner = environment.create_worker_runner(host, port)
    except (OSError, ConnectionError, RPCError):
        raise LoadtestError(_unanswered(master, keyed=key is not None)) from None
    finally:
        waiting.kill()
    shard_worker(environment)
    interrupted = (lambda: None) if child else _interrupt_handler()
    gevent.signal_handler(signal.SIGINT, interrupted)
    runner.greenlet.join()
    return Exit.PASS


def shard_worker(environment: Any) -> ShardWorker:
    """A worker that takes the secrets of a plan, as this machine has them, out of what it logs and sends."""
    known = Redactor()

    def rebuilt(settings: Mapping[str, Any]) -> Scenario:
        scenario = scenario_from_settings(settings)
        known.know([*plan_secrets(scenario), *_own_secrets(scenario)])
        for handler in logging.getLogger().handlers:
            handler.setFormatter(RedactingFormatter(known, LOG_FORMAT))
        return scenario

    return ShardWorker(environment, rebuilt, known.measured, known.learn)


def _own_secrets(scenario: Scenario) -> list[str]:
    """Of this machine; of a token file that is not there the first connection tells."""
    try:
        return scenario_secrets(scenario, os.environ)
    except (OSError, UnicodeDecodeError):
        return []


def _say_unanswered(master: str, *, keyed: bool) -> None:
    sys.stderr.write(f"loadtest: {_unanswered(master, keyed=keyed)}; still trying\n")


def _unanswered(master: str, *, keyed: bool) -> str:
    """What is known where no answer comes: a master does not answer whom it does not know."""
    key = "does it have the same key" if keyed else "does the master need a key (--key-env)"
    return f"no master answers at {master}. Is a master waiting there, and {key}?"


def _interrupt_handler() -> Callable[[], None]:
    """The handler of Ctrl-C: the master, which may share our terminal, ends the run; a second one ends us."""
    first_s: list[float] = []

    def interrupted() -> None:
        if first_s and time.monotonic() - first_s[0] >= PATIENCE_S:
            os._exit(Exit.INTERRUPTED)
        if not first_s:
            first_s.append(time.monotonic())
            sys.stderr.write("loadtest: the master ends the run; interrupt again to leave at once\n")

    return interrupted


def _allow_many_files() -> None:
    """Allow as many open files as possible: the plan is not known yet."""
    try:
        raise_file_limit(CONNECTIONS_EXPECTED)
    except LoadtestError:
        logging.getLogger(__name__).info("the limit of open files is unchanged")


def _end_with_parent() -> None:
    """Standard input is a pipe from the master: its end is the master's."""
    gevent.get_hub().wait(gevent.get_hub().loop.io(sys.stdin.fileno(), 1))
    os._exit(Exit.INTERNAL)
