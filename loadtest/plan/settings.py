"""A scenario as plain data, in the shape of its TOML file: kept with a run, sent to workers, hashed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from loadtest.plan.chaos_file import chaos_settings, reconnect_settings
from loadtest.plan.match import Match
from loadtest.plan.protocol import Events, Protocol, Step, TurnShape
from loadtest.plan.scenario import Abort, Auth, Compare, Limits, Load, Rows, Scenario, Target, Traffic
from loadtest.plan.threshold import TURNED_OFF, Threshold
from loadtest.secret_names import sounds_secret
from loadtest.units import exact_duration, exact_rate, exact_ratio

Plain = dict[str, object]

HIDDEN = "[not kept]"
"""Stands where a secret may have stood."""

_HARMLESS = re.compile(r"\{[A-Za-z0-9_.:]+\}|bearer|basic|[^a-z0-9]", re.IGNORECASE)


def worker_settings(scenario: Scenario) -> Plain:
    """All that ``scenario_from_settings`` needs to build an equal scenario without a file.

    It holds the rows of identities and data, and headers as they were written: for workers, not for files.
    """
    settings = _settings(scenario, _target(scenario.target), [dict(row) for row in _data(scenario)])
    return {"path": scenario.path, **settings}


def public_settings(scenario: Scenario) -> Plain:
    """The effective plan for run.json and reports, without secrets.

    Of rows it tells how many there are, their columns, and a hash. A value whose name sounds like a secret's
    is hidden unless it is made of placeholders.
    """
    target = _target(scenario.target)
    target["url"] = public_url(scenario.target.url)
    for part in ("headers", "cookies", "query"):
        values: Mapping[str, str] = getattr(scenario.target, part)
        target[part] = {name: _public(name, text, part) for name, text in values.items()}
    if scenario.target.identities:
        target["identities"] = _summary(scenario.target.identities)
    rows = _data(scenario)
    return _settings(scenario, _without_nothing(target), _summary(rows) if rows else [])


def public_url(url: str) -> str:
    """The URL without user and password and without the values of parameters that sound like secrets."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    netloc = f"{HIDDEN}@{host}" if at else parts.netloc
    asked = parse_qsl(parts.query, keep_blank_values=True)
    public = [(name, _public(name, value, "query")) for name, value in asked]
    if not at and public == asked:
        return url
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(public, safe="{}[] ")))


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 of the plan without its target: the same load on two targets has the same hash."""
    settings = _settings(scenario, {}, [dict(row) for row in _data(scenario)])
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(scenario: Scenario, target: Plain, data: object) -> Plain:
    whole = [each for each in scenario.thresholds if each.stage is None]
    settings: Plain = {
        "name": scenario.name,
        "question": scenario.question,
        "protocol": protocol_settings(scenario.protocol),
        "target": target,
        "load": _load(scenario.load, scenario.thresholds),
        "chaos": chaos_settings(scenario.chaos),
        "thresholds": {**_promises(whole), **dict.fromkeys(scenario.turned_off, TURNED_OFF)},
        "abort": _abort(scenario.abort),
        "compare": _compare(scenario.compare),
        "limits": _limits(scenario.limits),
    }
    if scenario.traffic is not None:
        settings["traffic"] = _without_nothing({**_traffic(scenario.traffic), "data": data})
    return _without_nothing(settings)


def protocol_settings(protocol: Protocol) -> Plain:
    """The protocol as plain data, in the shape of its TOML file; what is empty is left out."""
    connect = protocol.connect
    return _without_nothing(
        {
            "name": protocol.name,
            "about": protocol.about,
            "connect": _without_nothing(
                {
                    "path": connect.path,
                    "subprotocols": list(connect.subprotocols),
                    "ready": [_step(step) for step in connect.ready],
                    "heartbeat": [
                        {"on": _plain_match(beat.on), "send": beat.send} for beat in connect.heartbeat
                    ],
                    "auth_errors": _listed(connect.auth_errors),
                }
            ),
            "turn": _without_nothing(_fields(protocol.turn)),
            "events": _without_nothing(_fields(protocol.events)),
        }
    )


def _without_nothing(settings: Mapping[str, object]) -> Plain:
    return {key: value for key, value in settings.items() if value not in (None, "", {}, [])}


def _fields(part: TurnShape | Events) -> Plain:
    """The fields of a dataclass, tuples as lists; what is false is the default."""
    return {name: _listed(value) for name, value in asdict(part).items() if value is not False}


def _listed(value: object) -> object:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _plain_match(match: Match) -> object:
    """A match as it is written."""
    return match if isinstance(match, str) else dict(match)


def _step(step: Step) -> Plain:
    if step.wait is not None:
        within = {"within": exact_duration(step.within_ns)}
        return _without_nothing({"wait": _plain_match(step.wait), "keep": dict(step.keep), **within})
    return {"send": step.send} if step.pause_ns is None else {"pause": exact_duration(step.pause_ns)}


def _target(target: Target) -> Plain:
    settings: Plain = {
        "url": target.url,
        "headers": dict(target.headers),
        "cookies": dict(target.cookies),
        "query": dict(target.query),
        "auth": None if target.auth is None else _auth(target.auth),
        "identities": [dict(row) for row in target.identities],
        "insecure": target.insecure,
        "ca_file": _text(target.ca_file),
        "client_cert": _text(target.client_cert),
        "client_key": _text(target.client_key),
        "compression": target.compression,
        "connect_timeout": exact_duration(target.connect_timeout_ns),
        "max_message": f"{target.max_message_bytes}B",
        "faults": list(target.faults),
        "source_addresses": list(target.source_addresses),
    }
    subprotocols = {} if target.subprotocols is None else {"subprotocols": list(target.subprotocols)}
    return {**_without_nothing(settings), **subprotocols}


def _text(path: object) -> str | None:
    return None if path is None else str(path)


def _auth(auth: Auth) -> Plain:
    settings = {
        "kind": auth.kind,
        "send_as": auth.send_as,
        "name": auth.name,
        "format": auth.format,
        "secret_env": auth.secret_env,
        "token_env": auth.token_env,
        "token_file": _text(auth.token_file),
    }
    minted = {"claims": {**auth.claims, **auth.fixed_claims}, "lifetime": exact_duration(auth.lifetime_ns)}
    return {**_without_nothing(settings), **(minted if auth.kind == "jwt" else {})}


def _load(load: Load, thresholds: Iterable[Threshold]) -> Plain:
    settings: Plain = {"model": load.model, "warmup": exact_duration(load.warmup_ns), "seed": load.seed}
    if load.connect_rate is not None:
        settings["connect_rate"] = exact_rate(load.connect_rate)
    if load.reconnect is not None:
        settings["reconnect"] = reconnect_settings(load.reconnect)
    if not load.stages:
        return {**settings, "connections": load.connections, "duration": exact_duration(load.duration_ns)}
    settings["stages"] = [
        _without_nothing(
            {
                "for": exact_duration(stage.for_ns),
                "connections": stage.connections,
                "ramp": stage.ramp,
                "thresholds": _promises(each for each in thresholds if each.stage == index),
            }
        )
        for index, stage in enumerate(load.stages)
    ]
    return settings


def _traffic(traffic: Traffic) -> Plain:
    """All but the rows; how often and how, only in the open model."""
    settings: Plain = {"burst": traffic.burst, "timeout": exact_duration(traffic.timeout_ns)}
    if traffic.every_ns is not None:
        settings["every"] = exact_duration(traffic.every_ns)
    if traffic.rate is not None:
        settings["rate"] = exact_rate(traffic.rate)
    if traffic.arrivals == "poisson":
        settings["arrivals"] = traffic.arrivals
    if traffic.phase == "together":
        settings["phase"] = traffic.phase
    if traffic.ping_ns is not None:
        settings["ping"] = exact_duration(traffic.ping_ns)
    return {**settings, "turns": traffic.turns, "message": traffic.message}


def _data(scenario: Scenario) -> Rows:
    return () if scenario.traffic is None else scenario.traffic.data


def _promises(thresholds: Iterable[Threshold]) -> Plain:
    """By name; a list where a name has several."""
    found: dict[str, list[str]] = {}
    for each in thresholds:
        found.setdefault(each.name, []).append(each.expression)
    return {name: written[0] if len(written) == 1 else written for name, written in found.items()}


def _abort(abort: Abort) -> Plain:
    return {**_promises(abort.rules), "after": exact_duration(abort.after_ns)} if abort.rules else {}


def _compare(compare: Compare) -> Plain:
    """What differs from the default."""
    default = compare.smallest_effect == Compare().smallest_effect
    return _without_nothing(
        {
            "primary": list(compare.primary),
            "smallest_effect": None if default else exact_ratio(compare.smallest_effect),
            **{name: exact_ratio(effect) for name, effect in compare.effects.items()},
        }
    )


def _limits(limits: Limits) -> Plain:
    return {
        "connections": limits.connections,
        "rate": exact_rate(limits.rate),
        "duration": exact_duration(limits.duration_ns),
    }


def _summary(rows: Rows) -> Plain:
    text = json.dumps([dict(row) for row in rows], sort_keys=True)
    return {"rows": len(rows), "columns": list(rows[0]), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _public(name: str, text: str, part: str) -> str:
    hidden = part == "cookies" or sounds_secret(name)
    return HIDDEN if hidden and _HARMLESS.sub("", text) else text
