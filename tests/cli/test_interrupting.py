"""Ctrl-C and SIGTERM before a run goes, at whatever instant: 130, one sentence, no traceback."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import pytest

from loadtest.cli.exit_status import exit_code_of
from loadtest.cli.interrupting import Interrupting

PROGRAM = """
import os, signal, sys
from importlib.machinery import PathFinder

number, module = signal.Signals[sys.argv[1]], sys.argv[2]
del sys.argv[1:3]


class Striking(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == module:
            os.write(1, b"struck")
            os.kill(os.getpid(), number)
        return None


sys.meta_path.insert(0, Striking)
from loadtest.cli import main

sys.exit(main())
"""
"""The command as its script runs it, with a signal at the instant at which a module is asked for."""

INSTANTS = [
    ("click", ["--help"]),
    ("click.exceptions", ["--help"]),
    ("loadtest.cli.exit_status", ["--version"]),
    ("loadtest.cli.runs", ["runs", "list"]),
    ("loadtest.plan.scenario_file", ["explain", "agent-burst"]),
    ("loadtest.plan.scenario_file", ["run", "echo-steady"]),
    ("gevent", ["run", "echo-steady"]),
    ("locust.env", ["run", "echo-steady"]),
    ("numpy", ["run", "echo-steady"]),
    ("numpy.linalg", ["run", "echo-steady"]),
    ("loadtest.run.interrupts", ["run", "echo-steady"]),
    ("numpy", ["report", "latest"]),
    ("numpy", ["compare", "v1", "v2"]),
    ("loadtest.readiness.policy_file", ["ready"]),
    ("loadtest.live.watch", ["watch"]),
    ("loadtest.simulator.server", ["simulator"]),
    ("loadtest.run.worker", ["worker", "--master", "127.0.0.1:1"]),
]


QUICK = {"click", "loadtest.cli.runs", "locust.env"}
"""Instants of which both signals are quick: before our code, in a command, in the longest import of a run."""

STRUCK = [
    pytest.param(
        name,
        module,
        words,
        id=f"{name}-{module}-{words}",
        marks=pytest.mark.long if name == "SIGTERM" and module not in QUICK else (),
    )
    for name in ("SIGINT", "SIGTERM")
    for module, words in INSTANTS
]


@pytest.mark.parametrize(("name", "module", "words"), STRUCK)
def test_an_interrupt_during_imports_shows_no_traceback(
    name: str, module: str, words: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, name, module, *words]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "struck"
    assert (ended.returncode, ended.stderr.strip()) == (130, "loadtest: interrupted")


class Handled:
    """What ``Interrupting`` does, without the process that it would end."""

    def __init__(self) -> None:
        self.now = 0.0
        self.left: list[int] = []
        self.interrupting = Interrupting(lambda: self.now, self.left.append)


def strike(handled: Handled, frame: FrameType | None = None) -> None:
    handled.interrupting.signalled(signal.SIGINT, frame)


def test_the_first_unwinds_and_the_second_leaves_unless_it_is_the_same_wish() -> None:
    handled = Handled()
    with pytest.raises(KeyboardInterrupt):
        strike(handled)
    handled.now = 0.9
    strike(handled)
    assert handled.left == []
    handled.now = 1.0
    strike(handled)
    assert handled.left == [130]


def test_one_that_comes_when_all_is_over_changes_nothing() -> None:
    handled = Handled()
    handled.interrupting.over = True
    strike(handled)
    assert handled.left == []


def test_a_process_that_was_told_to_ignore_it_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert exit_code_of(lambda: signal.raise_signal(signal.SIGINT)) == 0
    finally:
        signal.signal(signal.SIGINT, before)


class Finalised:
    """Is interrupted where nobody hears of it."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_one_that_strikes_a_finaliser_is_heard_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        Finalised()
        gc.collect()
        # Not signal.pause(): a signal that comes just before it would leave it waiting for ever.
        for _ in range(1000):
            time.sleep(0.01)

    assert exit_code_of(command) == 130
    assert capsys.readouterr().err == "loadtest: interrupted\n"
