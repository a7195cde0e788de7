"""The table of breakages in docs/readiness.md: real probes against small servers that are broken on purpose.

python -m tests.readiness.breakages            ends with 1 if the page is not as the probes say
python -m tests.readiness.breakages --write    brings it up to date
"""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import socketserver
import sqlite3
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from loadtest.readiness.policy_file import load_policy
from loadtest.readiness.prober import probe_all
from loadtest.readiness.verdict import assess
from loadtest.simulator.process import Simulator
from tests.end_to_end.parts import free_port
from tests.end_to_end.system import LIGHT
from tests.readiness.probes.test_tls import certificate, https

PAGE = Path(__file__).resolve().parents[2] / "docs" / "readiness.md"
PLACE = re.compile(r"<!-- breakages -->\n.*?<!-- end of breakages -->", re.DOTALL)

OK, BROKEN = (200, b'{"status": "ok"}'), (503, b"busy")
DAY_S = 86_400.0
HUNG_S = 30.0

Answer = Callable[[int], tuple[int, bytes]]
"""The status and the body of the n-th request; a status of 0: no answer."""


def flaky(percent: int) -> Callable[[int], bool]:
    """Whether the n-th try fails; the first is answered, as two failures in the beginning end a probe."""
    return {5: lambda n: n == 7, 50: lambda n: n % 2 == 1, 80: lambda n: n % 5 != 0}[percent]


@contextmanager
def web(answer: Answer, delay_s: float = 0.0) -> Iterator[int]:
    count, over = iter(range(10**6)), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(next(count))
            over.wait(delay_s if status else HUNG_S)
            with suppress(OSError):
                self.send_response(status or 200)
                if status == 302:
                    self.send_header("Location", "/again")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def wire(answer: Callable[[int], bytes | None], delay_s: float = 0.0) -> Iterator[int]:
    """A server that answers whatever it is sent; None: nothing at all."""
    count, over = iter(range(10**6)), threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(65536):
                said = answer(next(count))
                over.wait(HUNG_S if said is None else delay_s)
                connection.sendall(said or b"")

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection = server.accept()[0]
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()


