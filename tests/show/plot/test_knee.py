from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from overlap import faults, shown_texts

from loadtest.show.plot import style
from loadtest.show.plot.knee import KneePicture

sys.path.insert(0, str(Path(__file__).parent.parent))
from searches import SEARCHES, searched


@functools.cache
def drawn_once(name: str, width: float) -> Figure:
    return KneePicture(SEARCHES[name]).figure(width)


def drawn(name: str, width: float = style.WIDE_IN) -> Figure:
    """A search, drawn once for all who look at it; none changes it."""
    return drawn_once(name, width)


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in shown_texts(figure))


@pytest.mark.parametrize("width", [style.WIDE_IN, pytest.param(style.NARROW_IN, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", SEARCHES)
def test_no_text_is_cut_or_lies_on_another(name: str, width: float) -> None:
    assert faults(drawn(name, width)) == []


def test_units_counts_and_what_was_found_stand_on_it() -> None:
    told = texts(drawn("found"))
    for part in (
        "SIMULATED",
        "turns complete per second, n=13 runs",
        "load in connections",
        "p95 of response time in ms, n=1,000 to 16,000 turns a run",
        "all thresholds held (8)",
        "a threshold was missed (5)",
        "knee: 200 connections",
        "the limit is between 198 and 207",
        "limit 100 ms",
    ):
        assert part in told


def test_marks_differ_by_shape_and_not_by_colour_alone() -> None:
    every = searched([(10, "h"), (20, "m"), (30, "i")])
    marks = [line.get_marker() for line in KneePicture(every).figure().axes[0].lines]
    shapes = [mark for mark in marks if mark not in {"None", None, ""}]
    assert len(shapes) == len(set(shapes)) == 3


def test_what_was_not_measured_is_said() -> None:
    silent = searched([(10, "h")])
    tries = tuple(type(each)(each.probe, "", "it died") for each in silent.tries)
    nothing = type(silent)(**{name: getattr(silent, name) for name in silent.__slots__} | {"tries": tries})
    figure = KneePicture(nothing).figure()
    told = texts(figure)
    assert "no probe stored a run with measurements" in told.replace("\n", " ")
    assert faults(figure) == []


def test_times_far_apart_are_on_a_logarithmic_axis() -> None:
    assert "(logarithmic)" in texts(KneePicture(searched([(10, "h"), (900, "m")])).figure())


def test_it_is_an_svg_and_a_png_and_says_what_it_shows() -> None:
    picture = KneePicture(SEARCHES["found"])
    assert "<title" in picture.svg()
    assert picture.png().startswith(b"\x89PNG")
    assert picture.about().endswith("ws://staging.example:8000/ws, SIMULATED")
