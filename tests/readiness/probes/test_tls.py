"""Certificates that end soon, as an HTTPS part and as a part of their own, verified and not."""

from __future__ import annotations

import http.server
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.prober import probe_all
from loadtest.readiness.probes.probe_context import ProbeContext
from loadtest.readiness.probes.tls import end_of
from loadtest.readiness.probes.websocket import with_certificate
from loadtest.readiness.verdict import assess
from tests.end_to_end.parts import free_port, running
from tests.readiness.made import policy


def certificate(folder: Path, days: float, begun: datetime | None = None) -> Path:
    """A self-signed one for localhost that ends in so many days, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun or now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@contextmanager
def https(path: Path) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None: ...

    server = Server(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def judged(folder: Path, text: str) -> Assessment:
    read = policy(folder, text)
    found = probe_all(read, folder, environ={})
    now = max(each.at or 0.0 for each in found.values()) or datetime.now(UTC).timestamp()
    return assess(read, found, id="", at=now)


HTTP = """[components.api]
probe = "http"
url = "https://localhost:{port}/"
samples = 2
"""
TLS = """[components.api]
probe = "tls"
host = "localhost"
port = {port}
"""
BY_CA, UNVERIFIED = 'ca_file = "server.pem"\n', "insecure = true\n"


@pytest.mark.parametrize("text", [HTTP + BY_CA, HTTP + UNVERIFIED, TLS + BY_CA, TLS + UNVERIFIED])
@pytest.mark.parametrize(
    ("days", "status", "verdict"), [(30.0, "healthy", "GO"), (5.0, "degraded", "GO"), (1.0, "down", "NO-GO")]
)
def test_a_certificate_that_ends_soon_is_told(
    tmp_path: Path, text: str, days: float, status: str, verdict: str
) -> None:
    with https(certificate(tmp_path, days)) as port:
        found = judged(tmp_path, text.format(port=port))
    (row,) = found.components
    assert (row.status, found.verdict) == (status, verdict)
    assert row.measures["tls.expires_in"].value == pytest.approx(days, abs=0.1)
    if status != "healthy":
        assert "tls.expires_in is" in row.why
        assert (row.error, found.actions[0].text) == ("certificate", "api: renew the certificate")


def test_levels_of_the_policy_stand_in_the_place_of_the_default_ones(tmp_path: Path) -> None:
    levels = 'levels = {{ "tls.expires_in" = {{ critical = "< 7d" }} }}\n'
    with https(certificate(tmp_path, 5)) as port:
        found = judged(tmp_path, (TLS + BY_CA + levels).format(port=port))
    assert found.components[0].status == "down"


def test_a_certificate_that_is_not_to_be_trusted_or_has_ended_is_down(tmp_path: Path) -> None:
    with https(certificate(tmp_path, 30)) as port:
        assert judged(tmp_path, TLS.format(port=port)).components[0].error == "tls"
    with https(certificate(tmp_path, -2)) as port:
        ended = judged(tmp_path, (TLS + BY_CA).format(port=port)).components[0]
        assert ("expired" in ended.said, ended.status) == (True, "down")
        unverified = judged(tmp_path, (TLS + UNVERIFIED).format(port=port)).components[0]
        assert (unverified.status, any("has ended" in line for line in unverified.lines)) == ("down", True)


def test_a_ca_file_that_is_missing_is_the_policys_fault_and_a_dead_part_down(tmp_path: Path) -> None:
    with https(certificate(tmp_path, 30)) as port:
        text = (TLS + 'ca_file = "gone.pem"\n').format(port=port)
        assert judged(tmp_path, text).components[0].status == "unknown"
    dead = judged(tmp_path, TLS.format(port=free_port())).components[0]
    assert (dead.status, dead.error) == ("down", "refused")


@pytest.mark.parametrize("days", [5.0, 365 * 40.0])
def test_the_end_is_read_from_the_bytes_in_both_forms_of_a_time(tmp_path: Path, days: float) -> None:
    made = x509.load_pem_x509_certificate(certificate(tmp_path, days).read_bytes())
    assert end_of(made.public_bytes(serialization.Encoding.DER)) == made.not_valid_after_utc.timestamp()


@pytest.mark.parametrize("wrong", [b"", b"\x30", b"\x30\x82\xff", b"\x30\x03\x30\x01\x02", b"x" * 50])
def test_what_is_no_certificate_has_no_end(wrong: bytes) -> None:
    assert end_of(wrong) is None


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")
@pytest.mark.parametrize(("days", "status"), [(30.0, "healthy"), (5.0, "degraded")])
def test_redis_behind_tls_is_asked_and_its_certificate_looked_at(
    tmp_path: Path, days: float, status: str
) -> None:
    pem, port = certificate(tmp_path, days), free_port()
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--tls-cert-file", str(pem), "--tls-key-file", str(pem), "--tls-auth-clients", "no"]
    command += ["--requirepass", "pw-1", "--dir", str(tmp_path), "--tls-ca-cert-file", str(pem)]
    text = f'[components.api]\nprobe = "redis"\nurl = "rediss://:pw-1@localhost:{port}"\n'
    with running(command, port, tmp_path):
        found = judged(tmp_path, text + BY_CA).components[0]
        assert (found.status, found.measures["answered.ratio"].value) == (status, 1), found.why
        assert judged(tmp_path, text).components[0].error == "tls"
        plain = judged(tmp_path, text.replace("rediss", "redis")).components[0]
        assert plain.status == "down"


def run_of(port: int, **target: object) -> dict[str, object]:
    return {"target": {"url": f"wss://localhost:{port}/ws", "address": f"127.0.0.1:{port}", **target}}


ANSWERED = Evidence("answered", "12 connections ready", 0.0, lines=("run x",))


@pytest.mark.parametrize(("days", "left"), [(90.0, 90.0), (5.0, 5.0), (-2.0, -2.0)])
def test_the_certificate_of_a_websocket_that_was_loaded_is_looked_at(
    tmp_path: Path, days: float, left: float
) -> None:
    context = ProbeContext(tmp_path, {}, tmp_path, time.monotonic() + 10)
    with https(certificate(tmp_path, days)) as port:
        found = with_certificate(ANSWERED, run_of(port, tls={"verified": True}), context)
    assert found.measures["tls.expires_in"].value == pytest.approx(left, abs=0.1)
    assert "the certificate " in found.lines[-1]


def test_a_certificate_is_not_looked_at_where_there_is_none_or_a_proxy_and_no_failure_of_the_run(
    tmp_path: Path,
) -> None:
    context, safe = ProbeContext(tmp_path, {}, tmp_path, time.monotonic() + 10), {"verified": True}
    dead = run_of(free_port(), tls=safe)
    assert with_certificate(ANSWERED, run_of(1, tls=None), context) is ANSWERED
    assert with_certificate(ANSWERED, run_of(1, tls=safe, proxy={"url": "x"}), context) is ANSWERED
    failed = Evidence("failed", "refused", 0.0)
    assert with_certificate(failed, dead, context) is failed
    found = with_certificate(ANSWERED, dead, context)
    assert (found.measures, "could not be read" in found.lines[-1]) == ({}, True)
