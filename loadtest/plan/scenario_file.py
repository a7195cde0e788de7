"""Scenarios from TOML and from plain data, and back: every mistake is reported at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from loadtest.errors import ConfigError, Problem
from loadtest.plan.cross_checks import check_scenario
from loadtest.plan.default_prompts import QUESTIONS
from loadtest.plan.descriptor_set import public_descriptors
from loadtest.plan.folder import SCENARIO, check_kind
from loadtest.plan.identifiers import is_name
from loadtest.plan.overrides import Overrides, applied, assignments
from loadtest.plan.placeholder_names import asks_for
from loadtest.plan.scenario import DataRows, Scenario, Traffic
from loadtest.plan.schema import SCENARIO_TABLE
from loadtest.plan.settings import (
    HIDDEN,
    public_command,
    public_protocol,
    public_requests,
    public_url,
    without_secret,
)
from loadtest.plan.shipped import find
from loadtest.plan.toml_reader import Source, TomlTable, quoted, read_document

Plain = dict[str, object]


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
    source = Source(name, document.lines, given, problems, path.parent.absolute())
    return _read(TomlTable(data, source), str(path), document.comment)


def scenario_from_settings(settings: Mapping[str, object]) -> Scenario:
    """The scenario that ``worker_settings`` made plain, equal to it in every field.

    Raises:
        ConfigError: it was not made so (``public_settings``, of which something is hidden, are refused too).
    """
    source = Source("settings", base=Path.cwd())
    if _holds(settings, HIDDEN):
        sentence = "the secrets in these stored settings are redacted; run the original file"
        raise ConfigError([Problem("settings", sentence)])
    data = {key: value for key, value in settings.items() if key != "path"}
    return _read(TomlTable(data, source), str(settings.get("path", "")), "")


def worker_settings(scenario: Scenario) -> Plain:
    """All that ``scenario_from_settings`` needs to build an equal scenario without a file.

    It holds the rows of identities and data, and headers as they were written: for workers, not for files.
    """
    return {"path": scenario.path, **SCENARIO_TABLE.write(scenario)}


def public_settings(scenario: Scenario) -> Plain:
    """The effective plan for run.json and reports, without secrets.

    Of rows it tells how many there are, their columns, and a hash. A value whose name sounds like a secret's
    is hidden unless it is made of placeholders.
    """
    settings = SCENARIO_TABLE.write(scenario)
    _make_public(scenario, settings)
    written = cast("list[Plain]", settings.get("population", []))
    for population, own in zip(scenario.populations, written, strict=True):
        _make_public(population.scenario, own)
    return settings


def _make_public(scenario: Scenario, settings: Plain) -> None:
    """Take out of the settings, in place, what may be a secret, the rows, and descriptors."""
    target = cast("Plain", settings["target"])
    target |= _public_target(scenario, target)
    protocol = settings["protocol"] = public_protocol(cast("Plain", settings["protocol"]))
    if isinstance(codec := protocol.get("codec"), dict):
        protocol["codec"] = public_descriptors(codec)
    if "prepare" in settings:
        settings["prepare"] = public_requests(settings["prepare"])
    if scenario.traffic is not None and scenario.traffic.data:
        cast("Plain", settings["traffic"])["data"] = _summary(scenario.traffic.data)


def _public_target(scenario: Scenario, target: Plain) -> Plain:
    """The values of a written target that stand in the place of those that may be secrets."""
    public: Plain = {"url": public_url(scenario.target.url)}
    if "proxy" in target:
        public["proxy"] = public_url(scenario.target.proxy)
    auth = scenario.target.auth
    if auth is not None and auth.token_command:
        written = cast("Plain", target["auth"])
        public["auth"] = {**written, "token_command": public_command(auth.token_command)}
    for part in ("headers", "cookies", "query"):
        values = target.get(part)
        if isinstance(values, dict):
            public[part] = {
                name: without_secret(name, text, part) if isinstance(text, str) else text
                for name, text in values.items()
            }
    if scenario.target.identities:
        public["identities"] = _summary(scenario.target.identities)
    return public


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 of the plan without its target: the same load on two targets has the same hash."""
    settings = _without_target(SCENARIO_TABLE.write(scenario))
    if scenario.populations:
        written = cast("list[Plain]", settings["population"])
        settings["population"] = [_without_target(each) for each in written]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_target(settings: Plain) -> Plain:
    return {name: value for name, value in settings.items() if name != "target"}


def _summary(rows: DataRows) -> Plain:
    text = json.dumps([dict(row) for row in rows], sort_keys=True)
    return {"rows": len(rows), "columns": list(rows[0]), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _read(table: TomlTable, path: str, question: str) -> Scenario:
    """``question`` is the first comment, which holds where the file asks none."""
    table = TomlTable(_with_protocol(table.data), table.source)
    scenario = SCENARIO_TABLE.read(table)
    name = scenario.name or Path(path).stem
    if not is_name(name):
        table.report("name", f"`name` must consist of letters, digits, `.`, `_` and `-`, not {quoted(name)}")
    scenario = replace(
        scenario,
        name=name,
        question=scenario.question or question,
        path=path,
        traffic=_with_questions(scenario),
        populations=tuple(
            replace(each, scenario=replace(each.scenario, path=path, traffic=_with_questions(each.scenario)))
            for each in scenario.populations
        ),
    )
    check_scenario(table, scenario)
    table.source.finish()
    return replace(scenario, settings=public_settings(scenario), sha256=scenario_hash(scenario))


def _with_protocol(data: Mapping[str, object]) -> Mapping[str, object]:
    """The document; where only its populations say a protocol, with that of the first."""
    rows = data.get("population")
    if "protocol" in data or not isinstance(rows, list) or not rows:
        return data
    said = [row.get("protocol") for row in rows if isinstance(row, Mapping)]
    return data if None in said or not said else {**data, "protocol": said[0]}


def _with_questions(scenario: Scenario) -> Traffic | None:
    """The traffic, with the built-in questions as data where there is none and a message asks for one."""
    traffic = scenario.traffic
    if traffic is None or traffic.data:
        return traffic
    turns = [kind.turn for kind in scenario.kinds.values()] or [scenario.protocol.turn]
    texts = (traffic.message,) if traffic.message else [text for turn in turns for text in turn.texts]
    asked = any(asks_for(text, "data.question") for text in texts)
    return replace(traffic, data=QUESTIONS) if asked else traffic


def _holds(value: object, text: str) -> bool:
    """Whether any text inside plain data holds the text."""
    if isinstance(value, Mapping):
        return any(_holds(each, text) for each in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds(each, text) for each in value)
    return isinstance(value, str) and text in value