@contextmanager
def full() -> Iterator[int]:
    """A port that listens, and whose queue is full: nobody accepts, and nobody refuses."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


NAME = "app.internal"
"""A name that only the resolver below knows."""


@contextmanager
def resolver(fails: Callable[[int], bool], delay_s: float = 0.0) -> Iterator[int]:
    """A port that listens, and this machine's resolver broken for ``NAME``.

    The n-th look-up with a port leads to an instance that is dead, one without a port finds nothing.
    """
    count, over, real = iter(range(10**6)), threading.Event(), socket.getaddrinfo

    def look_up(host: object, port: object, *args: Any, **kwargs: Any) -> Any:
        if host != NAME:
            return real(host, port, *args, **kwargs)  # type: ignore[arg-type] # as it was asked for
        over.wait(delay_s)
        if not fails(next(count)):
            return real("127.0.0.1", port, *args, **kwargs)  # type: ignore[arg-type] # as it was asked for
        if port is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("127.0.0.1", free_port(), *args, **kwargs)

    with wire(lambda _: b"") as port, patch.object(socket, "getaddrinfo", look_up):
        try:
            yield port
        finally:
            over.set()


def _resolver(percent: int = 0, delay_s: float = 0.0) -> Callable[[], object]:
    fails = flaky(percent) if percent else lambda _: False
    return lambda: resolver(fails, delay_s)


@contextmanager
def handshakes(fails: Callable[[int], bool], delay_s: float = 0.0) -> Iterator[int]:
    """A TLS server that hangs up on the n-th client, or greets late."""
    count, over = iter(range(10**6)), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(Path(tempfile.mkdtemp()), 90))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection = server.accept()[0]
                over.wait(delay_s)
                with connection, suppress(OSError):
                    if not fails(next(count)):
                        context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()


def _handshakes(percent: int = 0, delay_s: float = 0.0) -> Callable[[], object]:
    fails = flaky(percent) if percent else lambda _: False
    return lambda: handshakes(fails, delay_s)


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def _idle(state: bytes) -> bytes:
    return _message(b"Z", state)


HELLO = _message(b"R", bytes(4)) + _message(b"S", b"client_encoding\x00UTF8\x00") + _idle(b"I")
ONE = _message(b"T", b"\x00\x01n\x00" + bytes(6) + b"\x00\x00\x00\x17\x00\x04" + b"\xff" * 4 + bytes(2))
ONE += _message(b"D", b"\x00\x01\x00\x00\x00\x011") + _message(b"C", b"SELECT 1\x00")
STARTING = _message(b"E", b"SFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00")


@contextmanager
def postgresql(fails: Callable[[int], bool], delay_s: float = 0.0, pem: Path | None = None) -> Iterator[int]:
    """As much of PostgreSQL as a probe asks for: it turns the n-th client away, or answers queries late.

    With a ``pem`` it speaks TLS.
    """
    count, over = iter(range(10**6)), threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sock = self.request
            with suppress(OSError):
                if pem is not None:
                    sock.recv(8)
                    sock.sendall(b"S")
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(pem)
                    sock = context.wrap_socket(sock, server_side=True)
                with sock, sock.makefile("rb") as said:
                    self.answer(said, sock.sendall)

        def answer(self, said: IO[bytes], write: Callable[[bytes], object]) -> None:
            said.read(int.from_bytes(said.read(4), "big") - 4)
            if fails(next(count)):
                write(STARTING)
                return
            write(HELLO)
            while said.read(1) == b"Q":
                query = said.read(int.from_bytes(said.read(4), "big") - 4).upper()
                word = query.rstrip(b"\x00").split()[0]
                rows = ONE if word == b"SELECT" else _message(b"C", word + b"\x00")
                over.wait(delay_s if rows is ONE else 0)
                write(rows + _idle(b"I" if word in {b"COMMIT", b"ROLLBACK"} else b"T"))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _postgresql(percent: int = 0, delay_s: float = 0.0) -> Callable[[], object]:
    fails = flaky(percent) if percent else lambda _: False
    return lambda: postgresql(fails, delay_s)


@contextmanager
def nothing() -> Iterator[int]:
    yield free_port()


_WORDS = b"SFATAL\x00C28P01\x00Mpassword authentication failed for user app\x00\x00"
REFUSES = b"E" + (len(_WORDS) + 4).to_bytes(4, "big") + _WORDS
"""What PostgreSQL says to a wrong password."""


@dataclass(frozen=True)
class Breakage:
    """One row: what is broken in which way, and the component that finds it; {port} is the server's."""

    kind: str
    what: str
    text: str
    served: Callable[[], object] = nothing
    prepare: Callable[[Path], object] = lambda _: None


def grpc_health(answer: Callable[[int], str], delay_s: float = 0.0) -> Callable[[], object]:
    """A gRPC server whose n-th answer is a status of health, or of gRPC where it is none; "": no answer."""

    @contextmanager
    def served() -> Iterator[int]:
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        count, over = iter(range(10**6)), threading.Event()

        def check(_: object, request: object, context: grpc.ServicerContext) -> object:
            word = answer(next(count))
            over.wait(delay_s if word else HUNG_S)
            if word in health_pb2.HealthCheckResponse.ServingStatus.keys():  # noqa: SIM118 - no dict
                return health_pb2.HealthCheckResponse(status=word)
            return context.abort(getattr(grpc.StatusCode, word or "CANCELLED"), "broken on purpose")

        server = grpc.server(ThreadPoolExecutor(4))
        servicer = type("Broken", (health_pb2_grpc.HealthServicer,), {"Check": check})()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            over.set()
            server.stop(None).wait(5)

    return served


def _grpc(percent: int) -> Callable[[], object]:
    fails = flaky(percent)
    return grpc_health(lambda n: "NOT_SERVING" if fails(n) else "SERVING")


