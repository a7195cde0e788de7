"""CPU, memory and open files of a process of this machine and of its children."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import psutil
from typing_extensions import override

from loadtest.drive.health.source import HealthSource, NotSampledError
from loadtest.plan.health import PROCESS_METRICS

CHILDREN_EVERY_S = 5.0
"""Seconds between two looks for children: psutil reads every process of the machine for that."""


class ProcessSource(HealthSource):
    """A process and its children, by its pid; another process that gets the pid later is not taken for it."""

    names = PROCESS_METRICS

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pid = pid
        self._clock = clock
        self._root: psutil.Process | None = None
        self._children: list[psutil.Process] = []
        self._looked_s: float | None = None
        self._cpu_s: dict[psutil.Process, float] = {}
        self._sampled_s: float | None = None

    @override
    def sample(self) -> Mapping[str, float | str]:
        root = self._running_root()
        now_s = self._clock()
        if self._looked_s is None or now_s - self._looked_s >= CHILDREN_EVERY_S:
            self._looked_s = now_s
            self._children = _children(root)
        found: dict[str, float | str] = {}
        cpu = self._cpu([root, *self._children], now_s)
        if cpu is not None:
            found["cpu"] = cpu
        found["memory"] = self._sum(root, lambda process: float(process.memory_info().rss))
        found["open_files"] = self._sum(root, lambda process: float(process.num_fds()))
        return found

    def _running_root(self) -> psutil.Process:
        try:
            if self._root is None:
                self._root = psutil.Process(self._pid)
            running = self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            running = False
        except psutil.AccessDenied:
            raise NotSampledError(f"loadtest has no permission to read process {self._pid}") from None
        if not running or self._root is None:
            raise NotSampledError(f"process {self._pid} is gone")
        return self._root

    def _cpu(self, processes: list[psutil.Process], now_s: float) -> float | None:
        """Cores in use since the last sample, of the processes that were there then as well."""
        known: dict[psutil.Process, float] = {}
        for process in processes:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            known[process] = times.user + times.system
        used = [known[each] - self._cpu_s[each] for each in known if each in self._cpu_s]
        before_s, self._cpu_s, self._sampled_s = self._sampled_s, known, now_s
        return sum(used) / (now_s - before_s) if used and before_s is not None and now_s > before_s else None

    def _sum(self, root: psutil.Process, read: Callable[[psutil.Process], float]) -> float | str:
        """Of the process and its children; where the process itself may not be read, why."""
        try:
            total = read(root)
        except psutil.NoSuchProcess:
            return f"process {self._pid} is gone"
        except (psutil.Error, AttributeError, OSError):
            return (
                f"loadtest cannot read this metric of process {self._pid} (no permission, or not on this"
                " platform)"
            )
        for child in self._children:
            try:
                total += read(child)
            except (psutil.Error, OSError):
                continue
        return total


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return list(root.children(recursive=True))
    except psutil.Error:
        return []
