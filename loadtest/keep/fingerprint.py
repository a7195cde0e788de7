"""What makes two runs comparable: machine, kernel, versions, limits, the plan, the code under test."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from loadtest import __version__
from loadtest.keep.redact import Redactor

LIBRARIES = ("locust", "gevent", "websockets", "numpy", "msgspec")
"""Those that take part in sending, receiving and counting."""

GIT_PATIENCE_S = 2.0

MACHINE = "LOADTEST_MACHINE"
"""Names the machine, so that its runs are one history whatever else is known of it."""

IMAGE = "LOADTEST_CONTAINER_IMAGE"
"""The image that a container was started from, which nothing inside it tells."""

NAME_LENGTH = 64

GIB = 1 << 30

CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")
CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
CONTAINER_GROUPS = ("docker", "kubepods", "containerd", "libpod", "lxc")
"""In the paths of the first process's control groups."""


def fingerprint(
    scenario_sha256: str,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    redactor: Redactor | None = None,
) -> dict[str, Any]:
    """The environment of this process, as plain data; what this platform does not report is None.

    ``arguments`` are the command line, kept without secrets. No host is named: ``machine`` is the name that
    LOADTEST_MACHINE gives, else a digest that is the same for two runs of one machine. ``machine_from`` says
    what it was made of: "name", "machine-id", or "facts" where a machine has no lasting id of its own, as in
    a container. ``git`` is the repository of ``cwd``.
    """
    facts = _facts()
    machine, made_from = _machine(facts)
    return {
        "loadtest": __version__,
        "scenario_sha256": scenario_sha256,
        "arguments": (redactor or Redactor()).arguments(arguments),
        "machine": machine,
        "machine_from": made_from,
        **facts,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "limits": {"open_files": _open_files(), "local_ports": _local_ports()},
        "git": _git(cwd or Path.cwd()),
    }


def _facts() -> dict[str, Any]:
    """The hardware and the kernel, as far as they are reported."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "cores_usable": _usable_cores(),
        "cores_quota": _cores_quota(),
        "memory_bytes": psutil.virtual_memory().total,
        "container_image": os.environ.get(IMAGE) or None,
    }


def _machine(facts: Mapping[str, Any]) -> tuple[str, str]:
    """The identity of the machine and what it was made of, never a host name: a container has a new one."""
    if name := re.sub(r"[^A-Za-z0-9._-]+", "-", os.environ.get(MACHINE, "").strip())[:NAME_LENGTH]:
        return name, "name"
    if (lasting := _machine_id()) and not _in_container():
        return _digest(lasting), "machine-id"
    told = (
        facts["cpu"],
        facts["cores_usable"] or facts["cores_logical"],
        facts["cores_quota"],
        round(facts["memory_bytes"] / GIB),
        facts["system"],
        ".".join(facts["kernel"].split(".")[:2]),
        facts["architecture"],
        facts["container_image"],
    )
    return _digest("|".join(map(str, told))), "facts"


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _machine_id() -> str | None:
    """The lasting id of this system; None where it has none, or none yet ("uninitialized")."""
    told = _text_of("/etc/machine-id").strip()
    return told if re.fullmatch(r"[0-9a-f]{32}", told) and told.strip("0") else None


def _in_container() -> bool:
    """Whether this is a container: its machine id, if any, came with its image, and is on other hosts too."""
    if any(os.environ.get(name) for name in CONTAINER_VARIABLES):
        return True
    if any(Path(path).exists() for path in CONTAINER_FILES):
        return True
    groups = _text_of("/proc/1/cgroup")
    return any(word in groups for word in CONTAINER_GROUPS)


def _cores_quota() -> float | None:
    """How many cores' worth of time this control group may take; None: no limit, or none is reported."""
    quota, _, period = _text_of("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def _text_of(path: str) -> str:
    """The content of a system file; empty where it is missing or cannot be read."""
    try:
        return Path(path).read_text("ascii", "replace") if Path(path).is_file() else ""
    except OSError:
        return ""


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
