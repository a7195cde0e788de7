"""The times of users whom the plan makes slow do not speak of the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.judge.judge_run import judge_part, judge_run
from loadtest.judge.measurement_window import slow_reader_users, without_users
from loadtest.judge.totals_between import totals_between
from loadtest.measure.interval import Interval
from loadtest.plan.chaos import slow_users
from loadtest.plan.scenario_file import load_scenario
from tests.judge.made import MS, S, good_totals, manifest, row, table

SLOW = {"slow_readers": {"share": "0.5", "rate": "4096B/s"}}


def slowed(**load: Any) -> dict[str, Any]:
    return manifest(
        scenario__settings__chaos=SLOW, scenario__settings__load={"seed": 3, "connections": 4, **load}
    )


@pytest.mark.parametrize(
    "load",
    [
        "connections = 30\n",
        "stages = [{ for = '1s', connections = 5 }, { for = '1s', connections = 30 }]\n",
        "connections = 30\nseed = 9\n",
    ],
)
def test_they_are_those_whom_the_plan_chose(tmp_path: Path, load: str) -> None:
    path = tmp_path / "slow.toml"
    head = "protocol = 'agent-events'\n[target]\nurl = 'simulator'\n"
    path.write_text(head + f"[load]\n{load}[chaos]\nslow_readers = {{ share = '33.3%', rate = '1KiB/s' }}\n")
    scenario = load_scenario(path)
    found = slow_reader_users({"scenario": {"settings": scenario.settings}})
    assert found == slow_users(scenario.chaos, scenario.load.seed, 30)
    assert len(found) == 10


def test_without_chaos_nobody_is_kept_apart() -> None:
    assert slow_reader_users(manifest()) == slow_reader_users({}) == frozenset()
    rows = table([row(0), row(1, user=1)])
    assert without_users(rows, frozenset()) is rows


def test_their_rows_are_left_out_of_times() -> None:
    rows = table([row(seq, user=seq % 4) for seq in range(40)])
    kept = without_users(rows, frozenset({1, 3}))
    assert sorted(set(kept["user"].tolist())) == [0, 2]
    assert len(kept) == 20


def burst(user: int, took_ns: int) -> list[dict[str, Any]]:
    return [row(user * 2 + place, user=user, position=place, done_ns=took_ns) for place in range(2)]


def test_burst_positions_are_of_the_others() -> None:
    made = slowed()
    slow = slow_reader_users(made)
    assert len(slow) == 2
    rows = [each for user in range(4) for each in burst(user, 900 * MS if user in slow else 100 * MS)]
    judged = judge_run(made, good_totals(), table(rows))
    assert [place["turns"] for place in judged["burst_positions"]] == [2, 2]
    assert [place["completion"]["max"] for place in judged["burst_positions"]] == [100.0, 100.0]


def test_a_part_of_a_run_counts_them_and_leaves_their_times_out() -> None:
    made = slowed()
    slow = slow_reader_users(made)
    rows = table(
        [row(user, user=user, intended_ns=S, sent_ns=S, first_ns=S, done_ns=2 * S) for user in range(4)]
    )
    intervals = [Interval(second, counters={"measured": {"events.received": 1}}) for second in range(3)]
    part = totals_between(intervals, 1, 3, rows, slow)
    assert part.measured("turns.complete") == 4
    assert part.histograms["turn.completion"].n == 2
    judged = judge_part(made, intervals, rows, 1, 3)
    assert judged["counts"]["turns"]["complete"] == 4
    assert judged["metrics"]["turn.completion"]["n"] == 2
