from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pytest

from loadtest.judge import target_warnings
from loadtest.judge.judge_run import find_warnings
from loadtest.judge.summary import summarise
from loadtest.judge.thresholds import thresholds_of
from loadtest.judge.turn_warnings import seconds
from loadtest.judge.warnings import KINDS, RunWarning, shown, warning, warnings_page
from loadtest.measure.totals import Totals
from tests.judge.made import MS, S, codes, good_totals, good_turns, judged, manifest, row, table, totals

STEP = 15_600_000
DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "notices.md"


def notices(
    totals_: Totals | None = None, turns: Any = None, thresholds: dict[str, Any] | None = None, **changes: Any
) -> dict[str, RunWarning]:
    made = manifest(thresholds, **changes)
    sums = good_totals() if totals_ is None else totals_
    rows = good_turns() if turns is None else turns
    summed = {**made, **summarise(made, sums, rows)}
    found = find_warnings(summed, sums, rows, thresholds_of(made))
    return {each.code: each for each in found}


def summed(sums: dict[str, Any]) -> Totals:
    return good_totals(**sums)


def test_a_good_run_has_none() -> None:
    assert notices() == {}
    assert notices(thresholds={"turn.first_event.p95": "< 100ms"}) == {}


SILENT = {
    "events.matched": 0,
    "events.expected": 0,
    "turns.numbered": 0,
    "turns.complete": 0,
    "turns.abandoned": 40,
}
"""No turn was answered; we left them."""

TYPO = {"turns.abandoned": 0, "turns.timed_out": 40, "turns.timed_out_after.finished": 40}
"""The protocol's end never came."""

