"""A whole system of real parts and the policy that asks them, all of it started by the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli import main
from loadtest.simulator.process import Simulator
from tests.end_to_end.parts import Health, Served, health, postgresql, postgresql_bin, redis, sqlite_file

NEEDED = {
    "redis-server": shutil.which("redis-server"),
    "PostgreSQL": postgresql_bin(),
}

PASSWORD = "s3cret/of@postgres#%41"
"""With every sign that has a meaning in a URL."""

RUNNING = [
    {
        "Service": "auth",
        "State": "running",
        "Health": "healthy",
        "ExitCode": 0,
        "Status": "Up 2 minutes (healthy)",
    },
    {"Service": "backend", "State": "running", "Health": "", "ExitCode": 0, "Status": "Up 2 minutes"},
]


TRIGGERS = {
    "three critical": ("components.critical.failed", ">= 3"),
    "half": ("health.overall", "< 50%"),
    "impact": ("impact.business", ">= critical"),
    "users": ("impact.users", "> 75%"),
    "row": ("failures.in_a_row", ">= 5"),
}

MAX_TRIES = 3

LIGHT = """# A run that a busy machine can make
name = "light"
protocol = "agent-events"
[target]
url = "simulator"
[load]
connections = 12
connect_rate = "50/s"
duration = "1s"
[traffic]
every = "500ms"
timeout = "20s"
"""


class System:
    """A whole system of real parts, and the policy that asks them."""

    def __init__(self, folder: Path, auth: Health, backend: Simulator, served: dict[str, Served]) -> None:
        self.folder, self.auth, self.backend, self.served = folder, auth, backend, served
        self.number = 0
        self.environ = {"APP_DB_PASSWORD": PASSWORD}
        at = f"http://127.0.0.1:{backend.port}"
        self.parts: dict[str, dict[str, Any]] = {
            "auth": {
                "probe": "http", "url": auth.url, "fields": {"status": "healthy"},
                "shown": ["uptime_seconds"],
            },
            "backend": {"probe": "http", "url": f"{at}/health"},
            "websocket": {
                "probe": "websocket", "scenario": "light.toml", "timeout": "60s",
                "target": f"ws://127.0.0.1:{backend.port}/ws", "through": ["backend"],
            },
            "files": {"probe": "database", "url": "sqlite:///app.db", "query": "select id from threads"},
            "containers": {"probe": "containers", "file": "ps.json", "services": ["auth", "backend"]},
            "tests": {
                "probe": "tests", "files": ["junit.xml"],
                "levels": {"passed.ratio": {"warn": "< 100%", "critical": "< 90%"}},
            },
            "command": {"probe": "command", "command": ["echo", "fine"], "contains": "fine"},
        }  # fmt: skip
        if "database" in served:
            url = f"postgresql://app:{{env.APP_DB_PASSWORD}}@127.0.0.1:{served['database'].port}/postgres"
            self.parts["database"] = {"probe": "database", "url": url}
        if "redis" in served:
            self.parts["redis"] = {
                "probe": "redis",
                "url": f"redis://:redis-pass-9@127.0.0.1:{served['redis'].port}",
            }

    def write(self, *names: str, **changes: dict[str, Any]) -> Path:
        lines = ['# May it go?\nname = "system"\n']
        for name in names or tuple(self.parts):
            lines.append(f"[components.{name}]\n")
            lines += [
                f"{key} = {_toml(value)}\n"
                for key, value in {**self.parts[name], **changes.get(name, {})}.items()
            ]
        used = json.dumps([*(names or self.parts)])
        lines.append(f'[functions.all]\nneeds = {used}\nusers = "90%"\nvalue = "90%"\n')
        lines += [f'[[triggers]]\ntitle = "{title}"\nfact = "{fact}"\nwhen = "{when}"\n'
                  for title, (fact, when) in TRIGGERS.items()]  # fmt: skip
        path = self.folder / "policy.toml"
        path.write_text("".join(lines), "utf-8")
        return path

    def ready(
        self, capsys: pytest.CaptureFixture[str], *names: str, **changes: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """The exit code and the assessment, of some parts beside the backend, changed.

        A run that its own generator spoils because this machine is busy is made again.
        """
        path = self.write(*dict.fromkeys(("backend", *names)) if names else (), **changes)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                patch.setenv(name, value)
            for _ in range(MAX_TRIES):
                code = main(["ready", str(path), "--format", "json", "--results", str(self.results)])
                found: dict[str, Any] = json.loads(capsys.readouterr().out)
                if not any(each["error"] == "generator" for each in found["components"]):
                    break
        return code, found

    @property
    def results(self) -> Path:
        """Where assessments and runs are kept."""
        return self.folder / f"results-{self.number}"

    def forget(self) -> None:
        """Begin a new history."""
        self.number += 1


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


@contextmanager
def started(folder: Path) -> Iterator[System]:
    """Everything started and healthy; stopped in the end."""
    served: dict[str, Served] = {}
    with ExitStack() as stack:
        auth = stack.enter_context(health())
        backend = stack.enter_context(Simulator.start())
        if NEEDED["redis-server"]:
            served["redis"] = stack.enter_context(redis(folder, "redis-pass-9"))
        if NEEDED["PostgreSQL"]:
            served["database"] = stack.enter_context(postgresql(PASSWORD))
        sqlite_file(folder / "app.db")
        (folder / "ps.json").write_text("\n".join(map(json.dumps, RUNNING)))
        (folder / "light.toml").write_text(LIGHT)
        write_tests(folder, passed=3, failed=0)
        yield System(folder, auth, backend, served)


def write_tests(folder: Path, passed: int, failed: int) -> None:
    """The report of pytest itself about so many tests."""
    lines = [f"def test_p{n}(): time.sleep(0.01)" for n in range(passed)]
    lines += [f"def test_f{n}(): assert time.sleep(0.01)" for n in range(failed)]
    (folder / "test_it.py").write_text("\n".join(["import time", *lines]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=junit.xml"]
    subprocess.run([*command, "test_it.py"], cwd=folder, capture_output=True, check=not failed, timeout=60)


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of a component."""
    return next(each for each in found["components"] if each["name"] == name)
