"""A finished report in a real browser: hover, zoom, series, scale, tabs, link; and it asks for nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sample import SAMPLES, SampleRun
from trends import TRENDS

from loadtest.show.plot.pictures import Pictures
from loadtest.show.report_formats import report_page
from loadtest.show.trend import written
from tests.end_to_end.browser import CHROMIUM, Tab, tab

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LEAD = "document.querySelector('.chart.lead')"
CUT = "Boolean(document.querySelector('.cut table'))"
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


@pytest.fixture(scope="module")
def run() -> SampleRun:
    """A run that missed a threshold."""
    return SAMPLES["failed"]()


def units(page: Tab) -> None:
    """Every chart says once what is on its axis."""
    titles: Any = page.value("[...document.querySelectorAll('.chart h3')].map((each) => each.textContent)")
    assert "Response time, ms" in titles
    assert "Rates, /s" in titles


def hover(page: Tab) -> None:
    """The second, a value for each series that is on, and n; keys move as the mouse does."""
    mouse(page, "mouseMoved", *place(page, 0.5))
    page.until(f"!{TIP}.hidden")
    shown = page.value(f"{TIP}.textContent")
    assert "second" in shown
    assert "first event p95" in shown
    assert "n=" in shown
    page.value(f"{LEAD}.querySelector('.area').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="End")
    page.until(f"{TIP}.textContent !== {shown!r}")


def zoom(page: Tab, run: SampleRun) -> list[int]:
    """A span is drawn: its ends, its percentiles as the run has them, and the address that leads to it."""
    mouse(page, "mousePressed", *place(page, 0.25))
    mouse(page, "mouseMoved", *place(page, 0.5))
    mouse(page, "mouseReleased", *place(page, 0.5))
    page.until(CUT)
    start, end = page.value(FIELDS)
    assert 0 < start < end < 40
    cut = page.value("document.querySelector('.cut').textContent")
    assert f"{start} s to {end} s: percentiles of the measured turns that were answered in it; " in cut
    cells = page.value(
        "[...document.querySelectorAll('.cut tbody tr:first-child td')].map((c) => c.textContent)"
    )
    found = run.totals(start, end).histograms["turn.first_event"]
    assert int(cells[0].replace(",", "")) == found.n
    assert cells[3].split()[0] == f"{(found.percentile(95) or 0) / 1e6:.3g}"
    assert f"from={start}&to={end}" in page.value("location.hash")
    return [start, end]


def switch(page: Tab) -> None:
    """Series and scale are buttons; tabs hide what is not chosen."""
    page.value("document.querySelector('button.key').click()")
    assert page.value("document.querySelector('button.key').ariaPressed") == "false"
    before = page.value(f"{LEAD}.querySelector('.tool').ariaPressed")
    page.value(f"{LEAD}.querySelector('.tool').click()")
    assert page.value(f"{LEAD}.querySelector('.tool').ariaPressed") != before
    page.value("document.querySelectorAll('[role=tab]')[1].click()")
    seen = "[...document.querySelectorAll('.panel')].filter((each) => each.offsetHeight).length"
    assert page.value(seen) == 1


def test_a_report_is_read_in_a_browser(run: SampleRun, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_page(run, Pictures(run)), encoding="utf-8")
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    with tab(tmp_path, file.as_uri()) as page:
        screen = {"width": 1280, "height": 1400, "deviceScaleFactor": 1, "mobile": False}
        page.call("Emulation.setDeviceMetricsOverride", **screen)
        page.until(f"Boolean({LEAD}?.querySelector('canvas'))")
        assert page.value(
            "[...document.querySelectorAll('.live .static')].every((each) => !each.offsetHeight)"
        )
        units(page)
        hover(page)
        ends = zoom(page, run)
        switch(page)
        seen = page.value("location.href")
        page.call("Page.navigate", url="about:blank")
        page.call("Page.navigate", url=seen)
        page.until(CUT)
        assert page.value(FIELDS) == ends
        assert page.value("document.querySelector('[role=tab][aria-selected=true]').textContent") == "Turns"
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                page.look(width, scheme, pictures / f"report-{width}-{scheme}.png")
                assert page.value("document.documentElement.scrollWidth") <= width
        assert page.complaints == []
        asked = {url for url in page.requests if not url.startswith("data:")}
        assert asked <= {file.as_uri(), seen, "about:blank"}


def press(page: Tab, key: str) -> None:
    typed = {"text": key} if len(key) == 1 else {}
    code = (
        {"windowsVirtualKeyCode": 9}
        if key == "Tab"
        else {"windowsVirtualKeyCode": 13}
        if key == "Enter"
        else {}
    )
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, **typed, **code)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)


def tab_to(page: Tab, what: str) -> None:
    """Press Tab until an element of the page has the focus."""
    for _ in range(60):
        if page.value(f"document.activeElement === {what}"):
            return
        press(page, "Tab")
    raise AssertionError(f"{what} is not reached by Tab")


SAID = "document.getElementById('said')?.textContent || ''"


def test_charts_are_read_and_zoomed_by_keys_alone(run: SampleRun, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_page(run, Pictures(run)), encoding="utf-8")
    with tab(tmp_path, file.as_uri()) as page:
        page.until(f"Boolean({LEAD}?.querySelector('canvas'))")
        tab_to(page, f"{LEAD}.querySelector('.area')")
        press(page, "ArrowRight")
        page.until(f"({SAID}).startsWith('second 0: first event p50 ')")
        assert "n=" in page.value(SAID)
        press(page, "ArrowRight")
        page.until(f"({SAID}).startsWith('second 1: ')")
        assert page.value(f"{TIP}.hidden") is False
        press(page, "+")
        page.until(CUT)
        start, end = page.value(FIELDS)
        assert f"{start} s to {end} s are shown" in page.value(SAID)
        # What was chosen stays chosen, and keys stay within what is seen.
        press(page, "End")
        page.until(f"({SAID}).startsWith('second {end - 1}: ')")
        press(page, "0")
        page.until(f"!{CUT}")
        assert "all is shown" in page.value(SAID)
        press(page, "Escape")
        page.until(f"{TIP}.hidden")
        tab_to(page, "document.querySelector('[role=tab]')")
        press(page, "ArrowRight")
        page.value("document.querySelectorAll('[role=tab]')[0].click()")
        of_percentiles = "document.querySelector('.panel:not([hidden]) .area')"
        page.until(f"Boolean({of_percentiles}?.querySelector('canvas'))")
        tab_to(page, of_percentiles)
        press(page, "Home")
        page.until(f"({SAID}).includes(' % of turns: ')")
        press(page, "+")
        page.until(f"({SAID}).includes(' of turns are shown')")
        assert page.complaints == []


def test_a_run_of_a_trend_is_opened_by_keys_alone(tmp_path: Path) -> None:
    made = TRENDS["stepped"]()
    file = tmp_path / "trend.html"
    file.write_text(str(written([made], "html", 1, link=lambda run: f"./{run}.html")), encoding="utf-8")
    with tab(tmp_path, file.as_uri()) as page:
        page.until(f"Boolean({LEAD}?.querySelector('canvas'))")
        tab_to(page, f"{LEAD}.querySelector('.area')")
        press(page, "ArrowRight")
        page.until(f"({SAID}).includes('run ')")
        press(page, "Enter")
        page.until("location.href !== " + repr(file.as_uri()))
        assert any(url.endswith("/n000.html") for url in page.requests)
