"""Runs in processes of their own, one after another: for a suite, a search, an interleaved comparison.

Locust patches the standard library for good and a run freezes the garbage collector, so that a second run in
the same process would not be as the first. Nothing here imports Locust.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from loadtest.errors import ConfigError, Exit
from loadtest.keep.read import Run, read_run
from loadtest.run.options import RunOptions

SIGNALS = (signal.SIGINT, signal.SIGTERM)

PROGRAM = ("loadtest",)
"""The module that is the command, and what comes before ``run``."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended; ``run``: what it left, if anything; ``last_words``: its last line of stderr."""

    exit_code: Exit
    run: Run | None
    took_s: float
    last_words: str

    @property
    def manifest(self) -> dict[str, Any]:
        """The run's, or an empty one."""
        return {} if self.run is None else self.run.manifest


class Course:
    """Makes runs one after another until somebody interrupts: ``with Course() as course: course.run(...)``.

    SIGINT and SIGTERM reach the run that goes on, which ends early and keeps what it measured; after that
    ``interrupted`` is true and the caller makes no further run.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._child: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
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

    def run(self, options: RunOptions) -> Ended:
        """Make one run and wait for its end; what it says on stderr is said here as well."""
        results = options.results_folder
        before = set(_folders(results))
        began = time.monotonic()
        words = self._wait(options)
        child = self._child
        assert child is not None  # noqa: S101 - it has just been waited for
        took_s = time.monotonic() - began
        code = self._code(child.returncode)
        return Ended(code, _run_of(child.pid, results, before), took_s, words)

    def _wait(self, options: RunOptions) -> str:
        """The last line that the run wrote to stderr."""
        command = [sys.executable, "-m", *PROGRAM, *to_words(options)]
        # In a session of its own: Ctrl-C reaches it once, through us, and not from the terminal as well.
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
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

    def _code(self, code: int) -> Exit:
        """Of a process; one that was killed, or ended as none of ours does, concluded nothing."""
        if self.interrupted and code in {-number for number in SIGNALS}:
            return Exit.INTERRUPTED
        return Exit(code) if code in set(Exit) else Exit.INTERNAL


def to_words(options: RunOptions) -> list[str]:
    """The words of ``loadtest run`` that mean these options."""
    given = {
        "target": options.target,
        "label": options.label,
        "duration": options.duration,
        "connections": options.connections,
        "connect-rate": options.connect_rate,
        "processes": options.processes,
        "results": options.results,
    }
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    words += [f"--set={each}" for each in options.sets]
    words += ["--insecure"] if options.insecure else []
    return ["run", "--quiet", *words, "--", options.scenario]


def _environment() -> dict[str, str]:
    """Ours without what would change the run's own options, such as LOADTEST_RUN_REPEAT."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_RUN_")}


def _folders(results: Path) -> Iterator[Path]:
    if results.is_dir():
        yield from results.iterdir()


def _run_of(pid: int, results: Path, before: set[Path]) -> Run | None:
    """The run that a process left: the new folder whose manifest names it."""
    for path in sorted(set(_folders(results)) - before):
        with suppress(ConfigError):
            run = read_run(path)
            if (run.manifest.get("process") or {}).get("pid") == pid:
                return run
    return None
