from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from sample import SampleRun

from loadtest.show.plot import style
from loadtest.show.plot.pictures import Pictures
from loadtest.show.plot.svg import inline

Sample = Callable[[str], SampleRun]
PicturesOf = Callable[[SampleRun], Pictures]


@pytest.fixture
def plots(sample: Sample, pictures: PicturesOf) -> dict[str, str]:
    """Two plots of one run, drawn once."""
    drawn = pictures(sample("failed"))
    return {name: drawn.svg(name) for name in ("ledger", "connections")}


def test_a_page_has_each_letter_once_and_every_id_once(plots: dict[str, str]) -> None:
    letters, bodies = inline(plots)
    page = letters + "".join(bodies.values())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)}
    assert used <= set(ids)
    assert [name for name in ids if name.startswith("DejaVu")]


def test_every_colour_follows_the_page(plots: dict[str, str]) -> None:
    _, bodies = inline(plots)
    for body in bodies.values():
        ElementTree.fromstring(body)
        bare = re.sub(r"var\(--plot-[a-z]+,#[0-9a-f]{6}\)", "", body)
        assert not re.findall(r"(?:fill|stroke): ?#[0-9a-f]{3,6}", bare)
        assert f"var(--plot-ink,{style.INK})" in body


def test_alone_it_is_on_paper(plots: dict[str, str]) -> None:
    text = plots["ledger"]
    assert text.startswith('<?xml version="1.0"')
    assert "var(" not in text
    assert f"fill: {style.SURFACE}" in text


def test_coordinates_are_short_but_scales_are_kept(plots: dict[str, str]) -> None:
    text = plots["connections"]
    assert not re.findall(r' d="[^"]*\d\.\d{3}', text)
    assert "scale(0.015625)" in text