def _cluster(age_s: float = 0.0, ready: int = 20, **change: object) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        item = {
            "kind": "Deployment", "metadata": {"name": "web"}, "status": {"readyReplicas": ready},
            "spec": {"replicas": 20, "selector": {"matchLabels": {"app": "web"}}},
        }  # fmt: skip
        pod = {
            "kind": "Pod",
            "metadata": {"labels": {"app": "web"}},
            "status": {"containerStatuses": [change]},
        }
        path = folder / "cluster.json"
        path.write_text(json.dumps({"items": [item, pod] if ready >= 0 else []}))
        os.utime(path, (time.time() - age_s, time.time() - age_s))

    return write


def _pulls() -> dict[str, object]:
    return {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "toomanyrequests"}}}


def _crashed() -> dict[str, object]:
    at = datetime.fromtimestamp(time.time() - 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"restartCount": 5, "lastState": {"terminated": {"finishedAt": at, "exitCode": 137}}}


HTTP = 'url = "http://127.0.0.1:{port}/health"\nfields = {{ status = ["ok"] }}\n'
FAST = 'levels = {{ "latency.p95" = {{ warn = "> 20ms", critical = "> 40ms" }} }}\n'
REDIS = 'url = "redis://127.0.0.1:{port}"\n'
SOON = 'timeout = "500ms"\n'
SQLITE = 'url = "sqlite:///app.db"\n'
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
TLS_ANY = 'host = "localhost"\nport = {port}\n'
TLS_OPEN = TLS_ANY + "insecure = true\nsamples = 20\n"
TLS = 'host = "localhost"\nport = {port}\nca_file = "server.pem"\n'
JUNIT = 'files = ["junit.xml"]\nfresh = "24h"\nlevels = {{ "passed.ratio" = {{ critical = "< 90%" }} }}\n'
LISTING = 'file = "ps.json"\nservices = ["web"]\n'
METRIC = 'url = "http://127.0.0.1:{port}"\nquery = "errors"\n'
METRIC += 'levels = {{ "value.max" = {{ warn = "> 0.02", critical = "> 0.1" }} }}\n'
TCP_ANY = 'host = "127.0.0.1"\nport = {port}\n'
TCP = f'host = "{NAME}"\nport = {{port}}\n'
DNS = f'host = "{NAME}"\n'
POSTGRESQL = 'url = "postgresql://app:x@127.0.0.1:{port}/app?sslmode=disable"\n'
DOCKER = 'services = ["web"]\n'
KUBECTL = 'workloads = ["deployment/web"]\n'
SERVICES = f'file = "ps.json"\nservices = {json.dumps([f"s{n}" for n in range(20)])}\n'


def late(measure: str) -> str:
    """A critical level that an answer after 40 ms misses."""
    return f'levels = {{{{ "{measure}" = {{{{ critical = "> 20ms" }}}} }}}}\n'


LATE_S = 0.04


GRPC = 'url = "grpc://127.0.0.1:{port}"\n'
CLUSTER = 'file = "cluster.json"\nworkloads = ["deployment/web"]\n'
RELEASE = 'release = "version"\n'


SAFE_SOCKET = 'scenario = "light.toml"\ntarget = "wss://localhost:{port}/ws"\ntimeout = "40s"\n'
SAFE_SOCKET += 'set = ["target.ca_file=server.pem"]\n'
SOCKET = 'scenario = "light.toml"\ntarget = "ws://127.0.0.1:{port}/ws"\ntimeout = "40s"\n'


def _scenario(folder: Path) -> None:
    text = LIGHT.replace('every = "500ms"\ntimeout = "20s"', 'every = "200ms"\ntimeout = "1s"')
    (folder / "light.toml").write_text(text.replace('url = "simulator"', 'url = "ws://127.0.0.1:1/ws"'))


def _simulator(fault: str) -> Callable[[], object]:
    @contextmanager
    def served() -> Iterator[int]:
        with Simulator.start(faults=[fault]) as started:
            yield started.port

    return served


