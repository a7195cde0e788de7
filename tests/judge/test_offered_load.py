from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.counts import count_all
from loadtest.judge.measurement_window import Span
from loadtest.judge.offered_load import Shortfall, achieved, kept_up, shortfall, thinks
from tests.judge.made import S, good_totals, manifest


def missing(counters: dict[str, int] | None = None, **changes: Any) -> Shortfall | None:
    made = manifest(**changes)
    return shortfall({**made, "counts": count_all(made, good_totals(counters), Span(0, 10 * S))})


def test_a_load_that_was_offered_in_full_misses_nothing() -> None:
    assert missing() is None


def test_turns_that_we_left_out_are_our_doing() -> None:
    assert missing({"turns.due": 42, "turns.not_attempted": 2}) == Shortfall("turns", 2, 42, ours=True)
    assert missing(load__planned__turns_due=41) == Shortfall("turns", 1, 41, ours=True)


@pytest.mark.parametrize(
    "counters",
    [
        {"connections.refused.tcp": 1, "connections.attempted": 5},
        {"connections.closed.1006": 1},
        {"connections.attempted": 5},
    ],
)
def test_turns_of_connections_that_the_target_refused_or_closed_are_its_doing(
    counters: dict[str, int],
) -> None:
    found = missing({**counters, "turns.due": 45, "turns.not_attempted": 5})
    assert found == Shortfall("turns", 5, 45, ours=False)


@pytest.mark.parametrize(
    "counters", [{"connections.refused.tcp": 1}, {"connections.closed.1006": 1}, {"connections.ready": 2}]
)
def test_connections_that_were_never_attempted_are_our_doing_whatever_the_target_did(
    counters: dict[str, int],
) -> None:
    counters = {"connections.attempted": 3, **counters}
    assert missing(counters) == Shortfall("connections", 1, 4, ours=True)
    found = missing({**counters, "turns.due": 45, "turns.not_attempted": 5})
    assert found == Shortfall("turns", 5, 45, ours=True)


def test_turns_of_connections_that_this_machine_could_not_open_are_our_doing() -> None:
    counters = {"connections.attempted": 5, "connections.not_opened.EMFILE": 1}
    found = missing({**counters, "turns.due": 45, "turns.not_attempted": 5})
    assert found == Shortfall("turns", 5, 45, ours=True)


@pytest.mark.parametrize("counter", ["connections.cut", "chaos.leavers.left"])
def test_turns_of_connections_that_the_plan_took_away_are_nobodys_doing(counter: str) -> None:
    assert missing({counter: 1, "turns.due": 45, "turns.not_attempted": 5}) is None
    assert missing({counter: 1, "turns.due": 45, "turns.not_attempted": 4}) == Shortfall(
        "turns", 5, 45, ours=True
    )


@pytest.mark.parametrize("counters", [{}, {"connections.cut": 1}])
def test_turns_that_were_not_read_are_its_doing_whatever_the_plan_took_away(counters: dict[str, int]) -> None:
    unread = {"turns.due": 45, "turns.not_attempted": 5, "turns.not_attempted_by.backlog": 1}
    assert missing({**counters, **unread}) == Shortfall("turns", 5, 45, ours=False)


def test_turns_of_connections_that_had_to_wait_are_its_doing() -> None:
    slow = {"connect.total": {"max_exact": 5000.0}}
    found = missing({"turns.due": 41, "turns.not_attempted": 1}, metrics=slow)
    assert found is not None
    assert not found.ours
    fast = {"connect.total": {"max_exact": 4999.0}}
    found = missing({"turns.due": 41, "turns.not_attempted": 1}, metrics=fast)
    assert found is not None
    assert found.ours
    found = missing({"turns.due": 41, "turns.not_attempted": 1}, metrics=slow, load__planned__timeout_s=None)
    assert found is not None
    assert found.ours


def test_connections_that_were_never_attempted_are_our_doing() -> None:
    assert missing(load__planned__connections=10) == Shortfall("connections", 6, 10, ours=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"load__planned__connections": 10, "load__planned__connect_rate": 0.4},
        {
            "load__planned__connections": 10,
            "scenario__settings__load__stages": [{"for": "10s", "connections": 10}],
        },
        {"load__planned__connections": None},
        {"load__planned__connections": 10, "interrupted": True},
        {"load__planned__turns_due": 50, "status": "cut short"},
        {"load__planned__turns_due": 50, "part": {"from_s": 1.0}},
        {"load__planned__turns_due": 50, "model": "closed"},
    ],
)
def test_what_the_plan_or_a_cut_leaves_open_is_not_missing(changes: dict[str, Any]) -> None:
    assert missing(**changes) is None


def test_of_a_target_that_nobody_reached_no_load_is_missing() -> None:
    nothing = {"connections.ready": 0, "connections.attempted": 0, "connections.established": 0}
    assert missing({**nothing, "turns.due": 50}) is None


def test_more_than_one_percent_is_grave() -> None:
    assert not Shortfall("turns", 1, 100, ours=True).grave
    assert Shortfall("turns", 2, 100, ours=True).grave


@pytest.mark.parametrize(("every", "does"), [("1s", True), ("0s", False), (None, False)])
def test_think_time_is_a_pause_between_bursts(every: str | None, *, does: bool) -> None:
    assert thinks(manifest(scenario__settings__traffic__every=every)) is does


def test_what_was_achieved_stands_beside_the_plan() -> None:
    made = manifest()
    counts = count_all(made, good_totals({"turns.due": 50, "turns.not_attempted": 10}), Span(0, 10 * S))
    assert achieved(made, counts, Span(0, 10 * S)) == {
        "connections": 4,
        "duration_s": 10.0,
        "turns_due": 50,
        "turns_begun": 40,
        "begun_ratio": 0.8,
        "turns_per_s": 4.0,
    }


def test_nothing_achieved_is_null_not_zero() -> None:
    made = manifest()
    found = achieved(made, {}, Span(0, 0))
    assert (found["duration_s"], found["begun_ratio"], found["turns_per_s"]) == (None, None, None)
    held = achieved(manifest(scenario__settings__traffic=None), {}, Span(0, S))
    assert held == {"connections": 0, "duration_s": 1.0}


def test_keeping_up_is_all_but_one_percent() -> None:
    assert kept_up(99, 100)
    assert not kept_up(98, 100)
    assert not kept_up(0, 0)
