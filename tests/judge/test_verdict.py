from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import Exit
from loadtest.judge.summary import summarise
from loadtest.judge.thresholds import response_metric, tightest_ms
from loadtest.judge.verdict import FLOOD_PER_S, OVERRUN, judge
from loadtest.judge.warnings import RunWarning
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import Threshold, parse_threshold
from tests.judge.made import good_totals, manifest, totals

SPOILS = RunWarning("worker_lost", "A worker was lost.", "", {}, spoils=True)
HELD = parse_threshold("turns.complete.ratio", ">= 99%")
MISSED = parse_threshold("turn.completion.p95", "< 1us")
OPEN = parse_threshold("turn.completion.p99", "< 1s")


def verdict(
    *thresholds: Threshold,
    totals_: Totals | None = None,
    notices: tuple[RunWarning, ...] = (),
    **changes: Any,
) -> dict[str, Any]:
    made = manifest(**changes)
    summed = {**made, **summarise(made, good_totals() if totals_ is None else totals_)}
    return judge(summed, notices, thresholds)


def ruling(found: dict[str, Any]) -> tuple[str, int]:
    return found["outcome"], found["exit_code"]


def test_all_thresholds_held_is_a_pass() -> None:
    found = verdict(HELD)
    assert ruling(found) == ("pass", 0)
    assert found["reason"] == "Its one threshold was measured and passed."
    assert found["thresholds"] == [
        {
            "name": "turns.complete.ratio",
            "expression": ">= 99%",
            "measured": 1.0,
            "n": 40,
            "outcome": "held",
            "reason": None,
            "unit": "ratio",
        }
    ]
    assert verdict(HELD, HELD)["reason"] == "All 2 thresholds were measured and passed."


def test_a_run_that_measured_passes_without_thresholds() -> None:
    found = verdict()
    assert ruling(found) == ("pass", 0)
    assert found["reason"] == "The run was measured; the scenario has no thresholds."


def test_a_run_that_asked_and_got_no_event_did_not_measure() -> None:
    silent = good_totals({"events.matched": 0})
    assert ruling(verdict(totals_=silent)) == ("invalid", 4)
    assert ruling(verdict(HELD, totals_=silent)) == ("invalid", 4)
    nothing_due = good_totals({"events.matched": 0, "turns.due": 0, "turns.begun": 0, "turns.complete": 0})
    assert ruling(verdict(totals_=nothing_due, load__planned__turns_due=0)) == ("pass", 0)


def test_of_turns_that_were_all_lost_nothing_makes_a_pass() -> None:
    lost = good_totals({"turns.complete": 0, "turns.timed_out": 40})
    ends = {"scenario__settings__protocol": {"events": {"end": ["done"]}}}
    found = verdict(totals_=lost, **ends)
    assert ruling(found) == ("fail", 1)
    assert found["reason"].startswith("None of the 40 turns due was complete.")
    assert ruling(verdict(totals_=lost)) == ("pass", 0), "a subscription never ends"


def test_turns_that_the_target_failed_are_told_with_their_reasons() -> None:
    failed = {
        "turns.complete": 30,
        "turns.failed": 10,
        "turns.failed_by.event": 8,
        "turns.failed_by.pairs": 2,
    }
    reason = verdict(HELD, totals_=good_totals(failed))["reason"]
    assert "10 of 40 turns due failed: 8 by an error event, 2 with an incomplete pair of events." in reason
    said = {"no such model": 7, "busy": 1}
    reason = verdict(HELD, totals_=good_totals(failed), error_answers=said)["reason"]
    assert "with an incomplete pair of events. The target said most often: no such model." in reason
    by_http = {
        "turns.complete": 30,
        "turns.failed": 10,
        "turns.failed_by.http": 3,
        "turns.failed_by.http 503": 7,
    }
    told = verdict(HELD, totals_=good_totals(by_http))["reason"]
    assert "3 without a usable answer to their HTTP request" in told
    assert "7 because their HTTP request was answered with 503" in told
    told = verdict(HELD, totals_=good_totals({"turns.complete": 30, "turns.failed": 10}))["reason"]
    assert "10 of 40 turns due failed." in told


def test_a_threshold_that_is_judged_by_default_says_so() -> None:
    default = replace(HELD, default=True)
    found = verdict(default)
    assert found["thresholds"][0]["default"]
    assert found["reason"] == "Its one threshold was measured and passed (1 of them by default)."