def _web(answer: Answer, delay_s: float = 0.0) -> Callable[[], object]:
    return lambda: web(answer, delay_s)


def _failing(percent: int) -> Callable[[], object]:
    fails = flaky(percent)
    return _web(lambda n: BROKEN if fails(n) else OK)


def _redis(percent: int) -> Callable[[], object]:
    fails = flaky(percent)
    return lambda: wire(lambda n: b"-LOADING busy\r\n" if fails(n) else b"+PONG\r\n")


def _sql(folder: Path) -> None:
    with sqlite3.connect(folder / "app.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()


def _junit(failed: int, age_s: float = 0.0) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        at = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat()
        cases = "".join(
            f'<testcase name="t{n}" time="0.1">{"<failure/>" if n < failed else ""}</testcase>'
            for n in range(20)
        )
        (folder / "junit.xml").write_text(f'<testsuite tests="20" timestamp="{at}">{cases}</testsuite>')

    return write


def _listing(age_s: float = 0.0, **change: object) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        path = folder / "ps.json"
        path.write_text(json.dumps([{"Service": "web", "State": "running", "Status": "Up", **change}]))
        os.utime(path, (time.time() - age_s, time.time() - age_s))

    return write


def _services(dead: int) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        listed = [
            {"Service": f"s{n}", "State": "exited" if n < dead else "running", "Status": "Up"}
            for n in range(20)
        ]
        (folder / "ps.json").write_text(json.dumps(listed))

    return write


def _tool(name: str, script: str) -> Callable[[Path], object]:
    """A program of that name before every other."""

    def write(folder: Path) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return write


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _certificate(
    days: float, kind: str = "tls", text: str = TLS, served: Callable[[Path], object] = https
) -> Breakage:
    """A server whose certificate ends in so many days."""
    made = Path(tempfile.mkdtemp())

    def write(folder: Path) -> None:
        (folder / "server.pem").write_bytes(certificate(made, days).read_bytes())
        _scenario(folder)

    what = f"certificate ends in {days:g} d" if days > 0 else "stale: its certificate has ended"
    return Breakage(kind, what, text, lambda: served(made / "server.pem"), write)


@contextmanager
def _safe_simulator(pem: Path) -> Iterator[int]:
    with Simulator.start(cert=pem, key=pem) as started:
        yield started.port


def _metric(value: str | None) -> Callable[[], object]:
    series = [{"metric": {}, "value": [0, value]}] if value else []
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}}).encode()
    return _web(lambda _: (200, body))


