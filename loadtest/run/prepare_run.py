"""From options to a run that can begin: reads and checks the plan, finds or starts the target."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from loadtest.drive.endpoint import Endpoint, full_url, resolve_endpoint, tls_context
from loadtest.drive.generator_health import check_ports, raise_file_limit
from loadtest.drive.proxy import proxy_for, proxy_variables
from loadtest.drive.source_addresses import check_sources
from loadtest.errors import ConfigError, Problem
from loadtest.measure.clock import STEP_VARIABLE, step_from
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.schedule import planned_users
from loadtest.plan.secrets import missing_secrets
from loadtest.plan.target import NO_PROXY
from loadtest.run.exporter_libraries import need_libraries
from loadtest.run.options import RunOptions
from loadtest.speak.codec.factory import unsendable_messages


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
        return planned_users(self.scenario)

    def endpoint(self) -> Endpoint:
        """Resolve the target's name.

        Raises:
            TargetError: its name cannot be resolved.
        """
        target = self.scenario.target
        url = full_url(self.url, self.scenario.protocol.connect.path)
        if target.path is not None and target.path.startswith("/"):
            url = urljoin(self.url.replace("ws", "http", 1), target.path).replace("http", "ws", 1)
        return resolve_endpoint(target, url)


def prepare(options: RunOptions, scenario: Scenario | None = None) -> Prepared:
    """Read and check everything that can be wrong before a byte is sent.

    ``scenario`` is the one that the options name, where it has been read already.

    Raises:
        ConfigError: with every mistake that was found.
    """
    if scenario is None:
        scenario = load_scenario(options.scenario, options.overrides)
    problems = [
        *missing_secrets(scenario, os.environ),
        *_wrong_faults(scenario),
        *unsendable_messages(scenario),
    ]
    if problems:
        raise ConfigError(problems)
    options.check_workers(os.environ)
    need_libraries(options)
    try:
        step_ns = step_from(dict(os.environ))
    except ValueError as error:
        raise ConfigError([Problem(STEP_VARIABLE, str(error))])
    proxy_for(scenario.target.proxy, scenario.target.url)
    if scenario.target.url.startswith("wss:"):
        # The run makes its own; here, an unusable file is reported before anything begins.
        for part in scenario.parts:
            tls_context(part.target)
    limits = {} if options.workers is not None else _check_machine(scenario, options.processes)
    return Prepared(scenario, options, step_ns, scenario.target.url, scenario.target.url == SIMULATOR, limits)


def _check_machine(scenario: Scenario, processes: int) -> dict[str, int]:
    """The limits of this machine, which holds all connections; workers on other machines check their own.

    Raises:
        ConfigError: it cannot hold that many connections; says what to do.
    """
    users = planned_users(scenario)
    sources = len(check_sources([each for part in scenario.parts for each in part.target.source_addresses]))
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
    every = [part.target.auth for part in prepared.scenario.parts]
    secret_env = next((auth.secret_env for auth in every if auth is not None and auth.kind == "jwt"), None)
    settings: dict[str, Any] = {"jwt_secret_env": secret_env, "faults": target.faults}
    simulator = prepared.closing.enter_context(Simulator.start(seed=prepared.scenario.load.seed, **settings))
    prepared.url, prepared.simulator_pid = simulator.url, simulator.pid


def platform_facts(prepared: Prepared) -> list[dict[str, Any]]:
    """Facts of this platform and this plan for the manifest's ``observed``."""
    facts: list[dict[str, Any]] = []
    if sys.platform != "linux":
        facts.append({"code": "not_linux_no_kernel_stamps", "numbers": {"system": sys.platform}})
    if prepared.scenario.target.proxy == NO_PROXY and (found := proxy_variables(prepared.url)):
        variables = ", ".join(name for name, _ in found)
        facts.append({"code": "proxy_ignored", "numbers": {"variables": variables}})
    if any(part.target.insecure for part in prepared.scenario.parts):
        facts.append({"code": "insecure_tls", "numbers": {}})
    return facts
