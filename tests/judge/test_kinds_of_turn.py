"""What is measured of one kind of turn: named NAME[KIND], and adding up to the whole."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.censored_turns import times_of_due
from loadtest.judge.compare import explored
from loadtest.judge.counts import broken_laws, count_all
from loadtest.judge.manifest_access import conversations, kinds, turns_end
from loadtest.judge.measurement_window import Span
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import OF_A_PART, lookup, measured_for
from loadtest.judge.thresholds import response_metric
from loadtest.judge.turn_warnings import timeouts
from loadtest.measure.histogram import Histogram
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import BY_KIND, kind_in, parse_threshold, resolve, split_kind, split_metric
from tests.judge.made import MS, S, good_totals, manifest

MIX = {"scenario__settings__traffic__mix": {"ask": 3, "cancel": 1, "never": 1}}
COUNTED = {
    "turns.due[ask]": 30, "turns.begun[ask]": 30, "turns.complete[ask]": 26, "turns.failed[ask]": 4,
    "turns.no_first_event[ask]": 4, "turns.first_coalesced[ask]": 26,
    "turns.due[cancel]": 10, "turns.begun[cancel]": 10, "turns.complete[cancel]": 10,
}  # fmt: skip


def mixed() -> Totals:
    made = good_totals()
    measured = made.counters["measured"]
    measured |= {**COUNTED, "turns.complete": 36, "turns.failed": 4, "turns.no_first_event": 4}
    ask, cancel = Histogram(), Histogram()
    ask.record([n * MS for n in range(1, 27)])
    cancel.record([n * MS for n in range(1, 11)])
    made.histograms |= {"turn.first_event[ask]": ask, "turn.first_event[cancel]": cancel}
    return made


def summed(**changes: Any) -> dict[str, Any]:
    made = manifest(**MIX, **changes)
    return {**made, **summarise(made, mixed())}


def test_a_name_with_a_kind_is_taken_apart() -> None:
    assert split_kind("turn.first_event[ask].p95") == ("turn.first_event.p95", "ask")
    assert split_kind("turns.complete[a-b_1].ratio") == ("turns.complete.ratio", "a-b_1")
    assert split_kind("turn.upload[ask]") == ("turn.upload", "ask")
    assert split_kind("connect.total[ask].p95") == ("connect.total.p95", "ask"), "of a population"
    assert split_kind("generator.cpu.max[ask]") == ("generator.cpu.max[ask]", None)
    assert kind_in("turns.lost") is None
    assert split_metric("turn.completion.service[ask].p99.9") == ("turn.completion.service[ask]", "p99_9")
    assert split_metric("turn.first_event[ask].p0") is None
    assert resolve("turn.first_event[ask].n") == ("turn.first_event[ask].n", "count")
    assert resolve("turns.complete[ask].ratio") == ("turns.complete[ask].ratio", "ratio")
    assert "event.gap" in BY_KIND
    for wrong in (
        "turns.complet[ask].ratio",
        "turn.first_event[ask]",
        "turns.no_first_event[ask]",
        "turns.lost[]",
    ):
        with pytest.raises(ValueError, match="is not a metric"):
            resolve(wrong)
    with pytest.raises(ValueError, match=r'for its ratio write "turns.lost\[ask\].ratio"'):
        parse_threshold("turns.lost[ask]", "< 3%")


def test_the_kinds_are_those_of_the_mix() -> None:
    assert kinds(manifest(**MIX)) == ("ask", "cancel", "never")
    assert kinds(manifest()) == ()
    assert len(explored(manifest(**MIX))) == len(explored(manifest())) + 15


def test_every_kind_has_its_counters_also_where_they_are_0() -> None:
    counts = summed()["counts"]
    for part in (counts["turns"], counts["measured"]["turns"]):
        assert (part["due[ask]"], part["complete[ask]"], part["failed[ask]"]) == (30, 26, 4)
        assert (part["due[never]"], part["lost[never]"], part["no_first_event[ask]"]) == (0, 0, 4)
        assert "no_first_event[cancel]" not in part
        assert "first_coalesced[ask]" not in part


def test_kinds_that_do_not_add_up_break_a_law() -> None:
    made, span = manifest(**MIX), Span(0, 10 * S)
    totals = mixed()
    assert broken_laws(made, count_all(made, totals, span)) == []
    totals.counters["measured"]["turns.due[ask]"] = 29
    assert broken_laws(made, count_all(made, totals, span)) == [
        "40 turns due, but 39 by kind",
        "40 measured turns due, but 39 by kind",
    ]


def test_times_of_a_kind_are_described_and_bounded_by_its_own_reads() -> None:
    metrics = summed()["metrics"]
    assert (metrics["turn.first_event[ask]"]["n"], metrics["turn.first_event[cancel]"]["n"]) == (26, 10)
    assert "p50" in metrics["turn.first_event[ask]"]["bounds"]
    assert metrics["turn.first_event[cancel]"]["bounds"] == []


def test_a_threshold_of_a_kind_is_judged_by_that_kind() -> None:
    made = summed()
    ratio = lookup("turns.complete[ask].ratio", made)
    assert (ratio.value, ratio.n) == (26 / 30, 30)
    assert lookup("turn.first_event[cancel].max", made).value == pytest.approx(10, rel=0.01)
    never = lookup("turns.complete[never].ratio", made)
    assert (never.value, never.reason) == (None, "no turn of the kind `never` fell due in the measured part")
    reason = lookup("turn.first_event[never].p95", made).reason
    assert reason == "no turn of the kind `never` has this time in the measured part"


def test_turns_of_a_kind_that_never_answered_are_infinitely_late() -> None:
    made = summed()
    limit = parse_threshold("turn.first_event[ask].p95", "< 1s")
    assert response_metric(limit) == "turn.first_event"
    assert measured_for(limit, made).unbounded
    assert not measured_for(parse_threshold("turn.first_event[cancel].p50", "< 1s"), made).unbounded
    due = times_of_due(made, mixed().histograms, {})
    assert due["turn.first_event[ask]"]["n"] == 30
    assert "turn.first_event[cancel]" not in due


def test_of_a_part_of_a_run_whose_rows_have_no_kind_they_are_not_known() -> None:
    made = summed(part={"from_s": 0, "to_s": 5, "turns_by": "intended", "without_kinds": True})
    assert "turn.first_event[ask]" not in made["metrics"]
    assert lookup("turn.first_event[ask].p50", made).reason == OF_A_PART
    assert lookup("turns.complete[ask].ratio", made).reason == OF_A_PART


def test_turns_end_if_those_of_every_kind_do() -> None:
    protocol = {
        "events": {"end": ["done"]},
        "turns": {"ask": {}, "cancel": {"end": []}, "never": {"end": []}},
    }
    made = manifest(**MIX, scenario__settings__protocol=protocol)
    assert not turns_end(made)
    protocol["turns"] = {"ask": {}, "cancel": {"end": [], "count": 1}, "never": {"end_all": ["x"]}}
    assert turns_end(manifest(**MIX, scenario__settings__protocol=protocol))


def test_why_no_turn_has_an_upload() -> None:
    assert summed()["unmeasured"]["turn.upload"] == "no turn has several messages"
    protocol = {"turns": {"ask": {"messages": ["a", "b"]}}}
    unmeasured = summed(scenario__settings__protocol=protocol)["unmeasured"]
    assert unmeasured["turn.upload"] == "no turn of the measured part has this time"


# ------------------------------------------------------------------ conversations

TALK: dict[str, Any] = {
    "scenario__settings__conversation": [
        {"name": "long", "steps": [{"repeat": 2, "steps": [{"turn": "ask"}]}, {"think": "1s"}]},
        {"name": "short", "steps": [{"branch": [{"steps": [{"turn": "stop"}]}, {"steps": []}]}]},
        3,
    ]
}
TALKED = {
    "conversations.begun": 10, "conversations.ended": 9, "conversations.complete": 6,
    "conversations.broken_off": 3,
    "conversations.begun[long]": 10, "conversations.ended[long]": 9, "conversations.complete[long]": 6,
    "conversations.broken_off[long]": 3,
}  # fmt: skip


def talked(**counters: int) -> dict[str, Any]:
    made, totals = manifest(**TALK), good_totals()
    totals.counters["measured"] |= counters or TALKED
    long = Histogram()
    long.record([S, 2 * S])
    totals.histograms |= {"conversation.time": long, "conversation.time[long]": long} if not counters else {}
    return {**made, **summarise(made, totals)}


def test_kinds_of_turn_and_names_are_those_of_the_conversations() -> None:
    made = manifest(**TALK)
    assert kinds(made) == ("ask", "stop")
    assert conversations(made) == ("long", "short")
    assert conversations(manifest(scenario__settings__conversation="x")) == ()


def test_how_conversations_went_is_counted_all_together_and_by_name() -> None:
    made = talked()
    counted = made["counts"]["measured"]["conversations"]
    assert (counted["begun"], counted["complete[long]"]) == (10, 6)
    assert "begun[short]" not in counted
    ratio = lookup("conversations.complete.ratio", made)
    assert (ratio.value, ratio.n) == (6 / 9, 9)
    assert lookup("conversations.broken_off[long]", made).value == 3
    assert lookup("conversation.time[long].n", made).value == 2
    reason = lookup("conversations.complete[short].ratio", made).reason
    assert reason == "no conversation named `short` was ended in the measured part"
    assert lookup("conversation.time[short].p50", made).value is None


def test_where_there_were_none_nothing_is_counted() -> None:
    made = talked(**{"turns.resumed": 0})
    assert "conversations" not in made["counts"]
    reason = lookup("conversations.begun", made).reason
    assert reason == "no conversation was begun in the measured part"
    assert made["unmeasured"]["conversation.time"] == "no conversation of the measured part ended"
    assert summed()["unmeasured"]["conversation.time"] == "the scenario has no conversations"


def test_what_ends_a_turn_is_told_of_every_kind() -> None:
    protocol = {
        "events": {"type": ["t"], "turn": ["id"], "end": ["done"], "fail": ["error"]},
        "turns": {"ask": {}, "cancel": {"end": ["cancelled"]}, "never": {}},
    }
    totals = good_totals(
        {"turns.complete": 0, "turns.timed_out": 40, "turns.timed_out_after.other": 40, "events.matched": 40}
    )
    made = manifest(**MIX, scenario__settings__protocol=protocol)
    made |= summarise(made, totals)
    (told,) = (each for each in timeouts(made, None) if each.code == "end_never_seen")
    assert told.numbers["end"] == ["done", "error", "cancelled"]