TASKS = {"raised": {"AssertionError (chat.py:9 in ask)": 3}, "failed": {}}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    (
        "type_path_never_matched",
        {"counters": {"turns.complete": 0, "turns.timed_out": 40, "turns.timed_out_after.(no type)": 40}},
        {},
        False,
    ),
    ("simulated_target", {}, {"target__simulated": True}, False),
    (
        "tasks_raised",
        {"counters": {"tasks.raised": 3, "tasks.raised_by.AssertionError": 3}},
        {"tasks": TASKS},
        False,
    ),
    ("tasks_failed", {"counters": {"tasks.failed": 1}}, {}, False),
    ("generator_saturated", {"gauges": {"cpu": 0.99}}, {}, True),
    ("generator_saturated", {"gauges": {"cpu": 0.99}}, {"model": "closed"}, False),
    ("generator_unwatched", {"gauges": {"loop_lag_ns": 1.0 * MS}}, {}, True),
    (
        "cpu_not_read",
        {"gauges": {}},
        {"observed": [{"code": "cpu_not_read", "numbers": {"system": "somewhere"}}]},
        False,
    ),
    ("generator_stood_still", {"gauges": {"cpu": 0.2, "loop_lag_ns": 1000.0 * MS}}, {}, True),
    ("generator_starved", {"gauges": {"cpu": 0.2, "run_delay": 0.21}}, {}, False),
    (
        "generator_late",
        {"histograms": {"send.lateness": [30.0] * 40}, "gauges": {"cpu": 0.2, "loop_lag_ns": 30.0 * MS}},
        {},
        False,
    ),
    ("load_not_reached_by_generator", {"counters": {"turns.due": 50, "turns.not_attempted": 10}}, {}, True),
    (
        "load_not_reached_by_generator",
        {
            "counters": {
                "turns.due": 400,
                "turns.not_attempted": 1,
                "turns.begun": 399,
                "turns.complete": 399,
                "turns.numbered": 399,
            }
        },
        {},
        False,
    ),
    (
        "connections_not_opened",
        {"counters": {"connections.attempted": 6, "connections.not_opened.EMFILE": 2}},
        {},
        True,
    ),
    ("replies_by_order_after_timeout", {"counters": {"events.after_timeout": 1}}, {}, False),
    ("answers_by_order_unsure", {"counters": {"events.order_unsure": 1}}, {}, False),
    ("answers_contradict_order", {"counters": {"turns.failed_by.interleaved": 1}}, {}, False),
    ("clock_step_injected", {}, {"clock__step_ns": STEP}, False),
    ("clock_coarse", {}, {"clock__resolution_ns": STEP}, False),
    ("coalesced_reads", {"counters": {"events.coalesced": 3}}, {}, False),
    ("coalesced_reads", {"counters": {"events.coalesced": 2, "turns.end_coalesced": 3}}, {}, False),
    ("ledger_does_not_add_up", {"counters": {"turns.complete": 39}}, {}, True),
    ("interrupted", {}, {"interrupted": True}, False),
    ("cut_short", {}, {"status": "cut short"}, True),
    ("foreign_events", {"counters": {"events.foreign": 1}}, {}, False),
    ("malformed_events", {"counters": {"events.malformed": 1}}, {}, False),
    ("delivery_faults", {"counters": {"events.lost": 1}}, {}, False),
    ("delivery_faults", {"counters": {"events.unpaired": 1}}, {}, False),
    ("sequence_not_followed", {"counters": {"turns.misnumbered_by.gap_too_wide": 1}}, {}, False),
    (
        "refused_connections",
        {"counters": {"connections.attempted": 5, "connections.refused.auth": 1}},
        {},
        False,
    ),
    ("unexpected_closes", {"counters": {"connections.closed.1006": 1}}, {}, False),
    (
        "turn_path_never_matched",
        {"counters": {**SILENT, "events.unmatched": 200, "events.unmatched_with.kind, re": 20}},
        {},
        False,
    ),
    (
        "end_never_seen",
        {"counters": {**SILENT, **TYPO, "events.matched": 200, "events.expected": 200}},
        {"scenario__settings__protocol": {"events": {"end": ["finishd"]}}},
        False,
    ),
    (
        "turns_timed_out",
        {"counters": {"turns.complete": 38, "turns.timed_out": 2, "turns.timed_out_after.(none)": 2}},
        {},
        False,
    ),
    ("pings_unanswered", {"counters": {"pings.sent": 9, "pings.answered": 4}}, {}, False),
    (
        "heartbeats_unanswered",
        {"counters": {"heartbeats.sent": 9, "heartbeats.missed": 1, "connections.silent": 1}},
        {},
        False,
    ),
    (
        "compression_not_negotiated",
        {"counters": {"compression.not_negotiated": 3, "compression.negotiated": 2}},
        {},
        False,
    ),
    ("messages_not_taken", {"counters": {"codec.not_taken": 3}}, {}, False),
    ("messages_not_encoded", {"counters": {"codec.unsendable": 3}}, {}, True),
    ("requests_not_sent", {"counters": {"http.unsent": 3}}, {}, True),
    ("answers_withheld", {"counters": {"events.answered": 2000, "events.unanswered": 4}}, {}, False),
    (
        "address_failed",
        {"counters": {"connections.address_connected.127.0.0.1": 4, "connections.address_failed.::1": 4}},
        {},
        False,
    ),
    (
        "address_changed",
        {"counters": {"connections.lookups": 1, "connections.address_found.::1": 1}},
        {},
        False,
    ),
    ("lookups_failed", {"counters": {"connections.lookups_failed": 3}}, {}, False),
    ("worker_lost", {}, {"observed": [{"code": "worker_lost", "numbers": {"worker": 1}}]}, True),
    ("intervals_refused", {}, {"observed": [{"code": "intervals_refused", "numbers": {"n": 2}}]}, True),
    (
        "copies_not_followed",
        {},
        {"observed": [{"code": "copies_not_followed", "numbers": {"reason": "too many"}}]},
        False,
    ),
    ("clock_stepped", {}, {"observed": [{"code": "clock_stepped", "numbers": {"by_ms": -40.0}}]}, True),
    (
        "proxied",
        {},
        {"observed": [{"code": "proxied", "numbers": {"proxy": "http://a:1", "variable": "http_proxy"}}]},
        False,
    ),
    ("other_hosts", {}, {"observed": [{"code": "other_hosts", "numbers": {"hosts": "a, b"}}]}, False),
    (
        "proxy_ignored",
        {},
        {"observed": [{"code": "proxy_ignored", "numbers": {"variables": "https_proxy"}}]},
        False,
    ),
    ("connections_never_due", {}, {"load__planned__never_due": 1}, False),
    ("stray_errors", {"counters": {"events.stray_errors": 1}}, {}, False),
    ("ends_came_again", {"counters": {"turns.ended_again": 1}}, {}, False),
    ("requests_refused", {"counters": {"turns.request_refused": 1}}, {}, False),
    (
        "not_undone",
        {"counters": {"connections.not_undone": 2}},
        {"not_undone": {"one: HTTP 500": 2}},
        False,
    ),
    ("left_unanswered", {"counters": {"connections.left_unanswered": 1}}, {}, False),
    ("insecure_tls", {}, {"observed": [{"code": "insecure_tls"}]}, False),
    (
        "turns_sampled",
        {},
        {"observed": [{"code": "turns_sampled", "numbers": {"turns": 9, "one_in": 2}}]},
        False,
    ),
    (
        "answers_sound_wrong",
        {},
        {"observed": [{"code": "answers_sound_wrong", "numbers": {"answers": 9, "type": "unauthorized"}}]},
        False,
    ),
    ("limits_low", {}, {"observed": [{"code": "limits_low", "numbers": {"nofile": 1024}}]}, False),
    (
        "not_linux_no_kernel_stamps",
        {},
        {"observed": [{"code": "not_linux", "numbers": {"system": "Darwin"}}]},
        False,
    ),
    ("results_not_written", {}, {"observed": [{"code": "results_not_written"}]}, True),
    ("aborted", {}, {"observed": [{"code": "aborted", "numbers": {"rule": "turns.lost > 3"}}]}, False),
]


