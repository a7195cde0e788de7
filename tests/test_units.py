from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.units import (
    exact_duration,
    exact_rate,
    exact_ratio,
    format_bytes,
    format_cores,
    format_count,
    format_duration,
    format_ms,
    format_number,
    format_rate,
    format_ratio,
    parse_bytes,
    parse_duration,
    parse_rate,
    parse_ratio,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5ns", 5),
        ("1us", 1_000),
        ("1µs", 1_000),
        ("1μs", 1_000),
        ("100ms", 100_000_000),
        ("1.5s", 1_500_000_000),
        (" 30s ", 30_000_000_000),
        ("30 s", 30_000_000_000),
        ("2m", 120_000_000_000),
        ("2min", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1d", 86_400_000_000_000),
        ("0.1ms", 100_000),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "1 week", "1.s", ".5s", "1e3s", "1s2", "١s", "1" * 19 + "s"]
)
def test_what_is_no_duration_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match='"100ms", "30s"'):
        parse_duration(text)


def test_a_number_without_a_unit_is_told_so() -> None:
    with pytest.raises(ValueError, match="no unit"):
        parse_duration("30")


@pytest.mark.parametrize(
    ("text", "per_s"),
    [("20/s", 20.0), ("90/m", 1.5), ("36/h", 0.01), ("0.5 / s", 0.5), ("86400/d", 1.0), ("1e3/s", 1000.0)],
)
def test_rates_are_read(text: str, per_s: float) -> None:
    assert parse_rate(text) == per_s


@pytest.mark.parametrize("text", ["", "20", "20/", "/s", "20/week", "-1/s", "20/ms"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='"20/s"'):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "ratio"), [("99%", 0.99), ("99.9 %", 0.999), ("0.5", 0.5), ("1", 1.0), ("0%", 0.0)]
)
def test_ratios_are_read(text: str, ratio: float) -> None:
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize("text", ["", "abc", "-1%", "101%", "1.5", "%"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number from 0 to 1"):
        parse_ratio(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512B", 512), ("64 KiB", 65536), ("1.5MiB", 1572864), ("2MB", 2_000_000)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "12", "1 TB", "MiB", "-1B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match='"16MiB"'):
        parse_bytes(text)


@given(st.integers(0, 10**18))
def test_an_exact_duration_reads_back_as_the_same(ns: int) -> None:
    assert parse_duration(exact_duration(ns)) == ns


@given(st.floats(1e-9, 1e12, allow_nan=False))
@example(0.00025058548241775543)
def test_an_exact_rate_reads_back_as_the_same(per_s: float) -> None:
    assert parse_rate(exact_rate(per_s)) == per_s


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (999, "999 ns"),
        (305_000, "305 µs"),
        (1_420_000, "1.42 ms"),
        (999_999, "1 ms"),
        (12_340_000_000, "12.3 s"),
        (59_990_000_000, "1 min"),
        (60_000_000_000, "1 min"),
        (125_000_000_000, "2 min 5 s"),
        (3_600_000_000_000, "1 h"),
        (5_430_000_000_000, "1 h 30 min"),
        (-5_000_000, "-5 ms"),
        (0.5, "0.5 ns"),
    ],
)
def test_durations_are_told_with_three_digits_and_a_fitting_unit(ns: float, text: str) -> None:
    assert format_duration(ns) == text


@given(st.floats(1, 5e10))
def test_a_told_duration_is_within_half_a_percent(ns: float) -> None:
    number, unit = format_duration(ns).split()
    assert math.isclose(float(number) * {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit], ns, rel_tol=0.005)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_was_not_measured_is_never_printed_as_a_number(value: float) -> None:
    for tell in (format_duration, format_rate, format_ratio):
        with pytest.raises(ValueError, match="not measured"):
            tell(value)


def test_milliseconds_are_told_the_same_way_and_none_says_so() -> None:
    assert format_ms(1.42) == "1.42 ms"
    assert format_ms(None) == "not measured"


@pytest.mark.parametrize(
    ("per_s", "text"),
    [
        (1234.4, "1,234/s"),
        (99.96, "100/s"),
        (20.5, "20.5/s"),
        (20, "20/s"),
        (0.00123, "0.00123/s"),
        (0, "0/s"),
        (-2, "-2/s"),
    ],
)
def test_rates_are_told(per_s: float, text: str) -> None:
    assert format_rate(per_s) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.993, "99.3 %"),
        (1, "100 %"),
        (0, "0 %"),
        (0.99999, "> 99.9 %"),
        (0.0001, "< 0.1 %"),
        (0.5, "50.0 %"),
    ],
)
def test_a_ratio_is_never_rounded_to_all_or_to_nothing(ratio: float, text: str) -> None:
    assert format_ratio(ratio) == text


def test_counts_and_sizes_are_told() -> None:
    assert format_count(12345) == "12,345"
    assert format_bytes(512) == "512 B"
    assert format_bytes(1_258_291) == "1.2 MiB"
    assert format_bytes(3 * 1024**4) == "3.0 TiB"


@given(st.integers(0, 10**12))
def test_an_exact_ratio_reads_back_as_the_same(part: int) -> None:
    ratio = part / 10**12
    assert parse_ratio(exact_ratio(ratio)) == ratio


@pytest.mark.parametrize("parse", [parse_duration, parse_rate, parse_ratio, parse_bytes])
def test_a_sentence_does_not_repeat_what_is_endless(parse: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r'^"x{57}\.\.\." is not a') as caught:
        parse("x" * 5000)
    assert len(str(caught.value)) < 200


def test_cores_and_plain_numbers_are_short() -> None:
    assert [format_cores(value) for value in (0.0, 0.0388, 1.0, 2.5, 1234.0)] == [
        "0 cores",
        "0.0388 cores",
        "1 core",
        "2.5 cores",
        "1,234 cores",
    ]
    assert [format_number(value) for value in (0.0, 2.50001, -3.0, 12345.6)] == ["0", "2.5", "-3", "12,346"]
    with pytest.raises(ValueError, match="were not measured"):
        format_cores(math.nan)