BREAKAGES = (
    Breakage("http", "dead", HTTP),
    Breakage("http", "slow: beyond its critical level", HTTP + FAST, _web(lambda _: OK, 0.06)),
    Breakage("http", "5 % of answers fail", HTTP, _failing(5)),
    Breakage("http", "50 % of answers fail", HTTP, _failing(50)),
    Breakage("http", "80 % of answers fail", HTTP, _failing(80)),
    Breakage("http", "50 % fail, with a level on p95", HTTP + FAST, _failing(50)),
    Breakage("http", "wrong answer", HTTP, _web(lambda _: (200, b'{"status": "sick"}'))),
    Breakage("http", "hung", HTTP + SOON, _web(lambda _: (0, b""))),
    Breakage("http", "bad credential", HTTP, _web(lambda _: (401, b""))),
    Breakage("tcp", "dead", TCP_ANY),
    Breakage("tcp", "slow: beyond its critical level", TCP + late("connect.p95"), _resolver(0, LATE_S)),
    Breakage("tcp", "5 % of connections are refused", TCP, _resolver(5)),
    Breakage("tcp", "50 % of connections are refused", TCP, _resolver(50)),
    Breakage("tcp", "80 % of connections are refused", TCP, _resolver(80)),
    Breakage("tcp", "unknown name", 'host = "no-such-host.invalid"\nport = 80\n'),
    Breakage("tls", "dead", TLS_ANY),
    Breakage("tls", "slow: beyond its critical level", TLS_OPEN + late("handshake.p95"),
             _handshakes(0, LATE_S)),
    Breakage("tls", "5 % of handshakes break off", TLS_OPEN, _handshakes(5)),
    Breakage("tls", "50 % of handshakes break off", TLS_OPEN, _handshakes(50)),
    Breakage("tls", "80 % of handshakes break off", TLS_OPEN, _handshakes(80)),
    _certificate(5),
    _certificate(1),
    _certificate(-2),
    Breakage("dns", "dead: unknown name", 'host = "no-such-host.invalid"\n'),
    Breakage("dns", "slow: beyond its critical level", DNS + late("resolve.p95"), _resolver(0, LATE_S)),
    Breakage("dns", "5 % of look-ups fail", DNS, _resolver(5)),
    Breakage("dns", "50 % of look-ups fail", DNS, _resolver(50)),
    Breakage("dns", "80 % of look-ups fail", DNS, _resolver(80)),
    Breakage("dns", "hung", DNS + SOON, _resolver(0, HUNG_S)),
    Breakage("dns", "wrong answer", 'host = "localhost"\naddresses = ["192.0.2.7"]\n'),
    Breakage("redis", "dead", REDIS),
    Breakage("redis", "slow: beyond its critical level",
             REDIS + 'levels = {{ "ping.p95" = {{ critical = "> 20ms" }} }}\n',
             lambda: wire(lambda _: b"+PONG\r\n", 0.04)),
    Breakage("redis", "5 % of answers fail", REDIS, _redis(5)),
    Breakage("redis", "50 % of answers fail", REDIS, _redis(50)),
    Breakage("redis", "80 % of answers fail", REDIS, _redis(80)),
    Breakage("redis", "wrong answer", REDIS, lambda: wire(lambda _: b"HTTP/1.1 400\r\n")),
    Breakage("redis", "hung", REDIS + SOON, lambda: wire(lambda _: None)),
    Breakage("redis", "bad credential", REDIS, lambda: wire(lambda _: b"-NOAUTH not you.\r\n")),
    Breakage("database", "dead (sqlite: no file)", SQLITE),
    Breakage("database", "dead (postgresql)", 'url = "postgresql://app:x@127.0.0.1:{port}/app"\n'),
    Breakage("database", "slow: beyond its critical level", POSTGRESQL + late("query.p95"),
             _postgresql(0, LATE_S)),
    Breakage("database", "5 % of clients are turned away", POSTGRESQL, _postgresql(5)),
    Breakage("database", "50 % of clients are turned away", POSTGRESQL, _postgresql(50)),
    Breakage("database", "80 % of clients are turned away", POSTGRESQL, _postgresql(80)),
    Breakage("database", "wrong answer: no such table", SQLITE + 'query = "SELECT * FROM gone"\n',
             prepare=_sql),
    Breakage("database", "hung", SQLITE + SOON + f'query = "{ENDLESS}"\n', prepare=_sql),
    _certificate(5, "database", POSTGRESQL.replace("disable", "require"),
                 lambda pem: postgresql(lambda _: False, pem=pem)),
    Breakage("database", "bad credential", POSTGRESQL,
             lambda: wire(lambda _: REFUSES)),
    Breakage("containers", "dead: exited", LISTING, prepare=_listing(State="exited", ExitCode=137)),
    Breakage("containers", "image cannot be pulled", LISTING,
             prepare=_listing(State="created", Error="toomanyrequests")),
    Breakage("containers", "unhealthy", LISTING, prepare=_listing(Health="unhealthy")),
    Breakage("containers", "5 % of its services exited", SERVICES, prepare=_services(1)),
    Breakage("containers", "50 % of its services exited", SERVICES, prepare=_services(10)),
    Breakage("containers", "80 % of its services exited", SERVICES, prepare=_services(16)),
    Breakage("containers", "wrong answer: no JSON", LISTING, prepare=_text("ps.json", "<html>")),
    Breakage("containers", "hung: its engine does not answer", DOCKER + SOON,
             prepare=_tool("docker", "exec sleep 30")),
    Breakage("containers", "bad credential", DOCKER,
             prepare=_tool("docker", "echo permission denied: /var/run/docker.sock >&2; exit 1")),
    Breakage("containers", "restarted once", LISTING, prepare=_listing(RestartCount=1)),
    Breakage("containers", "stale listing", LISTING, prepare=_listing(3600)),
    Breakage("tests", "dead: no report", JUNIT),
    Breakage("tests", "5 % of tests fail", JUNIT, prepare=_junit(1)),
    Breakage("tests", "50 % of tests fail", JUNIT, prepare=_junit(10)),
    Breakage("tests", "80 % of tests fail", JUNIT, prepare=_junit(16)),
    Breakage("tests", "wrong answer: no JUnit", JUNIT, prepare=_text("junit.xml", "<html>")),
    Breakage("tests", "stale report: 9 days", JUNIT, prepare=_junit(0, 9 * DAY_S)),
    Breakage("command", "dead: exit code 1", 'command = ["false"]\n'),
    Breakage("command", "slow: beyond its critical level", 'command = ["sleep", "0.1"]\n' + late("took.max")),
    Breakage("command", "wrong answer", 'command = ["echo", "no"]\ncontains = "yes"\n'),
    Breakage("command", "hung", SOON + 'command = ["sleep", "30"]\n'),
    Breakage("command", "no such program", 'command = ["no-such-program"]\n'),
    Breakage("resources", "dead: no such process", 'pid_file = "gone.pid"\n'),
    Breakage("resources", "overloaded: memory beyond its critical level",
             'levels = {{ "memory.ratio" = {{ critical = "> 0%" }} }}\n'),
    Breakage("prometheus", "dead", METRIC),
    Breakage("prometheus", "slow: a p95 by its query is beyond its critical level", METRIC, _metric("0.4")),
    Breakage("prometheus", "5 % of requests fail by its query", METRIC, _metric("0.05")),
    Breakage("prometheus", "50 % of requests fail by its query", METRIC, _metric("0.5")),
    Breakage("prometheus", "80 % of requests fail by its query", METRIC, _metric("0.8")),
    Breakage("prometheus", "stale: no value", METRIC, _metric(None)),
    Breakage("http", "answers of another release than the one judged", HTTP + RELEASE,
             _web(lambda _: (200, b'{"status": "ok", "version": "1.4.1"}'))),
    Breakage("tests", "report of another release than the one judged", JUNIT + 'release = "commit"\n',
             prepare=_junit(0)),
    Breakage("http", "redirects for ever", HTTP + "redirects = 3\n", _web(lambda _: (302, b""))),
    Breakage("grpc", "dead", GRPC),
    Breakage("grpc", "slow: beyond its critical level",
             GRPC + 'levels = {{ "latency.p95" = {{ critical = "> 20ms" }} }}\n',
             grpc_health(lambda _: "SERVING", 0.04)),
    Breakage("grpc", "5 % of answers say NOT_SERVING", GRPC, _grpc(5)),
    Breakage("grpc", "50 % of answers say NOT_SERVING", GRPC, _grpc(50)),
    Breakage("grpc", "80 % of answers say NOT_SERVING", GRPC, _grpc(80)),
    Breakage("grpc", "wrong answer: knows no such service", GRPC, grpc_health(lambda _: "NOT_FOUND")),
    Breakage("grpc", "hung", GRPC + SOON, grpc_health(lambda _: "")),
    Breakage("grpc", "bad credential", GRPC, grpc_health(lambda _: "UNAUTHENTICATED")),
    Breakage("kubernetes", "dead: none of it is ready", CLUSTER, prepare=_cluster(ready=0)),
    Breakage("kubernetes", "image cannot be pulled", CLUSTER, prepare=_cluster(ready=0, **_pulls())),
    Breakage("kubernetes", "it is not in the cluster", CLUSTER, prepare=_cluster(ready=-1)),
    Breakage("kubernetes", "5 % of its pods are not ready", CLUSTER, prepare=_cluster(ready=19)),
    Breakage("kubernetes", "50 % of its pods are not ready", CLUSTER, prepare=_cluster(ready=10)),
    Breakage("kubernetes", "80 % of its pods are not ready", CLUSTER, prepare=_cluster(ready=4)),
    Breakage("kubernetes", "a container crashed 30 s ago", CLUSTER, prepare=_cluster(**_crashed())),
    Breakage("kubernetes", "wrong answer: no JSON", CLUSTER, prepare=_text("cluster.json", "<html>")),
    Breakage("kubernetes", "hung: the cluster does not answer", KUBECTL + SOON,
             prepare=_tool("kubectl", "exec sleep 30")),
    Breakage("kubernetes", "bad credential", KUBECTL,
             prepare=_tool("kubectl", "echo error: You must be logged in >&2; exit 1")),
    Breakage("kubernetes", "stale listing", CLUSTER, prepare=_cluster(3600)),
    Breakage("tcp", "hung: its queue is full", TCP_ANY + SOON, full),
    Breakage("tls", "hung", TLS_ANY + SOON, lambda: wire(lambda _: None)),
    Breakage("tls", "wrong answer: no TLS", TLS_ANY, lambda: wire(lambda _: b"SSH-2.0-x\r\n")),
    Breakage("prometheus", "hung", METRIC + SOON, _web(lambda _: (0, b""))),
    Breakage("prometheus", "bad credential", METRIC, _web(lambda _: (401, b""))),
    Breakage("prometheus", "wrong answer: no JSON", METRIC, _web(lambda _: (200, b"<html>"))),
    Breakage("grpc", "behind a dead component", GRPC),
    Breakage("tls", "behind a dead component", TLS_ANY),
    Breakage("websocket", "dead", SOCKET, prepare=_scenario),
    Breakage("websocket", "slow: beyond its critical level",
             SOCKET + 'levels = {{ "turn.completion.p50" = {{ critical = "> 200ms" }} }}\n',
             _simulator("stall=300ms"), _scenario),
    Breakage("websocket", "5 % of turns are never answered", SOCKET + "connections = 160\n",
             _simulator("blackhole=5%"), _scenario),
    Breakage("websocket", "50 % of turns are never answered", SOCKET, _simulator("blackhole=50%"), _scenario),
    Breakage("websocket", "80 % of turns are never answered", SOCKET, _simulator("blackhole=80%"), _scenario),
    Breakage("websocket", "wrong answer: no WebSocket", SOCKET, _web(lambda _: OK), _scenario),
    Breakage("websocket", "hung", SOCKET, lambda: wire(lambda _: None), _scenario),
    _certificate(5, "websocket", SAFE_SOCKET, _safe_simulator),
    Breakage("websocket", "bad credential", SOCKET, _web(lambda _: (401, b"")), _scenario),
    Breakage("websocket", "behind a dead component", SOCKET, prepare=_scenario),
    Breakage("http", "behind a dead component", HTTP),
    Breakage("redis", "behind a dead component", REDIS),
    Breakage("database", "behind a dead component", SQLITE),
    Breakage("tcp", "behind a dead component", TCP_ANY),
    Breakage("dns", "behind a dead component", 'host = "no-such-host.invalid"\n'),
    Breakage("prometheus", "behind a dead component", METRIC),
    Breakage("containers", "behind a dead component", LISTING, prepare=_listing(State="exited")),
    Breakage("kubernetes", "behind a dead component", CLUSTER, prepare=_cluster(ready=0)),
    Breakage("tests", "behind a dead component", JUNIT, prepare=_junit(10)),
    Breakage("command", "behind a dead component", 'command = ["false"]\n'),
    Breakage("resources", "behind a dead component", 'pid_file = "gone.pid"\n'),
)  # fmt: skip


