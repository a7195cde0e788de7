from __future__ import annotations

import functools

import pytest
from compared import COMPARISONS
from matplotlib.figure import Figure
from overlap import faults, shown_texts

from loadtest.show import series
from loadtest.show.comparison_data import boards
from loadtest.show.plot import style
from loadtest.show.plot.release_pictures import DRAWERS, ComparisonPictures

WIDTHS = (style.WIDE_IN, pytest.param(style.NARROW_IN, marks=pytest.mark.long))
LIKE_ANOTHER = {"nightly"}
"""Laid out like ``slower``, with other numbers."""

DRAWN = [
    pytest.param(name, marks=pytest.mark.long) if name in LIKE_ANOTHER else name
    for name in COMPARISONS
    if name != "nothing"
]


@functools.cache
def pictures(name: str) -> ComparisonPictures:
    (board,) = boards(COMPARISONS[name]())
    return ComparisonPictures(board)


@functools.cache
def drawn_once(name: str, picture: str, width: float) -> Figure:
    return pictures(name).figure(picture, width)


def drawn(name: str, picture: str, width: float = style.WIDE_IN) -> Figure:
    """A picture, drawn once for all who look at it; none changes it."""
    return drawn_once(name, picture, width)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown_texts(figure)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("picture", DRAWERS)
def test_no_text_is_cut_or_lies_on_another(picture: str, name: str, width: float) -> None:
    if picture in pictures(name).names:
        assert faults(drawn(name, picture, width)) == []


@pytest.mark.parametrize("picture", [name for name in DRAWERS if name != "multiples"])
def test_every_picture_names_its_sides_and_their_runs(picture: str) -> None:
    told = " ".join(texts(drawn("slower", picture)))
    assert "SIMULATED" in told
    assert "v2 (5 runs" in told


def test_units_stand_on_every_axis() -> None:
    told = {name: " ".join(texts(drawn("slower", name))) for name in pictures("slower").names}
    assert "response time in ms" in told["spectra"]
    assert "n=2,400" in told["spectra"]
    assert "change in % of the baseline" in told["shift"]
    assert "response time in ms" in told["ecdf"]
    assert "seconds after the measured part began" in told["timelines"]
    assert "turn.first_event.p95, ms (less is better)" in told["runs"]
    assert "seconds after the start" in told["ledger"]


def test_small_multiples_are_of_several_candidates() -> None:
    assert "multiples" not in pictures("slower").names
    assert len(drawn("many", "multiples").axes) == 1 + 7


def test_shares_and_counts_are_drawn_where_they_can_be() -> None:
    """No share above 100 %, no half connection."""
    figure = drawn("slower", "runs")
    captions = [text for text in texts(figure) if "is better)" in text]
    shares = figure.axes[next(at for at, text in enumerate(captions) if "ratio, %" in text)]
    assert 100 < shares.get_ylim()[1] < 100.2
    counts = figure.axes[next(at for at, text in enumerate(captions) if "peak, count" in text)]
    assert all(tick == round(tick) for tick in counts.get_yticks())


def test_a_point_of_a_timeline_says_how_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = texts(drawn("slower", "timelines"))
    assert "completion, p95 of each second in ms" in told
    monkeypatch.setattr(series, "MAX_BINS", 4)
    (board,) = boards(COMPARISONS["slower"]())
    figure = ComparisonPictures(board).figure("timelines")
    assert "completion, p95 of every 3 seconds in ms" in texts(figure)
    assert faults(figure) == []


def test_the_measured_part_has_a_begin_and_an_end() -> None:
    axes = drawn("slower", "timelines").axes[0]
    assert {float(line.get_xdata()[0]) for line in axes.lines if len(set(line.get_xdata())) == 1} == {0, 8}  # type: ignore[arg-type,index]  # of numbers


def test_what_cannot_be_told_apart_is_said_to_be_left_out() -> None:
    assert "2 earlier candidates are not drawn here" in " ".join(texts(drawn("many", "spectra")))


def test_single_runs_have_bars_that_are_named_what_they_are() -> None:
    # Five per cent of a time, not half a point of a share.
    assert "within the smallest effect of 5 %" in " ".join(texts(drawn("slower", "shift")))
    told = " ".join(texts(drawn("single", "shift")))
    assert "bootstrap over blocks of seconds within the runs" in told.replace("\n", " ")
    told = " ".join(texts(drawn("slower", "shift"))).replace("\n", " ")
    assert "95 % interval of each quantile over the runs" in told


def test_sides_differ_in_dash_and_marker_and_not_by_colour_alone() -> None:
    lines = [line for line in drawn("many", "spectra").axes[0].lines if line.get_linewidth() > 2]
    looks = {(str(line.get_linestyle()), str(line.get_marker())) for line in lines}
    assert len({marker for _, marker in looks}) == len(lines) == 6


def test_a_picture_is_an_svg_and_a_png_and_says_what_it_shows() -> None:
    made = pictures("slower")
    assert "<title" in made.svg("shift")
    assert "v1 against v2, SIMULATED" in made.about("shift")
    assert made.png("shift").startswith(b"\x89PNG")


def test_what_may_not_be_compared_is_not_drawn() -> None:
    assert boards(COMPARISONS["nothing"]()) == []
