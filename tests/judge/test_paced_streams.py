"""Runs whose turns send files at a pace, and time the first audio of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.judge_run import find_warnings
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import measured_for
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import parse_threshold
from tests.judge.made import good_totals, histogram, judged, manifest

CHUNKS = {"chunks": "hello.pcm", "size": 640, "every": "20ms", "binary": True}
STOP = {"interrupt": {"after": "800ms", "send": "stop"}}
SPOKEN = {"turn": {"messages": [CHUNKS, "commit", STOP]}, "events": {"audio": ["speech"], "end": ["done"]}}
VOICE: dict[str, Any] = {"scenario__settings__protocol": SPOKEN}


def told(late_ms: list[float], **changes: Any) -> dict[str, Any]:
    made = manifest(**{**VOICE, **changes})
    totals = good_totals(None, {"chunk.lateness": late_ms})
    summed = {**made, **summarise(made, totals)}
    return {each.code: each for each in find_warnings(summed, totals)}


@pytest.mark.parametrize(
    ("late_ms", "share"),
    [
        ([1.9] * 200, None),
        ([0.1] * 199 + [50.0], None),
        ([0.1] * 190 + [2.5] * 10, "One chunk in a hundred was"),
        ([0.1, 2.5], "The latest chunk was"),
    ],
)
def test_a_pace_is_kept_where_chunks_are_late_by_no_more_than_a_tenth(
    late_ms: list[float], share: str | None
) -> None:
    found = told(late_ms).get("pace_not_kept")
    assert (found is None) is (share is None)
    if found is not None:
        assert found.spoils
        assert found.message.startswith(f"{share} sent 2.5 ms or more after it was due (allowed: 2 ms)")
        assert (found.numbers["allowed_ms"], found.numbers["n"]) == (2.0, len(late_ms))


def test_the_quickest_file_decides_and_without_a_plan_nothing_does() -> None:
    quick = {**SPOKEN, "turns": {"k": {"messages": ["x", {**CHUNKS, "every": "5ms"}]}}}
    mix = {"scenario__settings__traffic__mix": {"k": 1}}
    assert told([0.6] * 200, **mix, scenario__settings__protocol=quick)["pace_not_kept"].spoils
    assert "pace_not_kept" not in told([0.6] * 200, **mix)
    assert "pace_not_kept" not in told([50.0] * 200, scenario__settings__protocol={})


def test_a_run_whose_pace_was_not_kept_is_invalid() -> None:
    late = good_totals(None, {"chunk.lateness": [9.0] * 200})
    made = judged(manifest({"turn.completion.p95": "< 1s"}, **VOICE), late)
    assert (made["verdict"]["outcome"], made["verdict"]["exit_code"]) == ("invalid", 4)
    assert "The target did not hear the file at its pace" in made["verdict"]["reason"]


@pytest.mark.parametrize(
    ("counters", "late_ms", "outcome"),
    [
        ({"turns.failed": 40, "turns.failed_by.required": 40}, 9.0, "fail"),
        ({"turns.failed": 40, "turns.failed_by.event": 40}, 9.0, "fail"),
        ({"turns.refused": 40}, 9.0, "fail"),
        ({"turns.failed": 40, "turns.failed_by.event": 40}, 1001.0, "invalid"),
        ({"turns.failed": 40, "turns.failed_by.unsent": 40}, 9.0, "invalid"),
        ({"turns.timed_out": 40}, 9.0, "invalid"),
        ({"turns.lost": 40}, 9.0, "invalid"),
    ],
)
def test_turns_that_the_target_failed_fail_the_run_whatever_the_pace_was(
    counters: dict[str, int], late_ms: float, outcome: str
) -> None:
    late = good_totals({"turns.complete": 0, **counters}, {"chunk.lateness": [late_ms] * 200})
    verdict = judged(manifest({"turns.complete.ratio": ">= 99%"}, **VOICE), late)["verdict"]
    assert verdict["outcome"] == outcome
    assert "The target did not hear the file at its pace" in verdict["reason"]
    assert ("turns.complete.ratio was 0 %" in verdict["reason"]) is (outcome == "fail")


@pytest.mark.parametrize(("limit", "outcome"), [(">= 94%", "invalid"), (">= 96%", "fail")])
def test_what_the_target_failed_has_to_miss_by_itself(limit: str, outcome: str) -> None:
    counts = {"turns.complete": 36, "turns.timed_out": 2, "turns.failed": 2}
    late = good_totals({**counts, "turns.failed_by.event": 2}, {"chunk.lateness": [9.0] * 200})
    verdict = judged(manifest({"turns.complete.ratio": limit}, **VOICE), late)["verdict"]
    assert verdict["outcome"] == outcome
    if outcome == "fail":
        assert "2 of 40 turns due failed: 2 by an error event." in verdict["reason"]


def test_connections_that_were_not_ready_are_not_the_paces_doing() -> None:
    late = good_totals({"connections.ready": 2}, {"chunk.lateness": [9.0] * 200})
    verdict = judged(manifest({"connections.ready.ratio": ">= 99%"}, **VOICE), late)["verdict"]
    assert verdict["outcome"] == "fail"
    assert "connections.ready.ratio was 50.0 %" in verdict["reason"]


@pytest.mark.parametrize(
    ("changes", "counters", "reasons"),
    [
        ({}, {}, ("no turn sends a file", "the protocol does not say", "no turn has an interruption")),
        (VOICE, {}, ("no turn of the measured part", "no turn of the measured", "no turn was interrupted")),
        (VOICE, {"turns.interrupted": 3}, ("no turn", "no turn", "no interrupted turn ended")),
    ],
)  # fmt: skip
def test_what_was_not_measured_says_why(
    changes: dict[str, Any], counters: dict[str, int], reasons: tuple[str, ...]
) -> None:
    unmeasured = summarise(manifest(**changes), good_totals(counters))["unmeasured"]
    names = ("chunk.lateness", "turn.first_audio", "turn.barge_in")
    for name, reason in zip(names, reasons, strict=True):
        assert unmeasured[name].startswith(reason)


def spoken(n: int, **changes: Any) -> dict[str, Any]:
    """40 turns, of which ``n`` were answered by audio after 100 ms."""
    made = manifest(**{**VOICE, **changes})
    totals: Totals = good_totals()
    for name in ("turn.first_audio", "turn.first_audio.service"):
        totals.histograms[name] = histogram([100.0] * n)
    return {**made, **summarise(made, totals)}


def test_a_turn_without_audio_is_infinitely_late_though_it_is_complete() -> None:
    limit = parse_threshold("turn.first_audio.p95", "< 1s")
    assert measured_for(limit, spoken(40)).value == pytest.approx(100, rel=0.01)
    silent = measured_for(limit, spoken(36))
    assert silent.unbounded
    assert str(silent.reason).startswith("10.0 % of 40 turns due had no audio; of the others: 100 ms")
    of_service = measured_for(parse_threshold("turn.first_audio.service.p95", "< 1s"), spoken(36))
    assert of_service.unbounded


def test_of_kinds_only_those_that_speak_can_lack_audio() -> None:
    kinds = {"ask": {}, "mute": {"audio": []}}
    changes = {
        "scenario__settings__protocol__turns": kinds,
        "scenario__settings__traffic__mix": {"ask": 1, "mute": 1},
    }
    of_due = spoken(36, **changes)["of_due"]
    assert "turn.first_audio" not in of_due
    assert "turn.first_audio[mute]" not in of_due


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"part": {"from_s": 0, "to_s": 5}}, "of this part"),
        ({"scenario__settings__chaos": {"slow_readers": {"share": "10%"}}}, "slow_readers"),
    ],
)
def test_where_it_cannot_be_known_no_limit_is_held(changes: dict[str, Any], why: str) -> None:
    run = spoken(36, **changes)
    assert "turn.first_audio" not in run["of_due"]
    measured = measured_for(parse_threshold("turn.first_audio.p95", "< 1s"), run)
    assert measured.value is None
    assert why in str(measured.reason)


def test_an_interrupted_turn_that_never_stopped_is_infinitely_late() -> None:
    limit = parse_threshold("turn.barge_in.p95", "< 1s")

    def interrupted(n: int, stopped: int) -> Any:
        made, totals = manifest(**VOICE), good_totals({"turns.interrupted": n})
        totals.histograms["turn.barge_in"] = histogram([200.0] * stopped)
        return measured_for(limit, {**made, **summarise(made, totals)})

    assert interrupted(40, 40).value == pytest.approx(200, rel=0.01)
    lacking = interrupted(40, 36)
    assert lacking.unbounded
    assert str(lacking.reason).startswith("10.0 % of 40 turns due that were interrupted did not stop")