def test_a_missed_threshold_is_a_fail_and_says_by_how_much() -> None:
    found = verdict(MISSED, HELD, OPEN)
    assert ruling(found) == ("fail", 1)
    assert found["reason"] == "1 of 3 thresholds missed: turn.completion.p95 was 100 ms, not < 1us."
    assert [row["outcome"] for row in found["thresholds"]] == ["missed", "held", "not_measured"]


@pytest.mark.parametrize(
    ("name", "expression", "told"),
    [
        ("rates.turns_per_s", "> 20/s", "rates.turns_per_s was 4/s, not > 20/s"),
        ("connections.ready", "> 10", "connections.ready was 4, not > 10"),
        ("turns.complete.ratio", "< 50%", "turns.complete.ratio was 100 %, not < 50%"),
    ],
)
def test_each_unit_is_told_in_its_own_words(name: str, expression: str, told: str) -> None:
    assert told in verdict(parse_threshold(name, expression))["reason"]


def test_a_threshold_that_was_not_measured_makes_the_run_invalid_and_says_why() -> None:
    found = verdict(OPEN, HELD)
    assert ruling(found) == ("invalid", 4)
    assert found["reason"] == (
        "1 of 2 thresholds not measured: turn.completion.p99 (not enough samples: n = 40, but p99 needs 100)."
    )


def test_a_silent_target_misses_a_rate_that_was_never_measured() -> None:
    silent = good_totals({"events.matched": 0, "turns.complete": 0, "turns.timed_out": 40}, instants={})
    found = verdict(parse_threshold("rates.events_received_per_s", "> 20/s"), totals_=silent)
    assert ruling(found) == ("fail", 1)
    assert found["thresholds"][0]["measured"] is None
    assert found["reason"] == (
        "1 of 1 thresholds missed: rates.events_received_per_s"
        " (no event answered a turn, though 40 were begun over 10 s)."
    )


def test_no_connection_ever_ready_is_unreachable() -> None:
    refused = totals(
        {"connections.attempted": 3, "connections.refused.tcp": 2, "connections.refused.auth": 1}
    )
    found = verdict(HELD, totals_=refused)
    assert ruling(found) == ("unreachable", 3)
    assert found["reason"] == (
        "No connection was ever ready, so nothing was measured; refused: 1 at auth, 2 at tcp."
        " The server did not accept the credential, or a credential is missing: set one in [target] as auth,"
        " headers, cookies or query, or log in by HTTP with a step of [[prepare]]."
    )
    assert verdict(totals_=totals())["reason"] == "No connection was ever ready, so nothing was measured."


@pytest.mark.parametrize("status", ["cut short", "running"])
def test_of_a_run_without_a_second_nobody_knows_whether_its_target_answered(status: str) -> None:
    spoils = RunWarning("cut_short", "Cut short.", "", {}, spoils=True)
    found = verdict(HELD, totals_=totals(), notices=(spoils,), status=status)
    assert ruling(found) == ("invalid", 4)
    tried = totals({"connections.attempted": 3, "connections.refused.tcp": 3})
    assert ruling(verdict(HELD, totals_=tried, notices=(spoils,), status=status)) == ("unreachable", 3)


def test_where_this_machine_could_open_nothing_the_target_is_not_unreachable() -> None:
    counters = {"connections.attempted": 3, "connections.not_opened.EMFILE": 3}
    spoils = RunWarning("connections_not_opened", "No files.", "", {}, spoils=True)
    assert ruling(verdict(HELD, totals_=totals(counters), notices=(spoils,))) == ("invalid", 4)
    some = {**counters, "connections.not_opened.EMFILE": 2, "connections.refused.tcp": 1}
    assert ruling(verdict(HELD, totals_=totals(some), notices=(spoils,))) == ("unreachable", 3)


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        ("generator_stood_still", "upgrade: no answer within 5 s", ("invalid", 4)),
        ("generator_saturated", "tcp: no answer within 5 s", ("invalid", 4)),
        ("generator_stood_still", "tcp: refused", ("unreachable", 3)),
        ("load_not_reached_by_generator", "tcp: no answer within 5 s", ("unreachable", 3)),
    ],
)
def test_silence_is_the_targets_only_where_we_could_have_heard_it(
    code: str, reason: str, expected: tuple[str, int]
) -> None:
    refused = totals({"connections.attempted": 3, "connections.refused.tcp": 3})
    spoils = RunWarning(code, "Busy.", "", {"what": "connections", "missing": 1}, spoils=True)
    found = verdict(HELD, totals_=refused, notices=(spoils,), refusals={reason: 3})
    assert ruling(found) == expected


