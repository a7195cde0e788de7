from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from trends import TRENDS

from loadtest.show.terminal_trend import render, show
from loadtest.show.trend import tell


@pytest.mark.parametrize("name", ["stepped", "steady"])
@pytest.mark.parametrize("width", [80, 120])
def test_the_screen(name: str, width: int, golden: Callable[[str, str], None]) -> None:
    golden(f"trend-{name}-{width}.txt", render([tell(TRENDS[name]())], width=width))


@pytest.mark.parametrize("name", TRENDS)
@pytest.mark.parametrize("width", [60, 100])
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    text = render([tell(TRENDS[name]())], width=width)
    assert all(len(line) <= width for line in text.splitlines())


def test_plain_ascii_and_colour() -> None:
    told = [tell(TRENDS["stepped"]())]
    assert render(told, ascii_only=True).isascii()
    assert "\x1b[" in render(told, colour=True)
    stream = io.StringIO()
    show(told, stream)
    assert "SLOWER  exit code 1" in stream.getvalue()


def test_the_baseline_is_named() -> None:
    assert "Held against the level of the baseline, n003." in render([tell(TRENDS["promised"]())])


def test_of_many_exploratory_changes_the_newest_are_shown() -> None:
    made = render([tell(TRENDS["many"]())], width=120)
    assert made.count("first run after it") == 29
