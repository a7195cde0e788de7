from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from loadtest.keep.manifest import SCHEMA, first_manifest, timestamp, turns_per_s
from loadtest.keep.writer_process import this_process
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.protocol import Protocol
from loadtest.plan.scenario import Load, Population, Scenario, Stage, Target, Traffic
from loadtest.plan.schedule import turns_due
from tests.keep.samples import STARTED

SECTIONS = {
    "schema",
    "id",
    "label",
    "scenario",
    "started",
    "ended",
    "duration_s",
    "interrupted",
    "target",
    "load",
}
SECTIONS |= {
    "metrics",
    "counts",
    "rates",
    "verdict",
    "notices",
    "generator",
    "fingerprint",
    "unmeasured",
    "observed",
}


def scenario(traffic: Traffic | None = None, url: str = SIMULATOR, **load: Any) -> Scenario:
    return Scenario(
        name="chat",
        question="Does it hold?",
        path="chat.toml",
        sha256="ab" * 32,
        protocol=Protocol(name="echo"),
        target=Target(url=url),
        load=Load(**load),
        traffic=traffic,
        settings={"load": {"connections": 3}},
    )


def made(plan: Scenario, **more: Any) -> dict[str, Any]:
    return first_manifest(plan, run_id="x", label="v1", started=STARTED, **more)


def test_every_section_is_there_from_the_first_second() -> None:
    found = made(scenario(), fingerprint={"python": "3"})
    assert set(found) >= SECTIONS
    assert found["schema"] == SCHEMA == "loadtest.run/1"
    assert (found["id"], found["label"], found["ended"], found["status"]) == ("x", "v1", None, "running")
    assert found["started"] == "2026-11-22T12:15:30.250000Z"
    assert found["process"] == this_process()
    assert found["fingerprint"] == {"python": "3"}
    assert json.loads(json.dumps(found)) == found


def test_only_our_own_simulator_is_simulated() -> None:
    assert made(scenario())["target"]["simulated"] is True
    assert made(scenario(url="ws://127.0.0.1:8000/ws"))["target"]["simulated"] is False


def test_the_plan_in_seconds() -> None:
    plan = scenario(
        Traffic(burst=5, every_ns=500_000_000), connections=20, connect_rate=25.0, warmup_ns=5_000_000_000
    )
    assert made(plan, turns_due=6000)["load"] == {
        "model": "open",
        "planned": {
            "model": "open",
            "connections": 20,
            "connect_rate": 25.0,
            "duration_s": 30.0,
            "warmup_s": 5.0,
            "timeout_s": 10.0,
            "burst": 5,
            "turns_due": 6000,
            "turns_per_s": 200.0,
        },
        "achieved": {},
    }


def test_a_plan_that_sends_nothing() -> None:
    planned = made(scenario())["load"]["planned"]
    assert (planned["timeout_s"], planned["burst"], planned["turns_per_s"]) == (None, None, None)


@pytest.mark.parametrize(
    ("plan", "rate"),
    [
        (scenario(Traffic(rate=2000.0)), 2000.0),
        (scenario(Traffic(every_ns=10**9), connections=3), 3.0),
        (scenario(Traffic(every_ns=10**9), model="closed"), None),
        (scenario(Traffic()), None),
        (scenario(Traffic(every_ns=10**9), stages=(Stage(for_ns=1, connections=2),)), None),
    ],
)
def test_the_arrival_rate_where_the_plan_sets_one(plan: Scenario, rate: float | None) -> None:
    assert turns_per_s(plan) == rate


def test_stages_plan_for_their_highest() -> None:
    stages = (
        Stage(for_ns=1, connections=10),
        Stage(for_ns=1, connections=200),
        Stage(for_ns=1, connections=5),
    )
    assert made(scenario(stages=stages))["load"]["planned"]["connections"] == 200


def test_an_instant_is_told_in_utc() -> None:
    assert timestamp(STARTED.astimezone()) == "2026-11-22T12:15:30.250000Z"


def test_connections_that_the_run_is_too_short_for_are_not_planned_as_rate_either() -> None:
    traffic, load = Traffic(every_ns=100_000_000), {"duration_ns": 2_000_000_000, "connections": 100}
    plan = scenario(traffic, connect_rate=1 / 60, **load)
    found = made(plan, turns_due=turns_due(plan))["load"]["planned"]
    assert (found["never_due"], found["turns_due"], found["turns_per_s"]) == (99, 20, 10)
    assert "never_due" not in made(scenario(traffic, connect_rate=50.0, **load))["load"]["planned"]
    parts = (Population("slow", plan), Population("all", scenario(traffic, **load)))
    whole = made(replace(plan, populations=parts), turns_due=None)
    assert whole["load"]["planned"]["never_due"] == 99
    assert "never_due" not in whole["populations"]["all"]["load"]["planned"]


def test_the_plans_of_populations_stand_alone_and_together() -> None:
    alone = scenario(Traffic(every_ns=1_000_000_000), connections=4, duration_ns=2_000_000_000)
    held = scenario(
        Traffic(turns=0, every_ns=1_000_000_000, timeout_ns=5_000_000_000),
        connections=9,
        duration_ns=2_000_000_000,
    )
    closed = scenario(Traffic(), connections=2, duration_ns=2_000_000_000, model="closed")

    def planned(*parts: Scenario) -> tuple[dict[str, Any], dict[str, Any]]:
        whole = replace(alone, populations=tuple(Population(f"p{n}", each) for n, each in enumerate(parts)))
        found = made(whole, turns_due=turns_due(whole))
        return found["load"], found["populations"]

    load, each = planned(alone, held)
    assert each["p1"] | {"load": None} == {"first_user": 4, "users": 9, "load": None}
    assert each["p0"]["load"]["planned"]["turns_due"] == load["planned"]["turns_due"] == 8
    assert (load["model"], load["planned"]["connections"], load["planned"]["turns_per_s"]) == ("open", 13, 4)
    assert load["planned"]["timeout_s"] == 10
    mixed, _ = planned(alone, closed)
    assert (mixed["model"], mixed["planned"]["turns_due"], mixed["planned"]["turns_per_s"]) == (
        "mixed",
        None,
        None,
    )
    assert "populations" not in made(alone)