def test_a_part_in_which_connections_were_ready_is_not_unreachable() -> None:
    held = totals(moves=[(0, 1)])
    assert ruling(verdict(totals_=held, scenario__settings__traffic=None)) == ("pass", 0)


def test_a_spoilt_run_is_invalid_whatever_was_missed() -> None:
    found = verdict(MISSED, notices=(SPOILS, SPOILS, RunWarning("a", "A remark.", "", {})))
    assert ruling(found) == ("invalid", 4)
    assert found["reason"] == "A worker was lost."


def test_a_run_that_somebody_stopped_says_where() -> None:
    found = verdict(MISSED, interrupted=True, interrupted_by="a page")
    assert found["reason"].startswith("Stopped on a page before the end. The results until then are stored")


def test_an_interrupted_run_has_no_verdict_but_its_thresholds() -> None:
    found = verdict(MISSED, notices=(SPOILS,), interrupted=True)
    assert ruling(found) == ("interrupted", 130)
    assert found["thresholds"][0]["outcome"] == "missed"


@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        ({"exit_code": 70, "sentence": "It broke."}, 70, "It broke."),
        ({"exit_code": 70}, 70, "loadtest itself failed, so the results mean nothing."),
        ({"exit_code": 2}, 2, "Nothing was sent."),
    ],
)
def test_a_failure_of_the_plan_or_of_ours_comes_first(failure: dict[str, Any], code: int, told: str) -> None:
    found = verdict(MISSED, interrupted=True, failure=failure)
    assert ruling(found) == ("error", code)
    assert found["reason"] == told


def test_an_event_of_another_user_fails_the_run_unless_a_threshold_allows_it() -> None:
    leak = good_totals({"events.foreign": 2})
    found = verdict(HELD, totals_=leak)
    assert ruling(found) == ("fail", 1)
    assert found["reason"] == "2 events of other users arrived."
    allowed = parse_threshold("events.foreign", "< 3")
    assert ruling(verdict(allowed, totals_=leak)) == ("pass", 0)
    both = verdict(MISSED, totals_=leak)["reason"]
    assert both.startswith("2 events of other users arrived. 1 of 1 thresholds missed")


def test_an_event_of_another_user_fails_also_a_run_that_is_in_doubt() -> None:
    leak = good_totals({"events.foreign": 2})
    doubted = verdict(HELD, totals_=leak, notices=(SPOILS,))
    assert ruling(doubted) == ("fail", 1)
    assert doubted["reason"] == "2 events of other users arrived. A worker was lost."
    allowed = parse_threshold("events.foreign", "< 3")
    assert ruling(verdict(allowed, totals_=leak, notices=(SPOILS,))) == ("invalid", 4)
    forbidden = parse_threshold("events.foreign", "== 0")
    assert ruling(verdict(forbidden, totals_=leak, notices=(SPOILS,))) == ("fail", 1)
    told = verdict(forbidden, totals_=leak)["reason"]
    assert told.startswith("1 of 1 thresholds missed: events.foreign was 2")


def test_a_flood_of_the_targets_fails_a_run_that_it_has_spoilt() -> None:
    flood = good_totals({"connections.flooded": 2})
    doubted = verdict(HELD, totals_=flood, notices=(SPOILS,))
    assert ruling(doubted) == ("fail", 1)
    assert doubted["reason"] == (
        "The target flooded 2 connections, so loadtest gave them up. A worker was lost."
    )
    # Of a run that is not in doubt the thresholds decide, as with every close.
    assert ruling(verdict(HELD, totals_=flood)) == ("pass", 0)


