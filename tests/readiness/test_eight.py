"""The report of a system of eight components: a reader names verdict and cause at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.views.dashboard import dashboard
from loadtest.readiness.views.formats import view
from loadtest.readiness.views.page_model import build_page
from loadtest.show.render.terminal import render
from tests.end_to_end.browser import CHROMIUM, Tab, tab
from tests.readiness.eight import VERDICTS, eight

CAUSES = {
    "go": ("GO", ("Redis",)),
    "no-go": ("NO-GO", ("Backend API", "Containers")),
    "inconclusive": ("INCONCLUSIVE", ("Database", "End-to-end tests")),
}
SCREENS, HIGH = 3, 900
PHONE_HIGH = 844


@pytest.fixture(scope="module", params=VERDICTS)
def named(request: pytest.FixtureRequest) -> tuple[str, Assessment]:
    return request.param, eight(request.param)


def test_it_is_the_verdict_that_it_should_be(named: tuple[str, Assessment]) -> None:
    name, found = named
    assert found.verdict == CAUSES[name][0]
    assert len(found.components) == 8
    assert len(found.course) == 71


def test_the_screen_says_verdict_and_causes_in_its_first_lines(named: tuple[str, Assessment]) -> None:
    name, found = named
    verdict, causes = CAUSES[name]
    lines = render([build_page(found)], width=100).splitlines()
    assert f" {verdict} " in " ".join(lines[:5])
    assert all(cause in " ".join(lines[4:7]) for cause in causes)
    assert max(map(len, lines)) <= 100


def test_the_dashboard_has_every_component_on_80_by_24(named: tuple[str, Assessment]) -> None:
    name, found = named
    lines = dashboard(found, ["sent to team: ALERT"], width=80, height=23).splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    verdict, causes = CAUSES[name]
    assert verdict in lines[0]
    shown = " ".join(lines[1 : 3 + len(causes)])
    assert all(cause in shown for cause in causes), "the worst first"
    assert sum(row.title[:16] in "\n".join(lines) for row in found.components) == 8


def test_paper_has_at_most_three_pages(named: tuple[str, Assessment]) -> None:
    assert 1 <= len(re.findall(rb"/Type /Page\n", view(named[1], "pdf"))) <= 3


MEASURED = """(() => {
  const box = (one) => one.getBoundingClientRect();
  const first = document.querySelector("main > section:nth-of-type(2)");
  const fold = document.querySelector("section.fold");
  return {
    verdict: box(document.querySelector(".verdict")).bottom,
    causes: first ? box(first).top : 0,
    fold: fold ? box(fold).top : 0,
    whole: document.documentElement.scrollHeight,
    wide: document.documentElement.scrollWidth,
    folds: document.querySelectorAll("details:not([open])").length,
    over: [...document.querySelectorAll("main section *")].filter(
      (one) => one.offsetParent !== null && !one.closest("svg") && box(one).right > innerWidth + 1).length,
  };
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("browser")
    for name in VERDICTS:
        (folder / f"{name}.html").write_bytes(view(eight(name), "html"))
    with tab(folder, "about:blank") as opened:
        yield opened, folder


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize(("width", "high"), [(1280, HIGH), (390, PHONE_HIGH)])
def test_verdict_and_causes_are_on_the_first_screen_and_nothing_sticks_out(
    browser: tuple[Tab, Path], name: str, width: int, high: int
) -> None:
    opened, folder = browser
    opened.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=high,
        deviceScaleFactor=1,
        mobile=False,
    )
    opened.call("Page.navigate", url=(folder / f"{name}.html").as_uri())
    opened.until("document.readyState === 'complete' && document.title.includes(':')")
    seen = opened.value(MEASURED)
    assert seen["verdict"] < high, "its three sentences name the causes"
    assert seen["wide"] <= width
    assert seen["over"] == 0
    assert seen["folds"] > 5
    if width == 1280:
        assert seen["fold"] <= SCREENS * HIGH
        assert seen["causes"] < HIGH
    assert opened.complaints == []
