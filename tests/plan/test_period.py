"""How often: written, or dictated by a target that nobody need trust."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.plan.period import MAX_NS, MIN_NS, Period, parse_period


def test_a_duration_is_what_it_is() -> None:
    assert parse_period("1.5s") == Period(1_500_000_000)
    assert parse_period("1.5s").length_ns("whatever") == 1_500_000_000


@pytest.mark.parametrize(("text", "unit_ns"), [("{kept.a}ms", 1_000_000), (" {kept.a} s ", 1_000_000_000)])
def test_a_kept_number_has_a_unit(text: str, unit_ns: int) -> None:
    assert parse_period(text) == Period(None, "a", unit_ns)


@pytest.mark.parametrize(
    "text", ["{kept.a}", "{kept.a}parsecs", "{ready.a}ms", "x{kept.a}ms", "30", "1ms", "25h"]
)
def test_anything_else_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|interval must be"):
        parse_period(text)


@pytest.mark.parametrize(
    ("value", "length_ns"),
    [
        (45_000, 45_000_000_000),
        ("250.5", 250_500_000),
        (1, MIN_NS),
        (1e18, MAX_NS),
        (0, None),
        (-1, None),
        (True, None),
        ("soon", None),
        ("inf", None),
        (float("nan"), None),
        (None, None),
        ({}, None),
    ],
)
def test_what_is_dictated_is_bounded_or_no_interval(value: Any, length_ns: int | None) -> None:
    assert parse_period("{kept.a}ms").length_ns(value) == length_ns