@pytest.mark.parametrize(("code", "sums", "changes", "spoils"), CASES)
def test_each_is_raised_alone_by_its_cause(
    code: str, sums: dict[str, Any], changes: dict[str, Any], *, spoils: bool
) -> None:
    found = notices(summed(sums), **changes)
    assert list(found) == [code]
    assert found[code].spoils is spoils
    assert found[code].remedy
    assert "{" not in found[code].message


def test_every_kind_has_a_case() -> None:
    elsewhere = {
        "load_not_reached_by_target",
        "too_few_samples",
        "batched_not_streamed",
        "rate_limited_by_plan",
        "age_by_two_clocks",
        "target_clock_differs",
        "pace_not_kept",
    }
    assert {code for code, *_ in CASES} | elsewhere == set(KINDS)


def test_those_that_spoil_the_run_come_first() -> None:
    found = notices(good_totals(gauges={"cpu": 0.99}), target__simulated=True)
    assert list(found) == ["generator_saturated", "simulated_target"]


def test_a_busy_generator_is_told_in_numbers() -> None:
    told = notices(good_totals(gauges={"cpu": 0.99}))["generator_saturated"]
    assert told.message == (
        "A generator process used 99.0 % of a core on average and 99.0 % at most"
        " (10 of 10 seconds above 90 %)."
    )
    assert told.numbers == {"mean": pytest.approx(0.99), "max": 0.99, "saturated": 10, "seconds": 10}


def test_one_busy_second_is_a_remark() -> None:
    made = good_totals(seconds=30)
    made.seconds[3].gauges["cpu"] = 0.95
    told = notices(made, load__planned__duration_s=30.0)["generator_saturated"]
    assert not told.spoils


@pytest.mark.parametrize(
    ("lateness", "thresholds", "told"),
    [
        (9.0, {}, False),
        (11.0, {}, True),
        (11.0, {"turn.completion.p95": "< 1s"}, False),
        (9.0, {"turn.completion.p95": "< 1s", "turn.first_event.p95": "< 80ms"}, True),
    ],
)
def test_lateness_is_held_against_the_tightest_limit(
    lateness: float, thresholds: dict[str, str], *, told: bool
) -> None:
    made = good_totals(None, {"send.lateness": [lateness] * 40}, gauges={"loop_lag_ns": 90 * MS})
    assert ("generator_late" in notices(made, thresholds=thresholds)) is told


@pytest.mark.parametrize(("unmatched", "told"), [(0, {}), (3, {}), (5, {"unmatched": 2})])
def test_answers_to_messages_that_we_broke_are_no_fault_of_delivery(
    unmatched: int, told: dict[str, int]
) -> None:
    made = good_totals({"chaos.malformed.sent": 3, "events.unmatched": unmatched, "events.received": 205})
    found = notices(made)
    assert [dict(each.numbers) for each in found.values() if each.code == "delivery_faults"] == (
        [told] if told else []
    )


@pytest.mark.parametrize(("late", "told"), [(15, {}), (17, {"late": 2})])
def test_what_follows_the_error_of_a_turn_is_no_fault_of_delivery(late: int, told: dict[str, int]) -> None:
    made = good_totals({"events.after_failure": 15, "events.late": late, "events.received": 220})
    found = notices(made)
    assert [dict(each.numbers) for each in found.values() if each.code == "delivery_faults"] == (
        [told] if told else []
    )


def test_numbers_that_cannot_be_followed_are_told_by_kind() -> None:
    by = {"gap_too_wide": 2, "below_start": 1, "not_whole": 1}
    wild = good_totals({f"turns.misnumbered_by.{name}": n for name, n in by.items()})
    told = notices(wild)["sequence_not_followed"]
    assert told.numbers == {"turns": 4, "begun": 40, "by": by}
    assert told.message.startswith(
        "4 of 40 turns carried sequence numbers that do not count their events (2 with a gap of more than"
        " 65,536, 1 below `sequence_start`, 1 that is not a whole number). "
    )
    by_order = dict.fromkeys(("lost", "duplicate", "out_of_order"), "by order")
    assert "sequence_not_followed" not in notices(wild, unmeasured=by_order)


def test_the_target_is_not_to_blame_for_our_load_nor_we_for_its() -> None:
    counters = {"turns.due": 50, "turns.not_attempted": 10, "connections.closed.1001": 1}
    found = notices(good_totals(counters))
    assert set(found) == {"load_not_reached_by_target", "unexpected_closes"}
    assert not any(each.spoils for each in found.values())
    assert found["load_not_reached_by_target"].numbers == {"missing": 10, "asked": 50, "what": "turns"}


