from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.rates import CountOverTime, rate
from loadtest.judge.summary import summarise
from loadtest.measure.totals import Totals
from tests.judge.made import S, good_totals, good_turns, manifest, totals

STEP = 15_600_000


def rates(totals_: Totals | None = None, turns: Any = None, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = summarise(manifest(**changes), totals_ or good_totals(), turns)["rates"]
    return found


def test_every_rate_says_what_it_was_counted_from() -> None:
    found = rates()
    assert found["connections_per_s"] == {
        "value": 2.0,
        "n": 4,
        "over_s": 2.0,
        "bound": "target",
        "reason": None,
    }
    assert found["events_received_per_s"] == {
        "value": 20.0,
        "n": 200,
        "over_s": 10.0,
        "bound": "plan",
        "reason": None,
    }
    assert found["events_sent_per_s"]["value"] == 4.0
    assert found["turns_per_s"]["value"] == 4.0


def test_events_that_come_after_the_measured_part_lengthen_their_time() -> None:
    late = good_totals(instants={"first_attempt": 0, "last_matched": 20 * S})
    found = rates(late)
    assert found["events_received_per_s"]["over_s"] == 20.0
    assert found["events_received_per_s"]["value"] == 10.0
    assert found["events_sent_per_s"]["over_s"] == 10.0


@pytest.mark.parametrize(
    ("last_s", "times_ms", "value", "bound"),
    [
        (10.3, 100.0, 4.0, "plan"),
        (11.2, 300.0, 4.0, "plan"),
        (11.4, 300.0, 40 / 11.4, "target"),
        (26.0, 100.0, 40 / 26, "target"),
        # One quick turn among slow ones is no lag of theirs.
        (11.9, (50.0, *[1000.0] * 39), 4.0, "plan"),
    ],
)
def test_what_was_answered_in_step_is_counted_over_the_time_in_which_it_was_due(
    last_s: float, times_ms: float | tuple[float, ...], value: float, bound: str
) -> None:
    times = list(times_ms) if isinstance(times_ms, tuple) else [times_ms] * 40
    made = good_totals(None, {"turn.completion": times}, instants={"last_matched": round(last_s * S)})
    for name, n in (("turns_per_s", 1), ("events_received_per_s", 5)):
        assert rates(made)[name]["value"] == pytest.approx(n * value)
        assert rates(made)[name]["bound"] == bound


def test_without_a_noted_instant_the_turn_table_says_when_the_last_event_came() -> None:
    turns = good_turns()
    turns["done_ns"][7] = 16 * S
    assert rates(good_totals(instants={}), turns)["events_received_per_s"]["over_s"] == 16.0


def test_the_last_ready_is_noted_or_the_last_gain_of_a_connection() -> None:
    moves = [(S, 1), (2 * S, 1), (4 * S, 1), (9 * S, -1)]
    found = rates(good_totals(instants={"first_attempt": 0}, moves=moves))
    assert found["connections_per_s"]["over_s"] == 4.0


def test_who_comes_back_is_not_connected_twice() -> None:
    came_back = good_totals(
        {"connections.ready": 6, "connections.reconnected": 2, "connections.attempted": 6}
    )
    assert rates(came_back)["connections_per_s"] == rates()["connections_per_s"]


def test_a_rate_over_an_unknown_time_is_null() -> None:
    found = rates(good_totals(instants={}, moves=[]))["connections_per_s"]
    assert found["value"] is None
    assert found["reason"] == "4 were counted, but the time is not known"
    assert rates(good_totals(instants={"last_ready": S}))["connections_per_s"]["value"] is None


def test_nothing_counted_is_null_with_a_reason() -> None:
    found = rates(totals(seconds=10))
    for name, told in {
        "connections_per_s": "no connection became ready",
        "events_received_per_s": "no turn was begun",
        "events_sent_per_s": "nothing was sent in the measured part",
        "turns_per_s": "no turn was begun",
    }.items():
        assert found[name]["value"] is None
        assert found[name]["bound"] is None
        assert found[name]["reason"] == told
        assert "at_most" not in found[name]


def test_a_silent_target_answers_fewer_than_one_in_all_that_time() -> None:
    silent = {"events.matched": 0, "events.received": 0, "turns.complete": 0, "turns.timed_out": 40}
    found = rates(good_totals(silent, instants={}))["events_received_per_s"]
    assert found["value"] is None
    assert found["at_most"] == 0.1
    assert found["reason"] == "no event answered a turn, though 40 were begun over 10 s"


def test_a_scenario_that_sends_nothing_says_so() -> None:
    found = rates(totals(seconds=10), scenario__settings__traffic=None)
    assert {found[name]["reason"] for name in found if name != "connections_per_s"} == {
        "the scenario sends nothing"
    }


def test_where_nothing_is_sent_all_events_make_the_rate() -> None:
    pushed = totals({"events.pushed": 500, "events.received": 500}, seconds=10)
    for nothing in ({"scenario__settings__traffic": None}, {"scenario__settings__traffic": {"turns": 0}}):
        found = rates(pushed, **nothing)["events_received_per_s"]
        assert (found["value"], found["n"], found["over_s"], found["bound"]) == (50, 500, 10, "target")


def test_a_time_below_the_clocks_step_gives_no_rate_but_a_lower_end() -> None:
    found = rate(CountOverTime(10, 0, ""), STEP, "target")
    assert found["value"] is None
    assert found["over_s"] is None
    assert (
        found["reason"]
        == "10 were counted within 15.6 ms, too short a time for a clock with steps of 15.6 ms"
    )
    assert found["at_least"] == pytest.approx(10 / 0.0156)
    one = rate(CountOverTime(10, STEP, ""), STEP, "target")
    assert one["value"] is None
    assert one["at_least"] == pytest.approx(10 / 0.0312)
    assert "at_most" not in rate(CountOverTime(0, STEP, "", asked=True), STEP, "plan")


def test_a_time_of_few_steps_states_its_precision() -> None:
    found = rate(CountOverTime(10, 4 * STEP, ""), STEP, "target")
    assert found["value"] == pytest.approx(10 / 0.0624)
    assert found["precision"] == 0.25
    assert "precision" not in rate(CountOverTime(10, S, ""), 1, "target")


@pytest.mark.parametrize(
    ("changes", "counters", "name", "bound"),
    [
        ({}, {"turns.complete": 30, "turns.timed_out": 10}, "events_received_per_s", "target"),
        ({}, {"turns.complete": 30, "turns.timed_out": 10}, "events_sent_per_s", "plan"),
        ({"model": "closed"}, {}, "turns_per_s", "plan"),
        ({"model": "closed", "scenario__settings__traffic__every": None}, {}, "turns_per_s", "target"),
        ({}, {"turns.due": 50, "turns.not_attempted": 10}, "turns_per_s", "generator"),
        ({}, {"turns.due": 50, "turns.not_attempted": 10}, "connections_per_s", "generator"),
        (
            {},
            {"turns.due": 50, "turns.not_attempted": 10, "connections.closed.1006": 1},
            "turns_per_s",
            "target",
        ),
        ({"load__planned__turns_due": 40.0}, {}, "turns_per_s", "plan"),
        ({"load__planned__connect_rate": 1.5}, {}, "connections_per_s", "plan"),
        ({"load__planned__connect_rate": 25.0}, {}, "connections_per_s", "target"),
        (
            {"scenario__settings__load__stages": [{"for": "10s", "connections": 4}]},
            {},
            "connections_per_s",
            "plan",
        ),
    ],
)
def test_what_set_the_rate(changes: dict[str, Any], counters: dict[str, int], name: str, bound: str) -> None:
    assert rates(good_totals(counters), **changes)[name]["bound"] == bound


def test_a_saturated_generator_set_the_rate() -> None:
    busy = good_totals(gauges={"cpu": 0.99})
    assert (
        rates(busy, model="closed", scenario__settings__traffic__every=None)["turns_per_s"]["bound"]
        == "generator"
    )


def test_the_last_connections_own_time_is_not_the_plans() -> None:
    slow = good_totals(
        None,
        {"connect.total": [3000.0] * 4},
        instants={"first_attempt": 0, "last_ready": 6 * S},
    )
    assert rates(slow, load__planned__connect_rate=1.0)["connections_per_s"]["bound"] == "plan"


def test_of_a_part_the_rate_of_connecting_is_not_told() -> None:
    found = rates(part={"from_s": 2.0, "to_s": 5.0})["connections_per_s"]
    assert found["value"] is None
    assert found["n"] == 4
    assert found["reason"] == "the rate of connecting is measured over the whole run"


@given(
    n=st.integers(0, 10**9),
    over=st.none() | st.integers(0, 10**13),
    tick=st.sampled_from([1, 100, STEP]),
    asked=st.booleans(),
)
def test_a_rate_is_never_zero_nor_infinite(n: int, over: int | None, tick: int, *, asked: bool) -> None:
    found = rate(CountOverTime(n, over, "nothing", asked), tick, "plan")
    assert (found["value"] is None) == (found["reason"] is not None) == (found["bound"] is None)
    for name in ("value", "at_least", "at_most", "precision", "over_s"):
        assert found.get(name) is None or 0 < found[name] < float("inf")
    if found["value"] is not None and over is not None:
        assert found["value"] == pytest.approx(n / (over / S))
        assert over >= 2 * tick
