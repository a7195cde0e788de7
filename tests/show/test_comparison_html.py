from __future__ import annotations

import functools
import re
from html.parser import HTMLParser

import pytest
from compared import COMPARISONS, slower

from loadtest.judge.compare import worst
from loadtest.show.comparison import written


@functools.cache
def page(name: str) -> str:
    items = COMPARISONS[name]()
    return written(items, "html", int(worst(each.comparison for each in items)))


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["slower", "hostile", "nothing"])
def test_the_page_needs_nothing_else_and_runs_nothing(name: str) -> None:
    read = _Elements()
    read.feed(page(name))
    assert not {tag for tag, _ in read.seen} & {"script", "iframe", "object", "img", "link"}
    for _, attributes in read.seen:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in {"href", "src", "xlink:href"}:
                assert (value or "").startswith("#")


def test_the_page_has_every_picture_for_both_widths() -> None:
    assert (
        len(re.findall(r'<div class="(?:wide|narrow)"><svg|<div class="(?:wide|narrow)">', page("slower")))
        == 12
    )


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
    assert written(slower(), form, 1).endswith("\n")
