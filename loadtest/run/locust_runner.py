"""Drives a run through Locust as a library: in this process, or by worker processes."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent

from loadtest.drive.locust_import import Environment, Events, RPCError
from loadtest.drive.coordinator import Coordinator, DriveResult, LocalCoordinator, RunSpec
from loadtest.drive.endpoint import Endpoint
from loadtest.drive.locust_user import AgentUser
from loadtest.drive.master import MasterCoordinator
from loadtest.drive.worker_port import guard
from loadtest.errors import ConfigError, LoadtestError, Problem
from loadtest.run.exporters import start_exporters
from loadtest.run.interrupts import Interrupts
from loadtest.run.options import key_of
from loadtest.run.run_recorder import RunRecorder
from loadtest.run.web_server import free_port
from loadtest.units import format_duration

if TYPE_CHECKING:
    from loadtest.run.live_server import LivePage

JOIN_WITHIN_S = 30.0
"""Seconds that worker processes of this machine may take to join."""

DEATH_NOTICED_S = 0.2


@dataclass(frozen=True, slots=True)
class _Joining:
    """How many workers must join, within how many seconds, where; ``own``: this process started them."""

    expected: int
    within_s: float
    own: bool
    at: str


class ScenarioUser(AgentUser):
    """The user of every run that is started from a scenario file."""

    abstract = False


def drive(recording: RunRecorder, endpoint: Endpoint, interrupts: Interrupts) -> DriveResult:
    """Drive one run to its end, or until a signal ends it early. Returns how it ended."""
    prepared = recording.prepared
    options = prepared.options
    spec = RunSpec(
        recording.folder.id, prepared.scenario, endpoint, prepared.step_ns, recording.redactor.learn
    )
    environment = Environment(user_classes=[ScenarioUser], events=Events())  # type: ignore[no-untyped-call]  # Locust has no annotation there
    if options.processes == 1 and options.workers is None:
        environment.create_local_runner()
        coordinator: Coordinator = LocalCoordinator(environment, spec, recording.take)
        return _await_end(environment, coordinator, recording, interrupts, [])
    host, port = options.bind_address
    port = port or free_port(host)
    own = options.workers is None
    # Nobody else of this machine is to join, either: a new key for every run of own processes.
    key = secrets.token_urlsafe(32) if own else key_of(options.key_env, os.environ)
    guard(key)
    _listen_for_workers(environment, host, port)
    master = MasterCoordinator(environment, spec, recording.take)
    expected = options.workers or options.processes
    with _children(host, port, options.processes if own else 0, key) as children:
        joining = _Joining(expected, JOIN_WITHIN_S if own else options.join_within_s, own, f"{host}:{port}")
        _await_workers(master, joining, children, options.key_env)
        master.send_plan()
        return _await_end(environment, master, recording, interrupts, children)


def _listen_for_workers(environment: Any, host: str, port: int) -> None:
    """Listen for workers.

    Raises:
        ConfigError: it cannot listen on the address; Locust would end with 1, as for a missed threshold.
    """
    try:
        environment.create_master_runner(host, port)
    except (SystemExit, RPCError) as error:
        why = f": {error}" if isinstance(error, RPCError) else "; is another master there?"
        raise ConfigError([Problem("--bind", f"cannot listen on {host}:{port}{why}")])


def _await_end(
    environment: Any,
    coordinator: Coordinator,
    recording: RunRecorder,
    interrupts: Interrupts,
    children: list[subprocess.Popen[bytes]],
) -> DriveResult:
    """Start Locust's users and wait for the end of the run."""
    recording.stop = coordinator.stop
    loop = gevent.get_hub().loop
    interrupts.begin(lambda: loop.run_callback_threadsafe(gevent.spawn, coordinator.stop))
    if recording.prepared.options.shows_page:
        recording.page = _page(recording, coordinator, interrupts)
    recording.watch_target(lambda: coordinator.start_wall_ns)
    start_exporters(recording, lambda: coordinator.start_wall_ns)
    environment.runner.start(coordinator.users, max(coordinator.users, 1))
    watch = gevent.spawn(_watch_children, coordinator, children) if children else None
    coordinator.over.wait()
    if recording.page is not None:
        recording.page.over()
    for ended in recording.at_end:
        ended()
    if watch is not None:
        watch.kill()
    environment.runner.quit()
    return coordinator.result


def _page(recording: RunRecorder, coordinator: Coordinator, interrupts: Interrupts) -> LivePage:
    """Serve the live page of a run."""
    from loadtest.run.live_server import LivePage
    from loadtest.run.live_state import watched

    live = watched(recording, coordinator)
    page = LivePage(live, recording.folder.path, interrupts.end_early, recording.prepared.options.ui_port)
    page.start()
    return page


@contextmanager
def _children(host: str, port: int, n: int, key: str | None) -> Iterator[list[subprocess.Popen[bytes]]]:
    """``n`` worker processes of this machine, ended by their process ids."""
    command = [sys.executable, "-m", "loadtest.run.local_worker", f"{host}:{port}"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        # One by one, inside the try: an interrupt may come after any of them.
        for _ in range(n):
            # In a process group of its own: Ctrl-C reaches only the master, which lets the workers finish.
            child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
            started.append(child)
            if child.stdin is not None:
                child.stdin.write(f"{key}\n".encode())
                child.stdin.flush()
        yield started
        deadline = time.monotonic() + 5
        while any(child.poll() is None for child in started) and time.monotonic() < deadline:
            gevent.sleep(0.02)
    finally:
        for child in started:
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()


def _await_workers(
    master: MasterCoordinator, joining: _Joining, children: list[subprocess.Popen[bytes]], key_env: str | None
) -> None:
    """Wait until all workers have joined.

    Raises:
        ConfigError: those of other machines did not join in time; nothing was sent.
        LoadtestError: one of our own ended, or did not join in time.
    """
    if not joining.own:
        key = f" --key-env {key_env}" if key_env else ""
        told = f"waiting for {joining.expected} workers: loadtest worker --master {joining.at}{key}\n"
        sys.stderr.write(told)
    deadline = time.monotonic() + joining.within_s
    while master.listening < joining.expected:
        gevent.sleep(0.02)
        if any(child.poll() is not None for child in children):
            raise LoadtestError(
                "a local worker process ended before it joined; see its last message on stderr"
            )
        if time.monotonic() > deadline:
            within = format_duration(joining.within_s * 1e9)
            if joining.own:
                raise LoadtestError(f"the worker processes did not join within {within}")
            sentence = (
                f"{master.listening} of {joining.expected} workers joined at {joining.at} within {within}"
            )
            raise ConfigError(
                [Problem("--workers", f"{sentence}; start the workers with the same key, and run again")]
            )


def _watch_children(coordinator: Coordinator, children: list[subprocess.Popen[bytes]]) -> None:
    """Give a child up that ends before the run does, without waiting for its silence."""
    while True:
        gevent.sleep(DEATH_NOTICED_S)
        for child in children:
            if child.poll() is not None and isinstance(coordinator, MasterCoordinator):
                coordinator.lose_pid(child.pid)
