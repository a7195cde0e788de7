"""The same run under plain ``locust -f``: Locust's command line and web page, our start, end and verdict.

Importing this module attaches it to Locust's events. ``-u -r -t -H`` replace connections, connect rate,
duration and target; what is not given comes from the scenario. Locust's own run time is switched off: it
loses the last reports (it waits a fixed half second, then kills its listener).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from types import FrameType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import events
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsError

from loadtest.drive.coordinator import (
    Coordinator,
    DriveResult,
    LocalCoordinator,
    RunSpec,
    expect_workers,
    has_tasks,
    never_prepared,
)
from loadtest.drive.locust_user import AgentUser, WebSocketUser
from loadtest.drive.master import MasterCoordinator
from loadtest.drive.shard_group import TASKS_BESIDE_POPULATIONS
from loadtest.drive.worker_port import guard
from loadtest.errors import ConfigError, Exit, LoadtestError, TargetError
from loadtest.keep.redact import Redactor
from loadtest.plan.secrets import scenario_secrets
from loadtest.plan.settings import public_url
from loadtest.run.live_state import watched
from loadtest.run.locust_page import LocustPage
from loadtest.run.options import RunOptions, key_of
from loadtest.run.prepare_run import Prepared, prepare, start_target
from loadtest.run.reporting import show_run
from loadtest.run.run_recorder import RunRecorder, exit_code_of
from loadtest.run.web_server import BoundedServer, guarded
from loadtest.run.worker import shard_worker
from loadtest.stdio import let_readers_leave

__all__ = ["AgentUser", "WebSocketUser"]

CLOSED_WITHIN_S = 30.0
"""Seconds that an interrupted run may take to be judged and written."""


def _guard_port() -> None:
    """The rules of the workers' port, with the key that ``LOADTEST_KEY_ENV`` names the variable of."""
    try:
        guard(key_of(os.environ.get("LOADTEST_KEY_ENV") or None, os.environ))
    except ConfigError as error:
        sys.stderr.write(f"loadtest: {error}\n")
        sys.exit(error.exit_code)


# Locust makes its runner after it has read the locustfile, which imports this.
_guard_port()


class PlainLocustRun:
    """One run of a locustfile, from Locust's ``test_start`` to the verdict."""

    def __init__(self, environment: Any, options: RunOptions) -> None:
        self.environment = environment
        self.options = options
        self.prepared: Prepared | None = None
        self.recording: RunRecorder | None = None
        self.coordinator: Coordinator | None = None
        self.interrupted = False
        self.closed = Event()
        self.page = LocustPage(environment, StatsError)
        environment.events.test_start.add_listener(self._on_start)
        environment.events.quitting.add_listener(self._on_quitting)

    def _on_start(self, **_kwargs: Any) -> None:
        """Locust is about to start its users: make the run in which they take part.

        From Locust's page it may be a second run; what the first left here must not count for it.
        """
        self.closed.clear()
        self.interrupted = False
        self.environment.process_exit_code = None
        try:
            self._make()
        except LoadtestError as error:
            self._fail(error)

    def _make(self) -> None:
        environment = self.environment
        prepared = self.prepared = prepare(self.options)
        if has_tasks(environment) and prepared.scenario.populations:
            raise ConfigError(TASKS_BESIDE_POPULATIONS)
        self.recording = recording = RunRecorder(
            prepared,
            sys.argv,
            scenario_secrets(prepared.scenario, os.environ),
        )
        if has_tasks(environment):
            recording.driven_by_tasks()
        start_target(prepared)
        endpoint = prepared.endpoint()
        recording.found(endpoint)
        spec = RunSpec(
            recording.folder.id, prepared.scenario, endpoint, prepared.step_ns, recording.redactor.learn
        )
        if isinstance(environment.runner, MasterRunner):
            self.coordinator = MasterCoordinator(environment, spec, recording.take)
            self.coordinator.send_plan()
        else:
            self.coordinator = LocalCoordinator(environment, spec, recording.take)
        recording.stop = self.coordinator.stop
        recording.watch_target(lambda: self.coordinator.start_wall_ns if self.coordinator else None)
        self.page.show(recording, endpoint.url, watched(recording, self.coordinator))
        gevent.spawn(self._watch)

    def _fail(self, error: LoadtestError) -> None:
        for line in str(error).splitlines():
            sys.stderr.write(f"loadtest: {line}\n")
        code: int = error.exit_code
        if isinstance(error, TargetError) and self.recording is not None:
            code = self._close(self.recording.not_found(error))
        self.environment.process_exit_code = code
        gevent.spawn(self.environment.runner.quit)

    def _watch(self) -> None:
        assert self.coordinator is not None  # noqa: S101 - made before this greenlet
        self.coordinator.over.wait()
        try:
            self.environment.process_exit_code = self._close(self.coordinator.result)
        except Exception as error:
            sys.stderr.write(f"loadtest: internal error: {error}; do not rely on any result of this run\n")
            self.environment.process_exit_code = int(Exit.INTERNAL)
        self.closed.set()
        options = self.environment.parsed_options
        if options is not None and options.headless:
            self.environment.runner.quit()
        else:
            self.environment.runner.stop()

    def _close(self, result: DriveResult) -> int:
        recording, self.recording = self.recording, None
        if recording is None:
            return int(self.environment.process_exit_code or Exit.INTERNAL)
        self.page.over()
        for ended in recording.at_end:
            ended()
        run = recording.close(result, interrupted=self.interrupted)
        recording.prepared.closing.close()
        show_run(run, self.options)
        self.page.reported()
        return exit_code_of(run)

    def _on_quitting(self, **_kwargs: Any) -> None:
        """Locust quits. If the run is not over, it was interrupted."""
        coordinator = self.coordinator
        if coordinator is not None and not coordinator.over.is_set():
            self.interrupted = True
            coordinator.stop()
        if coordinator is not None:
            self.closed.wait(timeout=CLOSED_WITHIN_S)


