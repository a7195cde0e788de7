"""What makes two runs comparable: machine, kernel, versions, limits, the plan, the code under test."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from loadtest import __version__
from loadtest.keep.redact import Redactor

LIBRARIES = ("locust", "gevent", "websockets", "numpy", "msgspec")
"""Those that take part in sending, receiving and counting."""

GIT_PATIENCE_S = 2.0


def fingerprint(
    scenario_sha256: str,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    redactor: Redactor | None = None,
) -> dict[str, Any]:
    """The surroundings of this process, as plain data; what this platform does not tell is None.

    ``arguments`` are the command line, kept without secrets. No host is named: ``machine`` is a digest
    that is the same for two runs of one machine. ``git`` is the repository of ``cwd``.
    """
    return {
        "loadtest": __version__,
        "scenario_sha256": scenario_sha256,
        "arguments": (redactor or Redactor()).arguments(arguments),
        "machine": _machine_digest(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "cores_usable": _usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "limits": {"open_files": _open_files(), "local_ports": _local_ports()},
        "git": _git(cwd or Path.cwd()),
    }


def _machine_digest() -> str:
    told = Path("/etc/machine-id")
    identity = told.read_text("ascii", "replace").strip() if told.is_file() else ""
    return hashlib.sha256((identity or platform.node()).encode()).hexdigest()[:12]


def _cpu_model() -> str | None:
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", told.read_text(), re.MULTILINE) if told.is_file() else None
    return found[1] if found else platform.processor() or None


def _usable_cores() -> int | None:
    """The cores this process may run on, fewer than there are in a container or under taskset."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _open_files() -> dict[str, int] | None:
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"soft": soft, "hard": hard}


def _local_ports() -> list[int] | None:
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return [int(port) for port in told.read_text().split()] if told.is_file() else None


def _git(cwd: Path) -> dict[str, Any] | None:
    """Commit and cleanness of the repository that ``cwd`` is in; None where there is none."""
    commit = _git_says(cwd, "rev-parse", "HEAD")
    if not commit:
        return None
    status = _git_says(cwd, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def _git_says(cwd: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=GIT_PATIENCE_S,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
