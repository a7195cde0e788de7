"""No page breaks a rule of WCAG 2.1 A or AA that a tool can check: at both widths, light and dark."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from compared import COMPARISONS
from sample import SAMPLES
from trends import TRENDS

from loadtest.judge.compare import worst
from loadtest.readiness.views.html import html as readiness_page
from loadtest.readiness.views.page_model import build_page
from loadtest.show import comparison, trend
from loadtest.show.plot.pictures import Pictures
from loadtest.show.report_formats import report_page
from loadtest.show.runs_index import index
from tests.end_to_end.axe import violations
from tests.end_to_end.browser import CHROMIUM, Tab, tab
from tests.readiness.original import original
from tests.show.test_runs_index import stored

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

OPENED = "document.querySelectorAll('details').forEach((each) => (each.open = true))"
LOOKS = tuple((width, scheme) for width in (390, 1280) for scheme in ("light", "dark"))
WHOLE = ((390, "light"), (1280, "dark"))
"""Where every tab is looked at, and not only the first: a look takes seconds."""

UNDRAWN = "document.querySelectorAll('.static svg g').forEach((each) => each.remove())"
"""Takes away what pictures are drawn of: axe asks nothing of it, but walks through it, nine of ten nodes."""

TABS = "document.querySelectorAll('[role=tab]').length"


def report(_folder: Path) -> str:
    run = SAMPLES["failed"]()
    return report_page(run, Pictures(run))


def compared(_folder: Path) -> str:
    items = COMPARISONS["slower"]()
    return str(comparison.written(items, "html", int(worst([each.comparison for each in items]))))


def trends(_folder: Path) -> str:
    made = TRENDS["stepped"]()
    return str(trend.written([made], "html", 1, link=lambda run: f"./{run}/report.html"))


def runs(folder: Path) -> str:
    for name in ("passed", "failed", "unreachable", "invalid"):
        path = stored(folder, name, name)
        rows = "".join(f"{at},{at % 7 + 1}\n" for at in range(90))
        (path / "timeline.csv").write_text(f"second,turn.first_event.p95_ms\n{rows}")
    (folder / "compare.html").write_text("a comparison")
    return index(folder)


def ready(folder: Path) -> str:
    return readiness_page(build_page(original(folder)))


def watched(folder: Path) -> str:
    return readiness_page(build_page(original(folder)), refresh_s=600, details="/details")


PAGES = {each.__name__: each for each in (report, compared, trends, runs, ready, watched)}


def _every_tab(page: Tab) -> list[str]:
    found = violations(page)
    for at in range(1, int(page.value(TABS))):
        page.value(f"document.querySelectorAll('[role=tab]')[{at}].click()")
        found += violations(page)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_no_page_breaks_a_rule(name: str, tmp_path: Path) -> None:
    made: Callable[[Path], str] = PAGES[name]
    (folder := tmp_path / "made").mkdir()
    file = tmp_path / f"{name}.html"
    file.write_text(made(folder), encoding="utf-8")
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    with tab(tmp_path, file.as_uri()) as page:
        page.until("document.readyState === 'complete'")
        page.value(OPENED)
        for width, scheme in LOOKS:
            page.look(width, scheme, pictures / f"{name}-{width}-{scheme}.png")
            assert page.value("document.documentElement.scrollWidth") <= width
        page.value(UNDRAWN)
        for width, scheme in LOOKS:
            page.shape(width, scheme)
            found = _every_tab(page) if (width, scheme) in WHOLE else violations(page)
            assert found == []
        assert page.complaints == []
