from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from trends import TRENDS

from loadtest.show.render.terminal import render, show
from loadtest.show.trend import document


@pytest.mark.parametrize("name", ["stepped", "steady"])
@pytest.mark.parametrize("width", [80, 120])
def test_the_screen(name: str, width: int, golden: Callable[[str, str], None]) -> None:
    golden(f"trend-{name}-{width}.txt", render([document(TRENDS[name]())], width=width))


@pytest.mark.parametrize("name", TRENDS)
@pytest.mark.parametrize("width", [60, 100])
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    text = render([document(TRENDS[name]())], width=width)
    assert all(len(line) <= width for line in text.splitlines())


def test_plain_ascii_and_colour() -> None:
    told = [document(TRENDS["stepped"]())]
    assert render(told, ascii_only=True).isascii()
    assert "\x1b[" in render(told, colour=True)
    stream = io.StringIO()
    show(told, stream)
    assert "SLOWER  exit code 1" in stream.getvalue()


def test_the_baseline_is_named() -> None:
    assert "Compared with the level of the baseline, n003." in render([document(TRENDS["promised"]())])


def test_of_many_exploratory_changes_the_newest_are_shown() -> None:
    made = render([document(TRENDS["many"]())], width=120)
    assert made.count("first run after it") == 29


def test_the_worst_of_several_stands_on_top_and_in_the_last_line() -> None:
    text = render([document(TRENDS[name]()) for name in ("steady", "missing", "failing", "one")])
    lines = text.splitlines()
    assert lines[0] == "THRESHOLD MISSED  exit code 1, the worst of 4 trends"
    assert lines[-1].startswith("THRESHOLD MISSED, exit code 1: made: 20 runs")
    assert "TOO LITTLE HISTORY" in lines[3]


def test_a_threshold_that_the_newest_run_misses_is_never_called_the_same() -> None:
    row = document(TRENDS["missing"]()).sections[0].tables[0].rows[0]
    assert (row.text(0), row.tone) == ("threshold missed", "bad")
    assert "the newest run misses < 49ms" in row.notes[0]


def test_a_target_that_was_down_is_never_called_the_same() -> None:
    found = document(TRENDS["failing"]())
    row = found.sections[0].tables[0].rows[1]
    assert (found.word, row.text(0), row.tone) == ("TARGET DOWN", "target down", "bad")


def test_every_metric_is_listed_where_asked() -> None:
    text = render([document(TRENDS["steady"]())], whole=True)
    assert "turn.first_event.p99" in text
    assert "--exploratory" not in text
