"""The benchmark server as a child process: ``server.c`` compiled once, or the same in Python.

python -m benchmarks.server   prints {"port": ...} and serves until the end of standard input or Ctrl-C.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SOURCE = Path(__file__).with_name("server.c")
STORM = Path(__file__).with_name("storm.c")
COMPILERS = ("cc", "gcc", "clang")
STOP_WITHIN_S = 3.0


def cache_folder() -> Path:
    """Where compiled and installed things stay from one benchmark to the next."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for folder in (Path(base) / "loadtest-benchmarks", Path(tempfile.gettempdir()) / "loadtest-benchmarks"):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    return Path(tempfile.mkdtemp(prefix="loadtest-benchmarks-"))


def compiled(source: Path = SOURCE) -> Path | None:
    """A compiled program; None where there is no compiler, or it cannot compile this (it needs Linux)."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    program = cache_folder() / f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if program.exists():
        return program
    fresh = program.with_suffix(f".{os.getpid()}")
    words = [compiler, "-O2", "-o", str(fresh), str(source)]
    # Without the headers of zlib the server is compiled without /deflate.
    for options in (["-DWITH_ZLIB", "-lz"], []):
        done = subprocess.run([*words, *options], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    if done.returncode != 0:
        sys.stderr.write(f"{compiler} could not compile {source.name}: {done.stderr[:500]}\n")
        return None
    # Whole or not at all: another benchmark may be looking for it right now.
    fresh.replace(program)
    return program


def command(*, truth: bool = False) -> list[str]:
    """The command that starts the server."""
    program = compiled()
    options = ["--truth"] if truth else []
    if program is not None:
        return [str(program), *options]
    sys.stderr.write(
        "no C compiler: the server runs in Python, and may be the limit of what is measured (install gcc)\n"
    )
    return [sys.executable, "-m", "benchmarks.plain_server", *options]


class Server:
    """A running server.

    ``with Server.start(cores=[1]) as server`` has ``server.port``, ``server.pid``, ``server.url(path)`` and
    ``server.stats()``. ``cores`` pins it. ``truth`` has it measure its own service time by kernel stamps.
    """

    def __init__(self, child: subprocess.Popen[bytes], ready: dict[str, Any]) -> None:
        self._child = child
        self.pid: int = child.pid
        self.port = int(ready["port"])
        self.kind = str(ready["server"])

    @classmethod
    def start(cls, cores: Sequence[int] = (), *, truth: bool = False) -> Self:
        """Start it and wait for its port.

        Raises:
            RuntimeError: it ended before it listened.
        """
        child = subprocess.Popen(
            command(truth=truth),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=SOURCE.parent.parent,
        )
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            child.wait()
            raise RuntimeError(f"the benchmark server ended with {child.returncode} before it listened")
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(child.pid, cores)
        return cls(child, json.loads(line))

    def url(self, path: str = "") -> str:
        """The WebSocket URL of one case, such as ``/echo``."""
        return f"ws://127.0.0.1:{self.port}{path}"

    def stats(self) -> dict[str, Any]:
        """What the server has counted since its start, and its own service time in microseconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/stats")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def stop(self) -> None:
        """End it: by the end of its standard input, or by its process id."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main(arguments: Sequence[str]) -> None:
    """Serve in the foreground, in place of this process."""
    words = command(truth="--truth" in arguments)
    if words[0] == sys.executable:
        from benchmarks.plain_server import main as serve

        serve(words[3:])
    else:
        os.execv(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:])
