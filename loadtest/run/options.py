"""The options of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.plan.overrides import Overrides

DEFAULT_RESULTS = "results"

OPTION = "option"
"""Key of a field's metadata: its option, where that is not the field's own name with hyphens."""

NOT_FORWARDED = "not_forwarded"
"""Key of a field's metadata: why the option is refused for a run in a process of its own."""

PRINTS_NOTHING = "one of several runs prints nothing of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of ``loadtest run``, as in the contract; None where one was not given.

    A field ``connect_rate`` is the option ``--connect-rate``: ``run.subprocess_runs`` makes the command line
    of a run from these fields, so that a new one reaches the runs of a suite, a search and an ab as well.
    ``asked_by`` names the component of a policy that this run probes.
    """

    scenario: str = "agent-burst"
    target: str | None = None
    label: str | None = None
    duration: str | None = None
    connections: int | None = None
    connect_rate: str | float | None = None
    sets: tuple[str, ...] = field(default=(), metadata={OPTION: "--set"})
    processes: int = 1
    workers: int | None = None
    bind: str | None = None
    repeat: int = field(default=1, metadata={NOT_FORWARDED: "a process makes one run"})
    results: str | None = None
    ui: bool = False
    ui_port: int | None = None
    verbose: bool = field(default=False, metadata={NOT_FORWARDED: PRINTS_NOTHING})
    quiet: bool = False
    json: bool = field(default=False, metadata={NOT_FORWARDED: PRINTS_NOTHING})
    insecure: bool = False
    asked_by: str | None = None

    @property
    def shows_page(self) -> bool:
        """Whether the run is shown in a browser; a port for the page asks for it as well."""
        return self.ui or self.ui_port is not None

    @property
    def overrides(self) -> Overrides:
        """What replaces the scenario's own values."""
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
    """The host and the port of ``HOST:PORT``.

    Raises:
        ConfigError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    # int() also reads digits of other scripts, which no socket accepts.
    if (
        not colon
        or not host
        or not (port.isascii() and port.isdecimal())
        or len(port) > 5
        or int(port) > 65535
    ):
        raise ConfigError([Problem(option, f"`{text}` is not HOST:PORT, such as 127.0.0.1:5557")])
    return host.strip("[]"), int(port)
