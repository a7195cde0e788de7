"""The generator watches itself: CPU and lag every second, and the limits of this machine before the start."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from loadtest.errors import ConfigError, Problem

SPARE_FILES = 64
"""Descriptors that the process needs besides its connections."""

SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""Linux: nanoseconds on a core, nanoseconds of waiting for one while ready to run, and time slices."""


class GeneratorHealth:
    """CPU time and delays of this process between two calls of ``take``, in the thread that does the work.

    ``reads_cpu`` is False on a platform that does not report a process's CPU time.
    """

    def __init__(self) -> None:
        self._cpu_s = _cpu_s()
        self._waited_ns = _waited_ns()
        self._at_s = time.perf_counter()
        self.reads_cpu = self._cpu_s is not None

    def take(self, lag_ns: int) -> dict[str, float]:
        """The gauges of the last second; ``lag_ns`` is the longest wait for a loop turn.

        ``cpu`` and ``run_delay`` are fractions of one core and of the ``watched_s`` seconds that passed; what
        could not be read is absent.
        """
        cpu_s, waited_ns, at_s = _cpu_s(), _waited_ns(), time.perf_counter()
        elapsed_s = at_s - self._at_s
        gauges = {"loop_lag_ns": float(lag_ns)}
        if elapsed_s > 0:
            gauges["watched_s"] = elapsed_s
            if cpu_s is not None and self._cpu_s is not None:
                gauges["cpu"] = (cpu_s - self._cpu_s) / elapsed_s
            if waited_ns is not None and self._waited_ns is not None:
                gauges["run_delay"] = (waited_ns - self._waited_ns) / 1e9 / elapsed_s
        self._cpu_s, self._waited_ns, self._at_s = cpu_s, waited_ns, at_s
        return gauges


def _cpu_s() -> float | None:
    """CPU seconds of this process so far; None where the platform does not report them."""
    try:
        return time.process_time()
    except (OSError, RuntimeError):
        return None


def _waited_ns() -> int | None:
    """Nanoseconds that this thread was ready to run and had no core; None where that is not known."""
    try:
        return int(SCHEDSTAT.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


def raise_file_limit(connections: int) -> dict[str, int]:
    """Raise the soft limit of open files as far as ``connections`` need, and return the limits in force.

    Raises:
        ConfigError: the hard limit does not allow that many; names the command that raises it.
    """
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return {}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise ConfigError(
                [
                    Problem(
                        "[load] connections",
                        f"{connections} connections need {needed} open files, but this system allows only"
                        f" {hard}; raise the limit with: ulimit -Hn {needed} (as root)",
                    )
                ]
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        soft = needed
    return {"open_files_soft": soft, "open_files_hard": hard}


def local_ports() -> int | None:
    """Number of local ports of one source address for one target; None where that is not known."""
    if sys.platform != "linux":
        return None
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return int(high) - int(low) + 1


def check_ports(connections: int, sources: int = 1) -> dict[str, int]:
    """Check that ``sources`` source addresses have enough local ports for so many connections.

    Raises:
        ConfigError: they have too few; names the command that raises the limit, and how many would do.
    """
    ports = local_ports()
    if ports is None:
        return {}
    if connections > ports * sources:
        each = f" for each of {sources} source addresses" if sources > 1 else ""
        raise ConfigError(
            [
                Problem(
                    "[load] connections",
                    f"{connections} connections to one target need as many local ports, "
                    f"but there are only {ports}{each}. "
                    "Raise the number with: sysctl -w net.ipv4.ip_local_port_range='1024 65535' (as root), "
                    f"or name {-(-connections // ports)} of this machine's addresses as `source_addresses` "
                    "in [target]",
                )
            ]
        )
    return {"local_ports": ports}
