"""The built wheel alone, in a fresh virtual environment and an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", out, ROOT]
    subprocess.run(build, check=True, timeout=300)
    (built,) = out.glob("loadtest_ws-*.whl")
    return built


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("alone")
    venv.create(place, with_pip=True, symlinks=os.name != "nt")
    install = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--prefer-binary", wheel]
    subprocess.run(install, check=True, timeout=600)
    return place / "bin"


def test_scenarios_locustfiles_and_protocols_travel_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("scenarios", "locustfiles"):
        inside = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".toml", ".py", ".csv"}]
        assert inside
        assert {f"loadtest/{path.relative_to(ROOT)}" for path in inside} <= names
    assert {
        f"loadtest/protocols/{path.name}" for path in (ROOT / "loadtest/protocols").glob("*.toml")
    } <= names
    assert not any(name.startswith(("tests/", "results/")) for name in names)


def test_a_shipped_scenario_runs(alone: Path, launch: Launch) -> None:
    short = ("--duration", "1s", "--set", "load.warmup=0s", "--set", "target.faults=[]")
    ended = launch("run", "agent-burst", *short, command=(str(alone / "loadtest"),)).end(120)
    # 4: a busy machine made the generator late, and the run says so.
    assert ended.code in {0, 4}, ended.screen
    assert ended.manifest["counts"]["turns"]["complete"] == 100
    assert str(ROOT) not in (ended.folder / "run.json").read_text()
    assert (ended.folder / "report.html").exists()


@pytest.mark.parametrize("words", [("compare", "v1", "v2"), ("trend",)], ids=lambda words: words[0])
def test_a_comparison_says_what_it_lacks(alone: Path, launch: Launch, words: tuple[str, ...]) -> None:
    """The wheel without its extra ``compare``, as a worker has it."""
    ended = launch(*words, command=(str(alone / "loadtest"),)).end()
    assert ended.code == 2, ended.screen
    assert "pip install scipy ruptures" in ended.err


def test_a_shipped_scenario_with_files_beside_it_runs(alone: Path, launch: Launch) -> None:
    short = (
        "--duration",
        "1s",
        "--set",
        "load.warmup=0s",
        "--set",
        "target.faults=[]",
        "--connections",
        "5",
        "--connect-rate",
        "100/s",
    )
    ended = launch(
        "run",
        "example-full",
        *short,
        "--set",
        "thresholds.connections.ready.peak=== 5",
        command=(str(alone / "loadtest"),),
        environment={"AGENT_JWT_SECRET": "anything-of-at-least-32-characters"},
    ).end(120)
    assert ended.manifest["counts"]["turns"]["complete"] == 25, ended.screen
    assert ended.code in {0, 4}, ended.screen


def test_a_shipped_locustfile_runs(alone: Path, launch: Launch) -> None:
    find = "import loadtest, pathlib; print(pathlib.Path(loadtest.__file__).parent / 'locustfiles')"
    asked = subprocess.run(
        [alone / "python", "-c", find], capture_output=True, text=True, check=True, timeout=60, cwd=alone
    )
    file = Path(asked.stdout.strip()) / "agent_burst.py"
    words = ("-f", file, "--headless", "-t", "1s", "-u", "12")
    ended = launch(*words, command=(str(alone / "locust"),)).end(120)
    assert ended.code == 0, ended.screen
    assert ended.manifest["counts"]["measured"]["turns"]["complete"] == 60


@pytest.mark.parametrize("words", [("scenarios",), ("protocols",), ("--version",), ("--help",)])
def test_what_ships_is_found(alone: Path, launch: Launch, words: tuple[str, ...]) -> None:
    ended = launch(*words, command=(str(alone / "loadtest"),)).end()
    assert ended.code == 0, ended.screen
    if words == ("scenarios",):
        for scenario in (ROOT / "scenarios").glob("*.toml"):
            # A readiness policy lies beside the scenarios, and is none.
            assert scenario.stem in ended.out or scenario.stem.startswith("ready")
