from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.errors import Exit
from loadtest.judge.compare import COMPLETE, compare
from loadtest.judge.history import history
from loadtest.judge.sides import side
from loadtest.judge.trend import Trend, trend, worst
from tests.judge.made import deep
from tests.judge.nights import nights, stepping

P95 = "turn.first_event.p95"


def of(values: list[float | None] | list[float], **more: Any) -> Trend:
    return trend(history(nights(values)), **more)


def codes(found: Trend) -> list[str]:
    return [each["code"] for each in found.notices]


def test_a_step_is_found_the_same_night() -> None:
    """One run a night, a history of 10, run-to-run CV of 3 %: +20 % is told by compare and by trend alike."""
    found = []
    for seed in range(50):
        runs = nights(stepping(10, 1, 1.2, cv=0.03, seed=seed))
        by_trend = trend(history(runs)).ruling
        by_compare = compare(side("nights", runs[:-1]), side("tonight", runs[-1:])).ruling
        assert (by_trend.exit_code == Exit.FAIL) == (by_compare.exit_code == Exit.FAIL)
        found.append(by_trend.outcome == by_compare.outcome == "slower")
    # Ten runs may spread as wide by chance as to hide it; so does no more than one history in fifty.
    assert sum(found) >= 49


@pytest.mark.parametrize("after", range(1, 12))
def test_it_stays_told_every_night_after(after: int) -> None:
    found = of(stepping(10, after, 1.2))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("slower", Exit.FAIL)
    (course,) = [each for each in found.primary if each.name == P95]
    assert [change.at for change in course.changes] == ([10] if after >= 5 else [])
    said = "the newest level" if after >= 5 else "the newest run"
    assert found.ruling.reason == f"Slower: {P95} ({said})."


def test_without_a_step_nothing_is_found() -> None:
    found = of(stepping(40, 0, 1.0))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("no change found", Exit.PASS)
    assert [each.name for each in found.primary] == [P95, COMPLETE]
    assert {each.name for each in found.exploratory} >= {"turn.first_event.p50", "rates.turns_per_s"}
    assert codes(found) in ([], ["odd_runs"])


def test_faster_is_told_and_passes() -> None:
    found = of(stepping(10, 6, 0.8))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("faster", Exit.PASS)
    assert f"{P95} (the newest level); nothing is slower" in found.ruling.reason
    assert of(stepping(10, 1, 0.8)).ruling.outcome == "faster"


@pytest.mark.parametrize("n", [1, 2, 8])
def test_too_little_history_passes_with_a_notice(n: int) -> None:
    found = of(stepping(n, 0, 1.0))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("too little history", Exit.PASS)
    assert codes(found) == ["too_little_history"]
    assert ("run is" if n == 1 else "runs are") in found.ruling.reason


def test_a_newest_run_that_cannot_be_believed_is_no_pass() -> None:
    runs = nights(stepping(10, 1, 1.0))
    runs[-1] = deep(runs[-1], {"status": "interrupted"})
    found = trend(history(runs))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    assert "the run is interrupted" in found.ruling.reason
    assert codes(found) == ["run_left_out"]


def test_nothing_but_doubt_is_no_pass_either() -> None:
    found = trend(history([deep(nights([50.0])[0], {"status": "cut short"})]))
    assert (found.courses, found.ruling.exit_code) == ((), Exit.INVALID)
    json.dumps(found.as_dict(), allow_nan=False)


def test_what_the_newest_run_did_not_measure_cannot_be_told() -> None:
    found = of([*stepping(10, 0, 1.0), None])
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    assert P95 in found.ruling.reason
    assert of([None] * 11).ruling.outcome == "no change found"  # by the turns that were complete


def test_a_baseline_accepts_its_level() -> None:
    values = stepping(10, 10, 1.2)
    assert of(values, baseline="n015").ruling.outcome == "no change found"
    assert of(values, baseline="n015").accepted == "n015"
    assert of(values, baseline="n003").ruling.outcome == "slower"
    assert of(values, baseline="gone").ruling.outcome == "slower"
    assert of(values, baseline="gone").accepted is None


def test_the_newest_level_is_held_against_the_baselines_and_not_the_last_one() -> None:
    values = [*stepping(12, 12, 1.4), *stepping(12, 0, 1.0, seed=9)]
    (course,) = [each for each in of(values, baseline="n002").primary if each.name == P95]
    assert len(course.changes) == 2
    assert course.standing is not None
    assert course.standing.word == "same"
    assert of(values).ruling.outcome == "faster"
    wide = [*stepping(12, 12, 1.6, cv=0.08), *stepping(12, 0, 1.0, cv=0.08, seed=9)]
    (course,) = [each for each in of(wide, baseline="n002").primary if each.name == P95]
    assert course.standing is not None
    assert course.standing.word == "cannot tell"
    half = [*stepping(12, 12, 1.6), *stepping(0, 12, 1.3, seed=9)]
    (course,) = [each for each in of(half, baseline="n002").primary if each.name == P95]
    assert course.standing is not None
    assert course.standing.word == "slower"


