"""Two populations are the same for one process, two, and two workers; their parts add up to the whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from loadtest.measure.tagging import with_population
from loadtest.plan.threshold import of_kind
from tests.end_to_end.test_mix import OUTCOMES, PLANNED, TARGET, TIMES, parts_add_up, three_ways

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Begin, Launch

SCENARIO = f"""
# Do people who talk and machines that send disturb each other?
{TARGET}
[load]
duration = "60s"
seed = 3

[[population]]
name = "people"
load = {{ model = "closed", connections = 5 }}
traffic = {{ turns = 16, timeout = "30s" }}
[[population.conversation]]
name = "talk"
steps = [
  {{ turn = "start" }},
  {{ think = {{ uniform = ["1ms", "9ms"] }} }},
  {{ repeat = 2, steps = [ {{ turn = "ask" }} ] }},
  {{ branch = [ {{ weight = 7, steps = [ {{ turn = "long" }} ] }}, {{ weight = 3, steps = [] }} ] }},
]

[[population]]
name = "machines"
load = {{ connections = 3 }}
[population.traffic]
rate = "60/s"
arrivals = "poisson"
turns = 20
timeout = "30s"
mix = {{ ask = 3, start = 1 }}

[thresholds]
"conversations.complete[people/talk].ratio" = ">= 99%"
"turn.first_event[machines/ask].p50" = "<= 20s"
"turns.complete[people].ratio" = ">= 99%"
"""

KINDS = {"people": ("ask", "long", "start"), "machines": ("ask", "start")}


def adds_up(manifest: dict[str, Any]) -> None:
    """Kinds of turn are the whole of a population, and populations that of the run, to the unit."""
    for turns in (manifest["counts"]["turns"], manifest["counts"]["measured"]["turns"]):
        for name in OUTCOMES:
            for population, kinds in KINDS.items():
                parts = [turns[of_kind(name, f"{population}/{kind}")] for kind in kinds]
                assert sum(parts) == turns[of_kind(name, population)], (name, population)
            assert sum(turns[of_kind(name, population)] for population in KINDS) == turns[name], name
            for kind in ("ask", "long", "start"):
                parts = [turns.get(of_kind(name, f"{population}/{kind}"), 0) for population in KINDS]
                assert sum(parts) == turns[of_kind(name, kind)], (name, kind)
    n = {name: metric["n"] for name, metric in manifest["metrics"].items()}
    for name in TIMES:
        assert sum(n.get(of_kind(name, population), 0) for population in KINDS) == n[name], name
        for population, kinds in KINDS.items():
            parts = [n.get(of_kind(name, f"{population}/{kind}"), 0) for kind in kinds]
            assert sum(parts) == n.get(of_kind(name, population), 0), (name, population)
    each = manifest["populations"].values()
    for group, key in (("connections", "ready"), ("events", "received"), ("bytes", "sent")):
        assert sum(one["counts"][group][key] for one in each) == manifest["counts"][group][key]


def counted(manifest: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on how long anything took."""
    return {
        name: {group: part["counts"][group] for group in ("turns", "events") if group == "turns"}
        for name, part in manifest["populations"].items()
    }


@pytest.mark.long
def test_the_same_turns_are_sent_whoever_sends_them(launch: Launch, tmp_path: Path) -> None:
    ended = three_ways(launch, tmp_path, SCENARIO)
    assert [one.code for one in ended] == [0, 0, 0], ended[2].screen
    planned = [one.turns[PLANNED].tolist() for one in ended]
    assert planned[0] == planned[1] == planned[2]
    assert len(planned[0]) == len({seq for seq, *_ in planned[0]}) == 5 * 16 + 3 * 20
    for one in ended:
        adds_up(one.manifest)
        parts_add_up(one, adds_up)
        assert np.bincount(one.turns["user"]).tolist() == [16] * 5 + [20] * 3
    assert counted(ended[0].manifest) == counted(ended[1].manifest) == counted(ended[2].manifest)
    judged = {row["name"] for row in ended[1].manifest["verdict"]["thresholds"]}
    assert {with_population("connections.ready", name) + ".ratio" for name in KINDS} <= judged


def documented() -> str:
    """The scenario of the page on populations."""
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")
    section = page.partition("### [[population]]")[2]
    return section.partition("```toml\n")[2].partition("```")[0]


@pytest.mark.long
def test_the_scenario_of_the_page(begin: Begin, tmp_path: Path) -> None:
    """As it is written, but for how long it takes and how slow a busy machine may be."""
    (tmp_path / "lobby.toml").write_text(documented())
    words = ("--set", "load.duration=2s", "--set", "thresholds.turn.first_event[askers].p95=< 20s")
    ended = begin("run", tmp_path / "lobby.toml", *words).end()
    assert ended.code == 0, ended.screen
    held = {row["name"] for row in ended.manifest["verdict"]["thresholds"] if row["outcome"] == "held"}
    assert "connections.ready[listeners].ratio" in held
    assert "turns.complete[askers].ratio" in held
    populations = ended.manifest["populations"]
    assert populations["listeners"]["counts"]["turns"]["due"] == 0
    assert populations["askers"]["counts"]["connections"]["ready"] == 10
    report = (ended.folder / "report.md").read_text("utf-8")
    assert "Population listeners" in report
    assert "first event, askers" in report
