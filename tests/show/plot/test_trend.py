from __future__ import annotations

import functools

import pytest
from matplotlib.figure import Figure
from overlap import faults, shown_texts
from trends import TRENDS

from loadtest.show.plot import style
from loadtest.show.plot.trend import TrendPicture, letters


@functools.cache
def drawn_once(name: str, width: float) -> Figure:
    return TrendPicture(TRENDS[name]()).figure(width)


def drawn(name: str, width: float = style.WIDE_IN) -> Figure:
    """A trend, drawn once for all who look at it; none changes it."""
    return drawn_once(name, width)


def told(figure: Figure) -> str:
    return " ".join(text.get_text() for text in shown_texts(figure)).replace("\n", " ")


@pytest.mark.parametrize("width", [style.WIDE_IN, pytest.param(style.NARROW_IN, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TRENDS)
def test_no_text_is_cut_or_lies_on_another(name: str, width: float) -> None:
    assert faults(drawn(name, width)) == []


def test_units_counts_and_days_stand_on_it() -> None:
    words = told(drawn("stepped"))
    assert "turn.first_event.p95, ms (less is better); 33 runs, n=33,000" in words
    assert "33 runs, 2026-01-01 to 2026-02-05 · machine one" in words
    assert "SIMULATED" in words
    assert "2026-02-05" in words
    assert "runs in the order they were made, by day (UTC)" in words


def test_levels_bands_and_odd_runs_are_named() -> None:
    words = told(drawn("stepped"))
    assert "95 % prediction interval" in words
    assert "mean of a level" in words
    assert "a run outside the prediction interval" in words


def test_a_change_has_a_letter_and_words() -> None:
    words = told(drawn("stepped"))
    assert "A " in words
    assert "since 2026-01-22 (v2, commit cccccccccccc)." in words


def test_the_newest_run_says_what_it_is() -> None:
    assert "the newest run: slower" in told(drawn("tonight"))
    assert "the newest run: " not in told(drawn("one"))


def test_what_never_differed_is_said_in_words() -> None:
    assert "100 % in all of the 40 runs, n=40,000" in told(drawn("steady"))


def test_what_was_not_measured_says_so() -> None:
    assert "Not measured: " in told(drawn("unmeasured"))
    assert "no run counts" in told(drawn("nothing"))


def test_a_threshold_among_the_runs_is_drawn() -> None:
    assert "threshold < 100ms" in told(drawn("promised"))
    assert "threshold" not in told(drawn("steady"))


def test_letters_do_not_end_with_the_alphabet() -> None:
    assert letters(29)[24:] == ["Y", "Z", "AA", "AB", "AC"]


def test_runs_differ_in_marker_and_not_by_colour_alone() -> None:
    axes = drawn("stepped").axes[0]
    assert {line.get_marker() for line in axes.lines} >= {"o", "x", "D"}


def test_it_is_an_svg_and_a_png_and_says_what_it_shows() -> None:
    made = TrendPicture(TRENDS["stepped"]())
    assert "<title" in made.svg()
    assert made.about() == "Trend of what decides: made, 33 runs, 2026-01-01 to 2026-02-05, SIMULATED"
    assert made.png().startswith(b"\x89PNG")
