from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.errors import Exit
from loadtest.judge.compare import (
    COMPLETE,
    DEFAULT,
    DEFAULT_HELD,
    DEFAULT_UNENDING,
    compare,
    primary_of,
    rules_of,
    worst,
)
from loadtest.judge.samples import Side, side
from loadtest.plan.scenario import Compare
from tests.judge.made import deep
from tests.judge.repeats import repeats, run, spread

P95 = "turn.first_event.p95"


def v1(**more: Any) -> Side:
    return repeats("v1", spread(50, 0.01, 5, 1), **more)


def v2(factor: float, cv: float = 0.01, n: int = 5, **more: Any) -> Side:
    return repeats("v2", spread(50 * factor, cv, n, 2), **more)


@pytest.mark.parametrize(
    ("factor", "cv", "outcome", "code"),
    [
        (1.1, 0.01, "slower", Exit.FAIL),
        (0.9, 0.01, "faster", Exit.PASS),
        (1.0, 0.01, "same", Exit.PASS),
        (1.0, 0.2, "cannot tell", Exit.INVALID),
    ],
)
def test_a_verdict_and_its_exit_code(factor: float, cv: float, outcome: str, code: Exit) -> None:
    found = compare(v1(), v2(factor, cv))
    assert (found.ruling.outcome, found.ruling.exit_code) == (outcome, code)
    assert [row.name for row in found.primary] == [P95, COMPLETE]
    assert {row.name for row in found.exploratory} >= {"turn.first_event.p50", "rates.turns_per_s"}
    json.dumps(found.as_dict(), allow_nan=False)


def test_lenient_does_not_mind_not_knowing() -> None:
    assert compare(v1(), v2(1.0, 0.2), lenient=True).ruling.exit_code == Exit.PASS
    assert compare(v1(), v2(1.1), lenient=True).ruling.exit_code == Exit.FAIL


def test_of_several_comparisons_the_worst_counts() -> None:
    slower, faster, unclear = compare(v1(), v2(1.1)), compare(v1(), v2(0.9)), compare(v1(), v2(1.0, 0.2))
    assert worst([faster, unclear, slower]) == Exit.FAIL
    assert worst([faster, unclear]) == Exit.INVALID
    assert worst([faster]) == Exit.PASS


def test_a_threshold_newly_missed_is_a_failure_even_of_one_run() -> None:
    after = side("v2", [run(0, label="v2", outcomes={P95: "missed"})])
    found = compare(side("v1", [run(0)]), after)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("threshold newly missed", Exit.FAIL)
    assert f"{P95} < 100ms" in found.ruling.reason
    both = compare(v1(), v2(1.2, outcomes={P95: "missed"}))
    assert both.ruling.outcome == "slower"
    assert "Newly missed" in both.ruling.reason


def other_load(label: str = "v2") -> Side:
    changes = {"load": {"planned": {"connections": 8}}}
    return side(label, [deep(run(at, label=label), changes) for at in range(5)])


def test_different_load_is_not_comparable_unless_forced() -> None:
    found = compare(v1(), other_load())
    assert (found.ruling.outcome, found.ruling.exit_code) == ("not comparable", Exit.INVALID)
    assert "load.connections 4 against 8" in found.ruling.reason
    assert found.rows == ()
    assert compare(v1(), other_load(), lenient=True).ruling.exit_code == Exit.INVALID
    forced = compare(v1(), other_load(), force=True)
    assert forced.rows
    assert "different_load" in {notice["code"] for notice in forced.notices}


def test_many_differences_of_load_are_not_all_named() -> None:
    changes = {
        "load": {"planned": {f"{name}_s": 3.5 for name in ("duration", "warmup", "timeout")} | {"burst": 2}}
    }
    found = compare(v1(), side("v2", [deep(run(0), changes)]))
    assert "and 1 more" in found.ruling.reason


def test_simulated_is_never_held_against_real() -> None:
    changes = {"target": {"simulated": True}}
    simulated = side("v2", [deep(run(at), changes) for at in range(5)])
    found = compare(v1(), simulated, force=True)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("not comparable", Exit.INVALID)
    assert "simulated" in found.ruling.reason


def test_a_side_without_a_run_that_counts() -> None:
    found = compare(v1(), side("v2", [run(0, status="running")]))
    assert found.ruling.outcome == "cannot tell"
    assert "no run of v2 can be believed" in found.ruling.reason
    assert found.scenario == "made"


def test_what_decides() -> None:
    promised = run(thresholds={f"turns.{name}": "< 5" for name in ("lost", "failed")})
    assert primary_of(Compare(), promised) == (["turns.lost", "turns.failed", COMPLETE], [])
    assert primary_of(Compare(primary=("turns.lost",)), promised) == (["turns.lost"], [])
    assert primary_of(Compare(), run(thresholds={})) == (list(DEFAULT), [])
    names = [f"turn.first_event.p{q}" for q in (50, 75, 90, 95, 96, 97, 98)]
    crowded = run(thresholds=dict.fromkeys(names, "< 1s"))
    assert primary_of(Compare(), crowded) == ([*names[:6], COMPLETE], names[6:])