@pytest.mark.parametrize(
    ("not_begun", "told"),
    [
        (7, "the target did not read: 7 fell due while 16 MiB waited on their connection."),
        (
            10,
            "let them wait, or did not read: 7 fell due while 16 MiB waited on their connection.",
        ),
    ],
)
def test_turns_that_the_target_did_not_read_are_told(not_begun: int, told: str) -> None:
    counters = {
        "turns.due": 40 + not_begun,
        "turns.not_attempted": not_begun,
        "turns.not_attempted_by.backlog": 7,
    }
    found = notices(good_totals(counters))["load_not_reached_by_target"]
    assert found.message.endswith(told)
    assert found.numbers["not_read"] == 7


def test_a_threshold_that_needs_more_samples_says_how_many() -> None:
    wanted = {
        "turn.completion.p99": "< 1s",
        "turn.completion.p95": "< 1s",
        "ping.rtt.p50": "< 1s",
        "turns.lost": "< 1",
    }
    stages = [{"for": "10s", "connections": 4, "thresholds": {"turn.completion.p99_9": "< 1s"}}]
    found = notices(thresholds=wanted, scenario__settings__load__stages=stages)
    assert found["too_few_samples"].numbers == {"name": "turn.completion.p99", "needed": 100, "n": 40}
    assert set(found) == {"too_few_samples"}


def test_a_rate_that_repeats_the_plan_is_told_once() -> None:
    wanted = {
        "rates.turns_per_s": ["> 1/s", "< 9/s"],
        "rates.connections_per_s": "> 1/s",
        "turns.complete": "> 1",
    }
    found = notices(thresholds=wanted)
    assert list(found) == ["rate_limited_by_plan"]
    assert found["rate_limited_by_plan"].numbers == {"name": "rates.turns_per_s", "value": 4.0, "n": 40}


def test_refusals_and_closes_are_told_by_kind() -> None:
    made = good_totals(
        {
            "connections.attempted": 7,
            "connections.refused.auth": 1,
            "connections.refused.tcp": 2,
            "connections.closed.1006": 3,
        }
    )
    found = notices(made)
    assert (
        found["refused_connections"].message
        == "3 of 7 connection attempts to the target were refused: 1 at auth, 2 at tcp."
    )
    closes = found["unexpected_closes"]
    assert closes.message == (
        "3 connections ended before we left them, in second 1 of the run: 3 with code 1006."
    )
    assert closes.numbers == {"closed": 3, "codes": {"1006": 3}, "ended_by_us": {}, "reasons": {}}


def test_a_connection_that_we_gave_up_is_told_with_its_reason() -> None:
    made = {"connections.closed.1006": 3, "connections.silent": 2, "connections.broken_frames": 1}
    found = notices(good_totals({**made, "pings.sent": 4, "pings.answered": 2}))
    assert set(found) == {"unexpected_closes", "pings_unanswered"}
    assert found["unexpected_closes"].numbers["ended_by_us"] == {"silent": 2, "broken": 1}
    assert (
        "3 with code 1006; given up by us: 2 that answered no ping and sent nothing else within"
        " ping_timeout, 1 that broke" in (found["unexpected_closes"].message)
    )
    assert found["pings_unanswered"].numbers == {"unanswered": 2, "sent": 4}


def test_pings_may_be_on_their_way_at_the_end() -> None:
    assert notices(good_totals({"pings.sent": 9, "pings.answered": 5})) == {}
    assert notices(good_totals({"pings.sent": 19, "pings.answered": 5, "pings.in_flight": 10})) == {}


def test_an_address_that_failed_beside_one_that_did_not_is_told() -> None:
    counted = {
        "connections.address_connected.127.0.0.1": 4,
        "connections.address_connected.127.0.0.2": 1,
        "connections.address_failed.::1": 4,
        "connections.address_failed.127.0.0.2": 1,
        "connections.address_called_off.127.0.0.2": 1,
    }
    target = {"addresses": ["[::1]:80", "127.0.0.1:80", "127.0.0.2:80"]}
    found = notices(good_totals(counted), target=target)["address_failed"]
    assert found.message == (
        "2 of the 3 addresses of the target's name failed:"
        " 127.0.0.2 in 1 of 2 attempts, ::1 in 4 of 4 attempts."
    )
    assert not found.spoils


def test_one_address_that_took_no_connection_for_a_while_is_told_by_the_refusals() -> None:
    counted = {"connections.address_connected.127.0.0.1": 4, "connections.address_failed.127.0.0.1": 2}
    assert "address_failed" not in notices(good_totals(counted), target={"address": "127.0.0.1:80"})


