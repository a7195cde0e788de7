"""Worker processes that are slow to listen, or end at the wrong time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.parts import free_port
from tests.end_to_end.running import Ended, quick, wait_until
from tests.run.conftest import InProcess

MASTER = """
    import sys
    from loadtest.run import locust_runner

    real, child = locust_runner.subprocess.Popen, sys.argv.pop(1)

    def start(command, **options):
        if "loadtest.run.local_worker" in command:
            command = [sys.executable, child, *command[3:]]
        return real(command, **options)

    locust_runner.subprocess.Popen = start
    from loadtest.cli import main
    sys.exit(main(sys.argv[1:]))
"""

CHILD = """
import os, sys
import gevent
from loadtest.run import worker
from loadtest.run.local_worker import main

class ShardWorker(worker.ShardWorker):
{method}

worker.ShardWorker = ShardWorker
sys.exit(main())
"""

INTERRUPTED = """
    import signal, sys
    from loadtest.run import locust_runner

    real, started = locust_runner.subprocess.Popen, []

    def start(command, **options):
        # The master is interrupted while it starts the second of them.
        if started and "loadtest.run.local_worker" in command:
            signal.raise_signal(signal.SIGINT)
        child = real(command, **options)
        if "loadtest.run.local_worker" in command:
            started.append(child)
            sys.stderr.write(f"started {child.pid}\\n")
        return child

    locust_runner.subprocess.Popen = start
    from loadtest.cli import main
    code = main(sys.argv[1:])
    sys.stderr.write(f"ended {started[0].returncode}\\n")
    sys.exit(code)
"""

SLOW = """
    def __init__(self, *rest):
        gevent.sleep(0.5)
        super().__init__(*rest)
"""

GONE = """
    def _spawned(self, **_):
        os._exit(9)
"""


@pytest.fixture
def two_processes(python: InProcess, tmp_path: Path) -> InProcess:
    """A run of two worker processes that are not quite ours."""

    def run(method: str) -> Ended:
        child = tmp_path / "child.py"
        child.write_text(CHILD.format(method=method))
        return python(MASTER, str(child), "run", "agent-burst", *quick(), "--processes", "2")

    return run


def test_a_worker_that_listens_late_gets_the_plan(two_processes: InProcess) -> None:
    """A master that sends it as soon as the worker has joined is not heard."""
    ended = two_processes(SLOW)
    # On a busy core the scenario's 100 ms may be missed, by the target or by the generator.
    assert ended.code in {0, 1, 4}, ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] == 100


def test_workers_that_end_before_the_run_begins_do_not_leave_it_waiting(two_processes: InProcess) -> None:
    ended = two_processes(GONE)
    assert ended.code in {4, 70}, ended.screen
    assert "Traceback" not in ended.screen
    assert ended.manifest["ended"] is not None


def test_an_interrupt_between_two_starts_leaves_no_worker(python: InProcess) -> None:
    ended = python(INTERRUPTED, "run", "agent-burst", *quick(), "--processes", "2")
    assert ended.code == 130, ended.screen
    assert ended.screen.count("started ") == 1
    # It was ended, and waited for, before the command ended.
    assert "ended -9" in ended.screen


def test_a_worker_whose_master_is_gone_before_it_joined_ends() -> None:
    """Locust would look for it for five minutes."""
    command = [sys.executable, "-m", "loadtest.run.local_worker", f"127.0.0.1:{free_port()}"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert child.stdin is not None
        child.stdin.close()
        wait_until(lambda: child.poll() is not None)
        assert child.returncode == 70
    finally:
        child.kill()
        child.wait()
