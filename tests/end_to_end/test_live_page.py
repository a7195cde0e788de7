"""The live page in a real browser: numbers move, a threshold turns, the run is stopped, the report comes."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.axe import NPM, violations
from tests.end_to_end.browser import CHROMIUM, Tab, tab
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import DRAWN, Launched

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

TURNING = """
# First events come in time until the test stops the server for a while.
name = "turning"
protocol = "agent-events"
[target]
url = "{url}"
[target.health]
pid = {pid}
[load]
connections = 20
duration = "900s"
[traffic]
burst = 2
every = "500ms"
[thresholds]
"turn.first_event.p95" = "< 1500ms"
"connections.ready.ratio" = "none"
"""

OUTCOME = """[...document.querySelectorAll("#thresholds tr")]
    .find((row) => row.textContent.includes("turn.first_event.p95"))?.className"""

SAID = "document.getElementById('said')?.textContent || ''"


def address_of(run: Launched) -> str:
    found = re.compile(r"http://127\.0\.0\.1:\d+/")
    run.until(lambda: found.search(run.err) is not None)
    match = found.search(run.err)
    assert match
    return match[0]


def by_keys(page: Tab) -> None:
    """Charts are read, zoomed and switched without a mouse, and what is zoomed stays so as seconds come."""

    def press(key: str) -> None:
        page.call("Input.dispatchKeyEvent", type="keyDown", key=key)

    never = "(columns.rare = columns.second.map(() => null), lacking('rare', 100))"
    assert page.value(never) == "needs 100 a second"
    assert page.value("lacking('ready', 100)") == "–"
    page.value("document.querySelector('#charts .u-wrap').focus()")
    press("Home")
    page.until(f"({SAID}).startsWith('second 1: p50 ')")
    press("ArrowRight")
    page.until(f"({SAID}).startsWith('second 2: p50 ')")
    press("+")
    page.until(f"({SAID}).endsWith('are shown')")
    seen = page.value("plots[0].plot.scales.x.max")
    known = page.value("columns.second.length")
    page.until(f"columns.second.length > {known}")
    assert page.value("plots[0].plot.scales.x.max") == page.value("plots[1].plot.scales.x.max") == seen
    press("0")
    page.until(f"({SAID}).endsWith('all is shown')")
    page.until(f"plots[0].plot.scales.x.max > {seen}")
    name = "document.querySelector('#charts .u-legend [role=button]')"
    page.value(f"{name}.focus()")
    press("Enter")
    assert page.value(f"{name}.ariaPressed") == "false"
    assert page.value("plots[0].plot.series[1].show") is False
    press("Enter")


def make_late(page: Tab, server: int) -> None:
    """Stop a server for longer than the threshold allows, again and again, until the page says so."""
    for _ in range(30):
        if page.value(OUTCOME) == "bad":
            return
        os.kill(server, signal.SIGSTOP)
        time.sleep(2)
        os.kill(server, signal.SIGCONT)
        time.sleep(0.5)
    raise AssertionError("30 times the server stood still, and the threshold is not bad")


def watch_and_stop(run: Launched, server: int, folder: Path) -> None:
    """What a browser shows of a run that goes on, until its button ends it."""
    address, pictures = address_of(run), Path(os.environ.get("PICTURES", folder))
    with tab(folder, address) as page:
        page.until("Number(columns.second.length) > 3")
        page.until(f"{OUTCOME} === 'good'")
        seen = page.value("columns.second.length")
        page.until(f"columns.second.length > {seen}")
        assert page.value("document.querySelectorAll('#charts canvas').length") == 9
        page.until("document.querySelectorAll('#sampled canvas').length === 3")
        page.until("plots.at(-1).plot.data[1].at(-1) > 0")
        make_late(page, server)
        assert page.value("document.getElementById('word').textContent") == "MISSED"
        assert "refused: upgrade" in page.value("document.getElementById('errors').textContent")
        by_keys(page)
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                page.look(width, scheme, pictures / f"live-{width}-{scheme}.png")
                wide = page.value("document.documentElement.scrollWidth")
                assert wide <= width
                assert not NPM or violations(page) == []
        page.value("document.getElementById('stop').click()")
        page.until("document.title.startsWith('INTERRUPTED')")
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith((address, "data:"))] == []


def test_a_run_is_watched_and_stopped_in_a_browser(launch: Launch, tmp_path: Path) -> None:
    scenario = tmp_path / "turning.toml"
    with Simulator.start(faults=["stream=200ms", "refuse=503,0.2"]) as simulator:
        scenario.write_text(TURNING.format(url=simulator.url, pid=simulator.pid))
        run = launch("run", scenario, "--ui", environment=DRAWN)
        watch_and_stop(run, simulator.pid, tmp_path)
    ended = run.end()
    assert ended.code == 130, ended.screen
    assert ended.manifest["duration_s"] < 890
    assert ended.manifest["verdict"]["reason"].startswith("Stopped on the live page")
