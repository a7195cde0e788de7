from __future__ import annotations

from loadtest.judge.compare import compare
from loadtest.judge.samples import Side, side
from tests.judge.made import deep
from tests.judge.repeats import repeats, run, spread


def codes(before: Side, after: Side) -> dict[str, str]:
    return {each["code"]: each["message"] for each in compare(before, after).notices}


def v1() -> Side:
    return repeats("v1", spread(50, 0.01, 5, 1))


def test_nothing_to_say_is_not_said() -> None:
    assert codes(v1(), repeats("v2", spread(50, 0.01, 5, 2))) == {}


def test_simulated_runs_are_named_so() -> None:
    made = [side(name, [deep(run(0), {"target": {"simulated": True}})]) for name in ("v1", "v2")]
    assert "simulated_target" in codes(*made)


def test_a_run_that_was_left_out_is_named_with_its_reason() -> None:
    told = codes(v1(), side("v2", [run(0), run(1, status="cut short")]))
    assert told["run_left_out"] == "v2: the run 2026-v1-1 does not count: the run is cut short"


def test_two_machines() -> None:
    elsewhere = side("v2", [deep(run(0), {"fingerprint": {"machine": "two", "cpu": "other"}})])
    assert "(machine, cpu)" in codes(v1(), elsewhere)["different_surroundings"]


def test_more_thresholds_than_can_decide() -> None:
    names = {f"turn.first_event.p{q}": "< 1s" for q in (50, 75, 90, 95, 96, 97, 98)}
    made = [side(name, [run(0, thresholds=names)]) for name in ("v1", "v2")]
    assert "These metrics do not decide: turn.first_event.p98" in codes(*made)["too_many_to_decide"]


def test_a_rate_that_the_plan_sets_can_hardly_differ() -> None:
    def made(name: str, bound: str) -> Side:
        changes = {"rates": {"turns_per_s": {"bound": bound}}}
        return side(name, [deep(run(0, thresholds={"rates.turns_per_s": "> 1"}), changes)])

    assert "rate_limited_by_plan" in codes(made("v1", "plan"), made("v2", "plan"))
    assert "rate_limited_by_plan" not in codes(made("v1", "plan"), made("v2", "target"))


def _with_medians(of: Side, medians: list[float], **changes: float | None) -> Side:
    """The same runs with a p50 each, and other statistics of the first event."""
    return side(
        of.name,
        [
            deep(each, {"metrics": {"turn.first_event": {"p50": median, **changes}}})
            for each, median in zip(of.runs, medians, strict=True)
        ],
    )


def noisy(label: str, seed: int) -> Side:
    """Runs whose p95 differs by a third from run to run, and whose median hardly does."""
    return _with_medians(repeats(label, spread(50, 0.3, 8, seed)), spread(20, 0.005, 8, seed))


def test_a_percentile_that_is_too_noisy_names_the_one_that_decides() -> None:
    (told,) = [
        each
        for each in compare(noisy("v1", 1), noisy("v2", 2)).notices
        if each["code"] == "percentile_too_noisy"
    ]
    assert "turn.first_event.p95 differs by 3" in told["message"]
    assert "For turn.first_event.p50 the same runs give a verdict" in told["message"]
    assert "--primary turn.first_event.p50" in told["remedy"]


def test_no_other_percentile_is_named_where_that_decides_nothing_either() -> None:
    before, after = (
        _with_medians(repeats(name, spread(50, 0.3, 8, seed)), spread(20, 0.3, 8, seed))
        for name, seed in (("v1", 1), ("v2", 2))
    )
    assert "percentile_too_noisy" not in codes(before, after)


def test_no_other_percentile_is_named_where_it_is_not_chance_that_keeps_it_from_a_verdict() -> None:
    lacking = _with_medians(repeats("v2", [*spread(50, 0.3, 7, 2), None]), spread(20, 0.005, 8, 2))
    assert "percentile_too_noisy" not in codes(noisy("v1", 1), lacking)
    few = [
        _with_medians(repeats(name, spread(50, 0.3, 2, 2)), spread(20, 0.005, 2, 2)) for name in ("v1", "v2")
    ]
    assert "percentile_too_noisy" not in codes(*few)
