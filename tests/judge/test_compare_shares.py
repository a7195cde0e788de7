"""Ratios of success are judged by their failures; outlier runs are set apart and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from loadtest.errors import Exit
from loadtest.judge.compare import Comparison, _sentence, compare
from loadtest.judge.multiplicity import MetricComparison
from loadtest.judge.samples import Side, side
from loadtest.plan.scenario import Compare
from loadtest.units import format_change
from tests.judge.made import deep
from tests.judge.repeats import repeats, run, spread

P95, COMPLETE = "turn.first_event.p95", "turns.complete.ratio"


def shares(label: str, complete: Sequence[float]) -> Side:
    times = spread(50, 0.01, len(complete), len(label))
    return side(
        label,
        [
            run(at, label=label, complete=share, p95_ms=times[at], rate=None)
            for at, share in enumerate(complete)
        ],
    )


def row(found: Comparison, name: str) -> MetricComparison:
    return next(each for each in found.rows if each.name == name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1.0] * 5, [0.955, 0.957, 0.953, 0.956, 0.954]),
        ([1.0] * 5, [0.982, 0.978, 0.98, 0.979, 0.981]),
        ([0.996, 0.997, 0.995, 0.996, 0.996], [0.973, 0.975, 0.971, 0.973, 0.972]),
    ],
)
def test_a_few_answers_fewer_are_worse(before: list[float], after: list[float]) -> None:
    found = compare(shares("v1", before), shares("v2", after))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("worse", Exit.FAIL)
    change = format_change(row(found, COMPLETE).change or 0.0, points=True)
    assert found.ruling.reason == f"Worse: {COMPLETE} {change}."
    assert row(found, COMPLETE).change == pytest.approx(np.mean(after) - np.mean(before), abs=1e-3)
    back = compare(shares("v1", after), shares("v2", before))
    assert (back.ruling.outcome, back.ruling.reason) == (
        "better",
        f"Better: turns.complete.ratio +{change[1:]}. Nothing is worse.",
    )


def test_a_handful_of_failures_is_no_doubling_that_matters() -> None:
    found = compare(shares("v1", [1.0, 1.0, 0.999, 1.0, 1.0]), shares("v2", [0.999, 1.0, 1.0, 0.999, 1.0]))
    assert found.ruling.outcome == "same"
    assert "not worse by the smallest effect of 0.5 points, with 90 % confidence" in row(found, COMPLETE).why


def test_failures_of_one_run_are_not_known_to_come_again() -> None:
    found = compare(shares("v1", [1.0] * 5), shares("v2", [1.0, 1.0, 1.0, 1.0, 0.9]))
    assert found.ruling.outcome == "cannot tell"
    assert row(found, COMPLETE).outliers == ()
    assert row(found, COMPLETE).enough is not None


def test_a_smallest_effect_that_the_scenario_names_means_points() -> None:
    before, after = shares("v1", [1.0] * 5), shares("v2", [0.98, 0.981, 0.979, 0.98, 0.98])
    generous = Compare(effects={COMPLETE: 0.05})
    assert compare(before, after, generous).ruling.outcome == "same"
    assert row(compare(before, after, generous), COMPLETE).measure.smallest == 0.05
    assert row(compare(before, after, Compare(smallest_effect=0.2)), COMPLETE).word == "worse"


def test_the_cause_is_named_before_its_effect() -> None:
    def made(label: str, complete: float, rate: float, p95: float) -> Side:
        changes = {"rates": {"turns_per_s": {"bound": "target"}}}
        runs = []
        for at in range(5):
            each = run(at, label=label, complete=complete - at / 1000, p95_ms=p95 + at / 10)
            runs.append(deep(deep(each, changes), {"rates": {"turns_per_s": {"value": rate + at / 10}}}))
        return side(label, runs)

    rules = Compare(primary=("rates.turns_per_s", P95, COMPLETE))
    found = compare(made("v1", 1.0, 100, 50), made("v2", 0.9, 90, 60), rules)
    assert found.ruling.outcome == "worse"
    assert found.ruling.reason == (
        f"Worse: {COMPLETE} −10.0 points; slower: {P95} +19.9 %; worse: rates.turns_per_s −10.0 %."
    )
    slower = compare(made("v1", 1.0, 100, 50), made("v2", 1.0, 90, 60), rules)
    assert slower.ruling.outcome == "slower"
    assert row(slower, "rates.turns_per_s").word == "worse"


def test_blocks_in_pairs_and_one_run_against_a_history_see_failures_too() -> None:
    eight = shares("v1", [1.0] * 8)
    paired = compare(eight, shares("v2", [0.98] * 4 + [0.979] * 4), paired=True)
    assert row(paired, COMPLETE).word == "worse"
    assert row(compare(eight, shares("v2", [1.0] * 8), paired=True), COMPLETE).word == "same"
    assert row(compare(eight, shares("v2", [0.97])), COMPLETE).word == "worse"
    assert row(compare(eight, shares("v2", [0.999])), COMPLETE).word != "worse"


def test_one_outlier_of_the_baseline_hides_nothing_and_is_named() -> None:
    before = [*spread(50, 0.03, 7, 1), 250.0]
    found = compare(repeats("v1", before), repeats("v2", spread(60, 0.03, 8, 2)))
    assert (found.ruling.outcome, found.ruling.exit_code) == ("slower", Exit.FAIL)
    assert row(found, P95).outliers == ("2026-v1-7",)
    assert row(found, P95).as_dict()["outliers"] == ["2026-v1-7"]
    assert row(found, P95).baseline.value == pytest.approx(50, rel=0.03)
    (told,) = [each["message"] for each in found.notices if each["code"] == "outlier_runs"]
    assert "2026-v1-7" in told


def test_an_outlier_of_the_candidate_may_be_the_releases_doing() -> None:
    after = [*spread(50, 0.01, 7, 1), 250.0]
    found = compare(repeats("v1", spread(50, 0.01, 8, 2)), repeats("v2", after))
    assert found.ruling.outcome == "cannot tell"
    assert "much worse than the others" in row(found, P95).why
    both = compare(repeats("v1", [*spread(50, 0.01, 7, 2), 250.0]), repeats("v2", after))
    assert both.ruling.outcome == "same"


def test_an_outlier_of_a_history_and_of_a_pair() -> None:
    history = repeats("v1", [*spread(50, 0.01, 9, 1), 250.0])
    assert row(compare(history, repeats("v2", [60.0])), P95).word == "slower"
    before, after = spread(50, 0.01, 8, 1), spread(60, 0.01, 8, 2)
    before[3] = 250.0
    found = row(compare(repeats("v1", before), repeats("v2", after), paired=True), P95)
    assert (found.word, found.outliers) == ("slower", ("2026-v1-3", "2026-v2-3"))


def test_the_first_three_metrics_of_a_verdict_have_their_change_where_there_is_one() -> None:
    of = row(compare(shares("v1", [1.0] * 5), shares("v2", [0.98] * 5)), COMPLETE)
    rows = [replace(of, measure=replace(of.measure, name=name)) for name in "abcd"]
    rows[1] = replace(rows[1], change=None)
    assert _sentence([("worse", rows)]) == "Worse: a −2.0 points, b, c −2.0 points, d."