HELD = {"scenario": {"settings": {"traffic": None}}}
UNENDING = {"scenario": {"settings": {"protocol": {"events": {"type": "type"}}}}}


def test_what_decides_where_no_turn_is_ever_complete() -> None:
    promised, nothing = run(thresholds={"connect.total.p95": "< 1s"}), run(thresholds={})
    assert primary_of(Compare(), deep(promised, HELD)) == (["connect.total.p95"], [])
    assert primary_of(Compare(), deep(nothing, HELD)) == (list(DEFAULT_HELD), [])
    assert primary_of(Compare(), deep(nothing, UNENDING)) == (list(DEFAULT_UNENDING), [])
    assert primary_of(Compare(), deep(promised, {"scenario": {"settings": None}})) == (list(DEFAULT), [])


def test_connections_that_are_only_held_can_be_compared() -> None:
    def side_of(label: str, factor: float) -> Side:
        promised = {"connect.total.p95": "< 1s"}
        return side(
            label,
            [
                deep(run(at, label=label, complete=None, thresholds=promised), HELD)
                | {"metrics": {"connect.total": {"unit": "ms", "n": 1000, "p95": value * factor}}}
                for at, value in enumerate(spread(10, 0.01, 6, len(label)))
            ],
        )

    assert compare(side_of("v1", 1), side_of("v02", 1)).ruling.outcome == "same"
    assert compare(side_of("v1", 1), side_of("v02", 1.3)).ruling.outcome == "slower"


UNSURE = {"counts": {"measured": {"events": {"received": 1000, "order_unsure": 500}}}}
UNASKED = {"counts": {"measured": {"turns": {"ends_unasked": 300}}}}


@pytest.mark.parametrize(
    ("doubted", "metric"),
    [(UNSURE, P95), (UNASKED, P95), (UNASKED, COMPLETE)],
    ids=["times", "ends", "ratio"],
)
@pytest.mark.parametrize("factor", [0.8, 1.0])
def test_what_a_run_takes_for_unmeasured_is_not_compared(
    doubted: dict[str, Any], metric: str, factor: float
) -> None:
    after = side("v2", [deep(each, doubted) for each in v2(factor).runs])
    found = compare(v1(), after)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
    row = next(row for row in found.primary if row.name == metric)
    assert row.candidate.value is None
    assert "answers are matched by order" in row.why


def test_a_ratio_that_is_too_low_in_any_case_is_compared() -> None:
    """Some ends may be other turns', so that fewer turns are complete than are counted: at most 90 %."""
    after = side("v2", [deep(each, UNASKED) for each in v2(1.0, complete=0.9).runs])
    found = compare(v1(), after).ruling
    assert (found.outcome, found.exit_code) == ("worse", Exit.FAIL)
    assert COMPLETE in found.reason


def test_a_ratio_that_turns_in_another_order_made_low_is_not_compared() -> None:
    order = {"counts": {"measured": {"turns": {"failed_by": {"interleaved": 30}}}}}
    after = side("v2", [deep(each, order) for each in v2(1.0, complete=0.97).runs])
    found = compare(v1(), after)
    assert found.ruling.outcome == "cannot tell"
    row = next(row for row in found.primary if row.name == COMPLETE)
    assert "the target does not answer in order" in row.why


def few_samples(at: int, n: int) -> dict[str, Any]:
    metric = {"unit": "ms", "n": n, "p95": 50.0, "p99": None, "reasons": {"p99": "not enough samples"}}
    return run(at, label="v2") | {"metrics": {"turn.first_event": metric}}


@pytest.mark.parametrize(("n", "outcome"), [(98, "same"), (60, "cannot tell")])
def test_a_few_samples_too_few_are_chance_and_many_are_not(n: int, outcome: str) -> None:
    def of(label: str, seed: int) -> list[dict[str, Any]]:
        metrics = [
            {"turn.first_event": {"unit": "ms", "n": 102, "p99": value}}
            for value in spread(50, 0.01, 8, seed)
        ]
        promised = {"turn.first_event.p99": "< 1s"}
        return [
            run(at, label=label, thresholds=promised) | {"metrics": each} for at, each in enumerate(metrics)
        ]

    found = compare(side("v1", of("v1", 1)), side("v2", [*of("v2", 2), few_samples(8, n)]))
    row = next(row for row in found.rows if row.name == "turn.first_event.p99")
    assert row.word == outcome


