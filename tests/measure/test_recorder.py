"""What happened in a second becomes an interval: by part, by public name, row by row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measure.frame_log import MAX_LOG_BYTES
from loadtest.measure.interval import OUTCOMES, PHASES, TURN, Interval, from_bytes, to_bytes
from loadtest.measure.recorder import (
    BROKEN_KEPT,
    DRAIN,
    EVIDENCE_KEPT,
    MEASURED,
    SLOWEST_KEPT,
    WARMUP,
    Recorder,
)
from loadtest.measure.totals import Totals
from loadtest.plan.protocol import Events, Protocol, TurnShape
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.phase_metrics import BUFFERS, COUNTERS
from loadtest.speak.session import Session
from loadtest.speak.turn import MAX_FRAME_BYTES, NEVER, Outcome, Turn

START = 1_000_000
SECOND = 1_000_000_000


def a_recorder() -> Recorder:
    """A run of 1 s of warm-up and 2 s measured."""
    return Recorder(START, SECOND, 2 * SECOND, worker=4)


def ended(
    recorder: Recorder,
    outcome: Outcome = Outcome.COMPLETE,
    *,
    seq: int = 7,
    due: int = START + SECOND,
    took: int = 500,
    reason: str = "",
    frames: list[int | bytes] | None = None,
) -> Turn:
    """A turn that was due at ``due``, sent 10 ns later, and ended after ``took``."""
    turn = Turn(seq, 3, 2, f"id-{seq}", due, recorder.metrics_at(due))
    turn.sent_ns = due + 10
    turn.outcome = outcome
    turn.reason = reason
    turn.frames = frames
    if outcome is Outcome.COMPLETE:
        turn.first_ns, turn.last_ns, turn.done_ns = due + 100, due + took, due + took
    recorder.ended(turn)
    return turn


# ------------------------------------------------------------------ parts of the run


@pytest.mark.parametrize(
    ("offset", "part"),
    [
        (0, WARMUP),
        (SECOND - 1, WARMUP),
        (SECOND, MEASURED),
        (3 * SECOND - 1, MEASURED),
        (3 * SECOND, DRAIN),
        (9 * SECOND, DRAIN),
    ],
)
def test_an_instant_lies_in_a_part(offset: int, part: int) -> None:
    recorder = a_recorder()
    assert recorder.metrics_at(START + offset).phase == part
    recorder.enter(START + offset)
    assert recorder.metrics.phase == part
    assert recorder.metrics_in(part) is recorder.metrics


def test_a_run_begins_with_its_warmup_if_it_has_one() -> None:
    assert a_recorder().metrics.phase == WARMUP
    assert Recorder(START, 0, SECOND).metrics.phase == MEASURED


def test_turns_count_where_they_were_due_and_everything_else_where_it_happened() -> None:
    recorder = a_recorder()
    recorder.enter(START + 3 * SECOND)
    ended(recorder, due=START)
    ended(recorder, due=START + SECOND)
    recorder.metrics.events_received += 5
    interval = recorder.take(3, {})
    assert interval.counters == {
        "warmup": {"turns.complete": 1},
        "measured": {"turns.complete": 1},
        "drain": {"events.received": 5},
    }
    assert interval.turns["phase"].tolist() == [WARMUP, MEASURED]


# ------------------------------------------------------------------ counters and histograms


def test_counters_have_their_public_names() -> None:
    recorder = a_recorder()
    for number, name in enumerate(COUNTERS, 1):
        setattr(recorder.phases[MEASURED], name, number)
    recorder.phases[MEASURED].count("connections.refused.tcp", 3)
    counters = recorder.take(0, {}).counters
    assert set(counters) == {"measured"}
    found = counters["measured"]
    assert len(found) == len(COUNTERS) + 1
    assert found["connections.refused.tcp"] == 3
    assert {"events.out_of_order", "turns.timed_out", "turns.not_attempted", "bytes.received"} < set(found)
    assert all(name.count(".") == 1 for name in found if name != "connections.refused.tcp")


def test_metrics_are_tagged_by_part_but_for_those_of_the_whole_run() -> None:
    recorder = a_recorder()
    for part in recorder.phases:
        for name in BUFFERS:
            getattr(part, name).append(part.phase + 1)
    histograms = recorder.take(0, {}).histograms
    by_part = {
        name for name in BUFFERS.values() if not name.startswith(("connect.", "prepare.", "reconnect."))
    }
    whole = set(BUFFERS.values()) - by_part
    assert set(histograms) == whole | {
        f"{prefix}{name}" for prefix in ("warmup:", "", "drain:") for name in by_part
    }
    for name in whole:
        assert (histograms[name].n, histograms[name].min_ns, histograms[name].max_ns) == (3, 1, 3)
    assert histograms["drain:event.gap"].min_ns == 3
    assert histograms["event.gap"].min_ns == 2


def test_after_an_interval_everything_begins_again() -> None:
    recorder = a_recorder()
    ended(recorder, frames=[5, b"x"])
    ended(recorder, Outcome.LOST)
    recorder.phases[DRAIN].count("x")
    recorder.moved(START + 5, 1)
    recorder.evidence("foreign", b"x", 1)
    recorder.take(0, {})
    empty = recorder.take(1, {})
    assert (empty.histograms, empty.counters, empty.frames) == ({}, {}, [])
    assert (len(empty.turns), len(empty.moves)) == (0, 0)
    assert empty.gauges == {"ready": 1.0}


@given(
    st.lists(st.tuples(st.sampled_from(list(Outcome)[:6]), st.integers(0, 4 * SECOND)), max_size=30),
    st.data(),
)
def test_whenever_it_is_emptied_the_sum_is_the_same(
    turns: list[tuple[Outcome, int]], data: st.DataObject
) -> None:
    recorder = a_recorder()
    totals = Totals()
    for second, (outcome, offset) in enumerate(turns):
        ended(recorder, outcome, due=START + offset, seq=second)
        if data.draw(st.booleans()):
            totals.add(recorder.take(second, {}))
    totals.add(recorder.take(len(turns), {}))
    for outcome in list(Outcome)[:6]:
        expected = sum(each is outcome for each, _ in turns)
        assert totals.count(f"turns.{OUTCOMES[outcome]}") == expected
    complete = [offset for outcome, offset in turns if outcome is Outcome.COMPLETE]
    tags = [f"{prefix}turn.completion" for prefix in ("warmup:", "", "drain:")]
    assert sum(totals.histograms[tag].n for tag in tags if tag in totals.histograms) == len(complete)


# ------------------------------------------------------------------ turns


def test_the_row_of_a_turn() -> None:
    recorder = a_recorder()
    turn = Turn(2**40, 5, 3, "id", START + SECOND, recorder.phases[MEASURED])
    turn.sent_ns, turn.first_ns, turn.done_ns = START + SECOND + 1, START + SECOND + 2, START + SECOND + 3
    turn.payload_crc = 2**32 - 1
    turn.received, turn.lost, turn.duplicate, turn.out_of_order = 11, 12, 13, 14
    turn.outcome = Outcome.COMPLETE
    recorder.ended(turn)
    (row,) = recorder.take(0, {}).turns
    assert row.dtype == TURN
    assert dict(zip(TURN.names or (), row.item(), strict=True)) == {
        "seq": 2**40,
        "user": 5,
        "position": 3,
        "phase": MEASURED,
        "kind": 0,
        "outcome": Outcome.COMPLETE,
        "payload_crc": 2**32 - 1,
        "events": 11,
        "lost": 12,
        "duplicate": 13,
        "out_of_order": 14,
        "intended_ns": SECOND,
        "waited_from_ns": SECOND,
        "sent_ns": SECOND + 1,
        "first_ns": SECOND + 2,
        "done_ns": SECOND + 3,
    }


def test_a_row_says_which_kind_a_turn_is_of() -> None:
    """By its place, from 1, among the names in order; 0: of none."""
    recorder = Recorder(START, SECOND, 2 * SECOND, kinds=("cancel", "ask"))
    for seq, kind in enumerate(("ask", "cancel", "")):
        turn = Turn(seq, 0, 0, f"id-{seq}", START, recorder.metrics_at(START, kind))
        turn.outcome = Outcome.LOST
        recorder.ended(turn)
        recorder.not_attempted(seq + 3, 0, 0, START + SECOND, kind)
    rows = recorder.take(0, {}).turns
    assert rows["seq"].tolist() == [0, 3, 1, 4, 2, 5]
    assert rows["kind"].tolist() == [1, 1, 2, 2, 0, 0]
    assert rows["phase"].tolist() == [WARMUP, MEASURED] * 3


def test_what_never_came_is_minus_one_in_the_row() -> None:
    recorder = a_recorder()
    turn = Turn(1, 1, 0, "id", START, recorder.phases[WARMUP])
    turn.outcome = Outcome.ABANDONED
    recorder.ended(turn)
    (row,) = recorder.take(0, {}).turns
    assert (row["intended_ns"], row["sent_ns"], row["first_ns"], row["done_ns"]) == (0, NEVER, NEVER, NEVER)
    assert OUTCOMES[row["outcome"]] == "abandoned"


def test_response_time_counts_from_the_last_chunk_and_the_turn_stays_where_it_was_due() -> None:
    recorder = a_recorder()
    turn = Turn(7, 3, 2, "id-7", START + SECOND, recorder.metrics_at(START + SECOND))
    turn.waited_from_ns = turn.sent_ns = START + 2 * SECOND
    turn.outcome, turn.done_ns, turn.frames = Outcome.COMPLETE, START + 2 * SECOND + 5, []
    recorder.ended(turn)
    interval = recorder.take(0, {})
    assert interval.histograms["turn.completion"].max_ns == 5
    (row,), (log,) = interval.turns, interval.frames
    assert (row["intended_ns"], row["waited_from_ns"]) == (SECOND, 2 * SECOND)
    assert (log["intended_ns"], log["waited_from_ns"]) == (SECOND, 2 * SECOND)


def test_a_turn_that_was_not_attempted() -> None:
    recorder = a_recorder()
    recorder.not_attempted(9, 2, 1, START + 3 * SECOND)
    interval = recorder.take(0, {})
    assert interval.counters == {"drain": {"turns.not_attempted": 1}}
    (row,) = interval.turns
    assert (row["seq"], row["user"], row["position"], row["phase"]) == (9, 2, 1, DRAIN)
    assert OUTCOMES[row["outcome"]] == "not_attempted"
    assert (row["intended_ns"], row["sent_ns"], row["events"]) == (3 * SECOND, NEVER, 0)


def test_why_a_turn_was_not_attempted_is_counted() -> None:
    recorder = a_recorder()
    recorder.not_attempted(9, 2, 1, START + 3 * SECOND, reason="backlog")
    counted = {"turns.not_attempted": 1, "turns.not_attempted_by.backlog": 1}
    assert recorder.take(0, {}).counters == {"drain": counted}


def test_response_time_is_from_due_and_service_time_from_sent() -> None:
    recorder = a_recorder()
    ended(recorder, took=500)
    histograms = recorder.take(0, {}).histograms
    assert histograms["turn.completion"].max_ns == 500
    assert histograms["turn.completion.service"].max_ns == 490


def test_a_turn_that_was_answered_before_it_was_known_to_be_sent_has_no_service_time() -> None:
    recorder = a_recorder()
    turn = Turn(1, 1, 0, "id", START + SECOND, recorder.phases[MEASURED])
    turn.outcome, turn.done_ns = Outcome.COMPLETE, START + SECOND + 5
    recorder.ended(turn)
    assert set(recorder.take(0, {}).histograms) == {"turn.completion"}


def test_a_clock_that_goes_back_gives_zero() -> None:
    recorder = a_recorder()
    ended(recorder, took=-500)
    histograms = recorder.take(0, {}).histograms
    assert histograms["turn.completion"].max_ns == 0
    assert histograms["turn.completion.service"].max_ns == 0


@pytest.mark.parametrize("outcome", list(Outcome)[1:6])
def test_only_complete_turns_have_a_completion_time(outcome: Outcome) -> None:
    recorder = a_recorder()
    ended(recorder, outcome, reason="pairs")
    interval = recorder.take(0, {})
    name = OUTCOMES[outcome]
    looked = {} if outcome is Outcome.ABANDONED else {"turns.no_first_event": 1}
    assert interval.counters["measured"] == {f"turns.{name}": 1, f"turns.{name}_by.pairs": 1, **looked}
    assert interval.histograms == {}


# ------------------------------------------------------------------ instants and moves


def test_instants_keep_the_earliest_and_the_latest() -> None:
    recorder = a_recorder()
    for at in (50, 30, 70):
        recorder.instant("first_attempt", START + at)
        recorder.instant("last_ready", START + at)
    assert recorder.take(0, {}).instants == {"first_attempt": 30, "last_ready": 70}
    assert recorder.take(1, {}).instants == {"first_attempt": 30, "last_ready": 70}


def test_the_last_event_of_a_measured_turn_is_an_instant() -> None:
    recorder = a_recorder()
    assert recorder.take(0, {}).instants == {}
    ended(recorder, due=START + SECOND, took=500)
    ended(recorder, due=START + SECOND, took=300)
    ended(recorder, due=START + 3 * SECOND)
    ended(recorder, due=START)
    assert recorder.take(0, {}).instants == {"last_matched": SECOND + 500}


def test_moves_and_gauges() -> None:
    recorder = a_recorder()
    recorder.moved(START + 5, 1)
    recorder.moved(START + 6, 1)
    recorder.moved(START + 9, -1)
    interval = recorder.take(2, {"users": 3.0})
    assert interval.moves.tolist() == [[5, 1], [6, 1], [9, -1]]
    assert interval.gauges == {"ready": 1.0, "users": 3.0}
    assert (interval.second, interval.worker) == (2, 4)


# ------------------------------------------------------------------ evidence


def logs(interval: Interval, kind: str) -> list[dict[str, Any]]:
    return [log for log in interval.frames if log["kind"] == kind]


def test_the_slowest_turns_of_a_second_are_kept() -> None:
    recorder = a_recorder()
    times = [(37 * number) % 101 for number in range(101)]
    for seq, took in enumerate(times):
        ended(recorder, seq=seq, took=took, frames=[])
    kept = logs(recorder.take(0, {}), "slowest")
    assert [times[log["seq"]] for log in kept] == list(range(100, 100 - SLOWEST_KEPT, -1))


def test_turns_that_took_the_same_and_have_the_same_number_are_no_trouble() -> None:
    recorder = a_recorder()
    for _ in range(3 * SLOWEST_KEPT):
        ended(recorder, frames=[])
    assert len(logs(recorder.take(0, {}), "slowest")) == SLOWEST_KEPT


def test_without_frames_no_turn_is_among_the_slowest() -> None:
    recorder = a_recorder()
    ended(recorder)
    assert recorder.take(0, {}).frames == []


def test_broken_turns_are_kept_but_not_those_we_left() -> None:
    recorder = a_recorder()
    ended(recorder, Outcome.ABANDONED)
    for seq in range(BROKEN_KEPT + 5):
        ended(recorder, Outcome.TIMED_OUT, seq=seq)
    kept = logs(recorder.take(0, {}), "broken")
    assert [log["seq"] for log in kept] == list(range(BROKEN_KEPT))
    assert {log["outcome"] for log in kept} == {"timed_out"}


def test_the_log_of_a_turn() -> None:
    recorder = a_recorder()
    at = START + SECOND
    turn = ended(recorder, frames=[at + 100, b"one", b"two", at + 500, b"\xff" + b"x" * 5000])
    turn.left_out = 12
    (log,) = recorder.take(0, {}).frames
    assert log == {
        "kind": "slowest",
        "seq": 7,
        "user": 3,
        "turn": "id-7",
        "outcome": "complete",
        "reason": "",
        "intended_ns": SECOND,
        "sent_ns": SECOND + 10,
        "first_ns": SECOND + 100,
        "done_ns": SECOND + 500,
        "frames": [
            [SECOND + 100, "one"],
            [SECOND + 100, "two"],
            [SECOND + 500, "\ufffd" + "x" * (MAX_FRAME_BYTES - 1) + "…"],
        ],
        "left_out": 12,
        "phase": "measured",
    }
    json.dumps(log)


def test_the_log_of_a_turn_that_came_to_nothing() -> None:
    recorder = a_recorder()
    turn = Turn(1, 1, 0, "id", START, recorder.phases[WARMUP])
    turn.outcome, turn.reason = Outcome.FAILED, "id"
    recorder.ended(turn)
    (log,) = recorder.take(0, {}).frames
    assert (log["sent_ns"], log["first_ns"], log["done_ns"], log["frames"]) == (None, None, None, [])
    assert (log["outcome"], log["reason"]) == ("failed", "id")


def test_payloads_that_should_not_have_come_are_kept_up_to_a_number() -> None:
    recorder = a_recorder()
    for _ in range(EVIDENCE_KEPT + 5):
        recorder.evidence("foreign", b"\xffx" * 5000, 6)
    frames = recorder.take(0, {}).frames
    assert len(frames) == EVIDENCE_KEPT
    assert frames[0]["kind"] == "foreign"
    assert frames[0]["user"] == 6
    assert len(frames[0]["frames"][0][1].rstrip("…")) == MAX_FRAME_BYTES


def test_one_kind_of_payload_does_not_crowd_out_another() -> None:
    recorder = a_recorder()
    for _ in range(EVIDENCE_KEPT):
        recorder.evidence("unmatched", b"x", 6)
    recorder.evidence("foreign", b"y", 6)
    assert [each["kind"] for each in recorder.take(0, {}).frames].count("foreign") == 1


def test_a_complete_turn_whose_events_went_astray_is_kept_with_what_is_missing() -> None:
    recorder = a_recorder()
    turn = Turn(7, 3, 0, "id-7", START + SECOND, recorder.phases[MEASURED])
    turn.sent_ns = turn.done_ns = START + SECOND + 10
    for number in (0, 1, 3, 4, 6):
        turn.number(number, "x")
    turn.outcome, turn.frames, turn.lost = Outcome.COMPLETE, [], 2
    recorder.ended(turn)
    logs = {log["kind"]: log for log in recorder.take(0, {}).frames}
    assert logs["faulty"]["missing"] == [2, 5]
    assert logs["faulty"]["lost"] == 2
    assert not {"duplicate", "misnumbered"} & set(logs["faulty"])
    assert [log["kind"] for log in recorder.take(1, {}).frames] == []


def test_a_complete_turn_whose_numbers_cannot_be_followed_is_kept_with_the_reason() -> None:
    recorder = a_recorder()
    turn = Turn(7, 3, 0, "id-7", START + SECOND, recorder.phases[MEASURED])
    turn.sent_ns = turn.done_ns = START + SECOND + 10
    turn.outcome, turn.frames = Outcome.COMPLETE, []
    turn.number(10**9, "x")
    recorder.ended(turn)
    logs = {log["kind"]: log for log in recorder.take(0, {}).frames}
    assert logs["faulty"]["misnumbered"] == "gap_too_wide"
    assert "missing" not in logs["faulty"]


# ------------------------------------------------------------------ together with conversations


def talking(recorder: Recorder, user: int, turn_id: str = "{uuid}") -> Session:
    protocol = Protocol(
        name="p",
        turn=TurnShape(id=turn_id),
        events=Events(type=("type",), turn=("id",), sequence=("seq",), end=("end",), fail=("fail",)),
    )
    grammar = CompiledProtocol(protocol, message="{turn.id}", nonce="n", timeout_ns=SECOND)
    session = Session(grammar, recorder, user, {})
    session.upgraded(START)
    return session


def test_an_id_that_another_user_has_in_flight() -> None:
    recorder = a_recorder()
    ours, theirs = talking(recorder, 1), talking(recorder, 2)
    recorder.sessions = [ours, theirs]
    turn, _ = theirs.begin(5, 0, START, {})
    assert recorder.owned_elsewhere(turn.id, 1)
    assert not recorder.owned_elsewhere(turn.id, 2)
    assert not recorder.owned_elsewhere("nobody's", 1)
    theirs.receive([json.dumps({"type": "end", "id": turn.id}).encode()], START + 4)
    assert recorder.owned_elsewhere(turn.id, 1), "also when it has ended"
    ours.receive([json.dumps({"type": "x", "id": turn.id}).encode()], START + 5)
    assert recorder.metrics.events_foreign == 1


ends = st.sampled_from(["end", "fail", "time", "loss", "leave", "none"])


@given(st.lists(st.tuples(st.integers(0, 4 * SECOND), ends), max_size=12))
def test_every_turn_that_was_begun_has_a_row_and_an_outcome(turns: list[tuple[int, str]]) -> None:
    """In every part of the run: begun = complete + failed + timed out + lost + refused + abandoned."""
    recorder = a_recorder()
    sessions = [talking(recorder, user) for user in range(3)]
    for seq, (offset, end) in enumerate(turns):
        session = sessions[seq % 3]
        turn, _ = session.begin(seq, 0, START + offset, {})
        session.sent(turn, START + offset)
        if end in {"end", "fail"}:
            session.receive([json.dumps({"type": end, "id": turn.id, "seq": 1}).encode()], START + offset + 9)
        elif end == "time":
            session.tick(START + offset + SECOND)
        elif end in {"loss", "leave"}:
            session.lost(START + offset, 1006, by_us=end == "leave")
    for session in sessions:
        session.lost(START + 5 * SECOND, 1006)
    interval = from_bytes(to_bytes(recorder.take(0, {})))
    for counters in interval.counters.values():
        outcomes = sum(counters.get(f"turns.{name}", 0) for name in OUTCOMES)
        assert counters.get("turns.begun", 0) == outcomes
    assert sorted(interval.turns["seq"].tolist()) == list(range(len(turns)))
    for index, phase in enumerate(PHASES):
        rows = interval.turns[interval.turns["phase"] == index]
        assert len(rows) == interval.counters.get(phase, {}).get("turns.begun", 0)
        assert int(np.sum(rows["events"])) == interval.counters.get(phase, {}).get("events.matched", 0)
        assert int(np.sum(rows["lost"])) == interval.counters.get(phase, {}).get("events.lost", 0)


def test_of_a_large_log_the_beginning_and_the_end_are_kept() -> None:
    """Taking secrets out of megabytes would hold up the run."""
    recorder = a_recorder()
    payloads = [str(number).encode().ljust(2000) for number in range(100)]
    frames = [each for number, payload in enumerate(payloads) for each in (START + number, payload)]
    ended(recorder, frames=frames)
    (log,) = recorder.take(0, {}).frames
    kept = [(at, int(text)) for at, text in log["frames"]]
    assert all(at == number for at, number in kept)
    assert [number for _, number in kept][:2] == [0, 1]
    assert kept[-1] == (99, 99)
    assert sum(len(text) for _, text in log["frames"]) <= MAX_LOG_BYTES
    assert len(kept) + log["left_out"] == 100


def test_a_payload_that_was_cut_ends_with_an_ellipsis() -> None:
    recorder = a_recorder()
    recorder.evidence("late", b"x" * (MAX_FRAME_BYTES - 1) + "ü".encode(), 6)
    recorder.evidence("late", b"whole", 6)
    texts = [frame["frames"][0][1] for frame in recorder.take(0, {}).frames]
    assert texts == ["x" * (MAX_FRAME_BYTES - 1) + "…", "whole"]


# ------------------------------------------------------------------ kinds of turn


def test_kinds_of_turn_add_up_to_the_whole() -> None:
    recorder = a_recorder()
    due = START + SECOND
    for kind, took in (("ask", 500), ("ask", 700), ("cancel", 900), ("", 1100)):
        metrics = recorder.metrics_at(due, kind)
        metrics.turns_due += 1
        metrics.turns_begun += 1
        turn = Turn(1, 3, 0, "a", due, metrics)
        turn.sent_ns, turn.done_ns, turn.outcome = due, due + took, Outcome.COMPLETE
        recorder.ended(turn)
    recorder.not_attempted(2, 3, 0, due, "ask")
    recorder.not_attempted(3, 3, 0, START, "cancel")
    interval = recorder.take(0, {})
    counted = interval.counters["measured"]
    assert {name: n for name, n in counted.items() if name.startswith("turns.")} == {
        "turns.due": 4, "turns.begun": 4, "turns.complete": 4, "turns.not_attempted": 1,
        "turns.due[ask]": 2, "turns.begun[ask]": 2, "turns.complete[ask]": 2, "turns.not_attempted[ask]": 1,
        "turns.due[cancel]": 1, "turns.begun[cancel]": 1, "turns.complete[cancel]": 1,
    }  # fmt: skip
    assert interval.counters["warmup"] == {"turns.not_attempted": 1, "turns.not_attempted[cancel]": 1}
    completions = {tag: each.n for tag, each in interval.histograms.items() if "completion" in tag}
    assert completions == {
        "turn.completion": 4, "turn.completion[ask]": 2, "turn.completion[cancel]": 1,
        "turn.completion.service": 4, "turn.completion.service[ask]": 2, "turn.completion.service[cancel]": 1,
    }  # fmt: skip
    assert from_bytes(to_bytes(interval)).counters == interval.counters
    assert recorder.take(1, {}).histograms == {}


def test_the_log_of_a_turn_says_of_which_kind_it_was() -> None:
    recorder = a_recorder()
    due = START + SECOND
    turn = Turn(1, 3, 0, "a", due, recorder.metrics_at(due, "ask"))
    turn.outcome = Outcome.FAILED
    recorder.ended(turn)
    assert [log["turn_kind"] for log in recorder.take(0, {}).frames] == ["ask"]


def test_a_kind_of_turn_has_metrics_of_its_own_in_every_phase() -> None:
    recorder = Recorder(START, SECOND, 2 * SECOND, worker=4)
    plain = recorder.metrics_at(START + SECOND)
    of_kind = recorder.metrics_at(START + SECOND, "ask")
    assert of_kind is not plain
    assert of_kind.phase == plain.phase
    assert recorder.metrics_at(START + SECOND, "ask") is of_kind


def test_open_sessions_are_told_of_a_phase() -> None:
    class Told:
        times = 0

        def enter_phase(self) -> None:
            self.times += 1

    recorder, session = Recorder(START, SECOND, 2 * SECOND, worker=4), Told()
    recorder.sessions = (session,)  # type: ignore[assignment]  # a fake
    recorder.enter(START + SECOND)
    assert session.times == 1
    assert recorder.metrics.phase == MEASURED
