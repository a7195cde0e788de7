"""What the ages of events are worth, by what came: measured only where both clocks may show the same time."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.live_thresholds import summed_so_far
from loadtest.judge.target_clock import AGE
from loadtest.judge.threshold_measurement import lookup
from loadtest.measure.totals import Totals
from loadtest.speak.event_age import AHEAD_AT_LEAST, AHEAD_AT_MOST, STAMP_STEP
from tests.judge.made import MS, codes, good_totals, judged, manifest

SENT_AT = {"events": {"sent_at": {"path": "at", "unit": "ms"}}}
REMOTE = {"target__address": "10.0.0.7:9000", "scenario__settings__protocol": SENT_AT}
LOCAL = {**REMOTE, "target__address": "127.0.0.1:9000"}


def dated(least: int, most: int | None, *, step: int = 1, future: int = 0) -> Totals:
    """200 events of 30 ms; the target is ahead by so many nanoseconds."""
    instants = {AHEAD_AT_LEAST: least, STAMP_STEP: step} | ({} if most is None else {AHEAD_AT_MOST: most})
    counters = {"events.dated": 200} | ({"events.from_future": future} if future else {})
    return good_totals(counters, {AGE: [30.0] * 200}, instants=instants)


def run(made: Totals, changes: dict[str, Any] | None = None, **thresholds: str) -> dict[str, Any]:
    asked = {name.replace("__", "."): rule for name, rule in thresholds.items()}
    return judged(manifest(asked, **(REMOTE if changes is None else changes)), made)


def test_two_clocks_that_may_be_alike_leave_an_age_open_by_what_answers_took() -> None:
    ended = run(dated(-4 * MS, 2 * MS), event__age__p95="< 25ms")
    clock = ended["generator"]["target_clock"]
    assert clock == {
        "ahead": [-4.0, 2.0],
        "step": 1e-06,
        "same_host": False,
        "dated": 200,
        "from_future": 0,
        "error": [-4.000001, 2.000001],
    }
    measured = lookup("event.age.p95", ended)
    assert measured.value == pytest.approx(30, rel=1e-3)
    assert measured.bound == (pytest.approx(26, rel=1e-2), pytest.approx(32, rel=1e-2))
    assert measured.reason == "exact to the possible difference between the target's clock and ours"
    assert lookup("event.age.n", ended).value == 200
    (told,) = [each for each in ended["notices"] if each["code"] == "age_by_two_clocks"]
    assert told["message"].endswith("target's clock and ours: the true age may be 4 ms less or 2 ms more.")
    assert ended["verdict"]["outcome"] == "fail"


def test_a_threshold_that_the_clocks_leave_open_is_not_measured() -> None:
    ended = run(dated(-4 * MS, 2 * MS), event__age__p95="< 31ms")
    assert ended["verdict"]["outcome"] == "invalid"
    held = run(dated(-4 * MS, 2 * MS), event__age__p95="< 33ms")
    assert held["verdict"]["outcome"] == "pass"


def test_on_this_host_both_are_one_clock() -> None:
    for most in (2 * MS, None):
        ended = run(dated(-4 * MS, most, step=MS), LOCAL)
        assert ended["generator"]["target_clock"]["error"] == [-1.0, 1.0]
        (told,) = [each for each in ended["notices"] if each["code"] == "age_by_two_clocks"]
        assert (
            "which are the same clock, because the target is on this host: the true age may be 1 ms less"
            in told["message"]
        )


@pytest.mark.parametrize(
    ("made", "changes", "why"),
    [
        (dated(-4 * MS, -2 * MS), REMOTE, "the target's clock is behind ours by 2 ms or more"),
        (dated(-4 * MS, -2 * MS), LOCAL, "the target's clock is behind ours by 2 ms or more"),
        (
            dated(3 * MS, 9 * MS, future=7),
            LOCAL,
            "the target's clock is ahead of ours by 3 ms or more: 7 events arrived before the time",
        ),
        (
            dated(3 * MS, 2 * MS, future=7),
            REMOTE,
            "the times that the target wrote contradict each other: its clock changed during the run",
        ),
        (
            dated(-4 * MS, None),
            REMOTE,
            (
                "the difference between the target's clock and ours is not known: no event with a time"
                " answered a message"
            ),
        ),
        (
            dated(-4 * MS, None),
            {**REMOTE, "target__address": "[::1"},
            (
                "the difference between the target's clock and ours is not known: no event with a time"
                " answered a message"
            ),
        ),
    ],
)
def test_where_the_clocks_differ_or_may_no_age_is_measured(
    made: Totals, changes: dict[str, Any], why: str
) -> None:
    ended = run(made, changes, event__age__p95="< 1h")
    assert AGE not in ended["metrics"]
    assert ended["unmeasured"][AGE].startswith(why)
    assert lookup("event.age.p95", ended).value is None
    assert "target_clock_differs" in codes(ended)
    assert ended["verdict"]["outcome"] == "invalid"


def test_a_time_that_was_rounded_up_is_no_clock_ahead() -> None:
    ended = run(dated(MS // 2, 2 * MS, step=MS))
    assert ended["generator"]["target_clock"]["error"] == [-0.5, 3.0]


def test_clocks_of_workers_add_what_they_differ() -> None:
    workers = {
        "worker 0": {"clock_offset_ms": -1.0, "round_trip_ms": 2.0},
        "worker 1": {"clock_offset_ms": 0.0, "round_trip_ms": None},
    }
    observed = [{"code": "workers", "numbers": workers}]
    ended = run(dated(-4 * MS, 2 * MS), {**REMOTE, "observed": observed})
    assert ended["generator"]["target_clock"]["error"] == [-8.000001, 6.000001]


@pytest.mark.parametrize(
    ("counters", "changes", "why"),
    [
        ({}, {}, "the protocol does not say where an event has its time of sending (no `sent_at`)"),
        ({}, REMOTE, "no event of the measured part carried a time where the protocol looks for it"),
        (
            {"events.undated": 3},
            REMOTE,
            "the times of 3 events could not be read: check `unit` of `sent_at`",
        ),
    ],
)
def test_without_a_time_it_says_why(counters: dict[str, int], changes: dict[str, Any], why: str) -> None:
    ended = run(good_totals(counters), changes)
    assert ended["unmeasured"][AGE] == why
    assert "target_clock" not in ended["generator"]


def test_a_threshold_so_far_is_judged_alike() -> None:
    made = manifest({"event.age.p95": "< 25ms"}, **REMOTE)
    known = summed_so_far(made, dated(-4 * MS, 2 * MS), ["event.age.p95"])
    assert lookup("event.age.p95", known).bound is not None
    assert AGE not in summed_so_far(made, dated(-4 * MS, None), ["event.age.p95"])["metrics"]


def test_what_is_stored_wrongly_bounds_nothing() -> None:
    broken = {"metrics": {AGE: {"n": 1, "max": 3.0}}, "generator": {"target_clock": {"error": ["x"]}}}
    assert lookup("event.age.max", broken).bound is None
