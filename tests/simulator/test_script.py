from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulator.events import ECHO, turn_events
from loadtest.simulator.faults import Faults, parse_faults
from loadtest.simulator.script import DELTAS, Act, ScriptStep, make_script

MS = 1_000_000
KINDS = turn_events(2)
HONEST = list(enumerate(KINDS))

turns = st.text(min_size=1, max_size=12)
seeds = st.integers(0, 1000)
some_faults = st.lists(
    st.sampled_from(
        [
            "drop=0.5,any",
            "duplicate=0.5,any",
            "reorder=0.5",
            "leak=0.5,any",
            "malformed=0.5",
            "delay=uniform:1ms,9ms",
            "gap=exp:2ms",
            "batch=30ms",
            "cut=0.5",
            "blackhole=0.3",
            "huge=2KiB",
            "unpaired=0.5",
            "stall=7ms,0.5",
            "stream=20ms",
        ]
    ),
    unique=True,
)


def sent(steps: list[ScriptStep]) -> list[tuple[int, str]]:
    """What the client sees of its own turn: numbers and kinds, in order."""
    return [(step.seq, step.kind) for step in steps if step.act in {Act.EVENT, Act.HUGE}]


def struck(steps: list[ScriptStep], fault: str) -> int:
    return sum(step.fault == fault for step in steps)


def script(
    *faults: str, turn: str = "run-1", seed: int = 1, kinds: tuple[str, ...] = KINDS
) -> list[ScriptStep]:
    return make_script(parse_faults(faults, seed), turn, kinds)


@given(turns)
def test_without_faults_a_turn_is_whole_at_once_and_in_order(turn: str) -> None:
    steps = make_script(Faults(), turn, KINDS)
    assert sent(steps) == HONEST
    assert {(step.at_ns, step.fault) for step in steps} == {(0, "")}


@given(some_faults, seeds, turns)
def test_a_script_depends_on_nothing_but_seed_faults_and_turn(texts: list[str], seed: int, turn: str) -> None:
    faults = parse_faults(texts, seed)
    alone = make_script(faults, turn, KINDS)
    for other in ("before", "another"):
        make_script(faults, other, KINDS)
    assert make_script(parse_faults(texts, seed), turn, KINDS) == alone


@given(some_faults, seeds, turns)
def test_steps_are_in_order_of_time_and_a_close_is_last(texts: list[str], seed: int, turn: str) -> None:
    steps = make_script(parse_faults(texts, seed), turn, KINDS)
    assert steps
    assert [step.at_ns for step in steps] == sorted(step.at_ns for step in steps)
    assert all(step.act is not Act.CLOSE for step in steps[:-1])


@given(some_faults, seeds, turns)
def test_what_is_sent_is_what_is_due_but_for_what_the_faults_say(
    texts: list[str], seed: int, turn: str
) -> None:
    steps = make_script(parse_faults(texts, seed), turn, KINDS)
    if struck(steps, "cut") or struck(steps, "blackhole"):
        return
    due = len(KINDS) - struck(steps, "unpaired")
    assert len(sent(steps)) == due - struck(steps, "drop") + struck(steps, "duplicate")
    assert len(set(sent(steps))) == due - struck(steps, "drop")


@given(seeds, turns)
def test_a_dropped_event_keeps_its_number(seed: int, turn: str) -> None:
    steps = script("drop=0.5", seed=seed, turn=turn)
    dropped = {(step.seq, step.kind) for step in steps if step.fault == "drop"}
    assert sent(steps) == [event for event in HONEST if event not in dropped]
    assert {kind for _, kind in dropped} <= {"agent_thinking", "partial_result"}


def test_which_events_are_dropped_can_be_said() -> None:
    assert sent(script("drop=1,any")) == []
    assert sent(script("drop=1,agent_completed")) == HONEST[:-1]


def test_a_duplicate_follows_its_event() -> None:
    assert sent(script("duplicate=1,tool_executing")) == [*HONEST[:3], HONEST[2], *HONEST[3:]]


@given(seeds, turns)
def test_neighbours_change_places_and_nothing_is_lost(seed: int, turn: str) -> None:
    steps = script("reorder=0.7", seed=seed, turn=turn)
    numbers = [seq for seq, _ in sent(steps)]
    assert sorted(sent(steps)) == HONEST
    assert numbers[0] == 0
    assert numbers[-1] == len(KINDS) - 1
    assert numbers.index(2) < numbers.index(3), "a tool is executed before it is completed"
    behind = sum(seq < max(numbers[:place], default=-1) for place, seq in enumerate(numbers))
    assert behind == struck(steps, "reorder")


