"""From options to a run that can begin: reads and checks the plan, finds or starts the target."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # stubs

from loadtest.drive.endpoint import Endpoint, full_url, resolve_endpoint, tls_context
from loadtest.drive.generator_health import check_ports, raise_file_limit
from loadtest.drive.sources import check_sources
from loadtest.errors import ConfigError, Problem
from loadtest.measure.clock import STEP_VARIABLE, step_from
from loadtest.plan.scenario import SIMULATOR, Scenario
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.schedule import Schedule
from loadtest.plan.secrets import missing_secrets
from loadtest.run.exporter_libraries import need_libraries
from loadtest.run.options import RunOptions


@dataclass(slots=True)
class Prepared:
    """A plan that was read and checked. ``closing`` ends what was started for it, a simulator among it."""

    scenario: Scenario
    options: RunOptions
    step_ns: int
    url: str
    simulated: bool
    limits: dict[str, int]
    closing: ExitStack = field(default_factory=ExitStack)
    simulator_pid: int | None = None

    @property
    def users(self) -> int:
        """The highest number of connections planned at once."""
        return Schedule(self.scenario.load, self.scenario.traffic).users

    def endpoint(self) -> Endpoint:
        """Resolve the target's name.

        Raises:
            TargetError: its name cannot be resolved.
        """
        return resolve_endpoint(self.scenario.target, full_url(self.url, self.scenario.protocol.connect.path))


def prepare(options: RunOptions, scenario: Scenario | None = None) -> Prepared:
    """Read and check everything that can be wrong before a byte is sent.

    ``scenario`` is the one that the options name, where it has been read already.

    Raises:
        ConfigError: with every mistake that was found.
    """
    if scenario is None:
        scenario = load_scenario(options.scenario, options.overrides)
    problems = [*missing_secrets(scenario, os.environ), *_wrong_faults(scenario)]
    if problems:
        raise ConfigError(problems)
    options.check_workers(os.environ)
    need_libraries(options)
    try:
        step_ns = step_from(dict(os.environ))
    except ValueError as error:
        raise ConfigError([Problem(STEP_VARIABLE, str(error))])
    if scenario.target.url.startswith("wss:"):
        # The run makes its own; here, an unusable file is reported before anything begins.
        tls_context(scenario.target)
    limits = {} if options.workers is not None else _check_machine(scenario, options.processes)
    return Prepared(scenario, options, step_ns, scenario.target.url, scenario.target.url == SIMULATOR, limits)


def _check_machine(scenario: Scenario, processes: int) -> dict[str, int]:
    """The limits of this machine, which holds all connections; workers on other machines check their own.

    Raises:
        ConfigError: it cannot hold that many connections; says what to do.
    """
    users = Schedule(scenario.load, scenario.traffic).users
    sources = len(check_sources(scenario.target.source_addresses))
    limits = {**raise_file_limit(-(-users // processes)), **check_ports(users, max(sources, 1))}
    return {**limits, "source_addresses": sources} if sources else limits


def _wrong_faults(scenario: Scenario) -> list[Problem]:
    """Problems in the faults, where the target is our simulator; no other target has them."""
    if scenario.target.url != SIMULATOR or not scenario.target.faults:
        return []
    from loadtest.simulator.faults import parse_faults

    try:
        parse_faults(scenario.target.faults)
    except ConfigError as error:
        return [Problem("[target] faults", problem.sentence) for problem in error.problems]
    return []


def start_target(prepared: Prepared) -> None:
    """Start the simulator, if it is the target; it ends with ``prepared.closing``."""
    if not prepared.simulated:
        return
    from loadtest.simulator.process import Simulator

    target = prepared.scenario.target
    auth = target.auth
    secret_env = auth.secret_env if auth is not None and auth.kind == "jwt" else None
    settings: dict[str, Any] = {"jwt_secret_env": secret_env, "faults": target.faults}
    simulator = prepared.closing.enter_context(Simulator.start(seed=prepared.scenario.load.seed, **settings))
    prepared.url, prepared.simulator_pid = simulator.url, simulator.pid


def platform_facts(prepared: Prepared) -> list[dict[str, Any]]:
    """Facts of this platform and this plan for the manifest's ``observed``."""
    facts: list[dict[str, Any]] = []
    if sys.platform != "linux":
        facts.append({"code": "not_linux_no_kernel_stamps", "numbers": {"system": sys.platform}})
    if variables := proxy_variables(prepared.url):
        facts.append({"code": "proxy_ignored", "numbers": {"variables": ", ".join(variables)}})
    if prepared.scenario.target.insecure:
        facts.append({"code": "insecure_tls", "numbers": {}})
    return facts


def proxy_variables(url: str) -> list[str]:
    """The environment variables by which other clients would reach this target through a proxy.

    No client asks a proxy for what is on its own machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or host == "localhost" or host.startswith("127.") or host == "::1":
        return []
    if proxy_bypass_environment(host):
        return []
    proxies = getproxies_environment()
    kind = "https" if parts.scheme == "wss" else "http"
    names = [f"{each}_proxy" for each in (kind, "all") if each in proxies]
    return [name for each in names for name in (each, each.upper()) if os.environ.get(name)]
