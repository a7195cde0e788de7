from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import loadtest
from loadtest.judge.counts import EVENTS, broken_laws, count_all, cut_short
from loadtest.judge.measurement_window import Span
from loadtest.judge.summary import summarise
from loadtest.measure.interval import OUTCOMES
from loadtest.measure.totals import Totals
from loadtest.speak.phase_metrics import COUNTERS
from tests.judge.made import S, good_totals, manifest, totals

WHOLE = Span(0, 10 * S)


def counted(manifest_: dict[str, Any] | None = None, totals_: Totals | None = None) -> dict[str, Any]:
    return count_all(manifest_ or manifest(), totals_ or good_totals(), WHOLE)


def laws(totals_: Totals, **changes: Any) -> list[str]:
    made = manifest(**changes)
    return broken_laws(made, counted(made, totals_))


def test_a_good_run_has_every_counter_of_the_contract() -> None:
    counts = counted()
    for part in (counts, counts["measured"]):
        assert {"attempted", "established", "ready", "refused", "closed", "peak"} <= set(part["connections"])
        assert {*EVENTS, "unmeasured"} == set(part["events"])
        assert {"due", "begun", *OUTCOMES} <= set(part["turns"])
        assert part["bytes"] == {"sent": 4_000, "received": 40_000}
        assert part["connections"]["peak"] == 4
    assert counts["turns"]["complete"] == 40
    assert counts["events"]["unmeasured"] == {}


def test_the_whole_run_is_the_sum_of_its_parts() -> None:
    made = good_totals(
        phases={
            "warmup": {"turns.due": 3, "turns.begun": 3, "turns.complete": 3},
            "drain": {"events.received": 5},
        }
    )
    counts = counted(totals_=made)
    assert counts["turns"]["due"] == 43
    assert counts["measured"]["turns"]["due"] == 40
    assert counts["events"]["received"] == 205
    assert counts["measured"]["events"]["received"] == 200


def test_what_never_happened_on_purpose_is_not_told() -> None:
    counts = counted()
    assert "chaos" not in counts
    assert not {"cut", "reconnected", "given_up", "away"} & set(counts["connections"])
    assert "resumed" not in {**counts["turns"], **counts["events"]}


def test_compression_and_requests_by_http_are_told_where_there_were_any() -> None:
    assert not {"compression", "http"} & counted().keys()
    rose = {
        "compression.negotiated": 4,
        "compression.sent_payload": 3_000,
        "compression.sent_wire": 1_000,
        "compression.received_wire": 10,
        "http.refused": 2,
    }
    counts = counted(totals_=good_totals(rose))
    assert counts["compression"] == {
        "negotiated": 4,
        "sent_payload": 3_000,
        "sent_wire": 1_000,
        "received_wire": 10,
        "sent_ratio": 3.0,
    }
    assert counts["http"] == {"refused": 2}


def test_what_was_done_on_purpose_and_who_came_back_is_told() -> None:
    made = good_totals(
        {
            "connections.cut": 3,
            "connections.reconnected": 2,
            "connections.away": 1,
            "connections.given_up": 0,
            "events.resumed": 4,
            "turns.resumed": 1,
            "chaos.leavers.left": 2,
            "chaos.malformed.sent": 0,
        }
    )
    counts = counted(totals_=made)
    for part in (counts, counts["measured"]):
        assert part["chaos"] == {"leavers.left": 2}
        told = {name: part["connections"].get(name) for name in ("cut", "reconnected", "given_up", "away")}
        assert told == {"cut": 3, "reconnected": 2, "given_up": None, "away": 1}
        assert (part["events"]["resumed"], part["turns"]["resumed"]) == (4, 1)


