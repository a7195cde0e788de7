"""The scraped page is for those who may see it, is made once a second, and outlives the run by one scrape."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket
from typing_extensions import override

from loadtest.cli.commands import loadtest
from loadtest.errors import ConfigError
from loadtest.measure.interval import Interval
from loadtest.measure.totals import Totals
from loadtest.run import web_server
from loadtest.run.exporter_libraries import need_libraries
from loadtest.run.metrics_address import COLLECTOR, HERE, collector_url, listen_address
from loadtest.run.metrics_server import MetricsServer, host_is_ours
from loadtest.run.options import RunOptions
from loadtest.show.metric_families import ExportedRun, Family


@pytest.fixture
def totals() -> Totals:
    totals = Totals()
    totals.add(Interval(second=0, counters={"measured": {"turns.due": 5}}))
    return totals


class Counting(ExportedRun):
    """Counts how often its families were asked for."""

    asked = 0

    @override
    def families(self) -> Iterator[Family]:
        self.asked += 1
        return super().families()


@pytest.fixture
def exported(totals: Totals) -> Counting:
    return Counting({"id": "r1"}, totals, tuple)


@pytest.fixture
def server(exported: Counting) -> Iterator[MetricsServer]:
    server = MetricsServer(exported, ("127.0.0.1", 0))
    server.start()
    yield server
    server.over()
    asked(server)
    server.finish()


def asked(server: MetricsServer, path: str = "/metrics", method: str = "GET") -> tuple[int, bytes]:
    status, _, body = server.answer(method, path, f"127.0.0.1:{server.port}")
    return int(status[:3]), body


def test_the_text_is_made_once_for_each_second(
    server: MetricsServer, exported: Counting, totals: Totals
) -> None:
    status, body = asked(server)
    assert status == 200
    assert b'loadtest_turns_due_total{run="r1"} 5.0' in body
    assert [asked(server)[1] for _ in range(20)] == [body] * 20
    assert exported.asked == 1
    totals.add(Interval(second=1, counters={"measured": {"turns.due": 2}}))
    assert b'loadtest_turns_due_total{run="r1"} 7.0' in asked(server)[1]
    assert exported.asked == 2


def test_those_who_ask_while_it_is_made_get_the_same(server: MetricsServer, exported: Counting) -> None:
    asking = [gevent.spawn(asked, server) for _ in range(5)]
    gevent.joinall(asking)
    assert len({each.value for each in asking}) == 1
    assert exported.asked == 1


def test_it_answers_over_http_and_only_what_there_is(server: MetricsServer) -> None:
    def get() -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        found = answer.status, answer.headers["Content-Type"], answer.read()
        connection.close()
        return found

    status, kind, body = gevent.get_hub().threadpool.apply(get)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert body == asked(server)[1]
    assert asked(server, "/")[0] == 404
    assert asked(server, method="POST")[0] == 405
    assert server.answer("GET", "/metrics", "evil.example")[0].startswith("403")


def test_a_client_that_says_nothing_is_let_go(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "SILENT_S", 0.05)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as silent:
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    ("asked", "bound", "ours"),
    [
        ("127.0.0.1:9", "127.0.0.1", True),
        ("localhost:9", "127.0.0.1", True),
        ("[::1]:9", "::1", True),
        ("evil.example:9", "127.0.0.1", False),
        ("10.0.0.5:9", "127.0.0.1", False),
        ("master:9", "master", True),
        ("10.0.0.5:9", "", True),
        ("[fd00::1]:9", "", True),
        ("evil.example:9", "", False),
        ("", "", False),
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(asked: str, bound: str, *, ours: bool) -> None:
    assert host_is_ours(asked, bound, 9) is ours


def test_after_the_run_it_waits_for_who_scraped_it_and_for_nobody_else(totals: Totals) -> None:
    server = MetricsServer(ExportedRun({}, totals, tuple), ("127.0.0.1", 0))
    server.start()
    asked(server)
    server.over()
    finishing = gevent.spawn(server.finish)
    gevent.sleep(0)
    assert not finishing.dead
    asked(server)
    finishing.get(timeout=30)
    unseen = MetricsServer(ExportedRun({}, totals, tuple), ("127.0.0.1", 0))
    unseen.start()
    unseen.over()
    unseen.finish()


def test_a_run_goes_on_where_the_port_is_taken(
    server: MetricsServer, totals: Totals, capsys: pytest.CaptureFixture[str]
) -> None:
    second = MetricsServer(ExportedRun({}, totals, tuple), ("127.0.0.1", server.port))
    second.start()
    assert "cannot listen on" in capsys.readouterr().err
    second.finish()


def test_where_it_listens_and_what_it_tells_are_read() -> None:
    with loadtest.make_context("loadtest", ["run"]) as context:
        _, command, _ = loadtest.resolve_command(context, ["run", "agent-burst", "--prometheus", "--otel"])
        assert command is not None
        given = command.make_context("run", ["agent-burst", "--prometheus", "--otel"], parent=context)
        shown = command.get_help(given)
    usual = RunOptions(prometheus=given.params["prometheus"], otel=given.params["otel"])
    assert usual.metrics_address == listen_address(HERE) == ("127.0.0.1", 9464)
    assert usual.collector == COLLECTOR
    assert HERE in shown
    assert COLLECTOR in shown
    assert listen_address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert listen_address("9465") == ("127.0.0.1", 9465)
    assert listen_address("[::1]:1") == ("::1", 1)
    assert listen_address("*:9464") == ("", 9464)
    assert collector_url("http://otel:4318/") == "http://otel:4318"
    assert RunOptions().metrics_address is RunOptions().collector is None
    need_libraries(RunOptions(prometheus="9464", otel="https://otel"))


@pytest.mark.parametrize("text", ["mine.toml", "h:", ":1", "h:99999", "h:²"])
def test_a_scenario_in_the_place_of_an_address_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="if it is the scenario, write it before the options"):
        need_libraries(RunOptions(prometheus=text))


@pytest.mark.parametrize("text", ["mine.toml", "otel:4318", "http://", "http://u:hush@h", "http://h:x"])
def test_what_is_no_collector_is_told_without_a_secret(text: str) -> None:
    with pytest.raises(ConfigError, match="is not the URL of a collector") as caught:
        need_libraries(RunOptions(otel=text))
    assert "hush" not in str(caught.value)


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.run.exporter_libraries.EXPORTER", ("no_such_package", "inner"))
    need_libraries(RunOptions())
    with pytest.raises(ConfigError, match='with its extra "otel"'):
        need_libraries(RunOptions(otel="http://h"))
