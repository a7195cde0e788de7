"""The options of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.plan.addresses import is_loopback
from loadtest.plan.overrides import Overrides
from loadtest.run.metrics_address import collector_url, listen_address
from loadtest.units import parse_duration

DEFAULT_RESULTS = "results"

OPTION = "option"
"""Key of a field's metadata: its option, where that is not the field's own name with hyphens."""

BY_VARIABLE = "by_variable"
"""Key of a field's metadata: it is handed to a run in a process of its own by a variable (``variables``).

Everybody on a machine sees the command lines of its processes; their environment only who runs them. So what
may hold a secret, such as a target with a password or a token, is handed over there.
"""

NOT_FORWARDED = "not_forwarded"
"""Key of a field's metadata: why the option is refused for a run in a process of its own."""

PRINTS_NOTHING = "with several runs, a single run prints nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of ``loadtest run``. One that was not given is None, or has the default that stands here.

    A field ``connect_rate`` is the option ``--connect-rate``: ``run.subprocess_runs`` makes the command line
    of a run from these fields, so that a new one reaches the runs of a suite, a search and an ab as well.
    ``asked_by`` names the component of a policy that this run probes. ``key_env`` names the environment
    variable with the key of the workers, ``join_within`` is how long they may take to join.
    """

    scenario: str = "agent-burst"
    target: str | None = field(default=None, metadata={BY_VARIABLE: True})
    label: str | None = None
    duration: str | None = None
    connections: int | None = None
    connect_rate: str | float | None = None
    sets: tuple[str, ...] = field(default=(), metadata={OPTION: "--set", BY_VARIABLE: True})
    processes: int = 1
    workers: int | None = None
    bind: str | None = None
    key_env: str | None = None
    join_within: str = "10m"
    repeat: int = field(default=1, metadata={NOT_FORWARDED: "a process makes one run"})
    results: str | None = None
    ui: bool = False
    ui_port: int | None = None
    ui_close: bool = False
    prometheus: str | None = None
    otel: str | None = None
    verbose: bool = field(default=False, metadata={NOT_FORWARDED: PRINTS_NOTHING})
    quiet: bool = False
    json: bool = field(default=False, metadata={NOT_FORWARDED: PRINTS_NOTHING})
    insecure: bool = False
    asked_by: str | None = None

    @property
    def shows_page(self) -> bool:
        """Whether the run is shown in a browser; a port for the page asks for it as well."""
        return self.ui or self.ui_port is not None

    def page_stays(self, environ: Mapping[str, str], *, terminal: bool) -> bool:
        """Whether the page stays until somebody closes it, which nobody would without a terminal."""
        return (
            self.shows_page and not self.ui_close and self.repeat == 1 and terminal and not environ.get("CI")
        )

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where Prometheus may scrape the run; None where that was not asked for.

        Raises:
            ConfigError: it is no address.
        """
        return None if self.prometheus is None else listen_address(self.prometheus)

    @property
    def collector(self) -> str | None:
        """The collector that the run is told to by OTLP; None where that was not asked for.

        Raises:
            ConfigError: it is no address of one.
        """
        return None if self.otel is None else collector_url(self.otel)

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

    @property
    def join_within_s(self) -> float:
        """Seconds that workers may take to join.

        Raises:
            ConfigError: it is no duration.
        """
        try:
            return parse_duration(self.join_within) / 1e9
        except ValueError as error:
            raise ConfigError([Problem("--join-within", str(error))])

    def check_workers(self, environ: Mapping[str, str]) -> None:
        """Check what is said of the workers, before anything begins.

        Raises:
            ConfigError: a value is wrong, or workers of other machines could join without a key.
        """
        host, _ = self.bind_address
        _ = self.join_within_s
        key_of(self.key_env, environ)
        if self.workers is not None and self.key_env is None and not is_loopback(host):
            sentence = (
                f"workers on other machines join at {host} and get the plan, which may contain secrets. Put a"
                f" key of at least {SHORTEST_KEY} characters into an environment variable on every machine,"
                " and name it with --key-env"
            )
            raise ConfigError([Problem("--bind", sentence)])


SHORTEST_KEY = 16
"""Characters; a shorter key could be found by trying."""


def key_of(variable: str | None, environ: Mapping[str, str]) -> str | None:
    """The key of the workers, from an environment variable; None where none is named.

    Raises:
        ConfigError: the variable is not set, or its value is too short for a key.
    """
    if variable is None:
        return None
    key = environ.get(variable, "")
    if len(key) < SHORTEST_KEY:
        said = f"has {len(key)} characters" if key else "is not set"
        sentence = f"the environment variable {variable}, which must contain the key of the workers, {said}"
        raise ConfigError([Problem("--key-env", f"{sentence}; a key has at least {SHORTEST_KEY} characters")])
    return key


def variables(target: str | None, sets: Sequence[str]) -> dict[str, str]:
    """The variables that mean ``--target`` and ``--set`` to ``loadtest run``."""
    found = {} if target is None else {"LOADTEST_RUN_TARGET": target}
    return {**found, "LOADTEST_RUN_SET": json.dumps(list(sets))} if sets else found


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