def test_slow_runs_that_lack_a_percentile_leave_no_faster_rest() -> None:
    """A slower target has fewer turns: just its slow runs have too few for the percentile."""
    few = [run(9 + at, label="v2", p95_ms=None) for at in range(8)]
    before = repeats("v1", spread(50, 0.01, 6, 1))
    for factor in (0.8, 1.0):
        found = compare(before, side("v2", [*v2(factor, n=4).runs, *few]))
        assert (found.ruling.outcome, found.ruling.exit_code) == ("cannot tell", Exit.INVALID)
        row = next(row for row in found.primary if row.name == P95)
        assert "8 of 12 runs of the candidate did not measure it, more than of the baseline" in row.why
        assert row.enough is None
    assert compare(before, side("v2", [*v2(1.3, n=4).runs, *few])).ruling.outcome == "slower"
    both = compare(side("v1", [*v1().runs, *few]), side("v2", [*v2(0.8, n=5).runs, *few]))
    assert both.ruling.outcome == "faster"


def test_the_rules_are_those_of_the_scenario() -> None:
    written = {"primary": ["turns.lost"], "smallest_effect": "0.1", "turns.lost": "0.2"}
    made = deep(run(), {"scenario": {"settings": {"compare": written}}})
    assert rules_of(made) == Compare(
        primary=("turns.lost",), smallest_effect=0.1, effects={"turns.lost": 0.2}
    )
    assert rules_of(run()) == Compare()


def test_the_rules_of_the_newest_candidate_hold() -> None:
    written = {"scenario": {"settings": {"compare": {"smallest_effect": "0.25"}}}}
    after = side("v2", [deep(each, written) for each in v2(1.1).runs])
    found = compare(v1(), after)
    assert found.ruling.outcome == "same"
    assert compare(v1(), after, Compare()).ruling.outcome == "slower"


def test_noise_that_was_learned_helps_where_runs_are_few() -> None:
    one, other = side("v1", [run(0)]), side("v2", [run(0, label="v2")])
    assert compare(one, other).primary[0].visible is None
    assert compare(one, other, noise={P95: 0.02}).primary[0].visible is not None


def test_blocks_that_took_turns_are_weighed_in_pairs() -> None:
    climbing = [50 * 1.05**at for at in range(8)]
    before = repeats("a", climbing)
    after = repeats("b", [value * 1.1 * (1 + at % 2 / 100) for at, value in enumerate(climbing)])
    assert compare(before, after).ruling.outcome == "cannot tell"
    found = compare(before, after, paired=True)
    assert (found.ruling.outcome, found.ruling.exit_code) == ("slower", Exit.FAIL)
    (row,) = [row for row in found.primary if row.name == P95]
    assert row.method == "pairs"
    assert row.spread is not None
    assert row.spread < 0.01


def test_pairs_that_do_not_tell_say_how_many_would() -> None:
    before, after = repeats("a", spread(50, 0.2, 6, 1)), repeats("b", spread(50, 0.2, 6, 2))
    (row,) = [row for row in compare(before, after, paired=True).primary if row.name == P95]
    assert row.word == "cannot tell"
    assert "pairs of blocks" in row.why


def test_too_few_pairs_are_told_with_their_difference() -> None:
    before, after = repeats("a", [50.0] * 5), repeats("b", [60.0] * 5)
    (row,) = [row for row in compare(before, after, paired=True).primary if row.name == P95]
    assert (row.word, row.why) == ("cannot tell", "there are only 5 pairs of blocks; a verdict needs 6")
    assert row.change == pytest.approx(0.2)
    apart = compare(repeats("a", [None, 50.0]), repeats("b", [60.0, None]), paired=True)
    assert "no pair of blocks measured this metric on both sides" in {row.why for row in apart.primary}
    lost = compare(repeats("a", [None] * 6), repeats("b", [60.0] * 6), paired=True)
    assert "not measured in the baseline" in next(row.why for row in lost.primary if row.name == P95)


def test_nothing_compared_is_not_known() -> None:
    assert worst([]) == Exit.INVALID


def failing(name: str, n: int, of: int) -> Side:
    """``n`` of so many runs failed by their own verdict, whose numbers are those of the others."""
    failed = {"verdict": {"outcome": "fail", "reason": "1 event of another user arrived."}}
    return side(name, [deep(each, failed) if at < n else each for at, each in enumerate(v2(1.0).runs[:of])])


def test_runs_that_failed_by_their_own_verdict_are_never_the_same() -> None:
    found = compare(v1(), failing("v2", 3, 5)).ruling
    assert (found.outcome, found.exit_code) == ("worse", 1)
    assert found.reason == "3 of 5 runs of v2 failed, but no run of v1 did: 1 event of another user arrived."
    found = compare(v1(), failing("v2", 1, 5)).ruling
    assert (found.outcome, found.exit_code) == ("cannot tell", 4)
    assert found.reason.startswith(
        "The runs do not allow a verdict: 1 of 5 runs of v2 failed, but no run of v1 did"
    )
    assert compare(failing("v1", 1, 5), failing("v2", 1, 5)).ruling.outcome == "same"
