"""A generator to be compared: how it is found and started, what it does, what it says of latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.server import Server

HERE = Path(__file__).parent
ROOT = HERE.parent
LONG_S = 60.0
"""Longer than any measurement: what is started is ended when it has been measured."""


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement that a generator is to be started for."""

    case: Case
    server: Server
    folder: Path
    connections: int
    seconds: float = LONG_S
    processes: int = 1

    @property
    def url(self) -> str:
        """Where to."""
        return self.server.url(self.case.path)


@dataclass(frozen=True, slots=True)
class Told:
    """What a generator itself says of service time, in milliseconds."""

    p50: float | None
    p99: float | None


Words = list[str]


@dataclass(frozen=True, slots=True)
class Generator:
    """One of those compared. ``does`` says per case what it really does with what comes back."""

    name: str
    does: Mapping[str, str]
    words: Callable[[Job], Words]
    missing: Callable[[], str | None]
    version: Callable[[], str]
    told: Callable[[Job], Told | None] | None = None
    environ: Callable[[Job], Mapping[str, str]] = lambda _job: {}
    once: bool = False
    """In the connect case it opens all connections once, and does not go on opening."""
    settles_s: float = 0.0
    """How long it works before its cost is steady, beyond what is allowed to all."""


def version_of(distribution: str) -> Callable[[], str]:
    """Looks the version of an installed Python distribution up."""
    return lambda: version(distribution)
