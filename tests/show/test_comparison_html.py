from __future__ import annotations

import functools
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from compared import COMPARISONS, slower
from matplotlib.figure import Figure

from loadtest.errors import ConfigError
from loadtest.judge.compare import worst
from loadtest.show.comparison import written
from loadtest.show.plot.release_pictures import DRAWERS


@functools.cache
def page(name: str) -> str:
    """The page of a comparison; the pictures, none of which holds any markup of its own, are drawn on one."""
    items = COMPARISONS[name]()
    code = int(worst([each.comparison for each in items]))
    with pytest.MonkeyPatch.context() as patch:
        if name != "slower":
            for picture, (title, _) in DRAWERS.items():
                patch.setitem(DRAWERS, picture, (title, lambda *_: Figure()))
        return str(written(items, "html", code, link=lambda run: f"./{len(run)}/report.html"))


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["slower", "hostile", "nothing"])
def test_the_page_needs_nothing_else_and_runs_nothing_but_its_own(name: str) -> None:
    read = _Elements()
    read.feed(page(name))
    assert not {tag for tag, _ in read.seen} & {"iframe", "object", "img"}
    scripts = [attributes for tag, attributes in read.seen if tag == "script"]
    assert scripts == ([] if name == "nothing" else [{"type": "application/json", "id": "chart-data"}, {}])
    for _, attributes in read.seen:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in {"href", "src", "xlink:href"}:
                assert (value or "").startswith("#") or value == "data:,"


def test_what_no_chart_replaces_is_drawn_for_both_widths() -> None:
    kinds = Counter(re.findall(r'<div class="(wide alone|wide|narrow)">', page("slower")))
    assert kinds == {"wide": 4, "narrow": 4, "wide alone": 3}


@pytest.mark.long
def test_it_begins_with_the_forest_and_then_has_a_sentence_per_release() -> None:
    text = page("many")
    places = [
        text.index(mark)
        for mark in ('class="verdict', "What changed: ", '<details class="one">', 'class="panel"')
    ]
    assert places == sorted(places)
    assert text.count('<details class="one">') == 7


@pytest.mark.long
def test_releases_are_series_of_one_colour_each_and_runs_lead_to_their_reports() -> None:
    charts = [chart for charts in _data("many") for chart in charts]
    assert {chart["kind"] for chart in charts} == {"runs", "percentile", "time"}
    colours: dict[str, set[str]] = {}
    for chart in charts:
        for each in chart["series"]:
            colours.setdefault(each["label"].split(" (")[0], set()).add(each["colour"])
    assert len(colours) >= 7
    assert all(len(found) == 1 for found in colours.values()), colours
    runs = next(chart for chart in charts if chart["kind"] == "runs")
    assert len(runs["links"]) == len(runs["x"]) == len(runs["names"])
    assert set(runs["links"]) <= {f"./{n}/report.html" for n in range(40)}


def test_the_threshold_is_a_line_in_every_chart_of_its_metric() -> None:
    charts = [chart for charts in _data("slower") for chart in charts]
    lines = [(chart["title"], limit["label"]) for chart in charts for limit in chart.get("limits", ())]
    assert ("turn.first_event.p95", "p95 < 100ms") in lines
    assert ("Time to first event by percentile", "p95 < 100ms") in lines
    assert ("Time to first event, p95 of each second in ms", "first event p95 < 100ms") in lines
    assert len(lines) >= 5


def _data(name: str) -> Any:
    found = re.search(r'id="chart-data">(.*?)</script>', page(name))
    assert found
    return json.loads(found[1])


@pytest.mark.long
@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_a_picture_and_a_paper_for_those_who_read_elsewhere(form: str) -> None:
    made = written(slower(), form, 1)
    data = made.encode() if isinstance(made, str) else made
    assert data[:5] in {b"<?xml", b"\x89PNG\r", b"%PDF-"}
    if form != "pdf":
        with pytest.raises(ConfigError, match="there is nothing to draw"):
            written(COMPARISONS["nothing"](), form, 4)


def test_the_page_says_simulated_and_the_verdict() -> None:
    assert "SIMULATED" in page("slower")
    assert '<span class="word">SLOWER</span>' in page("slower")


def test_the_page_is_no_larger_than_a_mail_takes() -> None:
    assert len(page("slower")) < 2_500_000


def test_ids_are_unique() -> None:
    ids = re.findall(r'\bid="([^"]+)"', page("slower"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("form", ["terminal", "markdown", "json", "junit"])
def test_every_other_format_ends_with_a_line(form: str) -> None:
    assert str(written(slower(), form, 1)).endswith("\n")
