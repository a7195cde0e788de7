"""The state of a watch on disk, so that a restart neither loses nor repeats an alert."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from loadtest.errors import ConfigError
from loadtest.keep.atomic import write_whole
from loadtest.keep.json import json_text, parsed
from loadtest.live.alerts import AlertState
from loadtest.live.remedies import Treatment
from loadtest.readiness.evidence import Evidence

STATE = "watch.json"
LOCK = "watch.lock"
AUDIT = "audit.jsonl"


@dataclass(slots=True)
class WatchState:
    """Alerts, treatments, the last evidence of each component, and when each is due again.

    ``counted`` are the critical components that were found down since failures in a row were last counted up.
    """

    alerts: AlertState = field(default_factory=AlertState)
    treatments: dict[str, Treatment] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)


def load(folder: Path) -> WatchState:
    """What was saved; empty where nothing was.

    Raises:
        ConfigError: the file is there but cannot be read.
    """
    path = folder / STATE
    if not path.is_file():
        return WatchState()
    try:
        return msgspec.convert(parsed(path.read_text("utf-8")), WatchState, strict=False)
    except (OSError, ValueError) as error:
        hint = "to begin again, move the file away; then open alerts are sent again"
        raise ConfigError(f"the state of the watch in {path} cannot be read ({error}); {hint}") from None


def written(state: WatchState) -> str:
    """The state as it stands in its file."""
    return msgspec.json.encode(state).decode()


def save(folder: Path, text: str) -> None:
    """Write the state whole, and on the disk when this returns."""
    write_whole(folder / STATE, text)


def audit(folder: Path, entry: dict[str, Any]) -> None:
    """Add a line to the audit log."""
    with (folder / AUDIT).open("a", encoding="utf-8") as file:
        file.write(json_text(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def is_running(folder: Path) -> bool:
    """Whether a watch holds the lock of the folder just now; where there are no locks, nobody knows: no."""
    with suppress(OSError, ImportError), (folder / LOCK).open() as file:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


AGAIN_S = 0.1
"""So much later the lock is tried again: whoever asks whether a watch runs holds it for a moment."""


def _lock(fcntl: Any, file: IO[str]) -> None:
    """Take the lock of a watch.

    Raises:
        OSError: another one has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(AGAIN_S)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One watch per policy and results folder; the lock ends with the process, however it ends.

    Raises:
        ConfigError: another one runs, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise ConfigError(f'the watch cannot write to its folder "{folder}": {error.strerror}') from None
    with file:
        try:
            import fcntl

            _lock(fcntl, file)
        except ImportError:  # no such locks on Windows: there it is on the user to start one only
            pass
        except OSError:
            raise ConfigError(f"another `loadtest watch` of this policy is running ({folder})") from None
        yield
