"""What the command line asks of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.plan.overrides import Overrides

DEFAULT_RESULTS = "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of ``loadtest run``, as in the contract; None where one was not given.

    ``asked_by`` names the part of a policy that is asked by this run.
    """

    scenario: str = "agent-burst"
    target: str | None = None
    label: str | None = None
    duration: str | None = None
    connections: int | None = None
    connect_rate: str | float | None = None
    sets: tuple[str, ...] = ()
    processes: int = 1
    workers: int | None = None
    bind: str | None = None
    repeat: int = 1
    results: str | None = None
    ui: bool = False
    quiet: bool = False
    insecure: bool = False
    asked_by: str | None = None

    @property
    def overrides(self) -> Overrides:
        """What takes the place of the scenario's own values."""
        sets = (*self.sets, "target.insecure=true") if self.insecure else self.sets
        return Overrides(
            target=self.target,
            duration=self.duration,
            connections=self.connections,
            connect_rate=self.connect_rate,
            sets=sets,
        )

    @property
    def results_folder(self) -> Path:
        """``--results``, else ``LOADTEST_RESULTS``, else ``results/``."""
        return Path(self.results or os.environ.get("LOADTEST_RESULTS") or DEFAULT_RESULTS)

    @property
    def bind_address(self) -> tuple[str, int]:
        """Where workers join; loopback and a free port unless ``--bind`` says otherwise.

        Raises:
            ConfigError: it is not HOST:PORT.
        """
        if self.bind is None:
            return "127.0.0.1", 0
        return host_and_port(self.bind, "--bind")


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """``HOST:PORT`` taken apart.

    Raises:
        ConfigError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    # Other scripts have digits too, which int() reads and no socket does.
    if (
        not colon
        or not host
        or not (port.isascii() and port.isdecimal())
        or len(port) > 5
        or int(port) > 65535
    ):
        raise ConfigError([Problem(option, f"`{text}` is not HOST:PORT, such as 127.0.0.1:5557")])
    return host.strip("[]"), int(port)