def test_events_that_nobody_asked_for_without_end_fail_a_run_whose_generator_had_too_much_to_do() -> None:
    busy = RunWarning("generator_saturated", "The generator was busy.", "", {}, spoils=True)
    matched, connections = 200, 4
    bound = matched * connections * OVERRUN
    flood = good_totals({"events.unmatched": bound + 1, "events.received": matched + bound + 1})
    flooded = verdict(HELD, totals_=flood, notices=(busy, not_offered(1)))
    assert ruling(flooded) == ("fail", 1)
    assert flooded["reason"].startswith("The target flooded loadtest: ")
    assert flooded["reason"].endswith("The generator was busy. Some were not begun.")
    # All that was asked for, and all of it to everybody: that may be a chat whose file does not say so.
    fewer = good_totals({"events.unmatched": bound, "events.received": matched + bound})
    assert ruling(verdict(HELD, totals_=fewer, notices=(busy,))) == ("invalid", 4)
    # Nothing matched: the protocol file may look in the wrong place.
    none = good_totals({"events.matched": 0, "events.unmatched": bound + 1})
    assert ruling(verdict(HELD, totals_=none, notices=(busy,))) == ("invalid", 4)
    # No flood loses a worker of ours; and what did not harm the run is judged by its thresholds.
    assert ruling(verdict(HELD, totals_=flood, notices=(busy, SPOILS))) == ("invalid", 4)
    assert ruling(verdict(HELD, totals_=flood))[0] != "invalid"


def test_a_flood_that_the_generator_bore_fails_the_run_too() -> None:
    matched, connections, lasted_s = 200, 4, 12
    many = FLOOD_PER_S * connections * lasted_s
    plan = {"load__planned": {"warmup_s": 2.0, "duration_s": 10.0}}
    assert many > matched * connections * OVERRUN

    def told(
        unmatched: int, *thresholds: str, notices: tuple[RunWarning, ...] = (), **more: Any
    ) -> dict[str, Any]:
        totals_ = good_totals({"events.unmatched": unmatched, "events.received": matched + unmatched})
        asked = [parse_threshold("events.unmatched", each) for each in thresholds]
        return verdict(HELD, *asked, totals_=totals_, notices=notices, **(more or plan))

    flooded = told(many + 1)
    assert ruling(flooded) == ("fail", 1)
    assert flooded["reason"].startswith("The target flooded loadtest: 48,001 events belong to no turn, ")
    assert "`ignore`" in flooded["reason"]
    # A feed whose events the protocol file does not name is slower.
    assert "flooded" not in told(many)["reason"]
    # The user has said how many are right; the plan does not say how long it lasts.
    assert "flooded" not in told(many + 1, "< 1000000")["reason"]
    assert "flooded" not in told(many + 1, load__planned={"duration_s": None, "warmup_s": None})["reason"]
    # In the closed model a generator that is too busy does not spoil the run.
    busy = RunWarning("generator_saturated", "The generator was busy.", "", {}, spoils=False)
    fewer = matched * connections * OVERRUN + 1
    assert "flooded" in told(fewer, notices=(busy,))["reason"]
    assert "flooded" not in told(fewer)["reason"]


def not_offered(missing: int, what: str = "turns") -> RunWarning:
    numbers = {"missing": missing, "asked": 41, "what": what}
    return RunWarning("load_not_reached_by_generator", "Some were not begun.", "", numbers, spoils=True)


def test_what_misses_however_the_rest_would_have_gone_is_a_fail() -> None:
    half = good_totals({"turns.complete": 20, "turns.timed_out": 20})
    found = verdict(HELD, MISSED, totals_=half, notices=(not_offered(1),))
    assert ruling(found) == ("fail", 1)
    assert found["reason"] == (
        "1 of 2 thresholds missed: turns.complete.ratio was 50.0 %, not >= 99%. Some were not begun."
    )
    assert ruling(verdict(HELD, totals_=half, notices=(not_offered(20),))) == ("invalid", 4)
    assert ruling(verdict(HELD, totals_=half, notices=(not_offered(1), SPOILS))) == ("invalid", 4)
    assert ruling(verdict(HELD, totals_=half, notices=(not_offered(1, "connections"),))) == ("invalid", 4)
    assert ruling(verdict(HELD, notices=(not_offered(1),))) == ("invalid", 4)
    assert ruling(verdict(MISSED, totals_=half, notices=(not_offered(1),))) == ("invalid", 4)


# ------------------------------------------------------------------ our own delay


RESPONSE = parse_threshold("turn.first_event.p95", "< 100ms")


