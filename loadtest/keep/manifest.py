"""``run.json``: its schema's name and what is known when a run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtest.keep import folder
from loadtest.keep.atomic import write_whole
from loadtest.keep.json import json_text
from loadtest.keep.writer_process import this_process
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.scenario import Scenario
from loadtest.plan.schedule import Schedule, schedules

SCHEMA = "loadtest.run/1"

RUNNING = "running"
COMPLETE = "complete"
INTERRUPTED = "interrupted"
CUT_SHORT = "cut short"


def first_manifest(
    scenario: Scenario,
    *,
    run_id: str,
    label: str | None,
    started: datetime,
    turns_due: int | None = None,
    fingerprint: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What ``run.json`` holds from the first second; what is not known yet is None or empty.

    ``turns_due`` is what the schedule plans, None where it depends on the target (closed model).
    """
    populations = _populations(scenario)
    whole = _together([each["load"]["planned"] for each in populations.values()])
    load = {"model": scenario.load.model, "planned": planned(scenario, turns_due), "achieved": {}}
    if populations:
        load = {"model": whole["model"], "planned": {**whole, "turns_due": turns_due}, "achieved": {}}
    return {
        **({"populations": populations} if populations else {}),
        "schema": SCHEMA,
        "id": run_id,
        "label": label,
        "scenario": {
            "name": scenario.name,
            "question": scenario.question,
            "path": scenario.path,
            "sha256": scenario.sha256,
            "settings": dict(scenario.settings),
        },
        "started": timestamp(started),
        "ended": None,
        "duration_s": None,
        "interrupted": False,
        "status": RUNNING,
        "process": this_process(),
        "target": {
            "url": scenario.target.url,
            "address": None,
            "tls": None,
            "server": None,
            "simulated": scenario.target.url == SIMULATOR,
        },
        "load": load,
        "metrics": {},
        "counts": {},
        "rates": {},
        "verdict": None,
        "notices": [],
        "generator": {},
        "fingerprint": dict(fingerprint or {}),
        "unmeasured": {},
        "observed": [],
    }


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``run.json`` in a folder in one step: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path / folder.RUN, json_text(manifest, indent=2) + "\n")


def _populations(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """By population its plan, its first user and how many it has; empty where there are none."""
    pairs = zip(scenario.populations, schedules(scenario), strict=False)
    return {
        population.name: {
            "first_user": schedule.first,
            "users": schedule.users,
            "load": {
                "model": population.scenario.load.model,
                "planned": planned(population.scenario, schedule.due()),
                "achieved": {},
            },
        }
        for population, schedule in pairs
    }


def _together(plans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The load that populations ask for together; None where they differ and there is no sum."""
    found = {}
    for key in plans[0] if plans else ():
        values = [plan.get(key) for plan in plans]
        found[key] = values[0] if len(set(values)) == 1 else None
    if not plans:
        return found
    rates = [plan["turns_per_s"] for plan in plans if plan["turns_due"] != 0]
    timeouts = [plan["timeout_s"] for plan in plans if plan["timeout_s"] is not None]
    return {
        **found,
        "model": found["model"] or "mixed",
        "connections": sum(plan["connections"] for plan in plans),
        **(
            {"never_due": never_due} if (never_due := sum(plan.get("never_due", 0) for plan in plans)) else {}
        ),
        "connect_rate": None,
        "timeout_s": max(timeouts, default=None),
        "turns_per_s": None if None in rates else sum(rates),
    }


def planned(scenario: Scenario, turns_due: int | None) -> dict[str, Any]:
    """The load that was requested; times in seconds, None where the plan does not set a number."""
    load, traffic = scenario.load, scenario.traffic
    schedule = Schedule(load, traffic)
    never_due = schedule.never_due
    return {
        "model": load.model,
        "connections": max((stage.connections for stage in load.stages), default=load.connections),
        "connect_rate": load.connect_rate,
        **({"never_due": never_due} if never_due else {}),
        "duration_s": load.duration_ns / 1e9,
        "warmup_s": load.warmup_ns / 1e9,
        "timeout_s": traffic.timeout_ns / 1e9 if traffic else None,
        "burst": traffic.burst if traffic else None,
        "turns_due": turns_due,
        "turns_per_s": _of_due(turns_per_s(scenario), schedule.users, never_due),
    }


def _of_due(rate: float | None, users: int, never_due: int) -> float | None:
    """The rate without the part of connections that are never due, so that it agrees with the turns due."""
    return rate if rate is None or not never_due else rate * (users - never_due) / users


def turns_per_s(scenario: Scenario) -> float | None:
    """The arrival rate over all connections, None in the closed model and where it changes with stages."""
    load, traffic = scenario.load, scenario.traffic
    if traffic is None or load.model == "closed":
        return None
    if traffic.rate is not None:
        return traffic.rate
    if traffic.every_ns is None or load.stages:
        return None
    return load.connections * traffic.burst / (traffic.every_ns / 1e9)


def timestamp(instant: datetime) -> str:
    """``2026-11-22T12:15:30.123456Z``: an instant as run.json writes it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
