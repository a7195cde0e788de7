"""Runs that looked well and were not: a rare kind that never worked, errors that failed no turn."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.judge_run import judge_run
from loadtest.judge.live_thresholds import thresholds_so_far
from loadtest.judge.thresholds import judged_thresholds
from loadtest.measure.totals import Totals
from tests.judge.made import codes, good_totals, judged, manifest

ENDS = {"protocol": {"events": {"turn": ["id"], "count": 1}}}
MIX = {"scenario__settings__traffic__mix": {"ask": 299, "cancel": 1}}
ENDING = {"scenario__settings__protocol": ENDS["protocol"]}
CANCEL = "turns.complete[cancel].ratio"


def counted(complete: int, failed: int, due: int = 300) -> Totals:
    """So many turns, of which the kind `cancel` has those that failed and so many complete ones."""
    ask = due - complete - failed
    return good_totals(
        {
            "turns.due": due, "turns.begun": due, "turns.complete": due - failed, "turns.failed": failed,
            "turns.due[ask]": ask, "turns.begun[ask]": ask, "turns.complete[ask]": ask,
            "turns.due[cancel]": complete + failed, "turns.begun[cancel]": complete + failed,
            "turns.complete[cancel]": complete, "turns.failed[cancel]": failed,
        }
    )  # fmt: skip


def mixed(totals: Totals, thresholds: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    return judged(manifest(thresholds, **MIX, **{**ENDING, **changes}), totals)["verdict"]


def test_a_kind_of_which_every_turn_failed_never_passes() -> None:
    found = mixed(counted(0, 1))
    assert (found["outcome"], found["exit_code"]) == ("fail", 1)
    assert found["reason"].startswith(
        "None of the 1 turns of the kind `cancel` was complete. 1 of 4 thresholds"
    )
    rows = {each["name"]: each for each in found["thresholds"]}
    assert (rows[CANCEL]["outcome"], rows[CANCEL]["default"]) == ("missed", True)
    assert rows["turns.complete.ratio"]["outcome"] == "held"
    said = mixed(counted(0, 1), {"turns.complete.ratio": ">= 99%"})
    assert said["reason"] == "None of the 1 turns of the kind `cancel` was complete."
    assert [each["name"] for each in said["thresholds"]][1:] == ["connections.ready.ratio"]


def test_each_kind_is_judged_by_default_where_the_scenario_says_nothing() -> None:
    assert mixed(counted(1, 1))["outcome"] == "fail"
    assert mixed(counted(2, 0))["outcome"] == "pass"
    for said in ("turns.complete.ratio", CANCEL):
        assert mixed(counted(1, 1), {said: ">= 50%"})["outcome"] == "pass", said
    assert mixed(counted(0, 1), {CANCEL: ">= 0%"})["outcome"] == "pass", "said of the kind itself"


def test_a_kind_that_was_not_drawn_or_has_no_end_is_not_judged() -> None:
    assert CANCEL not in {each["name"] for each in mixed(counted(0, 0))["thresholds"]}
    endless = {"events": {"turn": ["id"]}, "turns": {"ask": {"count": 1}, "cancel": {}}}
    found = mixed(counted(0, 1), scenario__settings__protocol=endless)
    assert CANCEL not in {each["name"] for each in found["thresholds"]}
    assert "kind" not in found["reason"]
    held = {"scenario__settings__traffic": {"turns": 0, "mix": {"ask": 1, "cancel": 1}}}
    names = [each.name for each in judged_thresholds(manifest(**ENDING, **held))]
    assert not [name for name in names if "[" in name]


def test_turns_that_the_plan_breaks_off_are_not_held_against_a_kind() -> None:
    found = mixed(counted(1, 1), scenario__settings__chaos={"leavers": {"share": 0.1}})
    assert CANCEL not in {each["name"] for each in found["thresholds"]}


def test_a_kind_is_judged_so_far_by_what_came_to_an_end() -> None:
    totals = counted(1, 0)
    totals.counters["measured"] |= {"turns.due[cancel]": 2, "turns.begun[cancel]": 2}
    stand = {
        each.threshold.name: each.measured for each in thresholds_so_far(manifest(**MIX, **ENDING), totals)
    }
    assert (stand[CANCEL].value, stand[CANCEL].n) == (1.0, 1)


@pytest.mark.parametrize(("strays", "outcome"), [(0, "pass"), (1, "fail"), (20, "fail")])
def test_errors_that_failed_no_turn_count_as_turns_that_failed(strays: int, outcome: str) -> None:
    found = judge_run(manifest(), good_totals({"events.stray_errors": strays, "events.unmatched": strays}))
    assert found["verdict"]["outcome"] == outcome
    assert ("stray_errors" in codes(found)) is (strays > 0)


def test_what_answers_a_message_that_we_broke_is_no_stray_error() -> None:
    found = judged(manifest(), good_totals({"events.stray_errors": 3, "chaos.malformed.sent": 3}))
    assert "stray_errors" not in codes(found)
    assert found["verdict"]["outcome"] == "pass"


def test_connections_that_are_never_due_are_not_ready() -> None:
    made = manifest(load__planned={"connections": 100, "never_due": 96, "connect_rate": 1.0})
    found = judged(made, good_totals({"connections.due": 4}))
    (ready,) = [each for each in found["verdict"]["thresholds"] if each["name"] == "connections.ready.ratio"]
    assert (ready["measured"], ready["n"], ready["outcome"]) == (0.04, 100, "missed")
    assert "connections_never_due" in codes(found)


def test_what_was_not_taken_back_is_told_also_without_its_reasons() -> None:
    found = judged(manifest(), good_totals({"connections.not_undone": 2}))
    (told,) = [each for each in found["notices"] if each["code"] == "not_undone"]
    assert told["message"].startswith("2 steps of [[prepare]] were not undone: what they made is left")


@pytest.mark.parametrize(("unanswered", "told"), [(1, False), (2, True)])
def test_last_words_without_an_answer_are_told_above_one_in_a_hundred(unanswered: int, *, told: bool) -> None:
    counts = {"connections.left": 100, "connections.left_unanswered": unanswered}
    made = manifest({"connections.left_unanswered": "== 0"})
    found = judged(made, good_totals(counts))
    assert ("left_unanswered" in codes(found)) is told
    assert found["verdict"]["outcome"] == "fail"


@pytest.mark.parametrize(
    ("ends", "outcome", "told"), [(0, "pass", False), (1, "fail", True), (20, "fail", True)]
)
def test_ends_that_came_again_are_judged_by_default(ends: int, outcome: str, *, told: bool) -> None:
    found = judge_run(manifest(), good_totals({"turns.ended_again": ends, "events.late": ends}))
    assert found["verdict"]["outcome"] == outcome
    assert ("ends_came_again" in codes(found)) is told
    assert ("turns.ended_again.ratio" in {each["name"] for each in found["verdict"]["thresholds"]}) is told


@pytest.mark.parametrize(("refused", "outcome"), [(0, "pass"), (1, "fail")])
def test_complete_turns_whose_request_was_refused_are_judged_by_default(refused: int, outcome: str) -> None:
    found = judge_run(manifest(), good_totals({"turns.request_refused": refused, "http.refused": refused}))
    assert found["verdict"]["outcome"] == outcome
    assert ("requests_refused" in codes(found)) is (refused > 0)


def test_how_many_ends_may_come_again_can_be_said() -> None:
    again = good_totals({"turns.ended_again": 20, "events.late": 20})
    for said in ({"turns.ended_again": "<= 20"}, {"turns.ended_again.ratio": "none"}):
        assert judge_run(manifest(said), again)["verdict"]["outcome"] == "pass"
    reason = judge_run(manifest(), again)["verdict"]["reason"]
    assert "turns.ended_again.ratio was 50.0 %, not <= 1%" in reason
    assert "the target sends them twice, or the protocol's `end` (or `end_all`) names" in reason
