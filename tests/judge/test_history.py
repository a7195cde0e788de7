from __future__ import annotations

import pytest

from loadtest.judge.history import commit_of, explaining, history
from tests.judge.made import deep
from tests.judge.nights import night, nights

ON = {"fingerprint": {"machine": "other"}}


def ids(runs: object) -> list[str]:
    return [str(run["id"]) for run in runs]  # type: ignore[attr-defined]  # manifests


def test_runs_count_oldest_first() -> None:
    past = history(reversed(nights([50.0] * 4)))
    assert ids(past.runs) == ["n000", "n001", "n002", "n003"]
    assert (past.scenario, past.machine, past.left_out, past.doubted) == ("made", "one", (), None)
    assert past.newest["id"] == "n003"
    assert (past.place("n002"), past.place("gone"), past.place(None)) == (2, None, None)


def test_only_the_newest_so_many() -> None:
    assert ids(history(nights([50.0] * 9), last=3).runs) == ["n006", "n007", "n008"]


def test_another_machine_is_named_and_left_out() -> None:
    runs = [deep(night(0), ON), *nights([50.0] * 3)]
    runs[0]["id"] = "there"
    past = history(runs)
    assert ids(past.runs) == ["n000", "n001", "n002"]
    assert [(each.id, each.reason) for each in past.left_out] == [
        ("there", "it was made on another machine, other")
    ]
    assert ids(history(runs, machine="oth").runs) == ["there"]
    with pytest.raises(ValueError, match=r'no run was made on the machine "x"; there are runs of other, one'):
        history(runs, machine="x")


def test_without_any_run_there_is_no_machine() -> None:
    with pytest.raises(ValueError, match="no machine at all"):
        history([], machine="one")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"load": {"planned": {"connections": 8}}}, "its load is another: load.connections 8 against 4"),
        ({"target": {"simulated": True}}, "it was simulated, and the other real"),
        ({"status": "cut short"}, "the run is cut short"),
        ({"verdict": None}, "it was never judged"),
    ],
)
def test_what_is_no_part_of_the_history(change: dict[str, object], reason: str) -> None:
    runs = nights([50.0] * 3)
    runs[1] = deep(runs[1], change)
    past = history(runs)
    assert ids(past.runs) == ["n000", "n002"]
    assert past.left_out[0].reason == reason


def test_a_simulated_newest_leaves_the_real_ones_out() -> None:
    runs = nights([50.0] * 3)
    runs[2] = deep(runs[2], {"target": {"simulated": True}})
    past = history(runs)
    assert past.simulated
    assert {each.reason for each in past.left_out} == {"the newest run is simulated, and the other real"}


def test_a_newest_run_that_cannot_be_believed_is_told() -> None:
    runs = nights([50.0] * 3)
    runs[2] = deep(runs[2], {"verdict": {"outcome": "unreachable"}})
    past = history(runs)
    assert past.doubted == "no connection was ever ready"
    assert len(past.runs) == 2


def test_a_run_that_goes_on_is_not_there_yet() -> None:
    runs = nights([50.0] * 3)
    runs[2] = deep(runs[2], {"status": "running"})
    past = history(runs)
    assert (past.doubted, past.left_out, len(past.runs)) == (None, (), 2)


def test_nothing_that_counts_leaves_an_empty_history() -> None:
    past = history([deep(night(0), {"status": "cut short"})])
    assert (past.runs, past.newest, past.simulated) == ((), {}, False)


def test_what_may_explain_a_change() -> None:
    before = deep(night(0), {"fingerprint": {"git": {"commit": "a" * 40}}})
    after = deep(
        night(1),
        {"fingerprint": {"git": {"commit": "b" * 40}, "kernel": "6.2"}, "target": {"server": "made/2"}},
    )
    assert list(explaining(before, after)) == [
        "kernel 6.1 → 6.2",
        "target.server made/1 → made/2",
        "commit aaaaaaaaaaaa → bbbbbbbbbbbb",
    ]
    assert list(explaining(night(0), after))[-1] == "commit not told → bbbbbbbbbbbb"
    assert list(explaining(after, night(0)))[-1] == "commit bbbbbbbbbbbb → not told"
    assert list(explaining(before, before)) == []
    assert commit_of(night(0)) is None