def late(response: float, service: float, lateness: float, **fields: Any) -> Totals:
    values = {
        "turn.first_event": [response] * 40,
        "turn.first_event.service": [service] * 40,
        "send.lateness": [lateness] * 40,
    }
    return good_totals(None, values, **fields)


LAGGING = {"cpu": 0.5, "loop_lag_ns": 80e6}


@pytest.mark.parametrize(
    ("response", "service", "lateness", "gauges", "outcome"),
    [
        (150.0, 90.0, 60.0, LAGGING, "not_measured"),
        (150.0, 120.0, 30.0, LAGGING, "missed"),
        (150.0, 90.0, 5.0, LAGGING, "missed"),
        (90.0, 40.0, 50.0, LAGGING, "held"),
        (190.0, 90.0, 80.0, LAGGING, "missed"),
        (150.0, 120.0, 70.0, LAGGING, "missed"),
        (150.0, 90.0, 60.0, {"loop_lag_ns": 1e6}, "missed"),
    ],
)
def test_a_miss_that_our_own_delay_may_have_caused_is_not_decided(
    response: float, service: float, lateness: float, gauges: dict[str, float], outcome: str
) -> None:
    row = verdict(RESPONSE, totals_=late(response, service, lateness, gauges=gauges))["thresholds"][0]
    assert row["outcome"] == outcome
    assert (row["reason"] is not None) is (outcome in {"not_measured", "held"})
    if outcome == "held":
        assert row["reason"] == "an upper bound: the generator was 50 ms late"


@pytest.mark.parametrize(
    ("service", "read_late", "outcome"),
    [(120.0, 30.0, "not_measured"), (120.0, 10.0, "missed"), (90.0, 30.0, "not_measured")],
)
def test_a_service_time_that_is_an_upper_bound_proves_no_miss(
    service: float, read_late: float, outcome: str
) -> None:
    """Half of the events shared a read: when each came is not known better than how late we read."""
    values = {
        "turn.first_event": [150.0] * 40,
        "turn.first_event.service": [service] * 40,
        "send.lateness": [60.0] * 40,
        "receive.lag": [read_late] * 200,
    }
    found = good_totals({"events.coalesced": 100}, values, gauges=LAGGING)
    row = verdict(RESPONSE, totals_=found)["thresholds"][0]
    assert row["outcome"] == outcome
    if service > 100 and outcome == "not_measured":
        assert row["reason"].endswith("this may be the cause, because service time is an upper bound too")


@pytest.mark.parametrize(
    ("model", "lateness", "outcome"),
    [("closed", 11.0, "not_measured"), ("closed", 9.0, "held"), ("open", 11.0, "held")],
)
def test_a_saturated_closed_generator_leaves_response_times_undecided(
    model: str, lateness: float, outcome: str
) -> None:
    busy = late(50.0, 40.0, lateness, gauges={"cpu": 0.99})
    row = verdict(RESPONSE, totals_=busy, model=model)["thresholds"][0]
    assert row["outcome"] == outcome
    if outcome == "not_measured":
        assert (
            row["reason"]
            == "the generator was saturated, and its own lateness of 11 ms is too near the limit"
        )


@pytest.mark.parametrize(
    ("name", "expression", "metric"),
    [
        ("turn.first_event.p95", "< 1s", "turn.first_event"),
        ("turn.completion.p99_9", "<= 1s", "turn.completion"),
        ("turn.completion.p95", "> 1s", None),
        ("turn.completion.service.p95", "< 1s", None),
        ("turn.completion.n", "< 5", None),
        ("turns.complete", "< 5", None),
    ],
)
def test_thresholds_of_response_time_are_those_from_the_intended_instant(
    name: str, expression: str, metric: str | None
) -> None:
    assert response_metric(parse_threshold(name, expression)) == metric


def test_the_tightest_limit_of_response_time() -> None:
    assert tightest_ms((RESPONSE, MISSED, HELD)) == 0.001
    assert tightest_ms((HELD,)) is None


# ------------------------------------------------------------------ stages and precedence


def test_a_threshold_of_a_stage_is_judged_on_that_stage() -> None:
    threshold = parse_threshold("turns.complete", ">= 10", stage=1)
    made = {**manifest(), **summarise(manifest(), good_totals())}
    stage = {**made, **summarise(manifest(), good_totals({"turns.complete": 3, "turns.timed_out": 37}))}
    found = judge(made, [], [threshold], {threshold: stage})
    assert found["thresholds"][0]["stage"] == 1
    assert found["reason"] == "1 of 1 thresholds missed: turns.complete of stage 2 was 3, not >= 10."
    absent = judge(made, [], [threshold])
    assert ruling(absent) == ("invalid", 4)
    assert absent["thresholds"][0]["reason"] == "the intervals of this stage were not stored"


