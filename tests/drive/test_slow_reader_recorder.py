"""Users kept apart are counted with all others; their times stand under tags of their own."""

from __future__ import annotations

from loadtest.drive.chaos_injection import SlowReaderRecorder
from loadtest.measure.interval import Interval
from loadtest.measure.recorder import Recorder
from loadtest.speak.turn import Outcome, Turn

S = 1_000_000_000


def ended(slow_recorder: SlowReaderRecorder, intended_ns: int, outcome: Outcome = Outcome.COMPLETE) -> Turn:
    turn = Turn(1, 4, 0, "a", intended_ns, slow_recorder.metrics_at(intended_ns))
    turn.metrics.turns_begun += 1
    turn.sent_ns = intended_ns
    turn.frames = [1, b"{}"]
    turn.outcome = outcome
    turn.done_ns = intended_ns + 5
    slow_recorder.ended(turn)
    return turn


def taken(recorder: Recorder, slow_recorder: SlowReaderRecorder) -> Interval:
    interval = recorder.take(0, {})
    slow_recorder.add_to(interval)
    return interval


def test_counters_are_added_to_those_of_all_and_times_are_not() -> None:
    recorder = Recorder(0, S, S)
    slow_recorder = SlowReaderRecorder(recorder)
    recorder.metrics_at(S).turns_begun += 1
    recorder.metrics_at(S).completion.append(7)
    ended(slow_recorder, 0)
    ended(slow_recorder, S)
    ended(slow_recorder, S, Outcome.TIMED_OUT)
    interval = taken(recorder, slow_recorder)
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
    slow_recorder = SlowReaderRecorder(recorder)
    recorder.metrics.events_late = 1
    slow_recorder.metrics.events_late = 2
    slow_recorder.metrics.events_coalesced = 3
    ended(slow_recorder, 0)
    ended(slow_recorder, 0, Outcome.TIMED_OUT)
    measured = taken(recorder, slow_recorder).counters["measured"]
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
    assert taken(recorder, slow_recorder).counters == {}


def test_they_are_never_among_the_slowest_but_are_evidence_of_what_broke() -> None:
    recorder = Recorder(0, 0, S)
    slow_recorder = SlowReaderRecorder(recorder)
    ended(slow_recorder, 0)
    ended(slow_recorder, 0, Outcome.FAILED)
    slow_recorder.evidence("foreign", b"x", 4)
    kinds = [frames["kind"] for frames in taken(recorder, slow_recorder).frames]
    assert kinds == ["foreign", "broken"]


def test_the_part_of_the_run_is_the_recorders() -> None:
    recorder = Recorder(0, S, S)
    slow_recorder = SlowReaderRecorder(recorder)
    assert slow_recorder.metrics.phase == recorder.metrics.phase == 0
    recorder.enter(S)
    assert slow_recorder.metrics.phase == recorder.metrics.phase == 1
    assert slow_recorder.metrics is not recorder.metrics
    assert slow_recorder.metrics_in(1) is slow_recorder.metrics
    assert not slow_recorder.owned_elsewhere("a", 1)
