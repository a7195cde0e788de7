from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.keep import slowest
from loadtest.keep.redact import Redactor
from loadtest.keep.slowest import SlowestTurns, read_slowest, took_ns
from tests.keep.samples import frame


def test_the_slowest_come_first_and_the_broken_after_them(tmp_path: Path) -> None:
    path = tmp_path / "slowest.jsonl"
    written = SlowestTurns(path, Redactor())
    for seq in range(40):
        written.append(
            [frame("slowest", seq, seq * 7 % 41), frame("broken", 100 + seq, 1, outcome="timed_out")]
        )
    written.append([frame("broken", 999, 1, outcome="failed"), {"kind": "foreign", "user": 3, "frames": []}])
    written.close()
    entries = read_slowest(path)
    slow = entries[: slowest.SLOWEST]
    assert [took_ns(entry) for entry in slow] == sorted((seq * 7 % 41 for seq in range(40)), reverse=True)[
        :20
    ]
    others = [entry.get("seq") for entry in entries[slowest.SLOWEST :]]
    assert others == [*range(100, 110), 999, None]


def test_while_the_run_goes_on_all_that_will_be_kept_is_there(tmp_path: Path) -> None:
    path = tmp_path / "slowest.jsonl"
    written = SlowestTurns(path, Redactor())
    for seq in range(96):
        written.append([frame("slowest", seq, seq)])
    so_far = read_slowest(path)
    written.close()
    assert all(entry in so_far for entry in read_slowest(path))


def test_the_slowest_are_written_now_and_then_and_what_is_broken_at_once(tmp_path: Path) -> None:
    written = SlowestTurns(tmp_path / "slowest.jsonl", Redactor())
    grew, known = [], 0
    for second in range(1, 50):
        written.append(
            [frame("slowest", second, second), frame("broken", 100 + second, 1, reason=f"{second}")]
        )
        kinds = [entry["kind"] for entry in read_slowest(written.path)]
        assert kinds.count("broken") == second
        if kinds.count("slowest") > known:
            known = kinds.count("slowest")
            grew.append(second)
    written.close()
    assert grew == [1, 2, 4, 8, 16, 26, 36, 46]
    assert [entry["seq"] for entry in read_slowest(written.path)[:20]] == [*range(49, 29, -1)]


def test_a_long_run_keeps_the_file_small(tmp_path: Path) -> None:
    written = SlowestTurns(tmp_path / "slowest.jsonl", Redactor())
    for seq in range(500):
        written.append([frame("slowest", seq, 1000 - seq), frame("broken", seq, 1, reason=str(seq))])
    so_far = read_slowest(written.path)
    written.close()
    assert len(so_far) == slowest.SLOWEST + slowest.BROKEN


def test_a_turn_that_never_ended_is_not_slow() -> None:
    assert took_ns({"kind": "slowest", "intended_ns": 5, "done_ns": None}) is None
    assert took_ns(frame("broken", 1, 5)) is None
    assert took_ns({"kind": "slowest", "intended_ns": 5, "waited_from_ns": 8, "done_ns": 10}) == 2
    assert took_ns(frame("slowest", 1, 5)) == 5


def test_secrets_are_taken_out_and_odd_text_is_kept_readable(tmp_path: Path) -> None:
    written = SlowestTurns(tmp_path / "slowest.jsonl", Redactor(["hush-hush"]))
    written.append([{"kind": "foreign", "frames": [[5, "hush-hush \ud83d \u2028 ü"]], "took": float("nan")}])
    (entry,) = read_slowest(written.path)
    written.close()
    assert entry == {"kind": "foreign", "frames": [[5, "[redacted] ? \u2028 ü"]], "took": None}
    assert read_slowest(written.path) == [entry]


def test_a_cut_line_is_left_out_and_a_damaged_one_told(tmp_path: Path) -> None:
    path = tmp_path / "slowest.jsonl"
    assert read_slowest(path) == []
    path.write_text('{"a":1}\n{"a"')
    assert read_slowest(path) == [{"a": 1}]
    path.write_text('{"a"\n{"a":1}\n')
    with pytest.raises(ValueError, match="Expecting"):
        read_slowest(path)


@pytest.mark.parametrize("line", ["[1,2]", '"x"', "null", "[" * 100_000])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "slowest.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds, all of which the caller tells
        read_slowest(path)


def test_secrets_are_taken_out_step_by_step(tmp_path: Path) -> None:
    """A long log must not hold up the run: one payload at a time."""
    written = SlowestTurns(tmp_path / "slowest.jsonl", Redactor())
    steps = sum(1 for _ in written.appending([{"kind": "late", "frames": [[0, "x"]] * 50}]))
    written.close()
    assert steps == 50