def test_a_name_that_led_elsewhere_in_mid_run_is_told_with_the_addresses_that_are_new() -> None:
    counted = {
        "connections.lookups": 3,
        "connections.lookups_failed": 2,
        "connections.address_found.::1": 1,
        "connections.address_found.127.0.0.2": 2,
        "connections.address_connected.127.0.0.2": 2,
        "connections.address_failed.::1": 1,
    }
    told = notices(good_totals(counted), target={"address": "[::1]:80"}, lookups_failed={"no such name": 2})
    assert told["address_changed"].numbers == {"lookups": 3, "found": ["127.0.0.2"]}
    assert "resolved to 127.0.0.2; it did not" in told["address_changed"].message
    assert told["lookups_failed"].message == (
        "2 of 5 lookups of the target's name in mid-run failed: no such name."
    )
    assert told["address_failed"].message.startswith("1 of the 2 addresses")
    many = {f"connections.address_found.10.0.0.{n}": 1 for n in range(7)}
    assert "10.0.0.4 and 2 more; it did not" in notices(good_totals(many))["address_changed"].message
    every = {"addresses": ["[::1]:80", "127.0.0.2:80"]}
    assert "address_changed" not in notices(good_totals(counted), target=every)


def test_where_every_address_failed_the_refusals_say_so() -> None:
    assert "address_failed" not in notices(good_totals({"connections.address_failed.::1": 4}))


def test_a_fact_is_told_once_with_its_numbers_and_some_are_told_elsewhere() -> None:
    lost = {"code": "worker_lost", "numbers": {"worker": 2, "rows": 12_000, "why": "killed", "held": True}}
    found = notices(
        observed=[lost, dict(lost), {"code": "server"}, {"code": "refusals", "numbers": {"a": 1}}]
    )
    assert list(found) == ["worker_lost"]
    assert found["worker_lost"].message.endswith(
        "not yet sent. (worker 2, rows 12,000, why killed, held True)"
    )


def test_the_same_fact_of_two_workers_is_told_twice_and_of_one_once() -> None:
    facts = [{"code": "clock_stepped", "numbers": {"worker": worker}} for worker in (0, 1, 1)]
    made = manifest(observed=facts)
    found = find_warnings({**made, **summarise(made, good_totals())}, good_totals())
    assert [each.numbers["worker"] for each in found] == [0, 1]


def test_a_fact_that_was_found_by_its_numbers_is_not_told_again() -> None:
    found = notices(clock__step_ns=STEP, observed=[{"code": "clock_step_injected"}])
    assert found["clock_step_injected"].numbers == {"step_ms": 15.6}


def test_a_fact_of_a_kind_of_its_own_is_told_in_its_own_words() -> None:
    row_ = {"code": "disk_full", "message": "The disk is full.", "remedy": "Empty it.", "spoils": True}
    assert notices(observed=[row_])["disk_full"] == RunWarning(
        "disk_full", "The disk is full.", "Empty it.", {}, spoils=True
    )
    plain = notices(observed=[{"code": "odd"}])["odd"]
    assert (plain.message, plain.remedy) == ("The generator noted odd.", "See run.log.")


# ------------------------------------------------------------------ streams and batches


