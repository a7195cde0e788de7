"""Runs in processes of their own, one after another: for a suite, a search, an interleaved comparison.

Locust patches the standard library for good and a run freezes the garbage collector, so a second run in the
same process would differ from the first. Nothing here imports Locust.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from loadtest.errors import END_SIGNALS, ConfigError, Exit, Problem
from loadtest.keep.read import Run, read_run
from loadtest.run.options import BY_VARIABLE, NOT_FORWARDED, OPTION, RunOptions, variables

PROGRAM = ("loadtest",)
"""The module to run with ``python -m``, and the words before ``run``."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has ended. ``run``: what it stored, if anything; ``last_words``: its last line on stderr."""

    exit_code: Exit
    run: Run | None
    took_s: float
    last_words: str

    @property
    def manifest(self) -> dict[str, Any]:
        """The run's, or an empty one."""
        return {} if self.run is None else self.run.manifest


class RunSequence:
    """Makes runs one after another: ``with RunSequence() as sequence: sequence.run(...)``.

    ``END_SIGNALS`` are passed to the current run, which ends early and keeps what it measured; from then
    on ``interrupted`` is true, and the caller makes no further run.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._child: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in END_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def run(self, options: RunOptions) -> FinishedRun:
        """Make one run and wait for its end; its stderr goes to ours."""
        results = options.results_folder
        before = set(_folders(results))
        began = time.monotonic()
        words = self._wait(options)
        child = self._child
        assert child is not None  # noqa: S101 - it has just been waited for
        took_s = time.monotonic() - began
        run = _run_of(child.pid, results, before)
        return FinishedRun(self._code(child.returncode, run), run, took_s, words)

    def _wait(self, options: RunOptions) -> str:
        """The last line that the run wrote to stderr."""
        command = [sys.executable, "-m", *PROGRAM, *command_line(options)]
        # In a session of its own: Ctrl-C must reach it once, through us, and not from the terminal as well.
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**_environment(), **variables(options.target, options.sets)},
            start_new_session=True,
        ) as child:
            self._child = child
            if self.interrupted:
                child.send_signal(signal.SIGINT)
            last = ""
            assert child.stderr is not None  # noqa: S101 - it was asked for
            for line in child.stderr:
                sys.stderr.write(line)
                last = line.strip() or last
        return last

    def _code(self, code: int, run: Run | None) -> Exit:
        """The exit code of a process; one that was killed, or has an unknown code, concluded nothing.

        Nothing has passed or failed without a run that was stored. Python itself ends with 1, which means
        FAIL, if it cannot begin or is interrupted while it does.
        """
        concluded = code in set(Exit) and (run is not None or code not in {Exit.PASS, Exit.FAIL})
        if self.interrupted and (not concluded or code in {-number for number in END_SIGNALS}):
            return Exit.INTERRUPTED
        return Exit(code) if concluded else Exit.INTERNAL


def command_line(options: RunOptions) -> list[str]:
    """The words after ``loadtest`` that mean these options: every field that differs from its default.

    Without those that may hold a secret: ``variables`` has them.

    Raises:
        ConfigError: an option is set that a run in a process of its own cannot have.
    """
    words = ["run", "--quiet"]
    for each in fields(options):
        value = getattr(options, each.name)
        if each.name in {"scenario", "quiet"} or value == each.default:
            continue
        option = each.metadata.get(OPTION, f"--{each.name.replace('_', '-')}")
        if why := each.metadata.get(NOT_FORWARDED):
            raise ConfigError([Problem(option, f"this option cannot be used for several runs: {why}")])
        if not each.metadata.get(BY_VARIABLE):
            words += _option_words(option, value)
    return [*words, "--", options.scenario]


def _option_words(option: str, value: object) -> list[str]:
    if value is True:
        return [option]
    values = value if isinstance(value, tuple) else (value,)
    return [f"{option}={each}" for each in values]


def _environment() -> dict[str, str]:
    """Our environment without variables that would change the run's options, such as LOADTEST_RUN_REPEAT."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_RUN_")}


def _folders(results: Path) -> Iterator[Path]:
    if results.is_dir():
        yield from results.iterdir()


def _run_of(pid: int, results: Path, before: set[Path]) -> Run | None:
    """The run that a process stored: the new folder whose manifest names the process."""
    for path in sorted(set(_folders(results)) - before):
        with suppress(ConfigError):
            run = read_run(path)
            if (run.manifest.get("process") or {}).get("pid") == pid:
                return run
    return None
