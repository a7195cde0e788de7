"""Real parts of a system, each on a free port of loopback, each stopped by its process id."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Health:
    """An HTTP service whose answer can be changed while it runs."""

    def __init__(self) -> None:
        self.status, self.body, self.delay_s = 200, {"status": "healthy", "uptime_seconds": 2373}, 0.0
        self.location = ""
        self.seen: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(outer.delay_s)
                body = json.dumps(outer.body).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                outer.seen.append((dict(self.headers), self.rfile.read(size)))
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port: int = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@contextmanager
def health() -> Iterator[Health]:
    service = Health()
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def garbage() -> Iterator[int]:
    """A server that answers what is no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 20
    while not _listens(port):
        assert process.poll() is None, f"it ended with {process.returncode} before it listened"
        assert time.monotonic() < until, "it did not come to listen"
        time.sleep(0.05)


@contextmanager
def running(
    command: list[str], port: int, folder: Path, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=folder, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        _wait(process, port)
        yield process
    finally:
        # One that a test has frozen hears nothing until it goes on.
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


@dataclass(frozen=True)
class Served:
    """A server of a process of its own."""

    port: int
    process: subprocess.Popen[bytes]


def postgresql_bin() -> Path | None:
    """The folder of PostgreSQL's programs, as Debian's packages lay them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(password: str) -> Iterator[Served]:
    """A cluster of its own whose user is app; PostgreSQL refuses to run as root: it runs as postgres then."""
    binaries, port = postgresql_bin(), free_port()
    assert binaries is not None
    user = "postgres" if os.geteuid() == 0 else None
    # Not below the folder of the tests, which nobody but their own user may enter.
    with tempfile.TemporaryDirectory(prefix="loadtest-postgresql-") as name:
        place, word = Path(name) / "cluster", Path(name) / "password"
        place.mkdir()
        word.write_text(password)
        for each in (Path(name), place, word) if user else ():
            shutil.chown(each, user)
        initdb = [str(binaries / "initdb"), "-D", str(place), "-U", "app", "-A", "scram-sha-256"]
        initdb += ["--no-sync", "--pwfile", str(word), "-E", "UTF8", "--locale", "C"]
        made = subprocess.run(initdb, user=user, cwd="/", capture_output=True, timeout=60, check=False)
        assert made.returncode == 0, made.stderr.decode()
        server = [str(binaries / "postgres"), "-D", str(place), "-p", str(port), "-k", "", "-F"]
        server += ["-c", "listen_addresses=127.0.0.1"]
        with running(server, port, Path("/"), user) as process:
            yield Served(port, process)


@contextmanager
def redis(folder: Path, password: str = "") -> Iterator[Served]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    words = command + (["--requirepass", password] if password else [])
    with running(words, port, folder) as process:
        yield Served(port, process)


def sqlite_file(path: Path) -> Path:
    db = sqlite3.connect(path)
    db.execute("create table threads (id integer)")
    db.commit()
    db.close()
    return path
