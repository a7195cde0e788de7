"""The live page is for this machine only; the run goes on without it where it cannot be served."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.run import live_server
from loadtest.run.live_server import LivePage
from loadtest.show.live_run import LiveRun
from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import LOADTEST, quick

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


def test_a_page_that_stays_has_a_button_that_closes_it(
    page: LivePage, tmp_path: Path, stops: list[str]
) -> None:
    report = b'<html><body class="a"><p>PASS</p></body></html>'
    (tmp_path / "report.html").write_bytes(report)
    staying = gevent.spawn(page.stay)
    gevent.sleep(0)
    shown = asked(page, "/report")[2].decode()
    found = re.search(r'<form method="post" action="(/close/[\w-]{20,})">', shown)
    assert found
    assert shown.startswith('<html><body class="a"><style>')
    assert str(tmp_path) in shown
    assert json.loads(asked(page, "/api/live")[2])["state"] == "ended"
    # Only who has read the report knows where it is closed.
    for path, host in (("/close/guessed", f"127.0.0.1:{page.port}"), (found[1], "evil.example")):
        assert page.answer("POST", path, "", host, "null")[0].startswith("403")
    assert not staying.ready()
    last = page.answer("POST", found[1], "", f"127.0.0.1:{page.port}", "null")
    assert last[0] == "200 OK"
    assert b"this page is no longer served" in last[2]
    assert b"<form" not in last[2]
    staying.get(timeout=20)
    assert stops == []


def test_a_page_that_does_not_stay_cannot_be_closed(page: LivePage, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<body>PASS")
    assert asked(page, "/report")[2] == b"<body>PASS"
    assert asked(page, page._close_at, method="POST")[0] == 403


def test_a_port_that_is_taken_costs_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        page = LivePage(LiveRun(MANIFEST, Totals(), tuple), tmp_path, print, port)
        page.start()
        page.finish()
        page.stay()
    assert f"cannot listen on port {port} of 127.0.0.1" in capsys.readouterr().err


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


@pytest.mark.long
def test_on_a_terminal_the_page_stays_and_the_exit_code_is_still_the_verdict(tmp_path: Path) -> None:
    """Ctrl-C closes it: what the run has shown is judged already."""
    ours, theirs = pty.openpty()
    words = [*LOADTEST, "run", "agent-burst", "--ui", *quick(), "--results", str(tmp_path)]
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        try:
            seen = _read_until(ours, b"shows the report until")
            (folder,) = tmp_path.iterdir()
            (port,) = set(re.findall(rb"http://127\.0\.0\.1:(\d+)/", seen))
            with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)) as connection:
                connection.request("GET", "/report")
                assert connection.getresponse().status == 200
            process.send_signal(signal.SIGINT)
            while _read(ours):
                pass
            code = process.wait(30)
        finally:
            process.kill()
            os.close(ours)
    verdict = json.loads((folder / "run.json").read_text())["verdict"]
    assert code == verdict["exit_code"] != 130


def _read_until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows up to a line with some words, and that line."""
    seen = b""
    while words not in seen or not seen.partition(words)[2].count(b"\n"):
        piece = _read(terminal)
        assert piece, seen
        seen += piece
    return seen


def _read(terminal: int) -> bytes:
    """What a terminal shows next; nothing where its other end is closed, or silent for a minute."""
    try:
        return os.read(terminal, 65536) if select.select([terminal], [], [], 60)[0] else b""
    except OSError:  # the other end is closed
        return b""
