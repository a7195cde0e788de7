"""Runs of two populations: each judged as a run of its own, with one verdict, and adding up to the whole."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from loadtest.judge.abort import end_early
from loadtest.judge.comparability import _sent
from loadtest.judge.compare import explored
from loadtest.judge.counts import broken_laws
from loadtest.judge.judge_run import judge_run
from loadtest.judge.live_thresholds import thresholds_so_far
from loadtest.judge.manifest_access import kinds, model, populations, sends, sends_turns, turns_end
from loadtest.judge.offered_load import shortfall, thinks
from loadtest.judge.populations import population_manifest
from loadtest.judge.run_standing import value_in
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import lookup, measured_for, of_all_due
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval, merge
from loadtest.measure.tagging import tag_interval
from loadtest.measure.totals import Totals
from loadtest.plan.scenario import Abort
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import MS, S, good_totals, good_turns, manifest

EVENTS = {"events": {"turn": ["id"], "end": ["done"], "sequence": ["seq"]}}
ASKERS: dict[str, Any] = {
    "name": "askers",
    "protocol": EVENTS,
    "load": {"model": "open", "connections": 4},
    "traffic": {"every": "1s"},
}
LISTENERS: dict[str, Any] = {
    "name": "listeners",
    "protocol": {"events": {"turn": ["id"]}},
    "load": {"model": "open", "connections": 100},
    "traffic": {"turns": 0, "every": "1s"},
}


def plan(connections: int, turns_due: int, first: int) -> dict[str, Any]:
    planned = {
        **manifest()["load"]["planned"],
        "connections": connections,
        "turns_due": turns_due,
        "connect_rate": None,
    }
    return {
        "first_user": first,
        "users": connections,
        "load": {"model": "open", "planned": planned, "achieved": {}},
    }


def two(thresholds: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    made = manifest(
        thresholds,
        **{
            "scenario__settings__population": [ASKERS, LISTENERS],
            "load__planned__connections": 104,
            "populations": {"askers": plan(4, 40, 0), "listeners": plan(100, 0, 4)},
            **changes,
        },
    )
    made["scenario"]["settings"].pop("traffic")
    return made


def listening(ready: int = 100, closed: int = 0) -> Interval:
    ping = Histogram()
    ping.record([2 * MS] * 10)
    counted = {"connections.due": 100, "connections.attempted": 100, "connections.established": ready,
               "connections.ready": ready, "events.pushed": 200, "events.received": 200}  # fmt: skip
    counted |= {"connections.refused.tcp": 100 - ready} if ready < 100 else {}
    counted |= {"connections.closed.1006": closed} if closed else {}
    moves = np.array([(MS, 1)] * ready, np.int64).reshape(-1, 2)
    return Interval(
        second=9,
        histograms={"ping.rtt": ping},
        counters={"measured": counted},
        instants={"first_attempt": 0, "last_ready": S},
        moves=moves,
    )


def asking(**changes: int) -> Interval:
    """What four users had of ten seconds, in one interval."""
    of = good_totals()
    counters = deepcopy(of.counters)
    counters["measured"] |= changes
    return Interval(
        second=9,
        histograms=of.histograms,
        counters=counters,
        gauges={"cpu": 0.1, "users": 4.0},
        instants=dict(of.instants),
        moves=of.moves,
    )


def totals(askers: Interval | None = None, listeners: Interval | None = None) -> Totals:
    parts = {"askers": askers or asking(), "listeners": listeners or listening()}
    for name, each in parts.items():
        tag_interval(each, name)
    made = Totals()
    for second in range(9):
        made.add(Interval(second, gauges={"cpu": 0.1}))
    made.add(merge(list(parts.values())))
    return made


def judged(thresholds: Mapping[str, Any] | None = None, **parts: Interval) -> dict[str, Any]:
    return judge_run(two(thresholds), totals(**parts), good_turns(), None)


def test_what_the_run_does_is_what_any_of_its_populations_does() -> None:
    made = two()
    assert populations(made) == ("askers", "listeners")
    assert sends(made)
    assert sends_turns(made)
    assert turns_end(made), "listeners send nothing that could end"
    assert not sends_turns(population_manifest(made, "listeners"))
    assert kinds(made) == ()
    assert population_manifest(made, "unknown")["scenario"]["settings"] == {}
    mixed = {**ASKERS, "traffic": {"every": "1s", "mix": {"ask": 1}}, "chaos": {"leavers": {"share": "1%"}}}
    assert kinds(two(scenario__settings__population=[mixed, LISTENERS])) == ("ask",)


def test_each_has_its_numbers_and_one_verdict_is_of_all() -> None:
    run = judged(
        {
            "connections.ready[listeners]": "== 100",
            "turn.completion[askers].p50": "< 1s",
            "rates.events_received_per_s[listeners]": "> 10",
            "events.received[askers]": "> 0",
        }
    )
    assert run["verdict"]["outcome"] == "pass", run["verdict"]["reason"]
    rows = {row["name"]: row for row in run["verdict"]["thresholds"]}
    assert rows["connections.ready[listeners]"]["measured"] == 100
    assert rows["rates.events_received_per_s[listeners]"]["measured"] == 20
    assert rows["turns.complete[askers].ratio"]["default"]
    assert "turns.complete[listeners].ratio" not in rows
    counts = run["counts"]
    assert counts["connections"]["ready"] == sum(
        each["counts"]["connections"]["ready"] for each in run["populations"].values()
    )
    assert counts["turns"]["due[askers]"] == counts["turns"]["due"] == 40
    assert counts["turns"]["due[listeners]"] == 0
    assert run["metrics"]["turn.completion[askers]"]["n"] == run["metrics"]["turn.completion"]["n"]
    assert run["metrics"]["ping.rtt[listeners]"]["n"] == 10
    assert run["populations"]["listeners"]["counts"]["connections"]["peak"] is None
    assert "ping.rtt" in run["populations"]["askers"]["unmeasured"]
    assert broken_laws(run, counts) == []
    counts["turns"]["due[askers]"] = 39
    assert "40 turns due, but 39 by population" in broken_laws(run, counts)
    assert broken_laws({**run, "part": {"from_s": 0}}, {}) == []


def test_a_small_population_is_not_hidden_by_a_large_one() -> None:
    run = judged({"turns.complete[askers].ratio": "none"}, listeners=listening(ready=98))
    assert run["verdict"]["outcome"] == "fail"
    assert "connections.ready[listeners].ratio was 98.0 %, not >= 99%" in run["verdict"]["reason"]
    failed = asking(**{"turns.complete": 0, "turns.failed": 40, "turns.no_first_event": 40})
    none = judged({"turns.complete[askers].ratio": "none"}, askers=failed)
    assert "askers: None of the 40 turns due was complete." in none["verdict"]["reason"]


def test_listeners_who_are_closed_fail_the_run_though_nothing_is_said_of_it() -> None:
    run = judged(listeners=listening(closed=30))
    assert run["verdict"]["outcome"] == "fail"
    assert "listeners: 30 of 100 ready connections were closed." in run["verdict"]["reason"]
    said = judged({"connections.closed[listeners]": "<= 40"}, listeners=listening(closed=30))
    assert said["verdict"]["outcome"] == "pass", said["verdict"]["reason"]


def test_foreign_events_are_told_whatever_is_said_of_one_population() -> None:
    leaked = asking(**{"events.foreign": 3})
    run = judged({"events.foreign[listeners]": "== 0"}, askers=leaked)
    assert run["verdict"]["outcome"] == "fail"
    rule = parse_threshold("events.foreign[listeners]", "== 0")
    early = end_early(two(), totals(asking(**{"events.foreign": 3})), Abort(), (rule,), S)
    assert early is not None


def test_events_lost_are_judged_by_default_where_a_population_lost_any() -> None:
    run = judged(askers=asking(**{"events.lost": 30}))
    names = [row["name"] for row in run["verdict"]["thresholds"]]
    assert "events.lost[askers].ratio" in names
    assert "events.lost[listeners].ratio" not in names


def test_what_is_looked_up_of_one() -> None:
    made = two()
    run = {**made, **summarise(made, totals(), good_turns())}
    assert lookup("turns.due[askers]", run).value == 40
    assert value_in("connections.ready[listeners].ratio", run).value == 1
    assert of_all_due("turn.completion[askers].p50", run).value is not None
    rule = parse_threshold("turn.completion[askers].p50", "< 1s")
    assert measured_for(rule, run).value is not None


def test_any_percentile_of_one_may_be_judged() -> None:
    run = judge_run(
        two(
            {"turn.completion[askers].p75": "< 1s"},
            scenario__settings__abort={"ping.rtt[listeners].p85": "> 9s"},
        ),
        totals(),
        good_turns(),
    )
    (row,) = (each for each in run["verdict"]["thresholds"] if each["name"] == "turn.completion[askers].p75")
    assert (row["outcome"], row["reason"]) == ("held", None)
    assert lookup("ping.rtt[listeners].p80", run).value is None
    assert lookup("ping.rtt[listeners].p85", run).value == pytest.approx(2, rel=0.01)


def test_thresholds_so_far_and_abort_rules_know_populations() -> None:
    made = two({"turn.completion[askers].p50": "< 1s", "turns.lost": "== 0"})
    found = {each.threshold.name: each.outcome for each in thresholds_so_far(made, totals())}
    assert found["turn.completion[askers].p50"] == "held"
    assert found["turns.lost"] == "held"
    assert found["connections.ready[listeners].ratio"] == "held"
    rule = parse_threshold("connections.ready[listeners]", "> 10")
    early = end_early(made, totals(), Abort(rules=(rule,)), (), S)
    assert early is not None
    assert early.rule == rule


def test_missing_connections_are_found_by_population() -> None:
    made = two()
    run = {**made, **summarise(made, totals(), good_turns())}
    assert shortfall(run) is None
    slow = deepcopy(run)
    slow["populations"]["listeners"]["load"]["planned"]["connect_rate"] = 5.0
    assert shortfall(slow) is None, "at that rate no more than 50 can be asked for"
    more = deepcopy(run)
    more["populations"]["listeners"]["load"]["planned"]["connections"] = 120
    assert (missing := shortfall(more)) is not None
    assert missing.missing == 20
    staged = {**LISTENERS, "load": {"stages": [{"for": "10s", "connections": 5}]}}
    more["scenario"]["settings"]["population"] = [ASKERS, staged]
    assert shortfall(more) is None, "stages leave open how many"
    assert not thinks(two(scenario__settings__population=[{**ASKERS, "traffic": {}}, LISTENERS]))
    silent = {**LISTENERS, "traffic": {"turns": 0}}
    assert thinks(two(scenario__settings__population=[ASKERS, silent])), "who sends nothing sets no pace"
    assert model(two(load__model="mixed")) == "mixed"


def test_runs_are_compared_by_what_each_population_sends() -> None:
    sent = dict(_sent(two()))
    assert sent["population.listeners.load.connections"] == "100"
    assert sent["population.askers.traffic.every"] == "1s"
    names = explored(two())
    assert "turns.complete[askers].ratio" in names
    assert "connections.ready[listeners].ratio" in names
    assert not [name for name in names if name.startswith("turn") and "listeners" in name]


@pytest.mark.parametrize("name", ["turn.completion[askers].p95", "turn.first_event[askers].p95"])
def test_times_of_turns_that_never_answered_are_those_of_their_population(name: str) -> None:
    silent = asking(**{"turns.complete": 20, "turns.timed_out": 20, "turns.no_first_event": 20})
    run = judged({name: "< 1s"}, askers=silent)
    row = next(row for row in run["verdict"]["thresholds"] if row["name"] == name)
    assert row["outcome"] == "missed"
    assert row["unbounded"]
