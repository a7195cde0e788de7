from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest
from compared import COMPARISONS, many, of, release, single, slower

from loadtest.judge.comparability import Differing
from loadtest.show.comparison import document
from loadtest.show.render.terminal import render, show


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
@pytest.mark.parametrize("name", COMPARISONS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    text = render([document(each.comparison) for each in COMPARISONS[name]()], width=width)
    assert max(map(len, text.splitlines())) <= max(width, 60)


def test_the_verdict_stands_first_and_every_word_is_whole() -> None:
    text = render([document(slower()[0].comparison)], width=80)
    assert text.splitlines()[2].startswith("SLOWER  exit code 1")
    assert "turn.first_event.p95" in text
    assert "→ v2 (5 runs)  SIMULATED" in text


def test_a_wide_terminal_has_a_line_per_metric() -> None:
    text = render([document(slower()[0].comparison)], width=140)
    (row,) = (row for row in text.splitlines() if "turn.first_event.p95" in row and " ms " in row)
    assert row.lstrip().startswith("✗  slower")


def test_many_differences_are_not_all_listed() -> None:
    (found,) = slower()
    differing = tuple(Differing(f"load.{at}", "1", "2", "never") for at in range(20))
    text = render([document(replace(found.comparison, differing=differing))])
    assert "and 8 more (--format json lists them)" in text
    assert "load.11" in text
    assert "load.12" not in text


def test_plain_ascii_where_nothing_else_can_be_shown() -> None:
    text = render([document(each.comparison) for each in many()], ascii_only=True, where="compare.html")
    assert text.isascii()
    assert "compare.html" in text


def test_colour_only_where_asked() -> None:
    told = [document(slower()[0].comparison)]
    assert "\x1b[" in render(told, colour=True)
    assert "\x1b[" not in render(told)


def test_it_is_printed_on_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    show([document(slower()[0].comparison)], sys.stdout)
    assert "SLOWER" in capsys.readouterr().out
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show([document(slower()[0].comparison)], stream)


def test_the_worst_of_several_stands_on_top_and_in_the_last_line() -> None:
    before = ("v1", release("v1", 5))
    found = of(before, ("v2", release("v2", 5)), ("v3", release("v3", 5, 1.4)))
    lines = render([document(each.comparison) for each in found], width=100).splitlines()
    assert lines[0] == "SLOWER  exit code 1, the worst of 2 comparisons"
    assert lines[-1].startswith("SLOWER, exit code 1: agent-burst: v1 (5 runs) → v3 (5 runs): ")


def test_every_metric_is_listed_where_asked() -> None:
    told = [document(slower()[0].comparison)]
    assert "--exploratory lists them" in render(told)
    assert "turn.first_event.p99" in render(told, whole=True)


def test_where_nothing_can_be_decided_the_numbers_stand_without_reasons() -> None:
    text = render([document(single()[0].comparison)])
    assert " ".join(text.split()).count("the sides have 1 and 1 runs; a verdict needs 4 per side") == 1
    assert "xploratory" not in text
