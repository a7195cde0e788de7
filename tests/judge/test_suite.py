from __future__ import annotations

import json

import pytest

from loadtest.errors import Exit
from loadtest.judge.suite import OVERHEAD_S, Made, Planned, Suite, no_room, overhead_s, why_of


def planned(scenario: str = "one", planned_s: float = 10.0) -> Planned:
    return Planned(scenario, f"{scenario}.toml", 1, planned_s)


def made(code: Exit | None, outcome: str = "", took_s: float | None = None, **more: object) -> Made:
    manifest = {"id": "run-1", "verdict": {"outcome": outcome, "reason": "so"}, **more} if outcome else {}
    return Made(planned(), code, "why", manifest, took_s=took_s)


def suite(*runs: Made, interrupted: bool = False) -> Suite:
    return Suite("v1", "2026-11-22T12:00:00Z", runs, 60.0, interrupted=interrupted)


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([Exit.PASS, Exit.PASS], Exit.PASS),
        ([Exit.PASS, None], Exit.INVALID),
        ([Exit.UNREACHABLE, None], Exit.UNREACHABLE),
        ([Exit.UNREACHABLE, Exit.FAIL, Exit.INVALID], Exit.FAIL),
        ([Exit.FAIL, Exit.CONFIG], Exit.CONFIG),
        ([Exit.CONFIG, Exit.INTERRUPTED], Exit.INTERRUPTED),
        ([Exit.INTERRUPTED, Exit.INTERNAL], Exit.INTERNAL),
        ([], Exit.PASS),
    ],
)
def test_the_worst_run_decides_and_what_was_not_run_is_no_pass(codes: list[Exit | None], worst: Exit) -> None:
    assert suite(*(made(code) for code in codes)).exit_code is worst


def test_interrupted_between_two_runs_is_interrupted() -> None:
    assert suite(made(Exit.PASS), made(None), interrupted=True).exit_code is Exit.INTERRUPTED


def test_each_run_says_how_it_ended() -> None:
    assert made(None).outcome == "not run"
    assert made(Exit.INTERNAL).outcome == "error"
    assert made(Exit.FAIL, "fail").outcome == "fail"


def test_a_run_begins_only_if_it_fits() -> None:
    assert no_room(planned(), None, 5.0) is None
    assert no_room(planned(), 15.0, 5.0) is None
    assert no_room(planned(), 14.9, 5.0) == "the run takes about 15 s, but only 15 s of the budget were left"
    assert "0 s of the budget were left" in (no_room(planned(), -3.0, 5.0) or "")


def test_overhead_is_learned_from_the_slowest_run_so_far() -> None:
    assert overhead_s([]) == OVERHEAD_S
    assert overhead_s([made(None)]) == OVERHEAD_S
    assert overhead_s([made(Exit.PASS, took_s=12.0), made(Exit.PASS, took_s=13.5)]) == 3.5
    assert overhead_s([made(Exit.UNREACHABLE, took_s=2.0)]) == 0.0


def test_why_is_the_verdicts_reason_or_the_last_words() -> None:
    assert why_of({"verdict": {"reason": "All held."}}, Exit.PASS, "noise") == "All held."
    assert why_of({}, Exit.CONFIG, "--set: wrong") == "--set: wrong"
    assert why_of({}, Exit.INTERNAL, "") == "The command ended with exit code 70 and stored no run."


def test_plain_data() -> None:
    thresholds = [{"name": "turns.complete.ratio", "outcome": "held"}]
    held = made(
        Exit.PASS, "pass", target={"simulated": True}, verdict={"outcome": "pass", "thresholds": thresholds}
    )
    whole = suite(held, made(None))
    data = json.loads(json.dumps(whole.as_dict()))
    assert whole.simulated
    assert not suite(made(Exit.PASS, "pass")).simulated
    assert (data["schema"], data["exit_code"], data["simulated"]) == ("loadtest.suite/1", 4, True)
    assert data["runs"][0]["thresholds"] == thresholds
    assert data["runs"][1]["exit_code"] is None
