from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from overlap import faults, shown_texts
from sample import SAMPLES, SampleRun

from loadtest.show.plot import style
from loadtest.show.plot.pictures import NAMES, Pictures, why_nothing

Sample = Callable[[str], SampleRun]
Drawn = Callable[..., Figure]
PicturesOf = Callable[[SampleRun], Pictures]
WIDTHS = (
    pytest.param(style.WIDE_IN, id="wide"),
    pytest.param(style.NARROW_IN, id="narrow", marks=pytest.mark.long),
)


LIKE_ANOTHER = {"cut_short", "interrupted"}
"""Laid out like ``passed``, and shorter."""

LAID_OUT = [
    pytest.param(name, marks=pytest.mark.long) if name in LIKE_ANOTHER else name for name in sorted(SAMPLES)
]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("of", LAID_OUT)
def test_no_text_of_a_plot_overlaps_or_is_cut(of: str, name: str, width: float, drawn: Drawn) -> None:
    with mpl.rc_context(style.SETTINGS):
        assert faults(drawn(of, name, width)) == []


def test_the_finder_finds_texts_that_overlap_or_are_cut() -> None:
    with mpl.rc_context(style.SETTINGS):
        figure = Figure(figsize=(4, 2), dpi=100)
        FigureCanvasAgg(figure)
        figure.text(0.1, 0.5, "the one")
        figure.text(0.2, 0.5, "the other")
        figure.text(0.9, 0.9, "sticks out at the right")
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.3))
        axes.plot([0, 1], [0, 1], label="a line")
        axes.legend()
        found = faults(figure)
    assert "overlap: 'the one' and 'the other'" in found
    assert "cut: 'sticks out at the right'" in found
    assert "a legend covers its axes: 'a line'" in found


def test_ticks_that_are_not_drawn_are_not_counted() -> None:
    with mpl.rc_context(style.SETTINGS):
        figure = Figure(figsize=(4, 2))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.1, 0.2, 0.8, 0.6))
        axes.set_xticks([0, 1, 5], ["nought", "one", "five"])
        axes.set_xlim(0, 1)
        figure.add_axes((0.5, 0.5, 0.1, 0.1)).set_axis_off()
        figure.draw_without_rendering()
        shown = {text.get_text() for text in shown_texts(figure)}
    assert {"nought", "one"} <= shown
    assert "five" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_titles_name_the_run_and_the_simulator(name: str, drawn: Drawn) -> None:
    texts = " ".join(text.get_text() for text in shown_texts(drawn("passed", name)))
    for needed in ("agent-burst", "v1.4.0", "ws://127.0.0.1:43211/ws", "SIMULATED"):
        assert needed in texts
    assert "SIMULATED" not in " ".join(text.get_text() for text in shown_texts(drawn("unreachable", name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("of", ["failed", "hostile", "unreachable"])
def test_an_svg_is_well_formed_stands_alone_and_is_drawn_once(
    of: str, name: str, sample: Sample, pictures: PicturesOf
) -> None:
    run = sample(of)
    text = pictures(run).svg(name)
    root = ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "<!--" not in text
    assert "<text" not in text
    assert pictures(run).svg(name) is text


def test_the_same_run_gives_the_same_bytes(sample: Sample) -> None:
    one, other = (Pictures(sample("failed")).svg("connections") for _ in range(2))
    assert one == other


def test_settings_of_the_surrounding_program_stay_as_they_are(sample: Sample, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    (tmp_path / "plot.png").write_bytes(Pictures(sample("tiny")).png("ledger"))
    assert dict(mpl.rcParams) == before
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_why_there_is_nothing_to_draw() -> None:
    unreachable = {
        "counts": {"connections": {"attempted": 5, "ready": 0}},
        "unmeasured": {"turn.completion": "x"},
    }
    assert why_nothing(unreachable) == "no connection was ever ready"
    assert why_nothing({"unmeasured": {"lost": "y", "turn.completion": "the scenario sends nothing"}}) == (
        "the scenario sends nothing"
    )
    assert why_nothing({}) == "the run holds no sample of it"
