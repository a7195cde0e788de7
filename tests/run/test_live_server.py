"""The live page is for this machine only; the run goes on without it where it cannot be served."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.run import live_server
from loadtest.run.live_server import LivePage
from loadtest.show.live_run import LiveRun
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import quick

MANIFEST = {"id": "r1", "scenario": {"name": "chat"}, "load": {"planned": {"duration_s": 9.0}}}


@pytest.fixture
def stops() -> list[str]:
    return []


@pytest.fixture
def page(tmp_path: Path, stops: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[LivePage]:
    monkeypatch.setattr(live_server, "HANDED_OVER_WITHIN_S", 0.0)  # no page is open that would ask again
    live = LiveRun(MANIFEST, Totals(), tuple)
    live.add(Interval(second=0, gauges={"ready": 3.0}))
    page = LivePage(live, tmp_path, stops.append)
    page.start()
    yield page
    page.finish()


def asked(page: LivePage, path: str, query: str = "", method: str = "GET") -> tuple[int, str, bytes]:
    status, kind, body = page.answer(method, path, query, f"127.0.0.1:{page.port}", None)
    return int(status[:3]), kind, body


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/", "text/html", b'<script src="live.js">'),
        ("/live.js", "text/javascript", b"api/live"),
        ("/uplot.js", "text/javascript", b"uPlot"),
        ("/uplot.css", "text/css", b".uplot"),
    ],
)
def test_it_serves_all_that_it_needs(page: LivePage, path: str, kind: str, part: bytes) -> None:
    status, found, body = asked(page, path)
    assert (status, found) == (200, kind)
    assert part in body
    assert not re.findall(rb"(?:src|href)=[\"']?(?:https?:)?//", body)


def test_the_numbers_are_json_from_the_second_that_is_asked_for(page: LivePage, tmp_path: Path) -> None:
    found = json.loads(asked(page, "/api/live")[2])
    assert found["schema"] == "loadtest.live/1"
    assert found["columns"]["ready"] == [3.0]
    assert found["folder"] == str(tmp_path)
    assert json.loads(asked(page, "/api/live", "since=1")[2])["columns"]["ready"] == []
    assert json.loads(asked(page, "/api/live", "since=x")[2])["since"] == 0


def test_the_stop_button_stops(page: LivePage, stops: list[str]) -> None:
    assert asked(page, "/stop", method="POST")[0] == 200
    assert stops == ["the live page"]


def test_a_foreign_host_is_refused(page: LivePage, stops: list[str]) -> None:
    for method, path in (("GET", "/api/live"), ("POST", "/stop")):
        assert page.answer(method, path, "", "evil.example", None)[0].startswith("403")
    assert (
        page.answer("POST", "/stop", "", f"127.0.0.1:{page.port}", "http://evil.example")[0]
        == "403 Forbidden"
    )
    assert stops == []


def test_the_report_is_there_once_it_is_written(page: LivePage, tmp_path: Path) -> None:
    assert asked(page, "/report")[0] == 404
    assert asked(page, "/elsewhere")[0] == 404
    (tmp_path / "report.html").write_text("<title>PASS</title>")
    assert asked(page, "/report") == (200, "text/html", b"<title>PASS</title>")


def test_a_port_that_is_taken_costs_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        page = LivePage(LiveRun(MANIFEST, Totals(), tuple), tmp_path, print, port)
        page.start()
        page.finish()
    assert f"port {port} of 127.0.0.1 cannot be listened on" in capsys.readouterr().err


@pytest.mark.long
def test_a_run_that_is_stopped_there_says_so(launch: Launch) -> None:
    started = launch("run", "agent-burst", "--ui", *quick("30s"))
    address = re.compile(r"http://127\.0\.0\.1:(\d+)")
    started.until(lambda: address.search(started.err) is not None)
    found = address.search(started.err)
    assert found
    for method, path, status in (("POST", "/swarm", 403), ("GET", "/", 200), ("POST", "/stop", 200)):
        with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)) as page:
            page.request(method, path)
            assert page.getresponse().status == status
    ended = started.end()
    assert ended.code == 130, ended.screen
    assert ended.manifest["duration_s"] < 25
    assert ended.manifest["verdict"]["reason"].startswith("Stopped on the live page")