def _scenario_of(environment: Any) -> str:
    """The scenario that the locustfile's users name.

    Raises:
        ConfigError: there is none, or there are several; or a class prepares connections and has no task.
    """
    named = {cls.scenario for cls in environment.user_classes if issubclass(cls, WebSocketUser)}
    if len(named) != 1:
        raise ConfigError(
            f"all users of a locustfile must use the same scenario; these use {sorted(named) or 'none'}"
        )
    if idle := never_prepared(environment):
        raise ConfigError(
            f"`before_connect` of {', '.join(idle)} would never be called, because the user has no @task;"
            " write a @task that calls `self.turn()`"
        )
    return str(named.pop())


def _options_of(environment: Any, given: Any) -> RunOptions:
    """The options of Locust's command line as ours."""
    return RunOptions(
        scenario=_scenario_of(environment),
        target=given.host or None,
        label=os.environ.get("LOADTEST_RUN_LABEL") or None,
        duration=f"{given.run_time}s" if given.run_time else None,
        connections=given.num_users,
        connect_rate=float(given.spawn_rate) if given.spawn_rate else None,
    )


def _conceal_host(environment: Any) -> None:
    """Locust shows its host on its page and sends it to workers; ours is read, and goes another way."""
    given = environment.parsed_options
    # What users of HTTP do with a host is Locust's: they need it as it was given.
    if given.host and urlsplit(given.host).scheme in {"ws", "wss"}:
        given.host = environment.host = Redactor().text(public_url(given.host))


def _guard_page(environment: Any) -> None:
    """Locust's page, which listens only after this: bounded, and for those who ask for it by its address."""
    from locust import web

    names = {socket.gethostname(), environment.web_ui.host, *_page_names()}

    def bounded(listener: Any, application: Any, **options: Any) -> BoundedServer:
        return BoundedServer(listener, guarded(application, names), **options)

    vars(web)["pywsgi"] = SimpleNamespace(WSGIServer=bounded)


def _page_names() -> list[str]:
    return [name.strip() for name in os.environ.get("LOADTEST_PAGE_NAMES", "").split(",")]


def _hand_interrupts_on() -> None:
    """Have Ctrl-C raise where Locust waits for it, in its main greenlet.

    Python raises it in whatever runs when it comes, which may be a read or a write of ours: that would be
    left half done, and gevent would go on without it. The second one raises at once.
    """
    hub = gevent.get_hub()
    main = gevent.getcurrent()

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        hub.loop.run_callback_threadsafe(main.throw, KeyboardInterrupt)

    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)


@events.init.add_listener  # type: ignore[untyped-decorator]  # Locust has no annotation there
def _attach(environment: Any, **_kwargs: Any) -> None:
    """Locust has read its command line and made its runner."""
    if not any(issubclass(cls, WebSocketUser) for cls in environment.user_classes):
        return
    let_readers_leave()
    if isinstance(environment.runner, WorkerRunner):
        shard_worker(environment)
        return
    if environment.web_ui is not None:
        _guard_page(environment)
    given = environment.parsed_options
    try:
        options = _options_of(environment, given)
        _conceal_host(environment)
        users = prepare(options).users
    except ConfigError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"loadtest: {line}\n")
        sys.exit(error.exit_code)
    if isinstance(environment.runner, MasterRunner):
        expect_workers(environment.runner)
    # Locust spawns all users at once and leaves start and run time to the schedule.
    given.num_users = users
    given.spawn_rate = users
    given.run_time = None
    _hand_interrupts_on()
    PlainLocustRun(environment, options)