CAUSES: list[tuple[str, Exit]] = [
    ("config", Exit.CONFIG),
    ("internal", Exit.INTERNAL),
    ("interrupted", Exit.INTERRUPTED),
    ("unreachable", Exit.UNREACHABLE),
    ("spoilt", Exit.INVALID),
    ("missed", Exit.FAIL),
    ("open", Exit.INVALID),
]
"""In order of precedence."""


def with_causes(causes: set[str]) -> dict[str, Any]:
    made = manifest(interrupted="interrupted" in causes)
    if "internal" in causes:
        made["failure"] = {"exit_code": 70}
    if "config" in causes:
        made["failure"] = {"exit_code": 2}
    counters = dict.fromkeys(("connections.ready", "connections.established"), 0)
    sums = good_totals(
        counters if "unreachable" in causes else None, moves=[] if "unreachable" in causes else [(0, 1)]
    )
    thresholds = [HELD, *([MISSED] if "missed" in causes else []), *([OPEN] if "open" in causes else [])]
    return judge({**made, **summarise(made, sums)}, [SPOILS] if "spoilt" in causes else [], thresholds)


@pytest.mark.parametrize(("first", "second"), list(combinations(CAUSES, 2)))
def test_of_two_causes_the_first_in_order_decides(first: tuple[str, Exit], second: tuple[str, Exit]) -> None:
    assert with_causes({first[0], second[0]})["exit_code"] == first[1]
    assert with_causes({second[0]})["exit_code"] == second[1]


@given(st.sets(st.sampled_from([name for name, _ in CAUSES])))
def test_the_verdict_is_total_and_never_a_pass_with_a_cause(causes: set[str]) -> None:
    found = with_causes(causes)
    expected = next((code for name, code in CAUSES if name in causes), Exit.PASS)
    assert found["exit_code"] == expected
    assert type(found["exit_code"]) is int
    assert found["reason"].endswith(".")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "counts",
                        "connections",
                        "ready",
                        "measured",
                        "events",
                        "turns",
                        "due",
                        "generator",
                        "failure",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).filter(lambda made: isinstance(made, dict))
)
def test_any_manifest_gets_a_verdict(made: dict[str, Any]) -> None:
    found = judge(made, [], [HELD, MISSED, parse_threshold("connections.refused", "< 1")])
    assert found["outcome"] in {"pass", "fail", "invalid", "unreachable", "interrupted", "error"}
    assert found["exit_code"] != 0 or all(row["outcome"] == "held" for row in found["thresholds"])


def test_times_are_not_judged_where_answers_may_be_another_turns() -> None:
    completion = parse_threshold("turn.completion.p95", "< 1s")
    few = verdict(HELD, completion, totals_=good_totals({"events.after_timeout": 2}))
    assert ruling(few) == ("pass", 0)
    many = verdict(HELD, completion, totals_=good_totals({"events.after_timeout": 3}))
    assert ruling(many) == ("invalid", 4)
    assert [row["outcome"] for row in many["thresholds"]] == ["held", "not_measured"]
    assert "matched by order" in many["thresholds"][1]["reason"]
    missed = parse_threshold("turns.complete.ratio", "> 100%")
    assert ruling(verdict(missed, completion, totals_=good_totals({"events.after_timeout": 3}))) == (
        "fail",
        1,
    )


def test_a_miss_names_its_first_cause() -> None:
    causes = (
        RunWarning("turns_timed_out", "2 turns timed out.", "", {}),
        RunWarning("unexpected_closes", "2 connections ended.", "", {}),
        RunWarning("unexpected_closes", "Another.", "", {}),
    )
    found = verdict(MISSED, notices=(*causes, RunWarning("coalesced_reads", "A remark.", "", {})))
    assert found["reason"].endswith("not < 1us. 2 connections ended.")
    assert verdict(HELD, notices=causes)["reason"] == "Its one threshold was measured and passed."


