"""A policy that is read again while its watch goes on: when its file changes, and at SIGHUP."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.errors import ConfigError
from loadtest.live.notifiers import unusable_routes
from loadtest.live.watch import Watch
from loadtest.readiness.policy import Policy

Stamp = tuple[int, int] | None
"""Date and size of a file; None where there is none just now, as while an editor replaces it."""


@dataclass(slots=True)
class Reload:
    """Looks at a policy's file between rounds; ``load`` reads it. A policy with mistakes changes nothing."""

    path: Path
    load: Callable[[], Policy]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    asked: bool = False
    _seen: Stamp = None

    def __post_init__(self) -> None:
        self._seen = self._stamp()
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def _stamp(self) -> Stamp:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self) -> Policy:
        policy = self.load()
        if unusable := unusable_routes(policy, self.environ):
            raise ConfigError(unusable)
        return policy

    def look(self, watch: Watch) -> bool:
        """Read the policy again where that is due; whether the watch goes on by another one."""
        stamp = self._stamp()
        if not self.asked and stamp in {self._seen, None}:
            return False
        self.asked, self._seen = False, stamp
        try:
            watch.reload(self._read())
        except ConfigError as error:
            watch.said(
                "the changed policy has mistakes, so the watch goes on with the old policy:"
                f" {' '.join(str(error).split())}",
            )
            return False
        return True
