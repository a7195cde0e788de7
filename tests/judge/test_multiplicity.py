from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge.multiplicity import ComparisonOptions, MetricComparison, compare_family
from loadtest.judge.samples import Side, side
from loadtest.plan.scenario import Compare
from tests.judge.repeats import repeats, run, spread

P95 = "turn.first_event.p95"


def terms(**rules: Any) -> ComparisonOptions:
    return ComparisonOptions(Compare(**rules), {}, {})


def only(
    before: Side, after: Side, name: str = P95, given: ComparisonOptions | None = None
) -> MetricComparison:
    (row,) = compare_family((before, after), [name], given or terms(), primary=True)
    return row


def sides(factor: float, cv: float = 0.01, runs: tuple[int, int] = (5, 5)) -> tuple[Side, Side]:
    return (
        repeats("v1", spread(50, cv, runs[0], 1)),
        repeats("v2", spread(50 * factor, cv, runs[1], 2)),
    )


@pytest.mark.parametrize(("factor", "word"), [(1.10, "slower"), (0.90, "faster"), (1.0, "same")])
def test_by_permutation(factor: float, word: str) -> None:
    row = only(*sides(factor))
    assert (row.word, row.method) == (word, "permutation")
    assert row.change == pytest.approx(factor - 1, abs=0.02)
    assert row.interval is not None
    assert row.interval[0] < factor - 1 < row.interval[1]
    assert row.spread == pytest.approx(0.01, abs=0.006)


def test_a_wide_spread_says_what_it_would_take() -> None:
    row = only(*sides(1.03, cv=0.06))
    assert row.word == "cannot tell"
    assert row.repeats is not None
    assert row.enough is not None
    assert f"a verdict needs about {row.enough} runs per side ({row.enough - 5} more)" in row.why
    assert row.visible is not None
    assert row.visible > 0.1
    values = spread(50, 0.3, 5, 1)
    near = only(repeats("v1", values), repeats("v2", [value * 1.0495 for value in values]))
    assert "a verdict needs more than 205 runs per side" in near.why
    assert near.enough is None


def test_one_run_against_a_history() -> None:
    row = only(*sides(1.2, cv=0.02, runs=(10, 1)))
    assert (row.word, row.method) == ("slower", "prediction")
    assert only(*sides(1.0, cv=0.002, runs=(10, 1))).word == "same"


def test_too_few_runs_cannot_tell_but_say_what_they_could() -> None:
    row = only(*sides(3.0, runs=(3, 3)))
    assert (row.word, row.p, row.interval, row.method) == ("cannot tell", None, None, None)
    assert row.change == pytest.approx(2.0, abs=0.1)
    assert row.why.startswith(
        "the sides have 3 and 3 runs; a verdict needs 4 per side, or 8 in the baseline; to detect a change of"
        " 10 %"
    )
    assert row.visible is not None
    assert row.repeats is not None


def test_single_runs_say_nothing_about_how_runs_differ() -> None:
    row = only(*sides(1.5, runs=(1, 1)))
    assert "a single run does not show how much runs differ by chance" in row.why
    assert (row.visible, row.repeats, row.spread) == (None, None, None)


def test_single_runs_are_told_by_what_was_learned_earlier() -> None:
    learned = ComparisonOptions(Compare(), {}, {P95: 0.03})
    row = only(*sides(1.5, runs=(1, 1)), given=learned)
    assert row.word == "cannot tell"
    assert row.visible is not None
    assert row.spread == pytest.approx(0.0305, abs=1e-3)


def test_what_a_side_did_not_measure() -> None:
    before, after = sides(1.0)
    row = only(before, repeats("v2", [None] * 5))
    assert row.word == "cannot tell"
    assert row.why == "not measured in the candidate: the summary does not contain this statistic"
    assert row.candidate.value is None
    gone = side("v3", [run(at, complete=None) for at in range(5)])
    assert only(before, gone, "turns.complete.ratio").why == (
        "not measured in the candidate: no turn fell due in the measured part"
    )
    assert only(repeats("v1", [0.0] * 4), after).why == "not measured in the baseline"


def test_three_turns_in_ten_lost() -> None:
    before = side("v1", [run(at) for at in range(5)])
    after = side("v2", [run(at, complete=value) for at, value in enumerate((0.7, 0.69, 0.71, 0.7, 0.68))])
    row = only(before, after, "turns.complete.ratio")
    assert row.word == "worse"
    assert row.change == pytest.approx(-0.304)
    assert row.baseline.value == 1
    assert only(after, before, "turns.complete.ratio").word == "better"


def test_only_the_tail_worse_is_slower_on_the_tail_alone() -> None:
    def made(label: str, p99: float) -> Side:
        runs = []
        for at in range(5):
            each = run(at, label=label, p95_ms=spread(50, 0.01, 5, 3)[at])
            each["metrics"]["turn.first_event"] |= {"p99": p99 * (1 + 0.01 * (at % 3))}
            runs.append(each)
        return side(label, runs)

    names = ["turn.first_event.p50", P95, "turn.first_event.p99", "turns.complete.ratio"]
    rows = compare_family((made("v1", 80), made("v2", 100)), names, terms(), primary=True)
    assert [row.name for row in rows] == names
    assert {row.name for row in rows if row.word == "slower"} == {"turn.first_event.p99"}


def test_a_metric_that_few_runs_measured_is_no_part_of_the_family() -> None:
    before = repeats("v1", spread(50, 0.01, 5, 1))
    after = side(
        "v2",
        [run(at, label="v2", p95_ms=value if at < 2 else None) for at, value in enumerate([60.0] * 5)],
    )
    rows = compare_family((before, after), [P95, "turns.complete.ratio"], terms(), primary=False)
    assert [(row.word, row.method) for row in rows] == [("cannot tell", None), ("same", "permutation")]
    assert not rows[0].primary
    assert rows[0].candidate.n == 2


def test_a_row_as_plain_data() -> None:
    made = only(*sides(1.10)).as_dict()
    assert made["verdict"] == "slower"
    assert made["baseline"]["runs"] == 5
    assert made["baseline"]["samples"] == 5000
    assert len(made["ci95"]) == 2
    assert only(*sides(1.5, runs=(1, 1))).as_dict()["ci95"] is None
