"""What the README says of installing: the wheel alone, in an empty folder, is the whole of loadtest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.plan.shipped import shipped_names
from tests.end_to_end.documents import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's files and nothing else; its libraries are those of this environment."""
    wheels = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT], check=True, timeout=300)
    target = tmp_path_factory.mktemp("site")
    (wheel,) = wheels.glob("loadtest_ws-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True, timeout=300)
    return target


def python(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOADTEST_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def loadtest(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(installed, folder, "-m", "loadtest", *words)


@pytest.mark.long
def test_it_is_the_wheel_that_is_tested(installed: Path, tmp_path: Path) -> None:
    shown = python(installed, tmp_path, "-c", "import loadtest; print(loadtest.__file__)")
    assert Path(shown.stdout.strip()) == installed / "loadtest/__init__.py"


@pytest.mark.long
def test_the_wheel_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    # How fast this machine is beside other tests is no question here.
    limit = "--set=thresholds.turn.first_event.p95=< 60s"
    ended = loadtest(installed, tmp_path, "run", "agent-burst", "--duration", "2s", "--quiet", limit)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(list(tmp_path.glob("results/*/report.html"))) == 1


@pytest.mark.long
def test_everything_that_ships_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    for kind in ("scenarios", "protocols"):
        shown = loadtest(installed, tmp_path, kind)
        named = [line for line in shown.stdout.splitlines() if re.match(r"[a-z0-9-]+  ", line)]
        told = [line.split()[0] for line in named if "policy for" not in line]
        assert told == shipped_names("scenario" if kind == "scenarios" else "protocol")
    assert (installed / "loadtest/py.typed").exists()
    assert {path.name for path in (installed / "loadtest/locustfiles").glob("*.py")} == {
        path.name for path in (ROOT / "locustfiles").glob("*.py")
    }
