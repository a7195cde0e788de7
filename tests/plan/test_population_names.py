"""Names of what one population measured, and what is judged of it by default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.threshold import (
    BY_KIND,
    parse_threshold,
    plain_names,
    population_defaults,
    resolve,
    split_population,
    tagged,
)

BOTH = ("askers", "listeners")


@pytest.mark.parametrize(
    ("name", "plain", "population"),
    [
        ("turn.completion[askers].p95", "turn.completion.p95", "askers"),
        ("turn.completion[askers/ask].p95", "turn.completion[ask].p95", "askers"),
        ("turns.complete[askers/ask].ratio", "turns.complete[ask].ratio", "askers"),
        ("connections.ready[listeners].ratio", "connections.ready.ratio", "listeners"),
        ("connections.closed.1006[listeners]", "connections.closed.1006", "listeners"),
        ("connections.refused.tcp[listeners]", "connections.refused.tcp", "listeners"),
        ("rates.turns_per_s[askers]", "rates.turns_per_s", "askers"),
        ("deliveries.missing[askers].ratio", "deliveries.missing.ratio", "askers"),
        ("turn.completion[ask].p95", "turn.completion[ask].p95", None),
        ("turn.completion.p95", "turn.completion.p95", None),
    ],
)
def test_a_name_is_taken_apart_and_put_together(name: str, plain: str, population: str | None) -> None:
    assert split_population(name, BOTH) == (plain, population)
    assert resolve(name)[1] == resolve(plain)[1]
    if population is not None:
        assert tagged(plain, population) == name


@given(st.sampled_from([*plain_names(), *(f"{each}.p95" for each in BY_KIND if each.startswith("turn."))]))
def test_every_name_of_a_run_has_one_of_a_population(name: str) -> None:
    if name != "generator.cpu.max":
        assert split_population(tagged(name, "askers"), BOTH) == (name, "askers")


def names(written: list[str], off: list[str] | None = None) -> list[str]:
    thresholds = [parse_threshold(name, "== 1") for name in written]
    ends = {"askers": True, "listeners": False}
    found = population_defaults(thresholds, off or [], ends, dict.fromkeys(BOTH, ()), dict.fromkeys(BOTH, 0))
    return [each.name for each in found if each.name.startswith(("turns.complete", "connections"))]


def test_each_kind_of_a_population_is_judged_by_default() -> None:
    found = population_defaults([], [], {"askers": True}, {"askers": ("ask", "cancel")}, {"askers": 0})
    kinds = [each.name for each in found if "/" in each.name]
    assert kinds == ["turns.complete[askers/ask].ratio", "turns.complete[askers/cancel].ratio"]


def test_the_other_stages_of_a_population_are_judged_by_default() -> None:
    said = [parse_threshold("turns.complete[askers].ratio", "> 10%", 1)]
    found = population_defaults(said, [], {"askers": True}, {"askers": ()}, {"askers": 3})
    assert [each.stage for each in found if each.name == said[0].name] == [0, 2]


def test_each_population_is_judged_by_default_so_that_none_hides_another() -> None:
    ready = [f"connections.ready[{name}].ratio" for name in BOTH]
    assert names([]) == ["turns.complete[askers].ratio", *ready]
    assert names(["connections.ready[listeners]"]) == ["turns.complete[askers].ratio", ready[0]]
    assert names(["turns.complete"]) == ready, "what is said of all is said of each"
    assert names([], ["turns.complete[askers].ratio", "connections.ready.ratio"]) == []
