from __future__ import annotations

from typing import Any

import pytest
from sample import EVIL, SampleRun

from loadtest.show.exemplars import FRAMES, other_turns, slowest_turns

MS = 1_000_000


def log(seq: int, done_ms: float, **changes: Any) -> dict[str, Any]:
    instants = {"intended_ns": 0, "sent_ns": 1 * MS, "first_ns": 3 * MS, "done_ns": int(done_ms * MS)}
    frames = [[1 * MS, "ask"], [3 * MS, "answer"]]
    return {
        "kind": "slowest",
        "seq": seq,
        "outcome": "complete",
        "reason": None,
        "frames": frames,
        **instants,
    } | changes


def test_the_slowest_come_first_on_one_scale() -> None:
    fast, slow = log(1, 5), log(2, 10)
    found = slowest_turns([fast, slow, log(3, 99, kind="broken")])
    assert [turn.title for turn in found] == [f"turn {n}, due at the start of the run" for n in (2, 1)]
    assert [(part.name, part.share) for part in found[0].segments] == [
        ("late", 10),
        ("waiting", 20),
        ("streaming", 70),
    ]
    assert sum(part.share for part in found[1].segments) == 50


def test_frames_are_counted_from_the_instant_the_turn_was_due() -> None:
    (turn,) = slowest_turns([log(1, 5, intended_ns=2 * MS)])
    assert [(frame.at, frame.payload) for frame in turn.frames] == [("-1 ms", "ask"), ("+1 ms", "answer")]


def test_the_time_of_a_turn_that_was_never_answered_is_all_drawn() -> None:
    (turn,) = other_turns([log(1, 5, kind="broken", outcome="timed_out", reason="size", first_ns=None)])
    assert turn.outcome == "timed out (size)"
    assert [(part.name, part.text, part.share) for part in turn.segments] == [
        ("late", "1 ms", 20),
        ("unanswered", "4 ms", 80),
    ]


@pytest.mark.parametrize("lacking", ["sent_ns", "done_ns", "intended_ns"])
def test_a_turn_that_has_no_beginning_or_no_end_has_no_bar(lacking: str) -> None:
    other = log(2, 9, kind="broken", outcome="lost")
    found = other_turns([log(1, 5, kind="broken", outcome="failed", **{lacking: None}), other])
    assert [bool(turn.segments) for turn in found] == [False, True]


def test_many_frames_are_cut_and_the_rest_is_counted() -> None:
    (turn,) = slowest_turns([log(1, 5, frames=[[0, "x"]] * (FRAMES + 3))])
    assert (len(turn.frames), turn.left_out) == (FRAMES, 3)


def test_frames_that_were_not_kept_are_told_as_such() -> None:
    (turn,) = slowest_turns([log(1, 5, left_out=7)])
    assert (turn.left_out, turn.forgotten) == (0, 7)


def test_turns_of_the_warm_up_say_so() -> None:
    found = slowest_turns([log(1, 9), log(2, 2005, intended_ns=2000 * MS)], warmup_s=2.0)
    assert [turn.outcome for turn in found] == ["complete, in the warm-up", "complete"]


def test_no_time_between_two_stamps_is_not_told_as_a_duration_of_nothing() -> None:
    (turn,) = slowest_turns([log(1, 3, sent_ns=0)])
    assert [(part.name, part.text) for part in turn.segments] == [("waiting", "3 ms")]
    (turn,) = slowest_turns([log(1, 3, frames=[[0, "ask"]])])
    assert turn.frames[0].at == ""
    (turn,) = slowest_turns([log(1, 0, sent_ns=0, first_ns=0)])
    assert (turn.took, turn.segments) == ("", ())


def test_under_a_coarse_clock_what_is_shorter_than_its_step_is_told_so() -> None:
    turns = [log(1, 40), log(2, 0, sent_ns=0, first_ns=0)]
    found = slowest_turns(turns, step_ns=15_600_000)
    assert [turn.took for turn in found] == ["40 ms", "< 15.6 ms"]
    assert [(part.name, part.text) for part in found[0].segments] == [
        ("late", "< 15.6 ms"),
        ("waiting", "< 15.6 ms"),
        ("streaming", "37 ms"),
    ]


def test_stray_payloads_have_no_time() -> None:
    (stray,) = other_turns([{"kind": "foreign", "user": 3, "frames": [[None, EVIL]]}])
    assert (stray.title, stray.outcome, stray.took, stray.segments) == ("user 3", "foreign", "", ())
    assert (stray.frames[0].at, "\x1b" in stray.frames[0].payload) == ("", False)


def test_logs_of_any_shape_are_read(run: SampleRun) -> None:
    logs = [*run.slowest(), {}, {"frames": "none"}, {"frames": [None, [1], [1, 2, 3]]}]
    slowest_turns(logs)
    other_turns(logs)


def test_what_went_astray_in_a_turn_is_told() -> None:
    (turn,) = other_turns([log(7, 5, kind="faulty", missing=[2, 1005], lost=2, duplicate=3, out_of_order=1)])
    assert turn.outcome == "complete; missing number 2, 1,005; 3 came twice; 1 came out of order"
    (odd,) = other_turns([log(7, 5, kind="faulty", missing="x", duplicate="y")])
    assert odd.outcome == "complete"


def test_every_kind_of_failure_has_its_turn_and_the_warm_up_comes_last() -> None:
    early = [log(n, 5, kind="broken", outcome="lost") for n in range(20)]
    late = [log(100 + n, 3005, kind="broken", outcome="lost", intended_ns=3000 * MS) for n in range(20)]
    odd = [log(200, 3005, kind="foreign", intended_ns=3000 * MS)]
    found = other_turns([*early, *late, *odd], warmup_s=2.0)
    assert [turn.title.partition(",")[0] for turn in found[:3]] == ["turn 100", "turn 200", "turn 101"]
    assert not any("warm-up" in turn.outcome for turn in found)


def test_a_turn_that_sends_at_its_pace_is_due_at_once_and_waited_for_from_its_last_chunk() -> None:
    (shown,) = slowest_turns([log(1, 2010, sent_ns=2002 * MS, first_ns=2003 * MS, waited_from_ns=2000 * MS)])
    assert "due at the start of the run" in shown.title
    assert shown.took == "10 ms"
    assert (shown.segments[0].name, shown.segments[0].text) == ("late", "2 ms")


def test_one_turn_stands_for_its_burst() -> None:
    burst = [log(seq, 30 - seq, user=1, intended_ns=4 * MS) for seq in range(3)]
    other = log(9, 15, user=1, intended_ns=9 * MS)
    found = slowest_turns([*burst, other])
    assert [each.title.partition(",")[0] for each in found] == ["turn 0", "turn 9"]
    assert "; 2 more of its burst" in found[0].title
    assert "burst" not in found[1].title
    # What does not say whose it is stands alone.
    unknown = [log(seq, 3) for seq in range(3)]
    assert len(slowest_turns(unknown)) == 3
