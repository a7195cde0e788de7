from __future__ import annotations

from typing import Any

import pytest

from loadtest.errors import Layer
from loadtest.judge.summary import summarise
from loadtest.judge.threshold_measurement import Measurement, lookup
from loadtest.measure.totals import Totals
from loadtest.plan.threshold import (
    CONNECTIONS,
    CONVERSATIONS,
    DELIVERIES,
    EVENTS,
    METRICS,
    RATES,
    TURNS,
    plain_names,
)
from tests.judge.made import good_totals, manifest, totals

STEP = 15_600_000


def found(name: str, totals_: Totals | None = None, **changes: Any) -> Measurement:
    made = manifest(**changes)
    return lookup(name, {**made, **summarise(made, good_totals() if totals_ is None else totals_)})


def near(bound: tuple[float, float | None] | None, low: float, high: float | None) -> bool:
    return bound is not None and bound[0] == pytest.approx(low) and bound[1] == pytest.approx(high)


@pytest.mark.parametrize(
    ("name", "value", "n"),
    [
        ("turn.completion.min", 100.0, 40),
        ("turn.completion.n", 40, 40),
        ("rates.connections_per_s", 2.0, 4),
        ("rates.turns_per_s", 4.0, 40),
        ("connections.ready", 4, 4),
        ("connections.ready.peak", 4, 4),
        ("connections.refused", 0, 4),
        ("connections.refused.tcp", 0, 4),
        ("connections.closed", 0, 4),
        ("turns.complete", 40, 40),
        ("turns.complete.ratio", 1.0, 40),
        ("turns.timed_out", 0, 40),
        ("events.received", 200, 40),
        ("events.matched.ratio", 1.0, 200),
        ("events.lost", 0, 200),
        ("events.lost.ratio", 0.0, 200),
        ("events.duplicate", 0, 200),
        ("events.foreign", 0, 200),
        ("events.foreign.ratio", 0.0, 200),
        ("events.missing_required", 0, 40),
        ("generator.cpu.max", 0.2, 10),
    ],
)
def test_every_kind_of_name_is_found(name: str, value: float, n: int) -> None:
    assert found(name) == Measurement(value, n)


def test_refusals_and_closes_are_counted_by_kind() -> None:
    made = good_totals(
        {
            "connections.attempted": 9,
            "connections.refused.tcp": 2,
            "connections.refused.auth": 3,
            "connections.closed.1006": 1,
        }
    )
    assert found("connections.refused", made).value == 5
    assert found("connections.refused.auth", made).value == 3
    assert found("connections.closed.1006", made).value == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("turn.completion.p95", "no turn fell due in the measured part"),
        ("rates.turns_per_s", "no turn was begun"),
        ("connections.ready", "no connection was attempted"),
        ("connections.refused.tcp", "no connection was attempted"),
        ("turns.timed_out", "no turn fell due in the measured part"),
        ("turns.complete.ratio", "no turn fell due in the measured part"),
        ("events.lost", "no event answered a turn"),
        ("events.foreign", "no event was received"),
        ("events.malformed", "no event was received in the measured part"),
        ("events.sent", "no turn fell due in the measured part"),
        ("generator.cpu.max", "CPU time was not read in the measured part"),
    ],
)
def test_of_nothing_nothing_is_measured(name: str, told: str) -> None:
    assert found(name, totals()) == Measurement(None, 0, told)


def test_a_percentile_of_too_few_samples_is_not_measured() -> None:
    measured = found("turn.completion.p99")
    assert (measured.value, measured.n) == (None, 40)
    assert measured.reason == "not enough samples: n = 40, but p99 needs 100"


def test_a_statistic_that_no_summary_holds_is_not_measured() -> None:
    assert found("turn.completion.p33").reason == "the summary does not contain this statistic"
    assert lookup("turn.completion.p95", {}).reason == "no sample in the measured part"
    assert lookup("rates.turns_per_s", {}).reason == "not measured"
    assert lookup("generator.cpu.max", {}).reason == "CPU time was not read"


