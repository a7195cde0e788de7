"""wss against uvicorn: believed by name and authority, refused at the layer tls, or believed and said so."""

from __future__ import annotations

import os
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.end_to_end.certificates import Authority, Pair
from tests.end_to_end.conftest import Awaited, Begin, Launch
from tests.end_to_end.running import DRAWN, Ended, quick
from tests.end_to_end.servers import fastapi

pytestmark = pytest.mark.long

# Four connections say as much about certificates as twenty, and leave the machine to the other runs.
FEW = ["--connections", "4", "--set", "thresholds.connections.ready.peak=>= 4"]
EASY = ["--set", "thresholds.turn.first_event.p95=< 5s", "--set", "thresholds.rates.turns_per_s=> 1"]


@contextmanager
def alerts(pair: Pair, clients_of: Path) -> Iterator[int]:
    """A server that tells a client without a certificate what it lacks, as OpenSSL does; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.load_verify_locations(clients_of)
    context.verify_mode = ssl.CERT_REQUIRED

    class Answers(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(fileno=os.dup(self.request.fileno())) as beside:
                with suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
                    connection.recv(1)
                # What stays unread would turn the end into a reset, and that would overtake the alert.
                with suppress(OSError):
                    beside.shutdown(socket.SHUT_WR)
                    while beside.recv(4096):
                        pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, begin: Begin) -> Iterator[dict[str, Awaited]]:
    """One run for each way in which a certificate may be good or bad, all at once."""
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    good, old = authority.pair("server"), authority.pair("old", ends=-timedelta(hours=1))
    other = authority.pair("other", ("chat.example", "127.0.0.9"))
    client, wrong_client = authority.pair("client"), stranger.pair("wrong-client")
    ca = ["--set", f"target.ca_file={authority.cert}"]

    def served(pair: Pair) -> list[str | Path]:
        return ["--cert", pair.cert, "--key", pair.key]

    def shown(pair: Pair) -> list[str]:
        return ["--set", f"target.client_cert={pair.cert}", "--set", f"target.client_key={pair.key}"]

    with (
        fastapi(*served(good), scheme="wss") as plain,
        fastapi(*served(old), scheme="wss") as expired,
        fastapi(*served(other), scheme="wss") as elsewhere,
        alerts(good, authority.cert) as alerting,
        fastapi(*served(good), "--clients-of", authority.cert, scheme="wss") as closed,
    ):

        def start(url: str, *options: str, **how: dict[str, str]) -> Awaited:
            return begin("run", "agent-burst", *quick(), *FEW, *EASY, "--target", url, *options, **how)

        yield {
            "verified": start(plain.url("/ws"), *ca),
            "verified by name": start(plain.url("/ws", "localhost"), *ca),
            "unknown authority": start(plain.url("/ws")),
            "another name": start(elsewhere.url("/ws"), *ca),
            "expired": start(expired.url("/ws"), *ca),
            "insecure": start(plain.url("/ws"), "--insecure", environment=DRAWN),
            "no client certificate, and told": start(f"wss://127.0.0.1:{alerting}/ws", *ca),
            "wrong client certificate, and told": start(
                f"wss://127.0.0.1:{alerting}/ws", *ca, *shown(wrong_client)
            ),
            "client certificate": start(closed.url("/ws"), *ca, *shown(client)),
            "no client certificate": start(closed.url("/ws"), *ca),
            "wrong client certificate": start(closed.url("/ws"), *ca, *shown(wrong_client)),
        }


@pytest.mark.parametrize("name", ["verified", "verified by name", "client certificate"])
def test_a_certificate_that_is_to_be_believed(runs: dict[str, Awaited], name: str) -> None:
    ended = runs[name].end()
    assert ended.code == 0, ended.screen
    manifest = ended.manifest
    assert manifest["counts"]["turns"]["complete"] == manifest["counts"]["turns"]["due"] == 20
    assert manifest["metrics"]["connect.tls"]["n"] == 4
    assert manifest["target"]["tls"]["verified"] is True
    assert "insecure_tls" not in ended.notices


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unknown authority", "unable to get local issuer certificate"),
        ("another name", "not valid for '127.0.0.1'"),
        ("expired", "certificate has expired"),
        ("no client certificate, and told", "certificate required"),
        ("wrong client certificate, and told", "unknown ca"),
    ],
)
def test_a_certificate_that_is_not_to_be_believed(runs: dict[str, Awaited], name: str, said: str) -> None:
    ended = runs[name].end()
    assert ended.code == 3, ended.screen
    connections = ended.manifest["counts"]["connections"]
    assert connections["attempted"] == connections["refused"]["tls"] == 4
    assert connections["established"] == 0
    assert ended.manifest["counts"]["events"]["sent"] == 0
    assert "tls" in ended.out
    (reason,) = ended.manifest["refusals"]
    assert reason.startswith("tls: ")
    assert said in reason.lower().replace("_", " ")
    assert "Traceback" not in ended.screen


@pytest.mark.parametrize("name", ["no client certificate", "wrong client certificate"])
def test_a_server_that_hangs_up_on_a_client_without_saying_why(runs: dict[str, Awaited], name: str) -> None:
    """Under TLS 1.3 the handshake is over for us before the server looks; asyncio sends no alert."""
    ended = runs[name].end()
    assert ended.code == 3, ended.screen
    connections = ended.manifest["counts"]["connections"]
    assert sum(connections["refused"].values()) == connections["attempted"] == 4
    assert connections["established"] == 0
    assert "Traceback" not in ended.screen


def test_insecure_is_said_loudly(runs: dict[str, Awaited]) -> None:
    ended = runs["insecure"].end()
    assert ended.code == 0, ended.screen
    assert ended.manifest["target"]["tls"]["verified"] is False
    assert ended.notice("insecure_tls")["message"].startswith("INSECURE")
    for view in views(ended):
        assert "INSECURE" in view or "insecure_tls" in view


def views(ended: Ended) -> Iterator[str]:
    yield ended.out
    for name in ("report.md", "report.html", "run.json"):
        yield (ended.folder / name).read_text("utf-8")


def test_a_certificate_file_that_is_none(tmp_path: Path, launch: Launch) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    ended = launch(
        "run", "agent-burst", "--target", "wss://127.0.0.1:1/ws", "--set", f"target.ca_file={tmp_path}/ca.pem"
    ).end()
    assert ended.code == 2, ended.screen
    assert str(tmp_path / "ca.pem") in ended.err
    assert "Traceback" not in ended.screen
    assert ended.folders == []