def test_refusals_closes_and_failures_are_told_by_kind() -> None:
    made = good_totals(
        {
            "connections.refused.tcp": 2,
            "connections.refused.auth": 0,
            "connections.closed.1006": 1,
            "connections.upgrade_status.403": 2,
            "turns.failed_by.order": 1,
            "turns.lost_by.close": 1,
        }
    )
    counts = counted(totals_=made)
    assert counts["connections"]["refused"] == {"tcp": 2}
    assert counts["connections"]["closed"] == {"1006": 1}
    assert counts["connections"]["upgrade_status"] == {"403": 2}
    assert counts["turns"]["failed_by"] == {"order": 1}
    assert counts["turns"]["lost_by"] == {"close": 1}
    assert counted()["turns"]["failed_by"] == {}


def test_what_the_protocol_cannot_know_is_null_with_its_reason() -> None:
    made = manifest(
        unmeasured={"foreign": "no user path", "lost": "no sequence path", "connect.tls": "ws://"}
    )
    events = counted(made)["events"]
    assert events["foreign"] is None
    assert events["lost"] is None
    assert events["expected"] is None
    none = "no sequence path"
    assert events["unmeasured"] == {"foreign": "no user path", "lost": none, "expected": none}
    assert counted(made)["measured"]["events"]["lost"] is None


def test_what_was_counted_all_the_same_is_not_hidden() -> None:
    made = manifest(unmeasured={"foreign": "no user path"})
    events = counted(made, good_totals({"events.foreign": 2}))["events"]
    assert events["foreign"] == 2
    assert "foreign" not in events["unmeasured"]


@pytest.mark.parametrize(
    ("counters", "reason"),
    [
        ({"turns.numbered": 0}, "no event carried a sequence number"),
        ({"turns.numbered": 0, "events.matched": 0}, "no event carried a sequence number"),
        ({"turns.numbered": 0, "events.matched": 0, "events.received": 0}, "no event answered a turn"),
    ],
)
def test_without_sequence_numbers_loss_duplicates_and_order_are_unknown(
    counters: dict[str, int], reason: str
) -> None:
    events = counted(totals_=good_totals({**counters, "events.expected": 0}))["events"]
    for name in ("lost", "duplicate", "out_of_order", "expected"):
        assert events[name] is None
        assert events["unmeasured"][name] == reason
    assert events["late"] == 0


WILD = {"turns.misnumbered_by.gap_too_wide": 2, "turns.misnumbered_by.below_start": 1}


def test_where_numbers_cannot_be_followed_loss_duplicates_and_order_are_unknown() -> None:
    counts = counted(totals_=good_totals(WILD))
    for part in (counts, counts["measured"]):
        for name in ("lost", "duplicate", "out_of_order", "expected"):
            assert part["events"][name] is None
            assert part["events"]["unmeasured"][name] == ("3 turns carried unusable sequence numbers")
        assert part["turns"]["misnumbered_by"] == {"gap_too_wide": 2, "below_start": 1}


def test_what_was_lost_in_turns_whose_numbers_can_be_followed_is_not_hidden() -> None:
    events = counted(totals_=good_totals({**WILD, "events.lost": 4}))["events"]
    assert events["lost"] == 4
    assert events["duplicate"] is events["expected"] is None


def test_wild_numbers_of_the_warm_up_leave_the_measured_part_as_it_is() -> None:
    counts = counted(totals_=good_totals(phases={"warmup": {"turns.misnumbered_by.gap_too_wide": 1}}))
    assert counts["events"]["lost"] is None
    assert counts["measured"]["events"]["lost"] == 0
    assert counts["measured"]["events"]["unmeasured"] == {}


def test_what_the_protocol_cannot_know_keeps_its_own_reason() -> None:
    made = manifest(unmeasured=dict.fromkeys(("lost", "duplicate", "out_of_order"), "by order"))
    assert set(counted(made, good_totals(WILD))["events"]["unmeasured"].values()) == {"by order"}


def test_a_good_ledger_adds_up() -> None:
    assert laws(good_totals()) == []
    assert laws(good_totals({"turns.due": 42, "turns.not_attempted": 2})) == []
    assert laws(totals()) == []


