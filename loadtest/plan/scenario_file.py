"""Scenarios from TOML and from plain data, read whole: every mistake is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.plan.chaos_file import CHAOS_KEYS, read_chaos
from loadtest.plan.cross_checks import check_plan
from loadtest.plan.default_prompts import QUESTIONS
from loadtest.plan.document import read_document
from loadtest.plan.folder import SCENARIO, check_kind
from loadtest.plan.identifiers import is_name
from loadtest.plan.names import asks_for
from loadtest.plan.overrides import Overrides, applied, assignments
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import load_protocol, read_protocol
from loadtest.plan.reading import Source, Table, told
from loadtest.plan.rules import read_abort, read_compare, read_limits, read_thresholds, read_turned_off
from loadtest.plan.scenario import Scenario, Traffic
from loadtest.plan.settings import HIDDEN, public_settings, scenario_hash
from loadtest.plan.shipped import find
from loadtest.plan.target import read_target
from loadtest.plan.traffic import LOAD_KEYS, TRAFFIC_KEYS, read_load, read_traffic

HINTS = {
    **dict.fromkeys(LOAD_KEYS, "it belongs to [load]"),
    **dict.fromkeys(TRAFFIC_KEYS, "it belongs to [traffic]"),
    **dict.fromkeys(CHAOS_KEYS, "it belongs to [chaos]"),
    "url": "it belongs to [target]",
    "auth": "it belongs to [target]",
    "stage": "stages are a list in [load]",
    "stages": "stages are a list in [load]",
}


def load_scenario(ref: str | Path, overrides: Overrides | None = None) -> Scenario:
    """The scenario in a TOML file, or the shipped one of that name, with the overrides in place.

    Paths in it are relative to its folder. Environment variables are not looked at (``missing_secrets``).

    Raises:
        ConfigError: every mistake in the scenario, its protocol, its data and the overrides, with its place.
    """
    path, name = find("scenario", str(ref), Path())
    document = read_document(path, name)
    check_kind(document.data, SCENARIO, name)
    problems: list[Problem] = []
    data, given = applied(document.data, assignments(overrides or Overrides(), problems), problems)
    source = Source(name, document.lines, given, problems)
    return _finished(Table(data, source), path.parent.absolute(), str(path), document.comment)


def scenario_from_settings(settings: Mapping[str, object]) -> Scenario:
    """The scenario that ``worker_settings`` made plain, equal to it in every field.

    Raises:
        ConfigError: it was not made so (``public_settings``, of which something is hidden, are refused too).
    """
    source = Source("settings")
    if _holds(settings, HIDDEN):
        raise ConfigError([Problem("settings", "secrets were left out of these; no run can be made of them")])
    data = {key: value for key, value in settings.items() if key != "path"}
    return _finished(Table(data, source), Path.cwd(), str(settings.get("path", "")), "")


def _finished(table: Table, base: Path, path: str, question: str) -> Scenario:
    scenario = _read(table, base, path, question)
    table.source.finish()
    return replace(scenario, settings=public_settings(scenario), sha256=scenario_hash(scenario))


def _read(table: Table, base: Path, path: str, question: str) -> Scenario:
    name = table.text("name", Path(path).stem)
    if not is_name(name):
        table.report("name", f"`name` must be of letters, digits, `.`, `_` and `-`, not {told(name)}")
    protocol = _read_protocol(table, base)
    target = read_target(table.table("target"), base)
    load, of_stages = read_load(table.table("load"))
    traffic = read_traffic(table.table("traffic"), load, base) if table.has("traffic") else None
    promises = table.table("thresholds")
    turned_off = read_turned_off(promises)
    scenario = Scenario(
        name=name,
        question=table.text("question", question),
        path=path,
        sha256="",
        protocol=protocol,
        target=target,
        load=load,
        traffic=_with_questions(traffic, protocol),
        chaos=read_chaos(table.table("chaos")),
        thresholds=(*read_thresholds(promises), *of_stages),
        turned_off=turned_off,
        abort=read_abort(table.table("abort")),
        compare=read_compare(table.table("compare")),
        limits=read_limits(table.table("limits")),
    )
    if traffic is None:
        table.take("traffic")
    table.close(HINTS)
    check_plan(table, scenario)
    return scenario


def _read_protocol(table: Table, base: Path) -> Protocol:
    """The protocol; one without a message where it cannot be read, which has been reported then."""
    written = table.take("protocol")
    if isinstance(written, Mapping):
        before = len(table.source.problems)
        protocol = read_protocol(table.table("protocol"), "inline")
        return protocol if len(table.source.problems) == before else Protocol(name="")
    if written is None:
        table.report("protocol", '`protocol` is missing; write for example protocol = "agent-events"')
        return Protocol(name="")
    if not isinstance(written, str):
        table.report("protocol", f"`protocol` must be a name or a path, not {told(written)}")
        return Protocol(name="")
    try:
        return load_protocol(written, base)
    except ConfigError as error:
        for problem in error.problems:
            if problem.where:
                table.source.problems.append(problem)
            else:
                table.report("protocol", f"`protocol`: {problem.sentence}")
        return Protocol(name="")


def _with_questions(traffic: Traffic | None, protocol: Protocol) -> Traffic | None:
    """The built-in questions as data, where there is none and the message asks for a question."""
    if traffic is None or traffic.data:
        return traffic
    asked = asks_for(traffic.message or protocol.turn.message, "data.question")
    return replace(traffic, data=QUESTIONS) if asked else traffic


def _holds(value: object, text: str) -> bool:
    """Whether any text inside plain data holds the text."""
    if isinstance(value, Mapping):
        return any(_holds(each, text) for each in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds(each, text) for each in value)
    return isinstance(value, str) and text in value
