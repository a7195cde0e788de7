"""Copies over several processes are followed as if one process had all users."""

from __future__ import annotations

from array import array
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.delivery_replay import DeliveryReplay
from loadtest.measure.interval import Interval, logged_copies
from loadtest.speak.delivery_log import ARRIVED, CLOSED, OPENED, SENT

MS = 1_000_000
S = 1000 * MS
Row = tuple[int, int, int, int, int]


def room(*, parted: bool = False) -> DeliveryReplay:
    return DeliveryReplay(
        lambda user: "b" if user == 9 else "a",
        lambda user: ("talkers" if user == 0 else "listeners") if parted else "",
        users=10,
        within_ns=S,
        counts_twice=True,
    )


def table(rows: list[Row]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 5)


def finished(replay: DeliveryReplay) -> Interval:
    interval = Interval(second=9, counters={"measured": {"turns.due": 1}})
    replay.finish(interval)
    return interval


TALK: list[Row] = [
    *((OPENED, 0, user, -1, 0) for user in (0, 1, 2, 3, 9)),
    (SENT, 100 * MS, 0, 10, 1),
    (ARRIVED, 110 * MS, 1, 10, 0),
    (ARRIVED, 120 * MS, 2, 10, 0),
    (ARRIVED, 130 * MS, 2, 10, 0),
    (SENT, 200 * MS, 0, 20, 2),
    (CLOSED, 210 * MS, 3, -1, 0),
    (ARRIVED, 220 * MS, 1, 20, 0),
    (ARRIVED, 230 * MS, 2, 20, 0),
    *((CLOSED, 5 * S, user, -1, 0) for user in (0, 1, 2, 9)),
]


@given(st.permutations(TALK), st.lists(st.integers(0, len(TALK)), max_size=3))
def test_the_order_in_which_logs_come_changes_nothing(rows: list[Row], cuts: list[int]) -> None:
    replay = room()
    bounds = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(bounds):
        replay.add(table(rows[start:end]), 0)
    interval = finished(replay)
    assert interval.counters == {
        "measured": {"turns.due": 1, "deliveries.due": 2, "deliveries.duplicate": 1},
        "drain": {"deliveries.due": 2},
    }
    assert {tag: times.n for tag, times in interval.histograms.items()} == {
        "delivery.time": 2, "delivery.skew": 1, "drain:delivery.time": 2, "drain:delivery.skew": 1,
    }  # fmt: skip


def test_what_never_came_is_missing_to_the_unit() -> None:
    replay = room()
    rows = [row for row in TALK if row[0] != ARRIVED and row[:2] != (CLOSED, 210 * MS)]
    for second in range(7):
        ripe = [row for row in rows if second * S <= row[1] < (second + 1) * S]
        replay.add(table(ripe), second * S)
    counted = finished(replay).counters
    assert counted["measured"]["deliveries.missing"] == counted["measured"]["deliveries.due"] == 3
    assert counted["drain"]["deliveries.missing"] == 3


def test_accounts_that_close_seconds_later_are_told() -> None:
    replay = room()
    for second in range(7):
        replay.add(table([row for row in TALK if second * S <= row[1] < (second + 1) * S]), second * S)
    assert finished(replay).histograms["delivery.skew"].n == 1, "nothing else was counted when it was closed"


def test_what_arrived_before_it_was_sent_by_another_clock_is_no_loss() -> None:
    replay = room()
    early = [(*row[:1], row[1] - 30 * MS, *row[2:]) if row[0] == ARRIVED else row for row in TALK]
    replay.add(table(early), 9 * S)
    interval = finished(replay)
    assert "deliveries.missing" not in interval.counters["measured"]
    assert interval.histograms["delivery.time"].min_ns == 0


def test_copies_are_told_of_the_population_that_was_to_get_them() -> None:
    replay = room(parted=True)
    replay.add(table([row for row in TALK if row[:2] != (ARRIVED, 220 * MS)]), 9 * S)
    interval = finished(replay)
    assert interval.counters["measured"]["[listeners]deliveries.due"] == 2
    assert interval.counters["drain"]["[listeners]deliveries.missing"] == 1
    assert interval.histograms["delivery.time[listeners]"].n == interval.histograms["delivery.time"].n == 2
    assert interval.histograms["delivery.skew[talkers]"].n == 1, "one message, by who sent it"
    assert not [name for name in interval.counters["measured"] if "talkers" in name]


def test_a_log_is_a_table_with_instants_of_the_run() -> None:
    rows = array("q", [OPENED, 105, 3, -1, 0, SENT, 110, 3, 7, 1])
    assert logged_copies(rows, 100).tolist() == [[OPENED, 5, 3, -1, 0], [SENT, 10, 3, 7, 1]]
    assert logged_copies(array("q"), 100).shape == (0, 5)


def test_rows_of_nobody_are_left_out() -> None:
    replay = room()
    replay.add(
        table([(SENT, 0, -1, 1, 1), (SENT, 0, 10, 1, 1), (SENT, 0, 1, 1, 7), (ARRIVED, 0, 1, 1, -1)]), 9 * S
    )
    assert finished(replay).counters == {"measured": {"turns.due": 1}}