def test_loss_that_the_protocol_cannot_know_is_not_measured() -> None:
    changes: dict[str, Any] = {"unmeasured": {"lost": "no sequence path"}}
    assert found("events.lost", **changes) == Measurement(None, 0, "no sequence path")
    assert found("events.matched.ratio", **changes) == Measurement(None, 0, "no sequence path")
    assert found("events.duplicate", **changes).value == 0


def test_answers_of_the_measured_part_that_came_in_the_drain_still_tell_of_duplicates_and_order() -> None:
    made = good_totals({"events.received": 0}, phases={"drain": {"events.received": 200}})
    for name in ("lost", "duplicate", "out_of_order"):
        assert found(f"events.{name}", made) == Measurement(0, 200)
    unanswered = good_totals({"events.received": 0, "events.matched": 0})
    assert found("events.duplicate", unanswered).reason == "no event answered a turn in the measured part"
    assert found("events.malformed", made).reason == "no event was received in the measured part"


def test_a_ratio_of_nothing_is_not_measured() -> None:
    made = good_totals({"events.expected": 0, "events.matched": 0})
    assert found("events.matched.ratio", made).reason == "no event was expected in the measured part"
    assert found("events.lost", made).reason == "no event was expected in the measured part"


def test_where_only_some_turns_carried_numbers_loss_is_a_lower_end() -> None:
    made = good_totals({"turns.numbered": 30, "events.lost": 2})
    measured = found("events.lost", made)
    assert near(measured.bound, 2, None)
    assert measured.reason == "a lower bound: 10 turns that ended carried no sequence number"
    assert found("events.lost.ratio", made).bound == (0.01, None)
    assert found("events.late", made).bound is None


@pytest.mark.parametrize("unnumbered", [10, 0])
def test_numbers_of_turns_that_broke_off_do_not_make_up_for_those_without(unnumbered: int) -> None:
    turns = {"turns.complete": 10, "turns.timed_out": 30, "turns.numbered": 30}
    measured = found("events.duplicate", good_totals({**turns, "turns.unnumbered": unnumbered}))
    assert (measured.bound is not None) is bool(unnumbered)
    if unnumbered:
        assert near(measured.bound, 0, None)
        assert measured.reason == "a lower bound: 10 turns that ended carried no sequence number"


@pytest.mark.parametrize(
    ("lost", "timed_out", "bounded"), [(1, 0, True), (0, 1, True), (2, 3, True), (0, 0, False)]
)
def test_of_turns_that_broke_off_nobody_knows_what_was_to_come(
    lost: int, timed_out: int, *, bounded: bool
) -> None:
    complete = 40 - lost - timed_out
    broke = {"turns.complete": complete, "turns.lost": lost, "turns.timed_out": timed_out}
    measured = found("events.lost.ratio", good_totals(broke))
    assert measured.value == 0
    assert measured.bound == ((0.0, None) if bounded else None)
    assert (measured.reason or "").startswith("a lower bound") is bounded
    assert found("events.duplicate", good_totals(broke)).bound is None


def test_few_turns_that_broke_off_leave_the_loss_as_it_is_but_are_told() -> None:
    many = {"turns.due": 400, "turns.begun": 400, "turns.complete": 399, "turns.numbered": 400}
    measured = found("events.lost", good_totals({**many, "turns.lost": 1}))
    assert measured.bound is None
    assert (
        measured.reason
        == "a lower bound: 1 turns broke off, and it is not known how many of their events are missing"
    )


def test_a_foreign_event_of_any_part_of_the_run_is_seen() -> None:
    made = good_totals(phases={"drain": {"events.foreign": 1, "events.received": 1}})
    assert found("events.foreign", made).value == 1


def test_below_the_clocks_step_only_a_bound_is_known() -> None:
    made = good_totals(None, {"turn.completion": [0.0] * 40})
    measured = found("turn.completion.p95", made, clock__step_ns=STEP)
    assert measured == Measurement(None, 40, "below the clock's step: < 15.6 ms", (0.0, 15.6))


def test_a_coarse_clock_bounds_what_it_measures() -> None:
    made = good_totals(None, {"turn.completion": [31.2] * 40})
    measured = found("turn.completion.min", made, clock__step_ns=STEP)
    assert measured.value == 31.2
    assert near(measured.bound, 15.6, 46.8)
    assert measured.reason == "exact to the clock's step of 15.6 ms"
    assert found("turn.completion.min", made, clock__resolution_ns=99_999).bound is None


