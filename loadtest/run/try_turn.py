"""``loadtest try``: a scenario or a protocol, one connection, one turn."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.drive.trial import Trial, try_turn
from loadtest.errors import ConfigError, Exit, Problem
from loadtest.keep.redact import Redactor
from loadtest.plan.capture import CapturedFrame
from loadtest.plan.folder import PROTOCOL, kind_of
from loadtest.plan.overrides import Overrides
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import asked_columns, load_protocol
from loadtest.plan.scenario import Scenario, Traffic
from loadtest.plan.scenario_file import load_scenario, scenario_from_settings
from loadtest.plan.settings import protocol_settings, public_url
from loadtest.plan.shipped import find, shipped_names
from loadtest.plan.toml_reader import read_document
from loadtest.plan.written_secrets import all_secrets
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import prepare, start_target

DEFAULT_TIMEOUT_NS = 10_000_000_000


@dataclass(slots=True)
class FinishedTrial:
    """A trial with what it was of. ``redactor`` knows the scenario's secrets, and those kept of what came."""

    trial: Trial
    scenario: Scenario
    url: str
    simulated: bool
    redactor: Redactor
    address: str

    @property
    def exit_code(self) -> Exit:
        """0 where the turn was complete, 1 where it was not or an error ended the connection, 3 without."""
        if self.trial.complete:
            return Exit.FAIL if self.trial.broken_off else Exit.PASS
        return Exit.FAIL if self.trial.refusal is None else Exit.UNREACHABLE

    def captured(self) -> list[CapturedFrame]:
        """The messages of the trial as a capture, without secrets."""
        binary = self.scenario.protocol.turn.encoding == "binary"
        return [
            CapturedFrame(
                max(frame.at_ns - self.trial.started_ns, 0),
                frame.inward,
                self._without_secrets(frame.payload),
                binary=binary and frame.taken == ("message",),
            )
            for frame in self.trial.frames
            if frame.is_message
        ]

    def _without_secrets(self, payload: bytes) -> bytes:
        text = payload.decode("utf-8", "surrogateescape")
        return self.redactor.text(text).encode("utf-8", "surrogateescape")


def try_file(ref: str, target: str | None, timeout_ns: int | None) -> FinishedTrial:
    """Try the scenario or the protocol that a path or a shipped name stands for.

    Raises:
        ConfigError: a mistake of the file; nothing was sent.
        TargetError: the name of the target cannot be resolved.
    """
    scenario = _one_population(_scenario(ref, target))
    traffic = scenario.traffic or Traffic(every_ns=DEFAULT_TIMEOUT_NS)
    if timeout_ns is not None:
        traffic = replace(traffic, timeout_ns=timeout_ns)
    scenario = replace(scenario, traffic=traffic)
    if not (traffic.message or scenario.protocol.turn.sends):
        sentence = "the scenario sends no message; write `message` in [turn] of the protocol or in [traffic]"
        raise ConfigError([Problem(ref, sentence)])
    prepared = prepare(RunOptions(scenario=ref, target=target), scenario)
    redactor = Redactor(all_secrets(scenario, os.environ))
    with prepared.closing:
        start_target(prepared)
        endpoint = prepared.endpoint()
        if not endpoint.is_loopback:
            where = ", ".join(endpoint.shown_addresses)
            by = f" through the proxy {endpoint.proxy.shown}" if endpoint.proxy is not None else ""
            sys.stderr.write(f"sending to {redactor.text(public_url(endpoint.url))}{by} at {where}\n")
        trial = try_turn(scenario, endpoint, redactor.learn)
    redactor.learn(trial.secrets)
    return FinishedTrial(
        trial,
        scenario,
        redactor.text(public_url(endpoint.url)),
        prepared.simulated,
        redactor,
        next(iter(endpoint.shown_addresses), ""),
    )


def _one_population(scenario: Scenario) -> Scenario:
    """The scenario of the first population that sends turns, for one user is one of one population."""
    return next((part for part in scenario.parts if part.sends), scenario.parts[0])


def _scenario(ref: str, target: str | None) -> Scenario:
    """The scenario of a name or a file; of a protocol, one that sends its message to ``target``."""
    if ref in shipped_names("scenario"):
        return load_scenario(ref, Overrides(target=target))
    if ref in shipped_names("protocol"):
        return _of_protocol(load_protocol(ref), ref, target)
    path, name = find("scenario", ref, Path())
    if kind_of(read_document(path, name).data) == PROTOCOL:
        return _of_protocol(load_protocol(path), ref, target)
    return load_scenario(ref, Overrides(target=target))


def _of_protocol(protocol: Protocol, ref: str, target: str | None) -> Scenario:
    if target is None:
        raise ConfigError(
            [
                Problem(
                    "--target",
                    f"{ref} is a protocol; add --target, the address to send its message to",
                )
            ]
        )
    if asked := asked_columns(protocol):
        names = ", ".join(f"{{{name}}}" for name in asked)
        sentence = (
            f"the protocol needs {names} from the rows of a scenario; try a scenario that uses this protocol"
        )
        raise ConfigError([Problem(ref, sentence)])
    settings = {
        "name": protocol.name or "try",
        "protocol": protocol_settings(protocol),
        "target": {"url": target},
        "load": {"duration": "10s"},
        "traffic": {"every": "10s"},
    }
    try:
        return scenario_from_settings(settings)
    except ConfigError as error:
        where = ("--target" if "`url`" in each.sentence else ref for each in error.problems)
        raise ConfigError(
            [Problem(place, each.sentence) for place, each in zip(where, error.problems, strict=True)]
        )
