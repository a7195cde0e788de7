from __future__ import annotations

from datetime import UTC, datetime

import pytest

from loadtest.judge.history import commit_of, explaining, history, missed_thresholds
from tests.judge.made import deep
from tests.judge.nights import down, night, nights

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
    with pytest.raises(ValueError, match=r'there is no run of the machine "x"; there are runs of other, one'):
        history(runs, machine="x")


def test_without_any_run_there_is_no_machine() -> None:
    with pytest.raises(ValueError, match="no machine at all"):
        history([], machine="one")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"load": {"planned": {"connections": 8}}}, "its load differs: load.connections 8 instead of 4"),
        ({"target": {"simulated": True}}, "this run was simulated, the other one was not"),
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
    assert {each.reason for each in past.left_out} == {"the newest run was simulated, the other one was not"}


def test_a_newest_run_that_cannot_be_believed_is_told() -> None:
    runs = nights([50.0] * 3)
    runs[2] = deep(runs[2], {"status": "cut short"})
    past = history(runs)
    assert (past.doubted, past.doubtful) == ("the run is cut short", 1)
    assert len(past.runs) == 2


def test_a_run_that_found_its_target_down_counts() -> None:
    """Dropping it would judge the others alone, as if it were missing by chance."""
    past = history([*nights([50.0] * 2), down(2)])
    assert (past.doubted, past.left_out) == (None, ())
    assert [each.kind for each in past.standings] == ["measured", "measured", "down"]


def test_what_a_run_missed_of_its_thresholds() -> None:
    rows = [
        {"name": "a", "expression": "< 1", "outcome": "missed"},
        {"name": "b", "expression": "< 2", "outcome": "held"},
        {"name": "c", "expression": "< 3", "outcome": "missed", "stage": 1},
    ]
    assert list(missed_thresholds({"verdict": {"thresholds": rows}})) == [
        ("a", "< 1"),
        ("c", "< 3 in stage 2"),
    ]
    assert list(missed_thresholds({})) == []


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
    assert list(explaining(night(0), after))[-1] == "commit not known → bbbbbbbbbbbb"
    assert list(explaining(after, night(0)))[-1] == "commit bbbbbbbbbbbb → not known"
    assert list(explaining(before, before)) == []
    assert commit_of(night(0)) is None
    assert list(explaining(before, deep(before, ON))) == []


FACTS = {"cpu": "made", "cores_usable": 4, "memory_bytes": 16_600_000_000, "architecture": "x86_64"}


def placed(at: int, **fingerprint: object) -> dict[str, object]:
    """One night on a machine that tells its facts."""
    return deep(night(at), {"fingerprint": {**FACTS, **fingerprint}})


def test_thirty_containers_of_one_kind_are_one_history() -> None:
    """Each has a host name, and so had a digest, of its own."""
    past = history(placed(at, machine=f"host{at}", memory_bytes=16_600_000_000 + at) for at in range(30))
    assert (len(past.runs), past.left_out, past.machine) == (30, (), "host29")


@pytest.mark.parametrize(
    ("fact", "value"),
    [("cpu", "x"), ("cores_usable", 2), ("memory_bytes", 8 << 30), ("architecture", "arm"), ("cpu", None)],
)
def test_what_makes_a_machine_faster_splits_a_history(fact: str, value: object) -> None:
    past = history([placed(0, **{fact: value}), placed(1), placed(2)])
    assert ids(past.runs) == ["n001", "n002"]
    (left,) = past.left_out
    assert left.reason == f"it was made on another machine, one: {fact} {value} instead of {FACTS[fact]}"


def test_a_share_of_the_processors_splits_a_history_where_both_tell_it() -> None:
    assert len(history([placed(0, cores_quota=2.0), placed(1, cores_quota=1.0)]).runs) == 1
    assert len(history([placed(0), placed(1, cores_quota=1.0)]).runs) == 2


def test_old_runs_that_tell_no_facts_are_known_by_their_digest() -> None:
    past = history([deep(night(0), ON), night(1), placed(2)])
    assert ids(past.runs) == ["n001", "n002"]


def test_a_name_that_was_given_is_the_machine() -> None:
    def named(at: int, name: str, **more: object) -> dict[str, object]:
        return placed(at, machine=name, machine_from="name", **more)

    past = history([named(0, "b"), placed(1), named(2, "a", cpu="x"), named(3, "a")])
    assert ids(past.runs) == ["n002", "n003"]
    assert [each.reason for each in past.left_out] == [
        "it was made on another machine, b",
        "it was made on another machine, one",
    ]
    assert ids(history([named(0, "b"), named(1, "a")], machine="b").runs) == ["n000"]


def test_a_machine_that_is_asked_for_by_one_digest_has_all_runs_of_its_kind() -> None:
    runs = [placed(0, machine="abc"), placed(1, machine="def"), placed(2, cpu="x", machine="xyz")]
    assert ids(history(runs, machine="ab").runs) == ["n000", "n001"]


NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_a_run_that_is_dated_ahead_is_not_the_newest_for_ever() -> None:
    runs = [*nights([50.0] * 4), deep(night(9), {"started": "2031-03-01T00:00:00Z"})]
    past = history(runs, now=NOW)
    assert past.newest["id"] == "n003"
    assert past.doubted is None
    assert [each.reason for each in past.left_out] == ["its date, 2031-03-01, is in the future"]
    assert history(runs).newest["id"] == "n009"  # nobody told what time it is


@pytest.mark.parametrize("started", ["2026-01-05T23:00:00Z", "no date", "2026-09-05T01:00:00", None])
def test_a_day_of_difference_or_no_date_is_no_reason_to_leave_a_run_out(started: str | None) -> None:
    assert history([night(0), deep(night(1), {"started": started})], now=NOW).left_out == ()


def test_where_every_run_is_dated_ahead_none_counts() -> None:
    past = history([deep(night(0), {"started": "2031-03-01T00:00:00Z"})], now=NOW)
    assert (past.runs, past.doubted) == ((), "its date, 2031-03-01, is in the future")


def test_the_kind_of_reason_is_told() -> None:
    runs = [deep(night(0), ON), deep(night(1), {"target": {"simulated": True}}), night(2)]
    assert [each.kind for each in history(runs).left_out] == ["machine", "simulated"]