def test_instants_stay_when_events_change_places() -> None:
    steps = script("reorder=1", "gap=1ms")
    assert [step.at_ns for step in steps if step.act is Act.EVENT] == [n * MS for n in range(7)]


def test_leaks_and_broken_copies_come_beside_whole_turns() -> None:
    steps = script("leak=1", "malformed=1")
    assert sent(steps) == HONEST
    assert struck(steps, "leak") == struck(steps, "malformed") == 3
    assert {step.act for step in steps if step.fault} == {Act.FOREIGN, Act.BROKEN}


def test_a_tool_that_never_completes_leaves_no_gap_in_the_numbers() -> None:
    steps = script("unpaired=1")
    assert [kind for _, kind in sent(steps)] == [kind for kind in KINDS if kind != "tool_completed"]
    assert [seq for seq, _ in sent(steps)] == list(range(6))
    assert struck(steps, "unpaired") == 1


def test_a_blackhole_says_nothing() -> None:
    assert script("blackhole=1") == [ScriptStep(0, Act.MARK, "", 0, "blackhole")]


def test_a_cut_comes_after_half_of_the_turn() -> None:
    steps = script("cut=1", "gap=1ms")
    assert sent(steps) == HONEST[:3]
    assert steps[-1] == ScriptStep(2 * MS, Act.CLOSE, "", 0, "cut")


def test_delay_comes_before_the_first_event_and_gaps_between() -> None:
    at = [step.at_ns for step in script("delay=5ms", "gap=2ms")]
    assert at == [5 * MS + n * 2 * MS for n in range(7)]


STREAMED = turn_events(DELTAS)


def test_an_agents_turn_takes_about_its_time_and_begins_within_tens_of_milliseconds() -> None:
    took, first = [], []
    for n in range(200):
        steps = script("stream", turn=f"run-{n}", kinds=STREAMED)
        assert sent(steps) == list(enumerate(STREAMED))
        at = [step.at_ns for step in steps]
        assert at == sorted(at)
        took.append(at[-1])
        first.append(at[1])
    assert 500 * MS < min(took) < 900 * MS
    assert 1100 * MS < max(took) < 1500 * MS
    assert abs(sum(took) / len(took) - 1000 * MS) < 30 * MS
    assert min(first) >= 25 * MS
    assert max(first) <= 75 * MS


def test_the_pace_is_the_same_for_the_same_seed_and_scales() -> None:
    slow, fast = (script(f"stream={t}", kinds=STREAMED) for t in ("1s", "100ms"))
    assert [round(step.at_ns / 10) for step in slow] == pytest.approx([step.at_ns for step in fast], abs=20)
    assert script("stream", kinds=STREAMED) == slow
    assert script("stream", kinds=STREAMED, seed=2) != slow


def test_delays_differ_between_turns_and_gaps_within_one() -> None:
    delays = {script("delay=uniform:1ms,9ms", turn=f"run-{n}")[0].at_ns for n in range(20)}
    assert len(delays) == 20
    at = [step.at_ns for step in script("gap=uniform:1ms,9ms")]
    assert len({after - before for before, after in pairwise(at)}) == 6


def test_a_stall_lies_in_the_middle() -> None:
    steps = [step for step in script("gap=1ms", "stall=50ms") if step.act is Act.EVENT]
    gaps = [after.at_ns - before.at_ns for before, after in pairwise(steps)]
    assert gaps == [MS, MS, 51 * MS, MS, MS, MS]


def test_a_batch_comes_when_the_stream_would_have_ended() -> None:
    streamed = script("delay=5ms", "gap=2ms", "stall=10ms")
    batched = script("delay=5ms", "gap=2ms", "stall=10ms", "batch")
    assert sent(batched) == HONEST
    assert {step.at_ns for step in batched} == {streamed[-1].at_ns}
    assert {step.at_ns for step in script("batch=80ms")} == {80 * MS}


def test_only_partial_results_are_huge() -> None:
    huge = {step.kind for step in script("huge=4KiB") if step.act is Act.HUGE}
    assert huge == {"partial_result"}


def test_an_echo_knows_the_faults_that_make_sense_for_it() -> None:
    everything = ["drop=1", "duplicate=1", "reorder=1", "leak=1", "unpaired=1", "huge=1KiB", "delay=3ms"]
    assert sent(script(*everything[1:], kinds=(ECHO,))) == [(0, ECHO)] * 2
    assert struck(script("leak=1", "reorder=1", "unpaired=1", "huge=1KiB", kinds=(ECHO,)), "leak") == 0
    assert sent(script("drop=1", kinds=(ECHO,))) == []
    assert script("cut=1", kinds=(ECHO,))[-1].act is Act.CLOSE
