from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.samples import newly_missed, paired_sides, side
from tests.judge.repeats import run

NAME = "turn.first_event.p95"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "cut short"}, "the run is cut short"),
        ({"status": "running"}, "the run is running"),
        ({"failure": {"exit_code": 70}}, "the run failed before it began"),
        ({"notices": [{"spoils": True, "message": "A worker was lost."}]}, "invalid: A worker was lost."),
    ],
)
def test_a_run_that_cannot_be_believed_is_left_out(changes: dict[str, Any], why: str) -> None:
    found = side("v1", [run(0), run(1) | changes])
    assert len(found.runs) == 1
    ((left, reason),) = found.left_out
    assert left == "2026-v1-1"
    assert why in reason


def test_runs_stand_in_the_order_of_their_start() -> None:
    found = side("v1", [run(2), run(0), run(1)])
    assert [each["id"] for each in found.runs] == ["2026-v1-0", "2026-v1-1", "2026-v1-2"]
    assert found.newest["id"] == "2026-v1-2"
    assert side("v1", []).newest == {}


def test_a_side_as_plain_data() -> None:
    assert side("v1", [run(0), run(1, status="running")]).as_dict() == {
        "name": "v1",
        "simulated": False,
        "runs": [
            {
                "id": "2026-v1-0",
                "label": "v1",
                "started": "2026-11-22T12:00:00Z",
                "outcome": "pass",
                "standing": "measured",
            }
        ],
        "left_out": [{"id": "2026-v1-1", "reason": "the run is running"}],
    }


def missed(label: str, *, of: int, missed: int, **more: Any) -> Any:
    return side(
        label,
        [
            run(at, label=label, outcomes={NAME: "missed" if at < missed else "held"}, **more)
            for at in range(of)
        ],
    )


@pytest.mark.parametrize(("before", "after", "newly"), [(0, 3, [f"{NAME} < 100ms"]), (0, 2, []), (3, 5, [])])
def test_newly_missed_is_what_most_runs_say(before: int, after: int, newly: list[str]) -> None:
    assert newly_missed(missed("v1", of=5, missed=before), missed("v2", of=5, missed=after)) == newly


def test_what_the_baseline_did_not_promise_is_not_newly_missed() -> None:
    before = missed("v1", of=2, missed=0, thresholds={NAME: "< 90ms"})
    assert newly_missed(before, missed("v2", of=2, missed=2)) == []


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    before = side("v1", [run(0, outcomes={NAME: "not_measured"})])
    assert newly_missed(before, missed("v2", of=1, missed=1)) == []
    broken = side("v2", [run(0) | {"verdict": {"thresholds": "none"}}])
    assert newly_missed(before, broken) == []


def test_a_threshold_of_a_stage_is_its_own() -> None:
    def staged(label: str, outcome: str) -> Any:
        row = {"name": NAME, "expression": "< 1s", "stage": 1, "outcome": outcome}
        return side(label, [run(0, label=label) | {"verdict": {"thresholds": [row]}}])

    assert newly_missed(staged("v1", "held"), staged("v2", "missed")) == [f"{NAME} of stage 2 < 1s"]


def test_of_a_pair_both_count_or_neither() -> None:
    spoilt = {"notices": [{"spoils": True, "message": "A worker was lost."}]}
    pairs = [(run(at, label="a"), run(at, label="b")) for at in range(3)]
    pairs[1] = (pairs[1][0], pairs[1][1] | spoilt)
    one, other = paired_sides(("a", "b"), pairs)
    assert [each["id"] for each in one.runs] == ["2026-a-0", "2026-a-2"]
    assert [each["id"] for each in other.runs] == ["2026-b-0", "2026-b-2"]
    assert one.left_out == (("2026-a-1", "its partner does not count"),)
    assert other.left_out == (("2026-b-1", "the run is invalid: A worker was lost."),)