def test_an_upper_bound_says_that_it_is_one() -> None:
    made = good_totals({"events.coalesced": 20})
    assert (
        found("turn.first_event.p95", made).reason
        == "an upper bound: 10.0 % of the events shared a read with a later frame"
    )
    assert found("turn.completion.p95", made).reason is None
    gaps = good_totals({"events.coalesced": 20}, {"event.gap": [2.0] * 40})
    assert (
        found("event.gap.p95", gaps).reason
        == "not exact: 10.0 % of the events shared a read with a later frame"
    )


def test_a_percentile_that_coalesced_ends_bound_says_so() -> None:
    made = good_totals({"turns.end_coalesced": 3})
    assert "an upper bound" in str(found("turn.completion.p95", made).reason)
    assert found("turn.completion.p90", made).reason is None


def test_a_longest_service_time_that_slow_sends_bound_says_so_and_its_response_time_does_not() -> None:
    made = good_totals({"turns.end_coalesced": 3, "turns.slow_send": 1})
    reasons = [str(found(f"turn.completion{name}.max", made).reason) for name in (".service", "")]
    assert reasons[0].endswith("or the generator took long to send the message")
    assert reasons[1].endswith("shared a read with a later frame")


def test_a_rate_below_the_clocks_step_is_known_from_below() -> None:
    made = good_totals(instants={"first_attempt": 0, "last_ready": 0})
    measured = found("rates.connections_per_s", made, clock__step_ns=STEP)
    assert measured.value is None
    assert near(measured.bound, 4 / 0.0156, None)


def test_a_rate_of_few_steps_is_known_between_two_ends() -> None:
    made = good_totals(instants={"first_attempt": 0, "last_ready": 4 * STEP})
    measured = found("rates.connections_per_s", made, clock__step_ns=STEP)
    assert measured.value == pytest.approx(4 / 0.0624)
    assert near(measured.bound, 4 / 0.078, 4 / 0.0468)


def test_the_rate_of_a_silent_target_is_known_from_above() -> None:
    made = good_totals({"events.matched": 0, "turns.complete": 0, "turns.timed_out": 40}, instants={})
    assert found("rates.events_received_per_s", made).bound == (0.0, 0.1)


def test_turns_that_cannot_be_placed_in_a_part_are_not_measured() -> None:
    measured = found("turns.complete.ratio", part={"from_s": 0.0, "to_s": 5.0, "turns_by": "second"})
    assert measured.value is None
    assert measured.reason is not None
    assert "is a sample" in measured.reason


UNLESS = {"unless_marked": {"foreign": "no event carried a user mark"}}


def test_without_marks_nobody_knows_of_foreign_events() -> None:
    assert found("events.foreign", **UNLESS) == Measurement(None, 0, "no event carried a user mark")
    assert found("events.foreign.ratio", **UNLESS).value is None


def test_marks_of_turns_that_broke_off_do_not_make_up_for_those_without() -> None:
    turns = {"turns.complete": 10, "turns.timed_out": 30, "turns.marked": 30, "turns.unmarked": 10}
    measured = found("events.foreign", good_totals(turns), **UNLESS)
    assert near(measured.bound, 0, None)
    assert measured.reason == "a lower bound: 10 turns that ended carried no user mark"


def test_what_was_seen_without_marks_is_told_as_at_least() -> None:
    seen = found("events.foreign", good_totals({"events.foreign": 3}), **UNLESS)
    assert (seen.value, seen.bound) == (3, (3, None))
    assert seen.reason == "a lower bound: 40 turns that ended carried no user mark"


def test_where_a_part_of_the_turns_was_marked_it_is_at_least() -> None:
    partly = found("events.foreign", good_totals({"turns.marked": 39}), **UNLESS)
    assert (partly.value, partly.bound) == (0, (0, None))
    assert found("events.foreign", good_totals({"turns.marked": 40}), **UNLESS) == Measurement(0, 200)


WILD = {"turns.misnumbered_by.gap_too_wide": 1}


