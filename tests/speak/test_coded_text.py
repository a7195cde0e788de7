"""A text as it is meant: each letter once, at the place where its code stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak.coded_text import Places, is_coded, places_as_meant, readings

CODES: tuple[Callable[[str], str], ...] = (
    lambda letter: letter,
    lambda letter: "".join(f"%{byte:02x}" for byte in letter.encode()),
    lambda letter: "".join(f"%{byte:02X}" for byte in letter.encode()),
    lambda letter: "".join(f"\\x{byte:02x}" for byte in letter.encode()),
    lambda letter: json.dumps(letter)[1:-1].replace("/", "\\/"),
    lambda letter: quote(quote(letter, safe=""), safe=""),
    lambda letter: quote(letter, safe="").replace("%", "\\u0025"),
)


def where(wanted: str) -> Callable[[str], Places]:
    def places_of(meant: str) -> Places:
        at = meant.find(wanted)
        return [] if at < 0 else [(at, at + len(wanted))]

    return places_of


@given(
    st.lists(st.tuples(st.sampled_from("aZ/+ é\u4e2d\U0001f600"), st.sampled_from(CODES)), max_size=12),
    st.text(alphabet='ab/"{} ', max_size=9),
    st.text(alphabet='ab/"{} ', max_size=9),
)
def test_a_text_is_found_whatever_each_letter_is_written_as(
    letters: list[tuple[str, Callable[[str], str]]], before: str, after: str
) -> None:
    wanted = f"<{''.join(letter for letter, _ in letters)}>"
    written = f"<{''.join(code(letter) for letter, code in letters)}>"
    found = places_as_meant(before + written + after, where(wanted))
    assert wanted == written or (len(before), len(before + written)) in found


@pytest.mark.parametrize(
    "text", ["", "plain", "100 % of it", "C:\\path", "a \\n line", "\\u00", "%4", "\\x4"]
)
def test_what_has_no_code_is_not_read(text: str) -> None:
    def never(meant: str) -> Places:
        raise AssertionError(meant)

    assert places_as_meant(text, never) == []
    assert not is_coded(text.encode())


@given(st.text(alphabet='\\\\\\u0041x%/"nq', max_size=12))
def test_what_has_a_sign_is_read_and_nothing_else(text: str) -> None:
    assert is_coded(text.encode()) == bool(readings(text))


@pytest.mark.parametrize(
    "secret", ['pa"ss', "pa\\ss", "pa\nss", "-----BEGIN KEY-----\nabc/\n-----END KEY-----", "pa\tss"]
)
@pytest.mark.parametrize("times", [2, 3])
def test_json_in_json_is_read_without_a_letter_by_its_number(secret: str, times: int) -> None:
    written = secret
    for _ in range(times):
        written = json.dumps(written)[1:-1]
    once = json.dumps(secret)[1:-1]
    assert (5, 5 + len(written)) in places_as_meant(f"said {written}.", where(once))


def test_bytes_that_are_no_text_keep_their_places() -> None:
    assert places_as_meant("%ff%41b\\xfe\\x43", where("Ab")) == [(3, 7)]
    assert places_as_meant("%ff%41b\\xfe\\x43", where("\udcfeC")) == [(7, 15)]


def test_half_of_a_character_is_a_letter() -> None:
    assert places_as_meant("\\uD83Dab", where("ab")) == [(6, 8)]


@given(
    st.lists(st.sampled_from(["a", "b", "%61", "\\u0062"]), max_size=40),
    st.text("ab", min_size=1, max_size=5),
)
def test_what_is_far_from_every_code_was_there_before(letters: list[str], wanted: str) -> None:
    """So that only the parts around codes need be searched."""
    text = "".join(letters)
    before = [text, *(each.meant for each in readings(text))]
    for last, each in zip(before, readings(text), strict=False):
        parts = list(each.new_parts(len(wanted)))
        assert all(part in each.meant for part in parts)
        assert wanted not in each.meant or wanted in last or any(wanted in part for part in parts)


def test_parts_around_codes_are_short() -> None:
    (reading,) = readings(f"{'-' * 99}%41{'-' * 99}%42%43-%44{'-' * 99}")
    assert list(reading.new_parts(3)) == ["---A---", "---BC-D---"]
