"""CPU time and memory of a process and all its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

STOP_WITHIN_S = 10.0


def tree_of(pid: int) -> list[psutil.Process]:
    """The process and all that it has started, as far as they still live."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_s(pid: int) -> float:
    """User and system time of a process tree in seconds, ended children included (in steps of 10 ms)."""
    total = 0.0
    for process in tree_of(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_bytes(pid: int) -> int:
    """Resident memory of a process tree."""
    total = 0
    for process in tree_of(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


class Running:
    """A generator that was started for one measurement: in a process group of its own, on the given cores."""

    def __init__(
        self, words: Sequence[str], folder: Path, cores: Sequence[int], environ: Mapping[str, str]
    ) -> None:
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            self.child = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
                env={**os.environ, **environ},
            )
        self.pid = self.child.pid
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.pid, cores)

    def ended(self) -> bool:
        """Whether it is over."""
        return self.child.poll() is not None

    def last_words(self) -> str:
        """The end of what it printed."""
        return self.output.read_text(errors="replace")[-800:]

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended by itself within that time."""
        try:
            self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End the whole group, by its own number: what it would still report is not wanted."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.child.wait(STOP_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
