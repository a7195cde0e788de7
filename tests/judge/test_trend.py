from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.errors import Exit
from loadtest.judge.compare import COMPLETE, compare
from loadtest.judge.history import history
from loadtest.judge.samples import side
from loadtest.judge.trend import Trend, trend, worst
from tests.judge.made import deep
from tests.judge.nights import answering, down, nights, stepping

P95 = "turn.first_event.p95"


def of(values: list[float | None] | list[float], **more: Any) -> Trend:
    return trend(history(nights(values)), **more)


def codes(found: Trend) -> list[str]:
    return [each["code"] for each in found.notices]


@pytest.mark.long
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
    assert f"{P95} (the newest level); nothing is worse" in found.ruling.reason
    assert of(stepping(10, 1, 0.8)).ruling.outcome == "faster"


@pytest.mark.parametrize("n", [1, 2, 8])
def test_too_little_history_passes_with_a_notice(n: int) -> None:
    found = of(stepping(n, 0, 1.0))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("too little history", Exit.PASS)
    assert codes(found) == ["too_little_history"]
    assert ("run is" if n == 1 else "runs are") in found.ruling.reason


def elsewhere(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same on machines of their own, which tell nothing but a digest."""
    return [deep(each, {"fingerprint": {"machine": f"m{at}"}}) for at, each in enumerate(runs)]


def test_a_history_that_was_not_usable_is_no_pass() -> None:
    """30 nights on 30 machines, the newest at +100 %: there is a history, and nobody can judge by it."""
    runs = elsewhere(nights(stepping(29, 1, 2.0)))
    found = trend(history(runs))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    assert found.ruling.reason == (
        "None of the 29 earlier runs can be compared with the newest: 29 were made on another machine."
    )
    assert trend(history(runs), lenient=True).ruling.exit_code == Exit.PASS


def test_why_a_history_was_not_usable_is_counted() -> None:
    runs = nights([50.0] * 12)
    runs[:3] = elsewhere(runs[:3])
    runs[3:7] = [deep(each, {"load": {"planned": {"connections": 8}}}) for each in runs[3:7]]
    runs[7] = deep(runs[7], {"status": "cut short"})
    found = trend(history(runs)).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", Exit.INVALID)
    assert found.reason == (
        "Only 3 of the 11 earlier runs can be compared with the newest, but a verdict needs 8: 4 were made"
        " with another load, 3 were made on another machine, 1 cannot be believed."
    )


def test_a_young_history_is_none_that_was_not_usable() -> None:
    assert trend(history(elsewhere(nights([50.0] * 8)))).ruling.outcome == "too little history"
    runs = [deep(each, {"target": {"simulated": True}}) for each in nights([50.0] * 12)]
    runs[-1] = deep(runs[-1], {"target": {"simulated": False}})
    assert trend(history(runs)).ruling.exit_code == Exit.PASS


def test_doubt_is_forgiven_where_asked_and_failure_never() -> None:
    runs = nights(stepping(10, 1, 1.3))
    assert trend(history(runs), lenient=True).ruling.exit_code == Exit.FAIL
    runs[-1] = deep(runs[-1], {"status": "interrupted"})
    found = trend(history(runs), lenient=True).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", Exit.PASS)


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
    never = of([None] * 11).ruling
    assert (never.outcome, never.exit_code) == ("cannot tell", Exit.INVALID)
    assert P95 in never.reason
    unpromised = nights([None] * 11, thresholds={})
    assert trend(history(unpromised)).ruling.outcome == "no change found"  # by the turns that were complete


def test_a_deciding_metric_that_cannot_be_judged_is_no_metric_without_a_change() -> None:
    found = of([*[None] * 9, 50.0, 50.1, 900.0]).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", Exit.INVALID)
    assert f"{P95} (only 2 runs are at its level before it" in found.reason


@pytest.mark.parametrize("after", [5, 6, 7, 8])
def test_an_accepted_level_that_is_too_young_is_no_doubt(after: int) -> None:
    values = stepping(20, after, 1.5)
    assert of(values).ruling.exit_code == Exit.FAIL
    accepted = f"n{20 + after - 1:03}"
    found = of(values, baseline=accepted)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("no change found", Exit.PASS)
    assert "too_little_history" in codes(found)
    told = f"Too few runs are at the new level of {P95} to judge the newest one."
    assert found.ruling.reason.startswith(told)
    # Where nothing else decides, nothing was judged.
    alone = of(values, baseline=accepted, metrics=(P95,)).ruling
    assert (alone.outcome, alone.exit_code, alone.reason) == ("cannot tell", Exit.INVALID, told)


def test_a_young_level_like_the_accepted_one_says_nothing_of_other_metrics() -> None:
    one, other = stepping(20, 10, 2.0, cv=0.01), stepping(5, 0, 1.0, cv=0.01, seed=2)
    found = of([*one, *other], metrics=(P95,), baseline="n010").ruling
    assert (found.outcome, found.exit_code) == ("no change found", Exit.PASS)
    assert found.reason == f"Too few runs are at the new level of {P95} to judge the newest one."


def test_what_no_run_measured_is_named_where_nothing_changed() -> None:
    found = trend(history(nights([None] * 11, thresholds={}))).ruling
    assert found.reason.startswith("No run measured turn.first_event.p95, turn.completion.p95.")
    assert found.reason.endswith("In all other deciding metrics the newest run fits its level.")


def test_a_level_that_is_too_young_is_told() -> None:
    found = of([*stepping(20, 0, 1.0), *(value * 0.5 for value in stepping(6, 0, 1.0, seed=3))])
    assert found.ruling.exit_code == Exit.PASS
    assert "too_little_history" in codes(found)
    assert "In every deciding metric" not in found.ruling.reason


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
    assert change.with_it == ("commit not known → cccccccccccc",)
    assert change.word == "slower"
    assert change.interval[0] < change.change < change.interval[1]


def test_bands_hold_what_comes_and_shares_end_at_one() -> None:
    found = of(stepping(40, 0, 1.0))
    p95, complete = found.primary
    (level,) = p95.segments
    assert level.low is not None
    assert level.high is not None
    assert level.low < level.value < level.high
    assert complete.segments[0].high == 1.0
    assert (p95.n, p95.samples) == (40, 40_000)
    assert of(stepping(5, 0, 1.0)).primary[0].segments[0].low is None


def test_odd_runs_are_named_and_the_newest_is_not_held_against_them() -> None:
    values = [*stepping(12, 0, 1.0), 90.0, *stepping(3, 0, 1.0, seed=4)]
    found = of(values)
    assert found.primary[0].odd == (12,)
    assert "odd_runs" in codes(found)
    assert "n012" in found.notices[0]["message"]


def test_notices_about_surroundings_machines_and_youth() -> None:
    runs = nights(stepping(12, 6, 1.2))
    runs[5:] = [
        deep(each, {"fingerprint": {"kernel": "6.2", "system": "x", "python": "3", "cores": 8, "limits": 1}})
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
    assert "n005 is the first run with" in around["message"]
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
    assert made["runs"][0] == {
        "id": "n000",
        "label": None,
        "started": "2026-01-01T01:00:00Z",
        "standing": "measured",
    }
    metric = made["metrics"][0]
    assert metric["level"]["verdict"] == "slower"
    assert metric["changes"][0]["at"] == 10
    assert len(metric["changes"][0]["ci95"]) == 2
    assert metric["newest"]["reason"].startswith("only 5 runs are at its level before it")


def test_no_trend_is_not_known() -> None:
    assert worst([]) == Exit.INVALID


def some_down(n: int, *failing: int) -> list[dict[str, Any]]:
    """So many nights, with the target down in some of them."""
    runs = nights(stepping(n, 0, 1.0))
    return [down(at) if at in failing else each for at, each in enumerate(runs)]


def test_every_second_of_the_last_ten_nights_down_fails_in_the_first_sentence() -> None:
    found = trend(history(some_down(20, 10, 12, 14, 16, 18)))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("target down", Exit.FAIL)
    assert found.ruling.reason == "5 of the last 10 runs could not reach the target."
    assert codes(found)[0] == "target_down"
    assert "n014, n016, n018 and 2 earlier runs could not reach the target" in found.notices[0]["message"]
    complete = next(each for each in found.primary if each.name == COMPLETE)
    assert complete.values[18:] == (0.0, 1.0)
    assert next(each for each in found.primary if each.name == P95).values[18] is None
    assert found.as_dict()["runs"][18]["standing"] == "down"


@pytest.mark.parametrize("lenient", [False, True])
def test_a_newest_run_that_found_the_target_down_fails(*, lenient: bool) -> None:
    found = trend(history(some_down(20, 19)), lenient=lenient)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("target down", Exit.FAIL)
    assert found.ruling.reason == "The newest run could not reach the target."
    assert next(each for each in found.primary if each.name == COMPLETE).newest.word == "worse"
    assert next(each for each in found.primary if each.name == P95).newest.word == "cannot tell"
    assert trend(history([down(0)])).ruling.exit_code == Exit.FAIL


def test_a_newest_run_without_any_turn_complete_fails() -> None:
    runs = some_down(20, 15)
    runs[-1] = deep(runs[-1], {"counts": {"measured": {"turns": {"complete": 0}}}})
    found = trend(history(runs)).ruling
    assert (found.outcome, found.exit_code) == ("target down", Exit.FAIL)
    assert found.reason == (
        "The newest run had no turn complete; 1 of the last 10 runs could not reach the target and 1 had"
        " no turn complete."
    )


def test_one_night_down_long_ago_or_accepted_is_told_and_passes() -> None:
    found = trend(history(some_down(20, 12)))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("no change found", Exit.PASS)
    assert "target_down" in codes(found)
    assert trend(history(some_down(30, 5, 7, 9))).ruling.exit_code == Exit.PASS
    accepted = trend(history(some_down(20, 12, 14)), baseline="n015").ruling
    assert accepted.exit_code == Exit.PASS
    assert trend(history(some_down(20, 12, 14)), baseline="n013").ruling.exit_code == Exit.PASS
    assert trend(history(some_down(20, 12, 14)), baseline="n003").ruling.exit_code == Exit.FAIL


def test_a_newest_run_nobody_can_believe_does_not_hide_that_the_target_was_down() -> None:
    runs = some_down(20, 12, 14, 16)
    runs[-1] = deep(runs[-1], {"status": "interrupted"})
    found = trend(history(runs)).ruling
    assert (found.exit_code, found.reason) == (Exit.FAIL, "3 of the last 10 runs could not reach the target.")


def test_a_night_down_does_not_hide_that_the_newest_is_slower() -> None:
    runs = nights(stepping(19, 1, 1.3))
    runs[12] = down(12)
    assert trend(history(runs)).ruling.outcome == "slower"


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.045), (0.0, 0.02), (0.01, 0.04)])
@pytest.mark.parametrize("following", [1, 10])
def test_a_rise_of_failures_is_found(before: float, after: float, following: int) -> None:
    found = 0
    for seed in range(8):
        runs = [answering(at, before if at < 20 else after, seed=seed) for at in range(20 + following)]
        ruling = trend(history(runs), metrics=(P95, COMPLETE)).ruling
        found += ruling.outcome == "worse" and COMPLETE in ruling.reason and ruling.exit_code == Exit.FAIL
    assert found == 8


@pytest.mark.parametrize("failing", [0.0, 0.001, 0.01, 0.2])
def test_failures_that_do_not_rise_are_rarely_called_worse(failing: float) -> None:
    rulings = [
        trend(history(answering(at, failing, seed=seed) for at in range(21)), metrics=(COMPLETE,)).ruling
        for seed in range(30)
    ]
    assert sum(each.exit_code == Exit.FAIL for each in rulings) <= 2


def test_ratios_are_worse_or_better_and_named_before_times() -> None:
    runs = [answering(at, 0.0 if at < 12 else 0.05) for at in range(13)]
    runs[-1] = deep(runs[-1], {"metrics": {"turn.first_event": {"p95": 80.0}}})
    found = trend(history(runs))
    assert found.ruling.reason == f"Worse: {COMPLETE} (the newest run); slower: {P95} (the newest run)."
    runs = [answering(at, 0.05 if at < 12 else 0.0) for at in range(24)]
    found = trend(history(runs))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("better", Exit.PASS)
    (course,) = [each for each in found.primary if each.name == COMPLETE]
    assert course.standing is not None
    assert course.standing.change == pytest.approx(0.05, abs=0.005)
    assert course.standing.interval[0] < course.standing.change <= course.standing.interval[1]


def test_a_newest_run_that_misses_its_own_threshold_is_never_green() -> None:
    runs = nights(stepping(12, 0, 1.0), thresholds={P95: "< 10ms"}, outcomes={P95: "missed"})
    runs = [deep(each, {"verdict": {"outcome": "fail"}}) for each in runs]
    found = trend(history(runs))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("threshold missed", Exit.FAIL)
    assert found.ruling.reason == f"The newest run misses its own threshold {P95} < 10ms."
    assert found.primary[0].missed == ("< 10ms",)
    assert trend(history(runs[:1])).ruling.exit_code == Exit.FAIL


def test_a_newest_run_that_failed_for_another_reason_is_told() -> None:
    runs = nights([50.0] * 12)
    runs[-1] = deep(runs[-1], {"verdict": {"outcome": "fail", "reason": "A task raised."}})
    found = trend(history(runs)).ruling
    assert (found.exit_code, found.reason) == (Exit.FAIL, "The newest run failed: A task raised.")


def test_too_many_runs_that_cannot_be_believed() -> None:
    runs = nights(stepping(20, 0, 1.0))
    broken = {12, 14, 16, 18}
    runs = [deep(each, {"status": "cut short"}) if at in broken else each for at, each in enumerate(runs)]
    found = trend(history(runs)).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", Exit.INVALID)
    assert found.reason.startswith("4 of the last 10 runs cannot be believed")


def test_a_metric_that_was_hardly_ever_measured_cannot_be_judged() -> None:
    found = of([None] * 9 + [50.0] * 3, metrics=(P95,)).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", Exit.INVALID)
    assert "Fewer than 8 of the" in found.reason


def test_many_reasons_for_which_runs_are_left_out_are_summed_up() -> None:
    found = trend(history(elsewhere(nights([50.0] * 7))))
    assert codes(found).count("run_left_out") == 4
    assert "3 more runs do not count" in next(
        each["message"] for each in found.notices if "more" in each["message"]
    )
    assert "1 more run does not" in trend(history(elsewhere(nights([50.0] * 5)))).notices[3]["message"]


def test_twenty_nights_with_the_target_down_on_some() -> None:
    """Trend and compare end with 1 and say so in the first sentence."""
    runs = some_down(20, 11, 13, 15, 17, 19)
    assert trend(history(runs)).ruling.reason == (
        "The newest run could not reach the target; 5 of the last 10 runs could not reach the target."
    )