def test_what_was_not_measured_names_its_first_cause_too() -> None:
    causes = (
        RunWarning("turns_timed_out", "2 turns timed out.", "", {}),
        RunWarning("turn_path_never_matched", "No event carried the id of a turn.", "", {}),
    )
    unknown = parse_threshold("connect.tls.p95", "< 1s")
    found = verdict(unknown, notices=causes)
    assert ruling(found) == ("invalid", 4)
    assert found["reason"].endswith(". No event carried the id of a turn.")
    silent = verdict(totals_=good_totals({"events.matched": 0}), notices=causes)
    assert ruling(silent) == ("invalid", 4)
    assert silent["reason"].endswith("so nothing was measured. No event carried the id of a turn.")


def test_a_task_that_raised_fails_a_run_whose_thresholds_held() -> None:
    raised = RunWarning("tasks_raised", "3 times a task raised an exception.", "", {})
    found = verdict(HELD, notices=(raised,))
    assert ruling(found) == ("fail", 1)
    assert found["reason"] == "3 times a task raised an exception."
    assert ruling(verdict(HELD, OPEN, notices=(raised,))) == ("fail", 1)
    assert ruling(verdict(HELD, notices=(raised, SPOILS))) == ("invalid", 4)


@pytest.mark.parametrize(
    ("reason", "likely"),
    [
        ("ready: waited for a message with type = hello", "did not do what the protocol expects"),
        ("upgrade: no answer yet", "does not answer the upgrade"),
        ("tls: no answer yet", "does not answer the TLS handshake"),
        ("proxy: no answer yet", "did not connect to the target"),
        ("prepare: not done yet", "A step of [[prepare]] failed"),
        ("tcp: no answer yet", "does not answer. Is the address right"),
    ],
)
def test_connections_that_were_still_opening_are_told_with_where_they_stood(reason: str, likely: str) -> None:
    found = verdict(totals_=totals({"connections.attempted": 4}), still_opening={reason: 4})
    assert ruling(found) == ("unreachable", 3)
    assert f"; still opening at the end: {reason} (4). " in found["reason"]
    assert likely in found["reason"]


@pytest.mark.parametrize("layer", ["tls", "upgrade"])
def test_a_layer_that_never_answered_is_not_told_as_one_that_said_no(layer: str) -> None:
    silent = totals({"connections.attempted": 1, f"connections.refused.{layer}": 1})
    found = verdict(totals_=silent, refusals={f"{layer}: no answer within 10 s": 1})
    assert "does not answer the" in found["reason"]


ENDLESS = {"scenario__settings__protocol": {"events": {"turn": ["id"]}}}
ENDS = {"scenario__settings__protocol": {"events": {"end": ["done"]}}}
LEAVERS = {"scenario__settings__chaos": {"leavers": {"share": "10%"}}}


def test_turns_without_an_end_need_an_event() -> None:
    silent = good_totals({"turns.complete": 0, "turns.timed_out": 40, "turns.no_first_event": 35})
    found = verdict(totals_=silent, **ENDLESS)
    assert ruling(found) == ("fail", 1)
    assert "turns due got no event." in found["reason"]
    answered = good_totals({"turns.complete": 0, "turns.abandoned": 40, "turns.no_first_event": 0})
    assert ruling(verdict(totals_=answered, **ENDLESS)) == ("pass", 0)


def test_connections_that_are_only_held_are_to_stay_open() -> None:
    closed = good_totals({"connections.closed.1011": 4})
    held = {"scenario__settings__traffic": {"turns": 0}}
    assert verdict(totals_=closed, **held)["reason"] == "4 of 4 ready connections were closed."
    allowed = parse_threshold("connections.closed", "<= 4")
    assert ruling(verdict(allowed, totals_=closed, **held)) == ("pass", 0)
    assert ruling(verdict(totals_=closed)) == ("pass", 0)


