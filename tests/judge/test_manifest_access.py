from __future__ import annotations

from typing import Any

import pytest

from loadtest.judge import manifest_access
from tests.judge.made import manifest


def test_a_path_that_is_not_there_is_an_empty_section() -> None:
    assert manifest_access.section({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert manifest_access.section({"a": 3}, "a", "b") == {}
    assert manifest_access.section(None, "a") == {}


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (0.5, 0.5), (True, None), ("1", None), (float("nan"), None), (float("inf"), None)],
)
def test_a_number_is_finite(value: object, number: float | None) -> None:
    assert manifest_access.number(value) == number


@pytest.mark.parametrize(("value", "count"), [(3, 3), (True, 0), (None, 0), (1.5, 0)])
def test_a_count_is_an_integer(value: object, count: int) -> None:
    assert manifest_access.count_or_zero(value) == count


def test_the_model_is_open_unless_said_otherwise() -> None:
    assert manifest_access.model({}) == "open"
    assert manifest_access.model({"load": {"planned": {"model": "closed"}}}) == "closed"
    assert manifest_access.model({"load": {"model": "closed"}}) == "closed"


def test_a_scenario_without_traffic_sends_nothing() -> None:
    assert manifest_access.sends(manifest())
    assert manifest_access.sends({"scenario": {"settings": {"traffic": {}}}})
    assert not manifest_access.sends(manifest(scenario__settings__traffic=None))


def test_observed_facts_have_a_code() -> None:
    made = manifest(observed=[{"code": "a"}, {"numbers": {}}, "b"])
    assert manifest_access.observed(made) == [{"code": "a"}]
    assert manifest_access.was_observed(made, "b", "a")
    assert not manifest_access.was_observed(made, "b")
    assert manifest_access.observed({"observed": "text"}) == []


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, True),
        ({"status": "running"}, False),
        ({"status": "cut short"}, False),
        ({"interrupted": True}, False),
        ({"part": {"from_s": 1}}, False),
        ({"observed": [{"code": "aborted"}]}, False),
    ],
)
def test_a_whole_run_came_to_its_own_end(changes: dict[str, Any], *, whole: bool) -> None:
    assert manifest_access.whole_run(manifest(**changes)) is whole


def test_the_clocks_tick_is_its_resolution_or_the_step_that_was_injected() -> None:
    assert manifest_access.tick_ns({}) == 1
    assert manifest_access.tick_ns({"clock": {"resolution_ns": 100}}) == 100
    assert manifest_access.tick_ns({"clock": {"resolution_ns": 1, "step_ns": 15_600_000}}) == 15_600_000