def found(breakage: Breakage, folder: Path) -> tuple[str, str, int]:
    """The state of the component, the verdict and the exit code; the component is critical."""
    breakage.prepare(folder)
    with ExitStack() as stack:
        port = stack.enter_context(breakage.served())  # type: ignore[call-overload] # a context manager of a port
        text = f'release = "1.4.2"\n[components.part]\nprobe = "{breakage.kind}"\n'
        text += breakage.text.format(port=port)
        if breakage.what.startswith("behind"):
            text += (
                f'through = ["outer"]\n[components.outer]\nprobe = "tcp"\nhost = "127.0.0.1"\nport = {port}\n'
            )
        path = folder / "policy.toml"
        path.write_text(text)
        read = load_policy(path)
        environ = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        evidence = probe_all(read, folder / "results", environ)
    judged = assess(read, evidence, id="", at=time.time())
    return judged.components[0].status, judged.verdict, judged.exit_code


CELLS = ("dead", "slow", "5 %", "50 %", "80 %", "wrong answer", "hung", "bad credential", "stale", "behind")
"""How a breakage of the table begins; each kind of probe has one of each, or a reason why not."""

FLAKY = CELLS[2:5]
NONE: Mapping[str, Mapping[tuple[str, ...], tuple[str, ...]]] = {
    "these probes ask the component themselves, so their evidence is always new": {
        ("http", "tcp", "dns", "grpc", "redis", "database", "command", "resources", "websocket"): ("stale",)
    },
    "these probes send no credential": {("tcp", "tls", "dns"): ("bad credential",)},
    "a file, or this machine, needs no credential": {("tests", "resources"): ("bad credential",)},
    "the command itself uses its credential, and its exit code shows the result": {
        ("command",): ("bad credential",)
    },
    "an accepted connection has no content that could be wrong": {("tcp",): ("wrong answer",)},
    "these probes measure no durations, but what part runs, is ready, has passed or is in use": {
        ("containers", "kubernetes", "tests", "resources"): ("slow",)
    },
    "these probes wait for no answer: they read a file, or values of this machine": {
        ("tests", "resources"): ("hung",)
    },
    "one probe makes one try, and its result is right or wrong."
    " A watch alerts after `failures` probes in a row": {
        ("command", "resources"): FLAKY
    },
    "the values come from the machine itself, and no expected answer exists": {
        ("resources",): ("wrong answer",)
    },
}  # fmt: skip
"""Cells that cannot be, by the reason."""