@pytest.mark.parametrize("load", [{"load__model": "closed"}, ENDLESS], ids=["closed", "endless"])
def test_a_load_that_lost_its_connections_does_not_pass(load: dict[str, Any]) -> None:
    back: dict[str, Any] = {**load, "scenario__settings__load": {"reconnect": True}}
    for code in (1000, 1006):
        lost = good_totals({f"connections.closed.{code}": 1})
        assert (
            verdict(totals_=lost, **load)["reason"]
            == "1 of 4 users lost their connection and did not reconnect."
        )
        allowed = parse_threshold("connections.closed", "<= 1")
        assert ruling(verdict(allowed, totals_=lost, **load)) == ("pass", 0)
        assert ruling(verdict(totals_=lost, **back)) == ("pass", 0)
    away = {"connections.closed.1006": 1, "connections.away": 1}
    assert ruling(verdict(totals_=good_totals(away), **back)) == ("pass", 0), "between two connections"
    refused = good_totals({**away, "connections.refused.tcp": 1})
    assert ruling(verdict(totals_=refused, **back)) == ("fail", 1)
    gave_up = good_totals({"connections.closed.1006": 1, "connections.given_up": 1})
    assert ruling(verdict(totals_=gave_up, **back)) == ("fail", 1)
    assert ruling(verdict(totals_=lost, **load, **LEAVERS)) == ("pass", 0)


def test_turns_that_the_plan_took_away_are_no_failure() -> None:
    default = replace(HELD, default=True)
    left = good_totals({"turns.complete": 30, "turns.abandoned": 10})
    assert ruling(verdict(default, totals_=left, **ENDS, **LEAVERS)) == ("pass", 0)
    assert ruling(verdict(default, totals_=left, **ENDS)) == ("fail", 1)
    failed = good_totals({"turns.complete": 30, "turns.failed": 10})
    assert ruling(verdict(default, totals_=failed, **ENDS, **LEAVERS)) == ("fail", 1)
    lost = {"turns.complete": 30, "turns.lost": 10}
    assert ruling(verdict(default, totals_=good_totals(lost), **ENDS, **LEAVERS)) == ("pass", 0)
    closed = good_totals({**lost, "connections.closed.1011": 2})
    assert ruling(verdict(default, totals_=closed, **ENDS, **LEAVERS)) == ("fail", 1), (
        "the target closed some"
    )
    everybody = good_totals({"turns.complete": 0, "turns.abandoned": 40})
    row = verdict(default, totals_=everybody, **ENDS, **LEAVERS)["thresholds"][0]
    assert row["outcome"] == "not_measured"


def test_users_who_read_slowly_by_plan_are_no_failure() -> None:
    slow = {"scenario__settings__chaos": {"slow_readers": {"share": "20%", "rate": "4B/s"}}}
    default = replace(HELD, default=True)
    counted = {"turns.complete": 32, "turns.timed_out": 8, "chaos.slow.turns.timed_out": 8}
    assert ruling(verdict(default, totals_=good_totals(counted), **ENDS, **slow)) == ("pass", 0)
    others = {**counted, "chaos.slow.turns.timed_out": 4}
    assert ruling(verdict(default, totals_=good_totals(others), **ENDS, **slow)) == ("fail", 1)


def test_a_login_that_a_ready_step_sends_is_looked_for_there() -> None:
    refused = totals({"connections.attempted": 3, "connections.refused.auth": 3})
    connect = {"ready": [{"send": "login"}, {"wait": "hello"}]}
    known = {"scenario": {"settings": {"protocol": {"connect": connect}}}}
    reason = "auth: the target answered denied: no such user"
    found = verdict(HELD, totals_=refused, **known, refusals={reason: 3})
    assert reason in found["reason"]
    assert "refused a message that a `ready` step of the protocol sends" in found["reason"]
    found = verdict(HELD, totals_=refused, **known, refusals={"auth: the target answered HTTP 401 No": 3})
    assert "or a credential is missing: set one in [target] as auth" in found["reason"]


def test_thresholds_in_doubt_are_told_apart_from_unmeasured_ones_and_each_reason_once() -> None:
    values = {
        "turn.first_event": [150.0] * 40,
        "turn.first_event.service": [90.0] * 40,
        "send.lateness": [60.0] * 40,
    }
    median = parse_threshold("turn.first_event.p50", "< 100ms")
    found = verdict(RESPONSE, median, OPEN, totals_=good_totals(None, values, gauges=LAGGING))
    assert [row["outcome"] for row in found["thresholds"]] == ["not_measured"] * 3
    assert found["reason"] == (
        "2 of 3 thresholds in doubt: turn.first_event.p95, turn.first_event.p50 (the generator's own lateness"
        " of 60 ms may be the cause, because service time passes); 1 not measured: turn.completion.p99 (not"
        " enough samples: n = 40, but p99 needs 100)."
    )
