from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.show.plot.style import drawable, fit, plain, text_width, wrap

TEXT = st.text(max_size=80)


@given(TEXT, st.floats(20, 300))
def test_a_text_that_was_fitted_fits(text: str, points: float) -> None:
    assert text_width(fit(text, points, 9), 9) <= points


@given(TEXT, st.floats(20, 300))
def test_lines_that_were_wrapped_fit_and_are_not_more_than_allowed(text: str, points: float) -> None:
    lines = wrap(text, points, 9, lines=3).split("\n")
    assert len(lines) <= 3
    assert all(text_width(line, 9) <= points for line in lines)


def test_a_text_that_fits_is_left_as_it_is() -> None:
    assert fit("agent-burst", 300, 9) == "agent-burst"
    assert wrap("two words", 300, 9, lines=2) == "two words"
    assert wrap("one two three", 40, 9, lines=3) == "one two\nthree"


def test_what_the_font_lacks_is_a_question_mark() -> None:
    assert drawable("µ≤日") == "µ≤?"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.05, "0.05"),
        (2.5, "2.5"),
        (999, "999"),
        (1000, "1,000"),
        (250_000, "250,000"),
        (2_500_000, "2.5 M"),
    ],
)
def test_ticks_are_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text
