"""The status page in a real browser: it renews itself, keeps open what was opened, and can be paused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.live import status_page
from loadtest.live.status_page import StatusPage
from tests.end_to_end.browser import CHROMIUM, tab
from tests.readiness.original import original

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LONGER_THAN_IT_WAITS = "new Promise((done) => setTimeout(done, 1500))"


def shows(text: str) -> str:
    return f"document.body.textContent.includes({text!r})"


def test_it_renews_itself_keeps_what_was_opened_and_can_be_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "REFRESH_S", 1)
    found = original(tmp_path)
    told = [found]
    served = StatusPage("127.0.0.1", 0, lambda: told[-1])
    try:
        with tab(tmp_path, served.url) as page:
            page.until("Boolean(document.querySelector('summary'))")
            page.value("document.querySelector('summary').focus()")
            page.value("document.querySelector('summary').click()")
            told.append(replace(found, question="What now?"))
            page.until(shows("What now?"))
            assert page.value("document.querySelector('details').open") is True
            assert page.value("document.activeElement.tagName") == "SUMMARY"
            page.value("document.getElementById('pause').click()")
            told.append(replace(found, question="And then?"))
            page.value(LONGER_THAN_IT_WAITS)
            assert page.value(shows("What now?"))
            page.value("document.getElementById('pause').click()")
            page.until(shows("And then?"))
            assert page.complaints == []
            assert all(url.startswith((served.url, "data:")) for url in page.requests)
    finally:
        served.close()
