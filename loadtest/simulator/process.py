"""The simulator as a child process, and in the foreground. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import selectors
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast
from urllib.parse import urlsplit

from loadtest.errors import ConfigError, LoadtestError
from loadtest.simulator.faults import parse_faults
from loadtest.simulator.options import LOOPBACK, Options, to_arguments

READY_WITHIN_S = 10.0
STOP_WITHIN_S = 3.0
_LINE_BYTES = 4096


class SimulatorError(LoadtestError):
    """The simulator did not start, did not answer, or died; its own last words are in the sentence."""


def serve_here(options: Options) -> None:
    """Serve in this process, in the foreground, until it is told to stop (``server.run``)."""
    from loadtest.simulator.server import run

    run(options)


class Simulator:
    """A simulator in a process of its own, always labelled simulated.

    ``with Simulator.start(faults=["drop=0.05"], seed=1) as simulator`` has ``simulator.url``
    ("ws://127.0.0.1:PORT"), ``simulator.stats()``, and stops it at the end, by its process id, whatever
    happens. It uses neither threads nor asyncio and may stand in a process where gevent patched the
    standard library. The child is in a process group of its own, so that Ctrl-C does not reach it before
    the run is drained, and ends when this process dies.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], words: IO[bytes], ready: dict[str, Any], cert: Path | None
    ) -> None:
        self._child = child
        self._words = words
        self._cert = cert
        self.pid: int = child.pid
        self.port = int(ready["port"])
        self.url = str(ready["url"])
        self._host = urlsplit(self.url).hostname or LOOPBACK

    @classmethod
    def start(
        cls, *, faults: Sequence[str] = (), seed: int = 1, jwt_secret_env: str | None = None, **options: Any
    ) -> Self:
        """Start it and wait until it listens, at most ten seconds. ``options`` are fields of ``Options``.

        Raises:
            ConfigError: a fault or an option is wrong.
            SimulatorError: it did not come to listen.
        """
        wanted = Options(
            faults=tuple(faults), seed=seed, jwt_secret_env=jwt_secret_env, while_stdin=True, **options
        )
        parse_faults(wanted.faults)
        words = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the child; stop() closes it
        child = subprocess.Popen(
            [sys.executable, "-m", "loadtest.simulator", *to_arguments(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            start_new_session=True,
        )
        try:
            ready = _await_ready(child, words)
        except BaseException:
            _stop(child)
            words.close()
            raise
        return cls(child, words, ready, wanted.cert)

    def stats(self) -> dict[str, Any]:
        """What the simulator did so far: its counters, and by fault what it struck (``GET /stats``).

        Raises:
            SimulatorError: it gives no answer.
        """
        return self._get("/stats")

    def health(self) -> dict[str, Any]:
        """The same without what the faults struck (``GET /health``)."""
        return self._get("/health")

    def _get(self, path: str) -> dict[str, Any]:
        connection = self._http()
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self.alive:
                raise _why_it_ended(self._child, self._words) from None
            raise SimulatorError(f"the simulator (process {self.pid}) gives no answer: {error}") from None
        finally:
            connection.close()
        return answer

    def _http(self) -> http.client.HTTPConnection:
        if self._cert is None:
            return http.client.HTTPConnection(self._host, self.port, timeout=READY_WITHIN_S)
        context = ssl.create_default_context(cafile=str(self._cert))
        context.check_hostname = False  # the certificate is the user's and need not name this host
        return http.client.HTTPSConnection(self._host, self.port, timeout=READY_WITHIN_S, context=context)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._child.poll() is None

    def stop(self) -> None:
        """End the process: SIGTERM, and SIGKILL for one that does not listen. Safe to call again."""
        _stop(self._child)
        self._words.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _await_ready(child: subprocess.Popen[bytes], words: IO[bytes]) -> dict[str, Any]:
    """The line the child prints when it listens."""
    out = cast("IO[bytes]", child.stdout).fileno()  # it was started with a pipe
    deadline = time.monotonic() + READY_WITHIN_S
    line = b""
    while not line.endswith(b"\n"):
        if not _readable(out, deadline - time.monotonic()):
            raise SimulatorError(f"the simulator did not begin to listen within {READY_WITHIN_S:g} s")
        part = os.read(out, _LINE_BYTES)
        if not part:
            raise _why_it_ended(child, words)
        line += part
    ready: dict[str, Any] = json.loads(line)
    return ready


def _readable(out: int, within_s: float) -> bool:
    """Whether a pipe has something to read in time."""
    if sys.platform == "win32":
        return True  # Windows cannot wait for a pipe; there a read waits until the child speaks or ends
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        return bool(selector.select(max(0.0, within_s)))


def _why_it_ended(child: subprocess.Popen[bytes], words: IO[bytes]) -> LoadtestError:
    code = child.wait(STOP_WITHIN_S)
    said = _said(words)
    if code == ConfigError.exit_code:
        return ConfigError.of_lines(said or "the simulator did not start, and said nothing")
    last_line = said.rpartition("\n")[2] or "it said nothing"
    return SimulatorError(f"the simulator ended with code {code}: {last_line}")


def _said(words: IO[bytes]) -> str:
    """What the child wrote to its standard error; nothing after ``stop`` has closed the file."""
    if words.closed:
        return ""
    words.seek(0)
    return words.read().decode("utf-8", "replace").strip()


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