KINDS = tuple(dict.fromkeys(each.kind for each in BREAKAGES))


def table() -> str:
    """The rows of the page, those of a kind together and those behind a dead component last."""
    lines = ["| probe | breakage | state | verdict | exit code |", "|---|---|---|---|---|"]
    behind = "behind a dead component"
    for each in sorted(BREAKAGES, key=lambda each: (each.what == behind, KINDS.index(each.kind))):
        with tempfile.TemporaryDirectory() as folder:
            state, verdict, code = found(each, Path(folder))
        lines.append(f"| `{each.kind}` | {each.what} | {state} | {verdict} | {code} |")
    lines += ["", "These combinations are not in the table, because they cannot occur:", "", *reasons()]
    return "\n".join(lines)


def reasons() -> Iterator[str]:
    """A line for each reason why a kind has no such breakage."""
    for reason, cells in NONE.items():
        for kinds, missing in cells.items():
            yield f"- *{', '.join(missing)}* of {', '.join(f'`{each}`' for each in kinds)}: {reason}."


def rewritten(page: str) -> str:
    """The page with the table as the probes say."""
    made = f"<!-- breakages -->\n{table()}\n<!-- end of breakages -->"
    return PLACE.sub(lambda _: made, page)


def main() -> int:
    """0 if the page is current, or was written."""
    page = PAGE.read_text("utf-8")
    right = rewritten(page)
    if "--write" in sys.argv:
        PAGE.write_text(right, "utf-8")
        return 0
    return int(page != right)


if __name__ == "__main__":
    sys.exit(main())
