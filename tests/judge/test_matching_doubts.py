"""Times are not judged where events may be of another turn, or of none; nor a miss that the file made."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.matching_doubts import (
    AFTER_TIMEOUT,
    CONTRADICTED,
    GOES_ON,
    UNASKED,
    UNMATCHED,
    UNSURE,
    doubt,
)
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import Measurement
from loadtest.judge.turn_warnings import _ends
from loadtest.judge.verdict import judge
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import good_totals, manifest

TIMES = parse_threshold("turn.completion.p95", "< 1s")
RATIO = parse_threshold("turns.complete.ratio", ">= 99%")
ENDS = {"scenario__settings__protocol": {"events": {"end_all": ["done", {"ok": True}]}}}


def rows(counters: dict[str, int], *thresholds: Any, **changes: Any) -> dict[str, Any]:
    made = manifest(**changes)
    return judge({**made, **summarise(made, good_totals(counters))}, [], thresholds or (TIMES, RATIO))


def interleaved(n: int, *, others: int = 0) -> dict[str, int]:
    """``n`` of 40 turns contradict the order, and ``others`` failed by an error."""
    failed = {"turns.failed_by.interleaved": n} | ({"turns.failed_by.event": others} if others else {})
    return {"turns.complete": 40 - n - others, "turns.failed": n + others, **failed}


@pytest.mark.parametrize(
    ("counters", "reason"),
    [
        ({"events.order_unsure": 3}, UNSURE),
        ({"events.unmatched": 3}, UNMATCHED),
        ({"events.unmatched": 5, "chaos.malformed.sent": 2}, UNMATCHED),
    ],
)
def test_times_are_not_measured_and_shares_are(counters: dict[str, int], reason: str) -> None:
    found = rows(counters)
    assert (found["outcome"], found["exit_code"]) == ("invalid", 4)
    assert [row["outcome"] for row in found["thresholds"]] == ["not_measured", "held"]
    assert found["thresholds"][0]["reason"] == reason


@pytest.mark.parametrize(
    "counters",
    [
        {"events.order_unsure": 2},
        {"events.unmatched": 2},
        {"events.unmatched": 4, "chaos.malformed.sent": 2},
    ],
)
def test_one_in_a_hundred_spoils_nothing(counters: dict[str, int]) -> None:
    assert rows(counters)["exit_code"] == 0


@pytest.mark.parametrize("name", ["turn.completion.p95", "event.gap.p95", "conversation.time.p95"])
@pytest.mark.parametrize(
    ("counter", "reason"),
    [("after_timeout", AFTER_TIMEOUT), ("order_unsure", UNSURE), ("unmatched", UNMATCHED)],
)
def test_every_time_that_is_made_of_turns_is_in_doubt_with_them(name: str, counter: str, reason: str) -> None:
    times = {"conversation.time": [500.0] * 40}
    made, threshold = manifest(), parse_threshold(name, "< 1s")
    sure, unsure = (good_totals({f"events.{counter}": n}, times) for n in (2, 3))
    (held,) = judge({**made, **summarise(made, sure)}, [], (threshold,))["thresholds"]
    assert held["outcome"] == "held"
    (doubted,) = judge({**made, **summarise(made, unsure)}, [], (threshold,))["thresholds"]
    assert (doubted["outcome"], doubted["reason"]) == ("not_measured", reason)


def test_times_are_not_measured_of_turns_that_go_on_after_they_were_counted_to_their_end() -> None:
    """A server that streams, or sends each answer twice, while the protocol counts one event a turn."""
    counted = {"scenario__settings__protocol": {"events": {"count": 1}}}
    found = rows({"events.late": 3}, **counted)
    assert [row["outcome"] for row in found["thresholds"]] == ["not_measured", "held"]
    assert found["thresholds"][0]["reason"] == GOES_ON
    assert rows({"events.late": 2}, **counted)["exit_code"] == 0
    assert rows({"events.late": 3})["exit_code"] == 0, "what follows a named end belongs to no turn's time"


def test_neither_times_nor_complete_turns_are_measured_where_ends_came_unasked() -> None:
    """One end too many a turn is little of many events, and all of the turns."""
    found = rows({"turns.ends_unasked": 1, "events.unmatched": 1})
    assert [row["reason"] for row in found["thresholds"]] == [UNASKED, UNASKED]
    assert found["exit_code"] == 4
    broken = {"turns.ends_unasked": 2, "events.unmatched": 2, "chaos.malformed.sent": 2}
    assert rows(broken)["exit_code"] == 0
    assert (
        rows({"turns.complete": 30, "turns.timed_out": 10, "turns.ends_unasked": 9}, RATIO)["exit_code"] == 1
    )


def test_turns_are_not_complete_for_sure_where_more_came_than_they_count() -> None:
    found = rows({"events.beyond_count": 3, "events.late": 3}, RATIO)
    assert (found["exit_code"], found["thresholds"][0]["reason"]) == (4, GOES_ON)
    assert rows({"events.beyond_count": 2, "events.late": 2}, RATIO)["exit_code"] == 0
    broken = {"events.beyond_count": 5, "events.unmatched": 5, "chaos.malformed.sent": 3}
    assert rows(broken, RATIO)["exit_code"] == 0, "by order, they may answer what we broke"
    # What was missed stays missed; what came for turns that timed out says nothing of complete ones.
    missed = {"turns.complete": 30, "turns.timed_out": 10}
    assert rows({**missed, "events.beyond_count": 30}, RATIO)["exit_code"] == 1
    some = parse_threshold("turns.complete.ratio", ">= 50%")
    assert rows({**missed, "events.late": 10}, some)["exit_code"] == 0


def test_a_miss_that_only_contradictions_make_is_not_measured() -> None:
    found = rows(interleaved(10))
    assert found["exit_code"] == 4
    assert [row["reason"] for row in found["thresholds"]] == [CONTRADICTED, CONTRADICTED]
    failed = parse_threshold("turns.failed", "< 1")
    assert rows(interleaved(10), failed)["exit_code"] == 4


def test_a_miss_that_other_failures_make_as_well_is_one() -> None:
    assert rows(interleaved(10, others=10), RATIO)["exit_code"] == 1
    assert rows({"turns.complete": 30, "turns.failed": 10}, RATIO)["exit_code"] == 1


def test_that_no_turn_was_complete_is_not_the_targets_doing_where_all_contradict() -> None:
    assert rows(interleaved(40), RATIO, **ENDS)["exit_code"] == 4
    assert rows(interleaved(39, others=1), RATIO, **ENDS)["exit_code"] == 1


def test_what_has_no_value_stays_as_it_is() -> None:
    made = {"counts": {"measured": {"turns": {"due": 2, "failed_by": {"interleaved": 1}}}}}
    assert doubt(RATIO, made, Measurement(None, 0), "missed") is None


def test_what_ends_a_turn_is_told_in_words() -> None:
    assert _ends(manifest(**ENDS)) == ["done", "ok = true"]