@pytest.mark.parametrize(
    ("counters", "told"),
    [
        (
            {"connections.attempted": 5, "connections.not_opened.EMFILE": 2},
            "4 connections were ready and 0 refused and 2 not opened by this machine, but only 5 attempted",
        ),
        ({"turns.due": 41}, "41 turns were due, but 40 were begun and 0 not attempted"),
        ({"turns.due": 39}, "39 turns were due, but 40 were begun and 0 not attempted"),
        ({"turns.complete": 39}, "40 turns were begun, but 39 ended"),
        ({"turns.complete": 41}, "40 turns were begun, but 41 ended"),
        ({"connections.ready": 5}, "5 connections were ready and 4 established, but 4 attempted"),
        ({"connections.established": 5}, "4 connections were ready and 5 established, but 4 attempted"),
        ({"connections.refused.tcp": 1}, "4 connections were ready and 1 refused, but only 4 attempted"),
        ({"events.matched": 201}, "201 events were matched, but only 200 received"),
    ],
)
def test_each_law_can_be_broken(counters: dict[str, int], told: str) -> None:
    assert told in laws(good_totals(counters))


def test_a_law_that_only_the_measured_part_breaks_is_told() -> None:
    made = good_totals(
        {"turns.due": 41}, phases={"drain": {"turns.due": 1, "turns.begun": 2, "turns.complete": 2}}
    )
    assert laws(made) == ["41 measured turns were due, but 40 were begun and 0 not attempted"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "running"},
        {"status": "cut short"},
        {"observed": [{"code": "worker_lost"}]},
        {"observed": [{"code": "results_not_written"}]},
    ],
)
def test_turns_in_flight_have_no_outcome_yet(changes: dict[str, Any]) -> None:
    assert laws(good_totals({"turns.due": 42, "turns.begun": 41}), **changes) == []
    assert len(laws(good_totals({"turns.begun": 39}), **changes)) == 2


def test_of_a_part_only_turns_placed_by_their_due_instant_add_up() -> None:
    odd = good_totals({"turns.due": 41, "connections.ready": 9})
    assert laws(odd, part={"from_s": 0, "turns_by": "second"}) == []
    assert len(laws(odd, part={"from_s": 0, "turns_by": "intended"})) == 2


def test_turns_that_broke_off_are_the_targets_not_those_of_users_made_to_read_slowly() -> None:
    counts = {"turns": {"lost": 2, "timed_out": 30}, "chaos": {"slow.turns.timed_out": 29}}
    assert cut_short(counts) == 3
    assert cut_short({}) == 0


def test_turns_without_a_number_are_told_where_others_carried_one() -> None:
    mixed = counted(totals_=good_totals({"turns.unnumbered": 3}))
    assert mixed["turns"]["unnumbered"] == 3
    none = counted(totals_=good_totals({"turns.unnumbered": 40, "turns.numbered": 0}))
    assert "unnumbered" not in none["turns"]


HOLE = re.compile(r"\{[^{}]*\}")


def counter_names() -> set[str]:
    """Every name that is written where something is counted; a part that is filled in there is "failed"."""
    rooms = (Path(loadtest.__file__).parent / room for room in ("speak", "measure", "drive"))
    texts = (path.read_text("utf-8") for room in rooms for path in sorted(room.glob("*.py")))
    written = {name for text in texts for name in re.findall(r"\bcount\(\s*f?\"([^\"]+)\"", text)}
    return {HOLE.sub("failed", name) for name in written} | {name.replace("_", ".", 1) for name in COUNTERS}


@pytest.mark.parametrize("name", sorted(counter_names()))
def test_nothing_is_counted_that_is_told_nowhere(name: str) -> None:
    """A typing mistake in a name would make a counter of its own."""
    before = {"turns.marked": 5, "turns.numbered": 5}
    more = {**before, name: before.get(name, 0) + 123}
    assert summarise(manifest(), good_totals(more)) != summarise(manifest(), good_totals(before))


def test_names_of_counters_are_found() -> None:
    assert {"events.before_ready", "turns.failed_by.failed", "events.received"} <= counter_names()
    assert len(counter_names()) > 40