def batched(n: int = 20, tail_ms: float = 1.0, service_ms: float = 500.0, **fields: Any) -> Any:
    return table(
        row(
            i,
            intended_ns=(at := i * S // 4),
            sent_ns=at,
            first_ns=at + round((service_ms - tail_ms) * MS),
            done_ns=at + round(service_ms * MS),
            **fields,
        )
        for i in range(n)
    )


GAPS = {"event.gap": [0.1] * 20}


def test_a_target_that_sends_everything_at_the_end_is_told_apart() -> None:
    found = notices(good_totals(None, GAPS), batched())
    assert list(found) == ["batched_not_streamed"]
    numbers = found["batched_not_streamed"].numbers
    assert numbers["turns"] == 20
    assert numbers["first_event_share"] == pytest.approx(499 / 500)
    assert numbers["spread_share"] == pytest.approx(2.0 / 40 / 500)
    assert numbers["service_ms"] == 500.0
    assert "99.8 %" in found["batched_not_streamed"].message


def test_turns_that_are_only_bounded_are_told_by_percentile() -> None:
    assert "coalesced_reads" not in notices(good_totals({"events.coalesced": 1, "turns.end_coalesced": 1}))
    found = notices(good_totals({"events.coalesced": 3, "turns.end_coalesced": 5}))["coalesced_reads"]
    assert found.numbers["bounds"]["turn.completion"] == ["p90", "p95"]
    assert "p90, p95 of turn.completion, turn.completion.service." in found.message
    assert "upper bounds" not in notices(good_totals({"events.coalesced": 3}))["coalesced_reads"].message


@pytest.mark.parametrize(
    ("cpu", "told"),
    [
        (0.028, "Nothing to do: the generator was not busy (CPU 2.8 %), so the target wrote the"),
        (0.7, "The generator was busy (CPU 70.0 %): use more --processes."),
        (None, "Whether the generator was busy is not known"),
    ],
)
def test_who_made_events_share_a_read_is_told_by_the_cpu(cpu: float | None, told: str) -> None:
    gauges = {"loop_lag_ns": MS} if cpu is None else {"cpu": cpu, "loop_lag_ns": MS}
    found = notices(good_totals({"events.coalesced": 30}, gauges=gauges))["coalesced_reads"]
    assert found.remedy.startswith(told)


def test_reads_that_were_shared_bend_nothing_where_nothing_was_timed() -> None:
    made = good_totals({"events.coalesced": 30}, {"turn.first_event": None})
    assert "coalesced_reads" not in notices(made)


# ------------------------------------------------------------------ causes


def test_a_wrong_turn_path_is_told_with_what_was_seen() -> None:
    made = good_totals({**SILENT, "events.unmatched": 200, "events.unmatched_with.kind, re, n": 20})
    protocol = {"events": {"turn": ["id"]}}
    found = notices(made, scenario__settings__protocol=protocol)
    assert list(found) == ["turn_path_never_matched"]
    told = found["turn_path_never_matched"]
    assert told.message == (
        "200 events came, and not one carried the id of a turn at `id`; top-level keys seen: kind, re, n."
    )
    assert told.numbers == {"unmatched": 200, "turn": ["id"], "keys": ["kind, re, n"]}


def test_an_end_that_never_comes_is_told_with_what_came_last() -> None:
    counters = {**SILENT, **TYPO, "turns.timed_out_after.finished": 38, "turns.timed_out_after.(none)": 2}
    made = good_totals({**counters, "events.matched": 200, "events.expected": 200})
    protocol = {"events": {"end": ["finishd"], "fail": ["broke"]}}
    told = notices(made, scenario__settings__protocol=protocol)["end_never_seen"]
    assert told.message == (
        "40 of 40 turns timed out, and no event ended a turn: none of `finishd`, `broke` came;"
        " the last event they received: `finished` (38), none at all (2)."
    )


@pytest.mark.parametrize("changes", [{"turns.complete": 1, "turns.timed_out": 39}, {"events.matched": 0}])
def test_turns_that_time_out_for_another_cause_are_told_plainly(changes: dict[str, int]) -> None:
    made = good_totals({**SILENT, **TYPO, "events.matched": 200, "events.expected": 200, **changes})
    found = notices(made, scenario__settings__protocol={"events": {"end": ["finishd"]}})
    assert "turns_timed_out" in found
    assert "end_never_seen" not in found


def test_turns_that_time_out_say_when_they_were_due() -> None:
    made = good_totals({"turns.complete": 38, "turns.timed_out": 2})
    rows = good_turns()
    rows["outcome"][[20, 31]] = 2
    assert notices(made, rows)["turns_timed_out"].message == (
        "2 of 40 turns timed out, due from 5.0 s to 7.8 s of the run."
    )
    rows["intended_ns"][[20, 31]] = 3 * MS
    assert notices(made, rows)["turns_timed_out"].message == (
        "2 of 40 turns timed out, due at the start of the run."
    )
    assert notices(made, good_turns())["turns_timed_out"].message == "2 of 40 turns timed out."
    assert seconds(100 * S) == "1 min 40 s"
    assert seconds(49 * MS) == "the start"


def test_closes_say_in_which_seconds_they_came() -> None:
    made = good_totals({"connections.closed.1006": 3})
    made.seconds[4].counters["measured"] = {"connections.closed.1006": 1}
    told = notices(made)["unexpected_closes"].message
    assert "in seconds 1 to 5 of the run" in told
    assert target_warnings._when(totals()) == ""


def test_causes_come_before_what_follows_from_them() -> None:
    counters = {
        "turns.due": 50,
        "turns.not_attempted": 10,
        "turns.complete": 30,
        "turns.timed_out": 10,
        "turns.numbered": 30,
        "connections.closed.1011": 2,
        "events.coalesced": 30,
        "events.lost": 1,
    }
    assert list(notices(good_totals(counters))) == [
        "unexpected_closes",
        "turns_timed_out",
        "delivery_faults",
        "load_not_reached_by_target",
        "coalesced_reads",
    ]


def test_what_a_close_said_is_told() -> None:
    made = good_totals({"connections.closed.1011": 1})
    told = notices(made, closes={"code 1011: boom": 1})["unexpected_closes"]
    assert told.message.endswith("1 with code 1011 (code 1011: boom).")


def test_load_that_is_missing_is_told_of_the_measured_part_too() -> None:
    warmed = {"warmup": {"turns.due": 10, "turns.not_attempted": 10}}
    counters = {"turns.due": 50, "turns.not_attempted": 10, "connections.closed.1001": 1}
    told = notices(good_totals(counters, phases=warmed))["load_not_reached_by_target"]
    assert told.message.startswith(
        "20 of 60 planned turns were not begun (of the measured part: 10 of 50): the target"
    )


@pytest.mark.parametrize(
    ("layer", "reason", "told"),
    [
        ("resolve", "", "cannot be resolved"),
        ("tcp", "tcp: Connection refused", "Nothing listens at 127.0.0.1:9421"),
        ("tcp", "tcp: timed out", "127.0.0.1:9421 does not answer"),
        ("prepare", "prepare: room: the target answered HTTP 500", "A step of [[prepare]] failed"),
        ("proxy", "proxy: the proxy answered HTTP 407 No", "requires a login"),
        ("proxy", "proxy: the proxy answered HTTP 403 No", "did not connect to the target"),
        ("tls", "tls: UNEXPECTED_EOF_WHILE_READING", "Must the URL begin with ws:// instead of wss://?"),
        ("tls", "tls: self-signed certificate", "target.ca_file"),
        ("upgrade", "", "path"),
        ("upgrade", "upgrade: the target answered HTTP 404 Not Found", "path"),
        ("upgrade", "upgrade: the target answered HTTP 503 Service Unavailable", "failed or is overloaded"),
        ("upgrade", "upgrade: the target answered HTTP 429 Too Many Requests", "load.connect_rate"),
        ("upgrade", "upgrade: the target answered HTTP 302 Found", "redirects to"),
        (
            "upgrade",
            "upgrade: the answer to the upgrade is not valid: Unsupported extension: name = x",
            "agreed to the upgrade (HTTP 101), but its answer is not valid",
        ),
        (
            "upgrade",
            "upgrade: the answer is not HTTP: no WebSocket server listens there",
            "does not speak HTTP",
        ),
        ("upgrade", "upgrade: closed without an answer to the upgrade", "before its answer"),
        ("upgrade", "upgrade: closed in the middle of the answer to the upgrade", "before its answer"),
        (
            "upgrade",
            "upgrade: the target answered HTTP 403 Forbidden",
            "Does the server require the header Origin",
        ),
        ("upgrade", "upgrade: the target answered HTTP 403 Forbidden", "a step of [[prepare]]"),
        ("auth", "", "[target] as auth, headers, cookies or query"),
        ("auth", "auth: the target answered HTTP 401 Unauthorized", "a step of [[prepare]]"),
        ("ready", "", "did not do what protocol toy expects"),
        ("generator", "", "See run.log"),
    ],
)
def test_a_refusal_says_what_it_most_likely_means(layer: str, reason: str, told: str) -> None:
    made = good_totals({"connections.attempted": 5, f"connections.refused.{layer}": 1})
    found = notices(
        made,
        refusals={reason: 1} if reason else {},
        target__address="127.0.0.1:9421",
        scenario__settings__protocol={"name": "toy"},
    )["refused_connections"]
    assert told in found.remedy
    assert "See run.log" in found.remedy


def test_a_protocol_without_a_name_is_the_protocol() -> None:
    made = good_totals({"connections.attempted": 5, "connections.refused.ready": 1})
    assert "did not do what the protocol expects" in notices(made)["refused_connections"].remedy


def test_events_that_all_shared_one_read_leave_no_gaps() -> None:
    assert "batched_not_streamed" in notices(
        good_totals({"events.coalesced": 150}, {"event.gap": None}), batched()
    )


@pytest.mark.parametrize(
    ("turns", "sums"),
    [
        (batched(tail_ms=100.0), {}),
        (batched(), {"histograms": {"event.gap": [120.0] * 160}}),
        (batched(n=9), {}),
        (batched(service_ms=19.0), {}),
        (batched(events=2), {}),
        (batched(outcome="timed_out"), {}),
        (batched(phase="warmup"), {}),
        (batched(), {"gauges": {"cpu": 0.2, "loop_lag_ns": 60.0 * MS}}),
        (batched(), {"gauges": {"cpu": 0.2}}),
        (batched(), {"gauges": {"cpu": 0.95, "loop_lag_ns": MS}}),
    ],
)
def test_a_stream_and_what_cannot_be_told_are_not_called_a_batch(turns: Any, sums: dict[str, Any]) -> None:
    assert "batched_not_streamed" not in notices(summed({"histograms": GAPS, **sums}), turns)


def test_one_stream_in_five_is_too_many_for_a_batch() -> None:
    rows = batched()
    rows["first_ns"][:4] = rows["sent_ns"][:4] + 20 * MS
    assert "batched_not_streamed" not in notices(good_totals(None, GAPS), rows)
    rows = batched()
    rows["first_ns"][0] = rows["sent_ns"][0] + 20 * MS
    assert "batched_not_streamed" in notices(good_totals(None, GAPS), rows)


def test_turns_that_all_went_on_at_the_same_time_are_no_evidence_of_a_batch() -> None:
    rows = batched(n=30)
    rows["done_ns"] -= rows["sent_ns"]
    rows["first_ns"] -= rows["sent_ns"]
    for moments, told in ((1, False), (2, False), (3, True)):
        rows["sent_ns"] = np.arange(30) % moments * S
        again = rows.copy()
        again["first_ns"] += again["sent_ns"]
        again["done_ns"] += again["sent_ns"]
        assert ("batched_not_streamed" in notices(good_totals(None, GAPS), again)) is told


def test_turns_that_waited_for_a_fast_target_are_no_batch() -> None:
    rows = batched()
    rows["done_ns"][:2] = rows["first_ns"][:2] = rows["sent_ns"][:2] + MS
    assert "batched_not_streamed" in notices(good_totals(None, GAPS), rows)
    rows["done_ns"][2] = rows["first_ns"][2] = rows["sent_ns"][2] + MS
    assert "batched_not_streamed" not in notices(good_totals(None, GAPS), rows)


def test_without_a_turn_table_nothing_is_told_of_streams() -> None:
    made = manifest()
    sums = good_totals(None, GAPS)
    assert find_warnings({**made, **summarise(made, sums)}, sums) == []


# ------------------------------------------------------------------ the catalogue


@pytest.mark.parametrize("code", KINDS)
def test_a_message_names_only_what_is_documented_or_told(code: str) -> None:
    kind = KINDS[code]
    named = {name for _, name, _, _ in Formatter().parse(kind.message) if name}
    words = {"told", "step", "share", "service", "measured", "when", "where", "ends", "keys", "paths"}
    assert named <= {*kind.numbers, *words}
    assert re.fullmatch(r"[a-z][a-z_]+", code)
    assert kind.message.endswith(".")
    assert kind.remedy.endswith(".")


def test_the_numbers_of_a_notice_are_those_documented() -> None:
    for code, sums, changes, _ in CASES:
        found = notices(summed(sums), **changes)
        for each in found.values():
            assert set(each.numbers) <= set(KINDS[each.code].numbers), code


def test_a_notice_is_plain_data_in_the_manifest() -> None:
    made = warning("malformed_events", {"malformed": 1_234, "received": 5}, spoils=True)
    assert made.as_dict() == {
        "code": "malformed_events",
        "message": "1,234 messages could not be read by the protocol.",
        "remedy": KINDS["malformed_events"].remedy,
        "numbers": {"malformed": 1_234, "received": 5},
        "spoils": True,
    }
    assert shown(True) == "True"


def test_the_document_is_the_table_of_the_code() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == warnings_page()


def test_the_table_has_a_row_for_each_code_and_no_broken_cell() -> None:
    rows = [line for line in warnings_page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(KINDS)
    assert all(line.count("|") == 6 for line in rows)


@pytest.mark.parametrize(
    ("lags_ms", "timeout_s", "stood"),
    [
        ([999.0] * 10, 0.1, False),
        ([1000.0], 5.0, False),
        ([1001.0], 5.0, True),
        ([1000.0], 1.0, False),
        ([1200.0], None, True),
        ([600.0, 600.0], 5.0, False),
        ([3990.0], 1.0, True),
        ([1000.0], 0.5, True),
    ],
)
def test_a_generator_that_stood_still_did_not_measure(
    lags_ms: list[float], timeout_s: float | None, *, stood: bool
) -> None:
    """More than a tenth of 10 s, or once longer than a turn may take; below a second it was only busy."""
    made = good_totals()
    for second, lag in enumerate(lags_ms):
        made.seconds[second].gauges["loop_lag_ns"] = lag * MS
    found = judged(manifest(load__planned__timeout_s=timeout_s), made)
    assert ("generator_stood_still" in codes(found)) is stood
    assert (found["verdict"]["exit_code"] == 4) is stood


@pytest.mark.parametrize(
    ("protocol", "keys", "told"),
    [
        ({"type": ["kind", "x.y"]}, {}, "had no type at `kind`, `x.y`; top-level keys seen: not known."),
        ({}, {"turns.untyped_with.event, n": 40}, "had no type at any path; top-level keys seen: event, n."),
    ],
)
def test_a_wrong_type_path_is_told_with_the_keys_that_came(
    protocol: dict[str, Any], keys: dict[str, int], told: str
) -> None:
    untyped = {"turns.complete": 0, "turns.timed_out": 40, "turns.timed_out_after.(no type)": 40, **keys}
    found = notices(good_totals(untyped), scenario__settings__protocol={"events": protocol})
    assert told in found["type_path_never_matched"].message
    assert "end_never_seen" not in found
