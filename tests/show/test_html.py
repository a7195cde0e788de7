from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample import SampleRun, passed

from loadtest.show.build_report import build_report
from loadtest.show.render.html import html
from loadtest.show.report_model import Fact, Report
from loadtest.show.run import document

Sample = Callable[[str], SampleRun]
PageOf = Callable[[SampleRun], str]
REPORT = build_report(passed().manifest)
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Reader(HTMLParser):
    """Tags, attributes and text of a page; fails where a tag is not closed by its own."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.text += data + " "


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader._open
    return reader


def alone(report: Report) -> str:
    """The page of a report without plots and single turns."""
    return html([document(report)], 0)


def words(text: str) -> str:
    return " ".join(read(text).text.split())


def test_the_page_is_well_formed_and_its_ids_are_unique(run: SampleRun, undrawn_page_of: PageOf) -> None:
    reader = read(undrawn_page_of(run))
    assert [name for name, n in reader.ids.items() if n > 1] == []


@pytest.mark.parametrize("name", ["passed", "failed", "hostile", "unreachable"])
def test_it_is_so_with_its_plots(name: str, sample: Sample, page_of: PageOf) -> None:
    reader = read(page_of(sample(name)))
    assert [name for name, n in reader.ids.items() if n > 1] == []


def test_the_page_needs_nothing_from_elsewhere(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    reader = read(text)
    assert not reader.tags.keys() & {"img", "iframe", "object", "a", "form", "base"}
    assert (reader.tags["script"], reader.tags["link"]) == (2, 1)
    assert not reader.attributes & {"src", "srcset", "action", "onload", "onerror", "onclick"}
    markup = text[: text.index("<script")]
    assert not re.findall(r"@import|url\((?!#)", markup)
    assert set(re.findall(r'(?:xlink:)?href="([^"#][^"]*)', markup)) == {"data:,"}


def test_only_the_script_of_the_page_may_run(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("passed"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src &#39;none&#39;" in text
    assert f"script-src &#39;sha256-{digest}&#39;" in text


def test_every_reference_inside_the_plots_has_its_target(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    targets = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)} <= targets


def test_hostile_texts_add_no_tag(sample: Sample, page_of: PageOf) -> None:
    run = sample("hostile")
    tags = read(page_of(run)).tags
    assert not tags.keys() & {"img", "b", "a"}
    assert tags["script"] == 2
    assert "&lt;script&gt;" in page_of(run)


@settings(max_examples=settings().max_examples // 3)
@given(st.text(max_size=40))
def test_no_text_from_elsewhere_becomes_markup(text: str) -> None:
    changed = replace(
        REPORT,
        scenario=text or "s",
        label=text or "l",
        target=text,
        judgement=replace(REPORT.judgement, why=text),
        thresholds=tuple(
            replace(row, name=text, reason=text or "r", expression=text) for row in REPORT.thresholds
        ),
        notices=tuple(
            replace(notice, message=text, remedy=text or "r", code=text) for notice in REPORT.notices
        ),
        fingerprint=tuple(Fact(text, text) for _ in REPORT.fingerprint),
    )
    neutral = replace(changed, thresholds=tuple(replace(row, reason="r") for row in changed.thresholds))
    assert read(alone(changed)).tags == read(alone(replace(neutral, scenario="s"))).tags


def test_the_page_says_what_the_run_said(sample: Sample, page_of: PageOf) -> None:
    shown = words(page_of(sample("failed")))
    for needed in (
        "FAIL",
        "exit code 1",
        "SIMULATED",
        "turn.first_event.p95",
        "265 ms",
        "7,411",
        "4.23–4.36 ms",
    ):
        assert needed in shown
    assert "not enough samples (n): p50 needs 2" in shown
    assert "the protocol has no sequence number" in shown


def test_frames_of_the_slowest_turns_are_there_and_folded(sample: Sample, page_of: PageOf) -> None:
    run = sample("passed")
    reader = read(page_of(run))
    assert reader.tags["details"] == 5 + 4, "two of the surroundings, one of notices, one of how to read it"
    assert '{"type":"agent_completed"' in reader.text


def test_a_run_that_measured_nothing_has_a_page_too(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("unreachable"))
    shown = words(text)
    assert "UNREACHABLE exit code 3" in shown
    assert "everything else no connection was ever ready" in shown
    assert text.count("<figure") == 1, "the connections alone"


def test_plots_come_in_both_widths_with_colours_of_the_page(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("passed"))
    kinds = [text.count(f'<div class="{kind}">') for kind in ("wide alone", "wide", "narrow")]
    assert kinds == [3, 1, 1], "charts replace three of them"
    inside = text[text.index('<div class="wide alone">') :]
    assert "var(--plot-ink," in inside
    assert "prefers-color-scheme: dark" in text


def test_turns_without_frames_leave_the_section_out() -> None:
    assert "Slowest turns" not in words(alone(REPORT))


def test_the_first_screen_is_verdict_thresholds_numbers_and_one_chart(
    sample: Sample, page_of: PageOf
) -> None:
    text = page_of(sample("failed"))
    marks = ('class="verdict', "<h2>Thresholds", 'class="numbers"', "data-lead>", 'class="panel"')
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert text.count('class="number ') == 5
    tabs = re.findall(r'data-tab="([^"]+)"', text)
    assert tabs == ["Percentiles", "Turns", "Connections", "Counts", "About the run"]
    shown = words(text)
    assert shown.index("Broken turns") < shown.index("Slowest turns") if "Broken turns" in shown else True


def test_notices_that_change_nothing_are_folded(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    loud, folded = text.index("<h2>Notices</h2>"), text.index("<h2>Notices that change nothing")
    assert loud < text.index("refused_connections") < folded < text.index("simulated_target")


def test_a_counter_that_is_none_is_told_once(sample: Sample, page_of: PageOf) -> None:
    shown = words(page_of(sample("passed")))
    assert shown.count("malformed") == 0, "its bar in the plot is all"


def test_without_a_script_the_pictures_stand_there(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    before = text[: text.index("<script")]
    assert "hidden" not in before.partition("<body>")[2].replace("aria-hidden", "")
    assert before.count('<div class="static">') == 4
