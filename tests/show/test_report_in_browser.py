"""A finished report in a real browser: hover, zoom, series, scale, tabs, link; and it asks for nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sample import SampleRun

from tests.end_to_end.browser import CHROMIUM, Tab, tab

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LEAD = "document.querySelector('.chart.lead')"
TIP = f"{LEAD}.querySelector('.tip')"
FIELDS = "[...document.querySelectorAll('.tools input')].map((field) => Number(field.value))"


def mouse(page: Tab, kind: str, x: float, y: float) -> None:
    pressed = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {"buttons": 1}
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)


def place(page: Tab, share: float) -> tuple[float, float]:
    """A point of the first chart, so far from its left edge."""
    found: Any = page.value(
        f"(() => {{ const box = {LEAD}.querySelector('.u-over').getBoundingClientRect();"
        f" return [box.left + box.width * {share}, box.top + box.height / 2]; }})()"
    )
    return float(found[0]), float(found[1])


def test_a_report_is_read_in_a_browser(
    page_of: Callable[[SampleRun], str], sample: Callable[[str], SampleRun], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    run = sample("failed")
    file.write_text(page_of(run), encoding="utf-8")
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    with tab(tmp_path, file.as_uri()) as page:
        page.call(
            "Emulation.setDeviceMetricsOverride", width=1280, height=1400, deviceScaleFactor=1, mobile=False
        )
        page.until(f"Boolean({LEAD}?.querySelector('canvas'))")
        assert page.value(
            "[...document.querySelectorAll('.live .static')].every((each) => !each.offsetHeight)"
        )
        # Hover: the second, a value for each series that is on, and n.
        mouse(page, "mouseMoved", *place(page, 0.5))
        page.until(f"!{TIP}.hidden")
        shown = page.value(f"{TIP}.textContent")
        assert "second" in shown
        assert "first event p95" in shown
        assert "n=" in shown
        # Keys move over the values as the mouse does.
        page.value(f"{LEAD}.querySelector('.area').focus()")
        page.call("Input.dispatchKeyEvent", type="keyDown", key="End")
        page.until(f"{TIP}.textContent !== {shown!r}")
        # A span: its ends, its percentiles, and the address that leads to it.
        mouse(page, "mousePressed", *place(page, 0.25))
        mouse(page, "mouseMoved", *place(page, 0.5))
        mouse(page, "mouseReleased", *place(page, 0.5))
        page.until("Boolean(document.querySelector('.cut table'))")
        start, end = page.value(FIELDS)
        assert 0 < start < end < 40
        cut = page.value("document.querySelector('.cut').textContent")
        assert f"{start} s to {end} s: percentiles of the measured turns" in cut
        n = int(page.value("document.querySelector('.cut td.num').textContent").replace(",", ""))
        found = run.totals(start, end).histograms["turn.first_event"]
        assert n == found.n
        p95 = page.value("document.querySelectorAll('.cut tbody tr:first-child td')[3].textContent")
        assert p95.split()[0] == f"{(found.percentile(95) or 0) / 1e6:.3g}"
        assert f"from={start}&to={end}" in page.value("location.hash")
        # Series and scale are buttons; tabs hide what is not chosen.
        page.value("document.querySelector('button.key').click()")
        assert page.value("document.querySelector('button.key').ariaPressed") == "false"
        before = page.value(f"{LEAD}.querySelector('.tool').ariaPressed")
        page.value(f"{LEAD}.querySelector('.tool').click()")
        assert page.value(f"{LEAD}.querySelector('.tool').ariaPressed") != before
        page.value("document.querySelectorAll('[role=tab]')[1].click()")
        assert (
            page.value("[...document.querySelectorAll('.panel')].filter((each) => each.offsetHeight).length")
            == 1
        )
        # The link leads to what was seen.
        seen = page.value("location.href")
        page.call("Page.navigate", url="about:blank")
        page.call("Page.navigate", url=seen)
        page.until("Boolean(document.querySelector('.cut table'))")
        assert page.value(FIELDS) == [start, end]
        assert page.value("document.querySelector('[role=tab][aria-selected=true]').textContent") == "Turns"
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                page.look(width, scheme, pictures / f"report-{width}-{scheme}.png")
                assert page.value("document.documentElement.scrollWidth") <= width
        assert page.complaints == []
        assert {url for url in page.requests if not url.startswith("data:")} <= {
            file.as_uri(),
            seen,
            "about:blank",
        }
