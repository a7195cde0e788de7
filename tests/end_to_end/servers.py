"""Servers that are not ours, each in a process of its own, stopped by its process id."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Server:
    """A server that listens on loopback. ``scheme`` is ws or wss."""

    port: int
    scheme: str = "ws"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def counts(self, name: str = "") -> dict[str, int]:
        """What it counted itself, for the connections whose query had ``for=NAME``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts", timeout=10) as answer:
            found: dict[str, dict[str, int]] = json.load(answer)
        return found[name]


@contextmanager
def serving(command: Sequence[str | Path], scheme: str = "ws") -> Iterator[Server]:
    """Start a server that prints {"port": ...} once it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{command[-1]} ended with {process.wait(10)} before it listened"
        yield Server(json.loads(line)["port"], scheme)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        process.stdout.close()


@contextmanager
def fastapi(*options: str | Path, scheme: str = "ws") -> Iterator[Server]:
    """The FastAPI application of ``backend.py`` under uvicorn."""
    with serving([sys.executable, HERE / "backend.py", *options], scheme) as server:
        yield server
