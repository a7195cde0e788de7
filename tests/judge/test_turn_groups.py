"""Which turns are of a population or of a kind, and what stages and parts of a run say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.counts import broken_laws
from loadtest.judge.judge_run import judge_part, judge_run
from loadtest.judge.threshold_measurement import OF_A_PART, lookup, measured_for, of_all_due
from loadtest.judge.turn_groups import ALL_TURNS, TurnGroup, kinds_known, turn_groups
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import MS, S, manifest, row, table
from tests.judge.test_populations import EVENTS, plan

ASK, CANCEL, PLAIN = 1, 2, 0


def population(name: str, **mix: int) -> dict[str, Any]:
    traffic = {"every": "1s", **({"mix": mix} if mix else {})}
    return {"name": name, "protocol": EVENTS, "load": {"model": "open", "connections": 2}, "traffic": traffic}


def two(**changes: Any) -> dict[str, Any]:
    """Two users ask and cancel, turn about; two others only cancel."""
    made = manifest(
        scenario__settings__population=[
            population("askers", cancel=1, ask=1),
            population("quitters", cancel=1),
        ],
        populations={"askers": plan(2, 20, 0), "quitters": plan(2, 20, 2)},
        **changes,
    )
    made["scenario"]["settings"].pop("traffic")
    return made


def rows(*, with_kinds: bool = True) -> np.ndarray:
    """One turn of each of four users a second, for 10 s."""
    made = []
    for i in range(40):
        at, user, second = i * S // 4, i % 4, i // 4
        kind = (ASK if second % 2 == 0 else CANCEL) if user < 2 else 1
        times = {"intended_ns": at, "sent_ns": at, "first_ns": at + MS, "done_ns": at + (1 + kind) * 10 * MS}
        made.append(row(i, user=user, kind=kind if with_kinds else PLAIN, **times))
    return table(made)


def seconds() -> list[Interval]:
    """What was counted by the second in which turns ended, which is another than that they fell due in."""
    counted = {"turns.numbered": 4, "turns.complete": 4, "turns.due[ask]": 77, "[askers]turns.due": 77,
               "[askers]turns.numbered": 2, "[askers]turns.complete": 2}  # fmt: skip
    return [Interval(second, counters={"measured": dict(counted)}) for second in range(10)]


def part(**changes: Any) -> dict[str, Any]:
    return judge_part(two(**changes), seconds(), rows(), 0, 5)


def test_a_part_tells_what_each_population_and_each_kind_did_in_it() -> None:
    found = part()
    turns, metrics = found["counts"]["turns"], found["metrics"]
    due = {"": 20, "[askers]": 10, "[quitters]": 10, "[askers/ask]": 6, "[askers/cancel]": 4,
           "[quitters/cancel]": 10, "[ask]": 6, "[cancel]": 14}  # fmt: skip
    assert {tag: turns[f"due{tag}"] for tag in due} == due
    assert {tag: metrics[f"turn.completion{tag}"]["n"] for tag in due} == due
    assert metrics["turn.completion[askers/ask]"]["max_exact"] == 20
    assert metrics["turn.completion[askers/cancel]"]["max_exact"] == 30
    assert "send.lateness[ask]" in metrics
    assert found["part"] == {"from_s": 0, "to_s": 5, "turns_by": "intended"}
    assert found["populations"]["askers"]["counts"]["turns"]["numbered"] == 10
    assert broken_laws(found, found["counts"]) == []
    assert judge_part(found, seconds(), rows(), 0, 5) == found


def test_thresholds_of_a_part_are_judged_by_population_and_by_kind() -> None:
    limits = {"turn.completion[askers/cancel].p50": "< 25ms", "turns.complete[askers/ask]": "== 6"}
    found = part(scenario__settings__thresholds=limits)
    outcomes = {each["name"]: each["outcome"] for each in found["verdict"]["thresholds"]}
    assert outcomes["turn.completion[askers/cancel].p50"] == "missed"
    assert outcomes["turns.complete[askers/ask]"] == "held"
    assert not [name for name in outcomes if name.startswith("connections.ready")], "of the whole run"
    rule = parse_threshold("turn.completion[quitters].p50", "< 1s")
    assert measured_for(rule, found).n == of_all_due(rule.name, found).n == 10


def test_rows_of_an_earlier_version_say_nothing_of_kinds() -> None:
    found = judge_part(two(), seconds(), rows(with_kinds=False), 0, 5)
    assert found["part"]["without_kinds"] is True
    turns = found["counts"]["turns"]
    assert (turns["due"], turns["due[askers]"], turns["due[quitters]"]) == (20, 10, 10)
    assert not {"due[ask]", "due[askers/ask]"} & set(turns)
    for name in ("turns.complete[askers/ask].ratio", "turn.completion[ask].p50"):
        assert lookup(name, found).reason == OF_A_PART
    assert kinds_known(manifest(), rows(with_kinds=False)), "where there are none, nothing is unknown"


def test_without_the_whole_table_kinds_are_of_the_turns_that_ended_in_it() -> None:
    found = judge_part(two(observed=[{"code": "turns_sampled"}]), seconds(), rows()[::2], 0, 5)
    assert found["part"] == {"from_s": 0, "to_s": 5, "turns_by": "second"}
    assert found["counts"]["turns"]["due[ask]"] == 5 * 77
    assert found["counts"]["turns"]["due[askers]"] == 5 * 77


def test_a_threshold_of_a_stage_may_be_of_a_kind() -> None:
    limits = {"turns.complete[ask]": "== 12", "turn.completion[cancel].max": "< 25ms"}
    stages = [{"for": "5s", "connections": 4}, {"for": "5s", "connections": 4, "thresholds": limits}]
    made = manifest(
        scenario__settings__load__stages=stages, scenario__settings__traffic__mix={"ask": 1, "cancel": 1}
    )
    every = rows()
    # All users ask and cancel, turn about.
    every["kind"] = 1 + every["seq"] // 4 % 2
    sums = Totals()
    for second in seconds():
        sums.add(second)
    found = judge_run(made, sums, every, seconds())["verdict"]["thresholds"]
    told = {each["name"]: (each["outcome"], each["n"]) for each in found if each.get("stage") == 1}
    assert told["turns.complete[ask]"] == ("missed", 8)
    assert told["turn.completion[cancel].max"][0] == "missed"


def test_names() -> None:
    assert ALL_TURNS.metric("turn.completion") == ALL_TURNS.counter("turn.completion") == "turn.completion"
    of_both = TurnGroup("askers", "ask")
    assert of_both.metric("turn.completion") == "turn.completion[askers/ask]"
    assert of_both.counter("turns.due") == "[askers]turns.due[ask]"
    assert [(each.population, each.kind) for each in turn_groups(two(), by_kind=True)] == [
        ("", ""), ("askers", ""), ("askers", "ask"), ("askers", "cancel"), ("quitters", ""),
        ("quitters", "cancel"), ("", "ask"), ("", "cancel"),
    ]  # fmt: skip
    assert [(each.population, each.kind) for each in turn_groups(manifest(), by_kind=True)] == [("", "")]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), max_size=30))
def test_groups_add_up_to_all_turns(found: list[tuple[int, int]]) -> None:
    """Whoever sends them; users of the second population know one kind alone."""
    turns = table(row(i, user=user, kind=kind if user < 2 else 1) for i, (user, kind) in enumerate(found))
    n = {(each.population, each.kind): len(each.rows(turns)) for each in turn_groups(two(), by_kind=True)}
    assert n["", ""] == n["askers", ""] + n["quitters", ""] == n["", "ask"] + n["", "cancel"] == len(turns)
    assert n["askers", ""] == n["askers", "ask"] + n["askers", "cancel"]
    assert n["quitters", ""] == n["quitters", "cancel"]


def test_a_stage_of_a_population_is_judged_by_that_population() -> None:
    """Its stages are its own: another population's seconds, and its turns, say nothing of them."""
    made = two()
    askers, quitters = made["scenario"]["settings"]["population"]
    limits = {"turns.complete[ask]": "== 4", "turns.complete": "== 8", "turn.completion.max": "< 25ms"}
    stages = [{"for": "6s", "connections": 2}, {"for": "4s", "connections": 2, "thresholds": limits}]
    askers["load"] = {**askers["load"], "stages": stages}
    late = [
        {"for": "9s", "connections": 2},
        {"for": "1s", "connections": 2, "thresholds": {"turns.due": "== 2"}},
    ]
    quitters["load"] = {**quitters["load"], "stages": late}
    sums = Totals()
    for second in seconds():
        sums.add(second)
    run = judge_run(made, sums, rows(), seconds())
    found = {each["name"]: each for each in run["verdict"]["thresholds"] if "stage" in each}
    outcomes = {name: (each["stage"], each["outcome"]) for name, each in found.items()}
    assert outcomes == {
        "turns.complete[askers/ask]": (1, "held"),
        "turns.complete[askers].ratio": (0, "held"),
        "turns.complete[askers]": (1, "held"),
        "turn.completion[askers].max": (1, "missed"),
        "turns.due[quitters]": (1, "held"),
    }
    without = judge_run(made, sums, rows(), None)["verdict"]["thresholds"]
    assert {each["outcome"] for each in without if "stage" in each} == {"not_measured"}
