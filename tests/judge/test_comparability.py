from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.comparability import differences
from loadtest.judge.samples import Side, side
from tests.judge.made import deep
from tests.judge.repeats import repeats, run


def changed(**changes: Any) -> Side:
    return side("v2", [deep(run(0, label="v2"), changes)])


def found(other: Side) -> dict[str, tuple[str, str, str]]:
    return {
        each.name: (each.baseline, each.candidate, each.weight)
        for each in differences(repeats("v1", [50.0]), other)
    }


def test_repeats_do_not_differ() -> None:
    assert differences(repeats("v1", [50.0, 51.0]), repeats("v2", [70.0])) == ()


@pytest.mark.parametrize(
    ("changes", "name", "before", "after", "weight"),
    [
        ({"load": {"planned": {"connections": 8}}}, "load.connections", "4", "8", "load"),
        ({"load": {"planned": {"duration_s": 12.5}}}, "load.duration_s", "10", "12.5", "load"),
        ({"scenario": {"name": "other"}}, "scenario", "made", "other", "plan"),
        (
            {"scenario": {"settings": {"protocol": {"name": "other"}}}},
            "protocol.name",
            "not known",
            "other",
            "plan",
        ),
        (
            {"scenario": {"settings": {"traffic": {"message": "hi"}}}},
            "traffic.message",
            "not known",
            "hi",
            "load",
        ),
        (
            {"scenario": {"settings": {"chaos": {"leavers": {"share": True}}}}},
            "chaos.leavers.share",
            "not known",
            "yes",
            "load",
        ),
        ({"scenario": {"settings": {"load": {"seed": 2}}}}, "load.seed", "not known", "2", "plan"),
        (
            {"scenario": {"settings": {"thresholds": {"turns.lost": "< 5"}}}},
            "thresholds.turns.lost",
            "not known",
            "< 5",
            "plan",
        ),
        ({"fingerprint": {"kernel": "6.2"}}, "kernel", "6.1", "6.2", "surroundings"),
        (
            {"fingerprint": {"libraries": {"numpy": "2.5"}}},
            "libraries.numpy",
            "2.4",
            "2.5",
            "surroundings",
        ),
        (
            {"scenario": {"settings": {"target": {"faults": ["delay=2ms", "stall=1s"]}}}},
            "target.faults",
            "not known",
            "delay=2ms, stall=1s",
            "target",
        ),
        ({"target": {"server": None}}, "target.server", "made/1", "not known", "target"),
        ({"target": {"url": "ws://other/ws"}}, "target.url", "ws://host/ws", "ws://other/ws", "target"),
        (
            {"load": {"achieved": {"begun_ratio": 0.5}}},
            "load achieved (turns begun of due)",
            "100.0%",
            "50.0%",
            "target",
        ),
    ],
)
def test_what_differs(changes: dict[str, Any], name: str, before: str, after: str, weight: str) -> None:
    assert found(changed(**changes)) == {name: (before, after, weight)}


def test_simulated_runs_differ_from_real_ones_first_of_all() -> None:
    other = changed(target={"simulated": True, "url": "ws://127.0.0.1:1/ws"}, fingerprint={"kernel": "6.2"})
    first = differences(repeats("v1", [50.0]), other)[0]
    assert (first.weight, first.baseline, first.candidate) == ("never", "a real target", "SIMULATED")
    assert first.as_dict() == {
        "name": "target",
        "baseline": "a real target",
        "candidate": "SIMULATED",
        "weight": "never",
    }


def test_the_simulators_port_is_no_difference() -> None:
    one = side("v1", [run(0) | {"target": {"simulated": True, "url": "ws://127.0.0.1:1/ws"}}])
    other = side("v2", [run(0) | {"target": {"simulated": True, "url": "ws://127.0.0.1:2/ws"}}])
    assert differences(one, other) == ()


def test_runs_of_one_side_may_differ_among_themselves() -> None:
    mixed = side("v2", [run(0), deep(run(1), {"load": {"planned": {"connections": 8}}})])
    assert found(mixed) == {"load.connections": ("4", "4, 8", "load")}


def test_what_stages_promise_is_no_load() -> None:
    def staged(limit: str, connections: int = 4) -> Side:
        stages = [{"for": "1s", "connections": connections, "thresholds": {"turns.lost": limit}}]
        return side("v", [deep(run(0), {"scenario": {"settings": {"load": {"stages": stages}}}})])

    assert differences(staged("< 1"), staged("< 2")) == ()
    (only,) = differences(staged("< 1"), staged("< 1", 8))
    assert (only.name, only.weight) == ("load.stages", "load")


def test_what_stages_of_a_population_promise_is_no_load() -> None:
    def staged(limit: str, connections: int = 4) -> Side:
        stages = [{"for": "1s", "connections": connections, "thresholds": {"turns.lost": limit}}]
        population = {"name": "askers", "load": {"stages": stages}}
        return side("v", [deep(run(0), {"scenario": {"settings": {"population": [population]}}})])

    assert differences(staged("< 1"), staged("< 2")) == ()
    (only,) = differences(staged("< 1"), staged("< 1", 8))
    assert (only.name, only.weight) == ("population.askers.load.stages", "load")


def test_without_runs_there_is_nothing_to_hold_against_each_other() -> None:
    empty = side("v2", [])
    assert all(each.candidate == "" for each in differences(repeats("v1", [50.0]), empty))


def test_a_run_that_reached_nobody_does_not_say_who_would_have_answered() -> None:
    answered = {
        "status": "complete",
        "target": {"simulated": True, "server": "x"},
        "verdict": {"outcome": "pass"},
    }
    down = {"status": "complete", "target": {"simulated": False}, "verdict": {"outcome": "unreachable"}}
    real = {"status": "complete", "target": {"simulated": False}, "verdict": {"outcome": "pass"}}
    names = {each.name for each in differences(Side("v1", (answered,)), Side("v2", (answered, down)))}
    assert not names & {"target", "target.server", "target.url"}
    assert differences(Side("v1", (answered,)), Side("v2", (down,))) == ()
    assert differences(Side("v1", (answered,)), Side("v2", (real, down)))[0].name == "target"
