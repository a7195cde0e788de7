"""Worker processes that are slow to listen, or end at the wrong time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.running import Ended, quick
from tests.run.conftest import InProcess

MASTER = """
    import sys
    import loadtest.run.driving as driving

    real, child = driving.subprocess.Popen, sys.argv.pop(1)

    def start(command, **options):
        if "loadtest.run.child" in command:
            command = [sys.executable, child, *command[3:]]
        return real(command, **options)

    driving.subprocess.Popen = start
    from loadtest.cli import main
    sys.exit(main(sys.argv[1:]))
"""

CHILD = """
import os, sys
import gevent
import loadtest.run.working as working
from loadtest.run.child import main

class Follow(working.Follow):
{method}

working.Follow = Follow
sys.exit(main())
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
    assert ended.code == 0, ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] == 100


def test_workers_that_end_before_the_run_begins_do_not_leave_it_waiting(two_processes: InProcess) -> None:
    ended = two_processes(GONE)
    assert ended.code in {4, 70}, ended.screen
    assert "Traceback" not in ended.screen
    assert ended.manifest["ended"] is not None
