"""gRPC health, asked of a real server of gRPC's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from loadtest.readiness.assessment import ComponentRow
from loadtest.readiness.prober import probe_all
from loadtest.readiness.verdict import assess
from tests.end_to_end.parts import free_port, garbage
from tests.readiness.made import policy
from tests.readiness.probes.test_tls import certificate

STATUS = health_pb2.HealthCheckResponse


class Serving:
    """A server whose health can be changed, in the clear and by TLS."""

    def __init__(self, pem: Path) -> None:
        self.servicer = health.HealthServicer()
        self.server = grpc.server(ThreadPoolExecutor(4))
        health_pb2_grpc.add_HealthServicer_to_server(self.servicer, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        text = pem.read_bytes()
        credentials = grpc.ssl_server_credentials([(text, text)])
        self.safe = self.server.add_secure_port("localhost:0", credentials)
        self.server.start()
        self.says("", STATUS.SERVING)

    def says(self, service: str, status: Any) -> None:
        self.servicer.set(service, status)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    made = Serving(certificate(tmp_path_factory.mktemp("grpc"), 5))
    yield made
    made.server.stop(None).wait(5)


def row(folder: Path, url: str, more: str = "") -> ComponentRow:
    read = policy(folder, f'[components.g]\nprobe = "grpc"\nurl = "{url}"\n{more}')
    found = probe_all(read, folder, environ={})
    return assess(read, found, id="", at=found["g"].at or 0.0).components[0]


def test_one_that_serves_is_healthy_and_one_that_says_no_is_down(tmp_path: Path, serving: Serving) -> None:
    url = f"grpc://127.0.0.1:{serving.port}"
    found = row(tmp_path, url)
    assert (found.status, found.measures["latency.n"].value) == ("healthy", 20)
    serving.says("chat", STATUS.NOT_SERVING)
    sick = row(tmp_path, url, 'service = "chat"\n')
    assert (sick.status, sick.error, sick.said) == ("down", "status", "chat says NOT_SERVING")
    gone = row(tmp_path, url, 'service = "gone"\n')
    assert (gone.status, gone.error, gone.said) == ("down", "answer", "the server knows no service gone")


def test_the_certificate_is_verified_and_its_end_is_told(tmp_path: Path, serving: Serving) -> None:
    url = f"grpcs://localhost:{serving.safe}"
    stranger = row(tmp_path, url)
    assert (stranger.status, stranger.error) == ("down", "tls")
    assert row(tmp_path, url, "insecure = true\n").status == "degraded"


def test_nothing_there_and_something_else_there_are_down(tmp_path: Path) -> None:
    dead = row(tmp_path, f"grpc://127.0.0.1:{free_port()}")
    assert (dead.status, dead.error) == ("down", "refused")
    with garbage() as port:
        other = row(tmp_path, f"grpc://127.0.0.1:{port}", 'timeout = "600ms"\n')
    assert other.status == "down"


@pytest.mark.parametrize(
    ("code", "outcome", "error"),
    [
        ("UNAUTHENTICATED", "unknown", "credential"),
        ("UNIMPLEMENTED", "unknown", "policy"),
        ("INTERNAL", "down", "status"),
        ("DEADLINE_EXCEEDED", "down", "timeout"),
        ("UNAVAILABLE", "down", "closed"),
    ],
)
def test_what_a_status_of_grpc_means(
    tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch, code: str, outcome: str, error: str
) -> None:
    def check(self: object, request: object, context: grpc.ServicerContext) -> None:
        context.abort(getattr(grpc.StatusCode, code), "no")

    server = grpc.server(ThreadPoolExecutor(1))
    servicer = type("Says", (health_pb2_grpc.HealthServicer,), {"Check": check})()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        found = row(tmp_path, f"grpc://127.0.0.1:{port}")
    finally:
        server.stop(None).wait(5)
    assert (found.status, found.error) == (outcome, error)


def test_without_the_extra_it_is_unknown_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc_health.v1", None)
    found = row(tmp_path, "grpc://127.0.0.1:1")
    assert (found.status, found.error) == ("unknown", "driver")
    assert "pip install grpcio-health-checking" in found.said
