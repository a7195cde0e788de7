from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from sample import SampleRun, passed

from loadtest.show.evidence import other_turns, slowest_turns
from loadtest.show.report import Fact
from loadtest.show.report_html import page
from loadtest.show.report_model import tell

Sample = Callable[[str], SampleRun]
PageOf = Callable[[SampleRun], str]
REPORT = tell(passed().manifest)
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
        if "style" not in self._open:
            self.text += data + " "


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader._open
    return reader


def words(text: str) -> str:
    return " ".join(read(text).text.split())


def test_the_page_is_well_formed_and_its_ids_are_unique(run: SampleRun, page_of: PageOf) -> None:
    reader = read(page_of(run))
    assert [name for name, n in reader.ids.items() if n > 1] == []


def test_the_page_needs_nothing_from_elsewhere(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    reader = read(text)
    assert not reader.tags.keys() & {"script", "link", "img", "iframe", "object", "a", "form", "base"}
    assert not reader.attributes & {"src", "srcset", "action", "onload", "onerror", "onclick"}
    assert not re.findall(r"@import|url\((?!#)", text)
    assert set(re.findall(r'(?:xlink:)?href="([^"#])', text)) == set()


def test_every_reference_inside_the_plots_has_its_target(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("failed"))
    targets = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)} <= targets


def test_hostile_texts_add_no_tag(sample: Sample, page_of: PageOf) -> None:
    run = sample("hostile")
    tags = read(page_of(run)).tags
    assert not tags.keys() & {"script", "img", "b", "a"}
    assert "&lt;script&gt;" in page_of(run)


@given(st.text(max_size=40))
def test_no_text_from_elsewhere_becomes_markup(text: str) -> None:
    plain = {"plots": [], "letters": "", "slowest": (), "others": ()}
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
    assert read(page(changed, **plain)).tags == read(page(replace(neutral, scenario="s"), **plain)).tags


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
    assert reader.tags["details"] == 5 + 2
    assert '{"type":"agent_completed"' in reader.text


def test_a_run_that_measured_nothing_has_a_page_too(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("unreachable"))
    shown = words(text)
    assert "UNREACHABLE exit code 3" in shown
    assert "everything else not measured: no connection was ever ready" in shown
    assert shown.count("not measured") == 4, "once for each threshold, once for all else"
    assert text.count('<div class="wide">') == 1, "the connections alone"


def test_plots_come_in_both_widths_with_colours_of_the_page(sample: Sample, page_of: PageOf) -> None:
    text = page_of(sample("passed"))
    assert (text.count('<div class="wide">'), text.count('<div class="narrow">')) == (4, 4)
    inside = text[text.index('<div class="wide">') :]
    assert "var(--plot-ink," in inside
    assert "prefers-color-scheme: dark" in text


def test_turns_without_frames_leave_the_section_out() -> None:
    empty = {"plots": [], "letters": "", "slowest": slowest_turns([]), "others": other_turns([])}
    assert "Slowest turns" not in page(REPORT, **empty)
