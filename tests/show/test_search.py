from __future__ import annotations

import json
from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from searches import SEARCHES

from loadtest.errors import Exit
from loadtest.judge.knee import Search, knee
from loadtest.judge.load_search import find
from loadtest.show.render.html import html
from loadtest.show.render.json import as_json
from loadtest.show.render.markdown import markdown
from loadtest.show.render.terminal import render
from loadtest.show.search import document


def as_text(search: Search, *, ascii_only: bool = False) -> str:
    return render([document(search)], width=200, ascii_only=ascii_only)


def as_html(search: Search) -> str:
    """The page, with an empty sheet in the place of each picture: none of its texts is markup."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loadtest.show.plot.knee._draw", lambda *_: Figure())
        return html([document(search)], int(search.finding.exit_code))


def as_markdown(search: Search) -> str:
    return markdown([document(search)])


@pytest.mark.parametrize(
    ("name", "first", "sentence"),
    [
        (
            "found",
            "FOUND  exit code 0",
            "The highest load that passes is 198 connections; at 207 a threshold is missed.",
        ),
        ("above", "HELD THROUGHOUT  exit code 0", "up to 50 connections; the limit is higher"),
        ("below", "NOTHING HELD  exit code 1", "No load passed, down to 1 connections. 1 of 3 thresholds"),
        (
            "invalid",
            "INVALID  exit code 4",
            "At 40,000 turns/s the generator or the measurement was the limit",
        ),
        ("invalid", "INVALID  exit code 4", "and 20,000 turns/s passed."),
        ("unreachable", "UNREACHABLE  exit code 3", "The search ended at 40 connections; before that 20"),
        (
            "interrupted",
            "INTERRUPTED  exit code 130",
            "The search was interrupted; until then 20 connections passed.",
        ),
    ],
)
def test_what_was_found_is_said_first(name: str, first: str, sentence: str) -> None:
    for text in (as_text(SEARCHES[name]), as_html(SEARCHES[name])):
        assert sentence.replace("<", "&lt;") in text or sentence in text
    assert as_text(SEARCHES[name]).splitlines()[2] == first
    assert "SIMULATED" in as_text(SEARCHES[name]).splitlines()[0]


def test_the_knee_the_interval_and_what_was_added_are_said() -> None:
    text = as_text(SEARCHES["found"])
    assert "Every run up to 198 passed, and every run from 207 on missed a threshold." in text
    assert "The knee lies at 200 connections, where the target achieved 1,000/s." in text
    assert "added by the search: turns.complete.ratio >= 99%" in text
    assert "13 runs in 3 min 4 s" in text
    assert "No knee was seen: the target kept up with every load" in as_text(SEARCHES["above"])


def test_every_probe_is_a_line() -> None:
    lines = as_text(SEARCHES["found"]).splitlines()
    (line,) = [line for line in lines if " 320 " in line]
    assert line.split() == ["✗", "missed", "320", "1,600/s", "1,000/s", "300", "ms", "16,000", "40.0", "%"]
    markdown = as_markdown(SEARCHES["found"])
    assert "`20261122T121530Z-burst-search-320`" in markdown
    assert markdown.startswith("# FOUND: agent-burst, over connections")
    as_text(SEARCHES["found"], ascii_only=True).encode("ascii")


def test_a_search_without_a_probe() -> None:
    nothing = replace(SEARCHES["found"], tries=(), finding=find([]), knee=knee([]))
    assert "The search was interrupted; until then no load passed." in as_text(nothing)
    assert "No knee was seen: no load passed." in as_markdown(nothing)
    assert nothing.finding.exit_code is Exit.INTERRUPTED


def test_json_for_machines() -> None:
    data = json.loads(as_json(SEARCHES["found"].as_dict()))
    assert (data["load"], data["missed"], data["interval"]) == (198, 207, [198, 207])
    assert data["knee"]["load"] == pytest.approx(200)


def test_the_page_needs_nothing_else_and_escapes_what_it_is_told() -> None:
    odd = replace(SEARCHES["found"], scenario="<script>alert(1)</script>")
    page = as_html(odd)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert page.count("<svg") == 3
