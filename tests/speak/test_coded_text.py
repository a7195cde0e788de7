"""A text as it is meant: each letter once, at the place where its code stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.speak.coded_text import Places, places_as_meant

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


def test_bytes_that_are_no_text_keep_their_places() -> None:
    assert places_as_meant("%ff%41b\\xfe\\x43", where("Ab")) == [(3, 7)]
    assert places_as_meant("%ff%41b\\xfe\\x43", where("\udcfeC")) == [(7, 15)]


def test_half_of_a_character_is_a_letter() -> None:
    assert places_as_meant("\\uD83Dab", where("ab")) == [(6, 8)]