def test_named_metrics_decide_and_no_others_are_looked_at() -> None:
    found = of(stepping(10, 1, 1.2), metrics=("turn.first_event.p50",))
    assert [each.name for each in found.courses] == ["turn.first_event.p50"]
    assert found.ruling.outcome == "no change found"


def test_a_change_names_the_run_and_what_changed_with_it() -> None:
    runs = nights(stepping(10, 6, 1.2))
    runs[10:] = [
        deep(each, {"label": "v2", "fingerprint": {"git": {"commit": "c" * 40}}}) for each in runs[10:]
    ]
    found = trend(history(runs))
    (change,) = next(each for each in found.primary if each.name == P95).changes
    assert (change.run, change.label, change.commit) == ("n010", "v2", "c" * 12)
    assert change.with_it == ("commit not told → cccccccccccc",)
    assert change.word == "slower"
    assert change.interval[0] < change.change < change.interval[1]


def test_bands_hold_what_comes_and_shares_end_at_one() -> None:
    found = of(stepping(40, 0, 1.0))
    p95, complete = found.primary
    (level,) = p95.stretches
    assert level.low is not None
    assert level.high is not None
    assert level.low < level.value < level.high
    assert complete.stretches[0].high == 1.0
    assert (p95.n, p95.samples) == (40, 40_000)
    assert of(stepping(5, 0, 1.0)).primary[0].stretches[0].low is None


def test_odd_runs_are_named_and_the_newest_is_not_held_against_them() -> None:
    values = [*stepping(12, 0, 1.0), 90.0, *stepping(3, 0, 1.0, seed=4)]
    found = of(values)
    assert found.primary[0].odd == (12,)
    assert "odd_runs" in codes(found)
    assert "n012" in found.notices[0]["message"]


def test_notices_about_surroundings_machines_and_youth() -> None:
    runs = nights(stepping(12, 6, 1.2))
    runs[5:] = [
        deep(each, {"fingerprint": {"kernel": "6.2", "cpu": "x", "python": "3", "cores": 8, "limits": 1}})
        for each in runs[5:]
    ]
    others = [
        deep(each, {"id": f"far{at}", "fingerprint": {"machine": "far"}}) for at, each in enumerate(runs[:5])
    ]
    runs[8:] = [deep(each, {"target": {"simulated": False, "server": "made/2"}}) for each in runs[8:]]
    found = trend(history([*others, *runs]))
    assert codes(found) == ["run_left_out", "too_little_history", "different_surroundings"]
    left, young, around = found.notices
    assert "far2, far3, far4 and 2 earlier runs do not count" in left["message"]
    assert f"{P95} (5)" in young["message"]
    assert "n005 is the first with" in around["message"]
    assert "and more" in around["message"]


def test_one_more_left_out_is_counted_in_words() -> None:
    runs = nights(stepping(8, 0, 1.0))
    runs[:4] = [deep(each, {"fingerprint": {"machine": "far"}}) for each in runs[:4]]
    assert "and 1 earlier run do not count" in trend(history(runs)).notices[0]["message"]


def test_a_simulated_history_says_so() -> None:
    runs = [deep(each, {"target": {"simulated": True}}) for each in nights([50.0] * 3)]
    assert codes(trend(history(runs)))[0] == "simulated_target"


def test_the_worst_of_several_counts() -> None:
    slower, fine = of(stepping(10, 1, 1.3)), of(stepping(10, 1, 1.0))
    runs = nights([50.0] * 3)
    runs[2] = deep(runs[2], {"status": "cut short"})
    unknown = trend(history(runs))
    assert worst([fine, unknown, slower]) == Exit.FAIL
    assert worst([fine, unknown]) == Exit.INVALID
    assert worst([fine]) == Exit.PASS


def test_as_plain_data() -> None:
    made = json.loads(json.dumps(of(stepping(10, 6, 1.2), baseline="n001").as_dict(), allow_nan=False))
    assert made["verdict"] == {
        "outcome": "slower",
        "exit_code": 1,
        "reason": f"Slower: {P95} (the newest level).",
    }
    assert made["baseline"] == "n001"
    assert made["runs"][0] == {"id": "n000", "label": None, "started": "2026-01-01T01:00:00Z"}
    metric = made["metrics"][0]
    assert metric["level"]["verdict"] == "slower"
    assert metric["changes"][0]["at"] == 10
    assert len(metric["changes"][0]["ci95"]) == 2
    assert metric["newest"]["reason"].startswith("5 runs before it at its level")


def test_no_trend_is_not_known() -> None:
    assert worst([]) == Exit.INVALID