@pytest.mark.parametrize(
    "name", ["events.lost", "events.duplicate", "events.out_of_order", "events.expected"]
)
@pytest.mark.parametrize("ratio", ["", ".ratio"])
def test_numbers_that_cannot_be_followed_measure_nothing(name: str, ratio: str) -> None:
    if name + ratio == "events.expected.ratio":
        return
    why = "1 turn carried unusable sequence numbers"
    assert found(name + ratio, good_totals(WILD)) == Measurement(None, 0, why)


def test_what_was_lost_beside_numbers_that_cannot_be_followed_is_at_least() -> None:
    seen = found("events.lost", good_totals({**WILD, "events.lost": 3}))
    assert (seen.value, seen.bound) == (3, (3, None))
    assert seen.reason == "a lower bound: 1 turn carried unusable sequence numbers"
    assert found("events.lost.ratio", good_totals({**WILD, "events.lost": 3})).value is None


def numbered() -> dict[str, Any]:
    """A summarised manifest in which every number is a prime of its own, so that no two names can agree."""
    primes = (n for n in range(1009, 9000) if all(n % each for each in range(2, 95)))
    of_turns = {name: next(primes) for name in (*TURNS, "numbered")}
    of_events = {name: next(primes) for name in EVENTS}
    of_conversations = {name: next(primes) for name in CONVERSATIONS}
    copies = {name: next(primes) for name in DELIVERIES}
    kinds = {layer: next(primes) for layer in Layer}
    connections = {name: next(primes) for name in CONNECTIONS if not name.startswith(("ready.", "refused"))}
    connections |= {"peak": next(primes), "refused": kinds, "closed": {"1006": next(primes)}}
    return {
        "metrics": {name: {"n": 500, "p95": float(next(primes))} for name in METRICS},
        "rates": {name: {"value": next(primes), "n": 5} for name in RATES},
        "counts": {
            "connections": connections,
            "events": {name: n + 10_000 for name, n in of_events.items()},
            "measured": {
                "turns": of_turns,
                "events": of_events,
                "conversations": of_conversations,
                "deliveries": copies,
            },
        },
        "generator": {"cpu": {"max": 0.342, "n": 30}},
    }


def test_no_two_names_give_the_same_number() -> None:
    manifest = numbered()
    names = [*plain_names(), "connections.closed.1006", *(f"{metric}.p95" for metric in METRICS)]
    values = {name: lookup(name, manifest).value for name in names}
    # With one close code that code is all closes.
    assert values.pop("connections.closed") == values["connections.closed.1006"]
    assert None not in values.values()
    assert len(set(values.values())) == len(values)


@pytest.mark.parametrize(
    "name",
    [
        "generator.lag.max",
        "anything.at.all",
        "connections.bogus",
        "turns.bogus",
        "turns.bogus.ratio",
        "events.bogus",
    ],
)
def test_a_name_that_nothing_measures_has_no_number(name: str) -> None:
    found = lookup(name, numbered())
    assert found.value is None
    assert found.reason in {f"nothing measures {name}", f"{name.removesuffix('.ratio')} was not counted"}


def test_what_is_kept_only_when_it_rose_is_0_elsewhere() -> None:
    assert found("connections.reconnected").value == 0
    assert found("turns.resumed").value == 0


def test_of_no_connection_due_there_is_no_part_that_was_ready() -> None:
    part = {"part": {"from_s": 5, "to_s": 6}, "counts": {"connections": {"ready": 0}}}
    measured = lookup("connections.ready.ratio", part)
    assert (measured.value, measured.reason) == (None, "no connection was due")
    counted = {"counts": {"connections": {"due": 10, "ready": 9, "reconnected": 1}}}
    assert lookup("connections.ready.ratio", counted).value == 0.8


def test_copies_are_measured_where_any_was_due() -> None:
    none = lookup("deliveries.missing", {"unmeasured": {"delivery.time": "no audience"}})
    assert (none.value, none.reason) == (None, "no audience")
    assert lookup("deliveries.missing", {}).reason == "no copy was due in the measured part"
    some = {"counts": {"measured": {"deliveries": {"due": 40, "missing": 2}}}}
    assert lookup("deliveries.missing", some).value == 2
    assert lookup("deliveries.missing.ratio", some).value == 0.05
    assert lookup("deliveries.duplicate", some).value == 0
