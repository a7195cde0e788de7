"""A command of the user's, and other programs that probes need, ended when their time is up."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loadtest.readiness.evidence import Evidence, Measure, distribution
from loadtest.readiness.probe import CommandProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError

MAX_OUTPUT_BYTES = 1024 * 1024
MAX_OUTPUT = 64 * 1024 * 1024
"""Only so many bytes of a program's output are read; a program that writes more than the other is ended."""
LOOK_S = 0.1

_GOING: set[subprocess.Popen[bytes]] = set()
SHOWN_LINES = 3


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """A program that has ended by itself; ``pid`` was the number of its process."""

    code: int
    out: str
    err: str
    pid: int

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines it wrote, of both streams."""
        lines = [
            line.strip()[:200] for line in (*self.out.splitlines(), *self.err.splitlines()) if line.strip()
        ]
        return tuple(lines[-SHOWN_LINES:])


def run_program(
    command: Sequence[str],
    folder: Path,
    within_s: float,
    environ: Mapping[str, str] | None = None,
    *,
    leaves: bool = False,
) -> ProgramResult:
    """Run a program without a shell, in a session of its own; at the end of its time all of that is killed.

    What it started and left behind is killed when it ends, unless it ``leaves`` something on purpose.

    Raises:
        NotProbedError: there is no such program.
        ProbeError: it did not end in time, or wrote without end.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                list(command), cwd=folder, env=None if environ is None else dict(environ),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            said = f"the program {command[0]} cannot be started: {error.strerror}"
            raise NotProbedError("tool", said) from None
        code = None
        _GOING.add(child)
        try:
            code = _wait(child, (out, err), within_s)
        finally:
            _GOING.discard(child)
            if code is None or not leaves:
                _end(child)
        if code is None:
            raise ProbeError("timeout", f"the program {command[0]} did not end within {within_s:g} s")
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(MAX_OUTPUT_BYTES).decode("utf-8", "replace"))
    return ProgramResult(code, texts[0], texts[1], child.pid)


@atexit.register
def _end_all() -> None:
    """When this process ends, no program that it started goes on, such as a run against a target."""
    for child in list(_GOING):
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)


def _wait(child: subprocess.Popen[bytes], files: Iterable[IO[bytes]], within_s: float) -> int | None:
    """The exit code, None where it did not end in time.

    Raises:
        ProbeError: it wrote so much that the disk would fill.
    """
    until = time.monotonic() + within_s
    while (left := until - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(min(LOOK_S, left))
        if max(os.fstat(file.fileno()).st_size for file in files) > MAX_OUTPUT:
            raise ProbeError("answer", "the program wrote more than 64 MiB, so loadtest ended it")
    return child.poll()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the program and what it started; one that has ended keeps nothing behind either."""
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def probe_command(probe: CommandProbe, context: ProbeContext) -> Evidence:
    """The command run once; its exit code says how it went."""
    command = [context.filled(word) for word in probe.command]
    begun = context.clock()
    ended = run_program(command, context.folder, context.left_s(1e9), context.environ)
    took = (context.clock() - begun) * 1000
    measures = {**distribution("took", [took]), "exit_code": Measure(ended.code, "count", 1)}
    lines = (f"the program {command[0]} ended with {ended.code}", *ended.last_words)
    if ended.code not in probe.exit_codes:
        last = f": {ended.last_words[-1]}" if ended.last_words else ""
        said = f"the program {command[0]} ended with {ended.code}{last}"
        return Evidence("failed", said, context.wall(), "exit", measures, lines, samples=(took,))
    if probe.contains and probe.contains not in ended.out:
        said = f'the program {command[0]} did not write "{probe.contains}"'
        return Evidence("failed", said, context.wall(), "answer", measures, lines, samples=(took,))
    return Evidence("answered", lines[0], context.wall(), "", measures, lines, samples=(took,))
