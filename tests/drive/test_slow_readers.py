"""Users kept apart are counted with all others; their times stand under tags of their own."""

from __future__ import annotations

from loadtest.drive.slow_readers import Aside
from loadtest.measure.interval import Interval
from loadtest.measure.recorder import Recorder
from loadtest.speak.turn import Outcome, Turn

S = 1_000_000_000


def ended(aside: Aside, intended_ns: int, outcome: Outcome = Outcome.COMPLETE) -> Turn:
    turn = Turn(1, 4, 0, "a", intended_ns, aside.metrics_at(intended_ns))
    turn.metrics.turns_begun += 1
    turn.sent_ns = intended_ns
    turn.frames = [1, b"{}"]
    turn.outcome = outcome
    turn.done_ns = intended_ns + 5
    aside.ended(turn)
    return turn


def taken(recorder: Recorder, aside: Aside) -> Interval:
    interval = recorder.take(0, {})
    aside.add_to(interval)
    return interval


def test_counters_are_added_to_those_of_all_and_times_are_not() -> None:
    recorder = Recorder(0, S, S)
    aside = Aside(recorder)
    recorder.metrics_at(S).turns_begun += 1
    recorder.metrics_at(S).completion.append(7)
    ended(aside, 0)
    ended(aside, S)
    ended(aside, S, Outcome.TIMED_OUT)
    interval = taken(recorder, aside)
    measured = interval.counters["measured"]
    assert measured["turns.begun"] == 3
    assert (measured["turns.complete"], measured["turns.timed_out"]) == (1, 1)
    assert interval.counters["warmup"]["turns.complete"] == 1
    assert {tag: histogram.n for tag, histogram in interval.histograms.items()} == {
        "turn.completion": 1,
        "slow:turn.completion": 1,
        "slow:turn.completion.service": 1,
        "slow:warmup:turn.completion": 1,
        "slow:warmup:turn.completion.service": 1,
    }
    assert len(interval.turns) == 3


def test_what_only_they_brought_about_is_counted_apart() -> None:
    recorder = Recorder(0, 0, S)
    aside = Aside(recorder)
    recorder.metrics.events_late = 1
    aside.metrics.events_late = 2
    aside.metrics.events_coalesced = 3
    ended(aside, 0)
    ended(aside, 0, Outcome.TIMED_OUT)
    measured = taken(recorder, aside).counters["measured"]
    assert measured["events.late"] == 1
    assert "events.coalesced" not in measured
    assert {name: n for name, n in measured.items() if name.startswith("chaos.")} == {
        "chaos.slow.events.coalesced": 3,
        "chaos.slow.events.late": 2,
        "chaos.slow.turns.begun": 2,
        "chaos.slow.turns.complete": 1,
        "chaos.slow.turns.no_first_event": 1,
        "chaos.slow.turns.timed_out": 1,
    }
    assert taken(recorder, aside).counters == {}


def test_they_are_never_among_the_slowest_but_are_evidence_of_what_broke() -> None:
    recorder = Recorder(0, 0, S)
    aside = Aside(recorder)
    ended(aside, 0)
    ended(aside, 0, Outcome.FAILED)
    aside.evidence("foreign", b"x", 4)
    kinds = [frames["kind"] for frames in taken(recorder, aside).frames]
    assert kinds == ["foreign", "broken"]


def test_the_part_of_the_run_is_the_recorders() -> None:
    recorder = Recorder(0, S, S)
    aside = Aside(recorder)
    assert aside.metrics.phase == recorder.metrics.phase == 0
    recorder.enter(S)
    assert aside.metrics.phase == recorder.metrics.phase == 1
    assert aside.metrics is not recorder.metrics
    assert not aside.owned_elsewhere("a", 1)
