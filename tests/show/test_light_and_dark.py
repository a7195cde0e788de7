"""One table of colours, for plots, pages, PDF and the screen in a picture; and all of them can be read."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import loadtest
from loadtest.show.charts import colour
from loadtest.show.light_and_dark import PAGE, PLOT, Colour, rgb
from loadtest.show.plot import style
from loadtest.show.render.page_style import MEANINGS, page_colours, variable

PACKAGE = Path(loadtest.__file__).parent
OTHERS = ("uPlot.iife.min.js", "uPlot.min.css")
SHOWN = [
    path
    for path in sorted(PACKAGE.rglob("*"))
    if path.suffix in {".py", ".js", ".css", ".html"} and path.name not in {*OTHERS, "light_and_dark.py"}
]
HUES = ("blue", "orange", "green", "vermillion", "purple", "sky")
DEFINED = dict(re.findall(r"--([\w-]+): ([^;]+);", page_colours()[: page_colours().index("@media")]))


def test_no_other_file_names_a_colour_by_its_number() -> None:
    number = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b(?!;)|\brgba?\((?!0 0 0 /|self)\s*\d")
    found = {path.name: number.findall(path.read_text("utf-8")) for path in SHOWN}
    assert {name: colours for name, colours in found.items() if colours} == {}


def test_pages_draw_meanings_and_not_hues() -> None:
    hues = re.compile(rf"--plot-(?:{'|'.join(HUES)})\b")
    found = {path.name: hues.findall(path.read_text("utf-8")) for path in SHOWN if path.suffix != ".py"}
    assert {name: used for name, used in found.items() if used} == {}


def test_every_colour_that_a_page_uses_is_defined() -> None:
    own = {"tone", "tint", "mark"}
    pages = "".join(path.read_text("utf-8") for path in SHOWN if path.suffix != ".py")
    used = set(re.findall(r"""(?:var\(|["'])--([a-z][\w-]*)""", pages))
    assert used - set(DEFINED) - own == set()


@pytest.mark.parametrize("kind", MEANINGS)
def test_a_meaning_has_the_same_colour_in_plots_and_on_pages(kind: str) -> None:
    for name, look in MEANINGS[kind].items():
        assert DEFINED[variable(kind, name)] == f"var({colour(look)})"
        assert DEFINED[colour(look).removeprefix("--")] == look.colour


@pytest.mark.parametrize("number", range(7))
def test_a_release_has_the_same_colour_in_plots_and_on_pages(number: int) -> None:
    look = style.release(number)
    assert DEFINED[colour(look).removeprefix("--")] == look.colour


def test_a_dark_page_has_every_colour_of_a_light_one() -> None:
    dark = page_colours()[page_colours().index("@media") :]
    named = {name for name, value in DEFINED.items() if value.startswith("#")}
    assert set(re.findall(r"--([\w-]+): #", dark)) == named


def _luminance(text: str) -> float:
    parts = [each / 255 for each in rgb(text)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


WORDS = {name: PAGE[name] for name in ("good", "bad", "doubt", "link")} | {
    name: PLOT[name] for name in ("ink", "muted")
}
GROUNDS = {"page": PAGE["page"], "card": PLOT["surface"], "shade": PLOT["shade"]}
TINTED = {(name, f"{name}-tint") for name in ("good", "bad", "doubt")}


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_on_every_ground(scheme: str) -> None:
    pairs = [(WORDS[word], GROUNDS[ground]) for word, ground in product(WORDS, GROUNDS)]
    pairs += [(PAGE[word], PAGE[ground]) for word, ground in TINTED]
    pairs += [(PLOT[word], PAGE[ground]) for word in ("ink", "muted") for _, ground in TINTED]
    for word, ground in pairs:
        assert contrast(_of(word, scheme), _of(ground, scheme)) >= 4.5, (word, ground)


def _of(colour: Colour, scheme: str) -> str:
    return colour.light if scheme == "light" else colour.dark
