from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from loadtest.show.sanitize import LONGEST, printable

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_whatever_comes_is_one_line_that_can_be_seen_and_encoded(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert len(shown) <= LONGEST
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_terminal_command_is_shown_as_its_escape() -> None:
    assert printable("\x1b[2Jgone\u202e") == "\\x1b[2Jgone\\u202e"


def test_lines_are_joined_and_long_texts_end_in_an_ellipsis() -> None:
    assert printable(" a\n\tb ") == "a b"
    assert printable("x" * 50, 10) == "x" * 9 + "…"


def test_plain_values_are_their_text() -> None:
    assert printable(4711) == "4711"
    assert printable("µ ≤ 日本") == "µ ≤ 日本"
