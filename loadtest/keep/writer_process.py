"""Which process writes a run, so that another process knows whether the run goes on or was cut short."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

STARTED_TOLERANCE_S = 2.0
"""Start times are told relative to a boot time that moves when the wall clock is set."""

SILENT_AFTER_S = 15.0
"""A run of another host that wrote nothing for so long is taken as ended; it writes every second."""


def this_process() -> dict[str, Any]:
    """``{pid, started, host}`` of the calling process; ``host`` is a digest, it names nobody."""
    return {"pid": os.getpid(), "started": psutil.Process().create_time(), "host": host_digest()}


def host_digest() -> str:
    """The same for all processes that share process ids: of one host, since its start."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    booted = boot.read_text("ascii") if boot.exists() else ""
    return hashlib.sha256(f"{platform.node()} {booted}".encode()).hexdigest()[:16]


def is_alive(process: Mapping[str, Any], written: Path) -> bool:
    """Whether the process still runs; on another host, whether the file it writes was changed of late."""
    if process.get("host") != host_digest():
        return written.exists() and time.time() - written.stat().st_mtime < SILENT_AFTER_S
    try:
        started = psutil.Process(int(process["pid"])).create_time()
        return abs(started - float(process["started"])) < STARTED_TOLERANCE_S
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return False
