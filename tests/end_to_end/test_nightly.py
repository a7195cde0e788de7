"""The nightly jobs of the docs, run as they stand: three nights in one folder, each by another job."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from loadtest.judge.power import MIN_RUNS
from tests.end_to_end.documents import ROOT, blocks

PAGE = ROOT / "docs" / "nightly.md"
FILES = {str(block.file): block.text for block in blocks(PAGE) if block.file}

ECHO = """
name = "night"
protocol = "echo"
[target]
url = "ws://127.0.0.1:1/"
[load]
duration = "1s"
[traffic]
every = "20ms"
[thresholds]
"turns.complete.ratio" = ">= 99%"
"""


def shell_of(name: str) -> str:
    """The longest block of shell in a file, as the job's shell gets it."""
    text = FILES[name]
    if not name.endswith(".yml"):
        return text
    found = re.findall(r"^( *)(?:run: |- )\|\n((?:\1  .*\n|\n)+)", text, re.MULTILINE)
    return max((textwrap.dedent(body) for _, body in found), key=len)


REPEATS = 5
RUN_IN_TEST = 1
"""Repeats of a night in this test: what the jobs do with them is the same."""

SHELLS = {
    ".github/workflows/nightly.yml": ["bash", "-e"],
    ".gitlab-ci.yml": ["bash", "-eo", "pipefail"],
    "/usr/local/bin/loadtest-nightly": ["sh"],
}


def night(folder: Path, name: str, number: int) -> subprocess.CompletedProcess[str]:
    """One night by the shell of a file."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LOADTEST_")}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "TARGET": "simulator",
        "GITHUB_RUN_NUMBER": str(number),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "CI_PIPELINE_IID": str(number),
    }
    shell = shell_of(name).replace(f"--repeat {REPEATS}", f"--repeat {RUN_IN_TEST}")
    command = [*SHELLS[name], "-c", shell]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.long
def test_three_nights(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "night.toml").write_text(ECHO, "utf-8")
    for number, name in enumerate(SHELLS, 1):
        ended = night(tmp_path, name, number)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        made, *others = json.loads((tmp_path / "nightly" / "suite.json").read_text("utf-8"))["runs"]
        assert [each["outcome"] for each in (made, *others)] == ["pass"] * RUN_IN_TEST
        assert (tmp_path / "nightly" / "junit.xml").is_file()
        assert json.loads((tmp_path / "nightly" / "benchmark.json").read_text("utf-8"))
        assert (tmp_path / "nightly" / "trend" / "trend.html").is_file()
        if number == 1:
            summary = (tmp_path / "summary.md").read_text("utf-8")
            assert "# PASS: Suite nightly-1" in summary
            assert len(summary.encode()) < 3000
            (tmp_path / "results" / "baseline").write_text(f"{made['run']}\n", "utf-8")
        else:
            assert "nightly-1" in (tmp_path / "nightly" / "baseline" / "compare.md").read_text("utf-8")
    assert len(list((tmp_path / "results").glob("*-night-nightly-*"))) == 3 * RUN_IN_TEST


@pytest.mark.long
def test_a_night_that_cannot_be_measured_fails_the_job(tmp_path: Path) -> None:
    """The first code that is not 0 is the job's; here 2, since there are no scenarios."""
    (tmp_path / "scenarios").mkdir()
    for number, name in enumerate(SHELLS, 1):
        ended = night(tmp_path, name, number)
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert "the folder contains no .toml file" in ended.stderr


def test_the_units_fit_each_other() -> None:
    service, timer = (configparser.ConfigParser(), configparser.ConfigParser())
    service.optionxform = timer.optionxform = str  # type: ignore[assignment,method-assign]  # as its docs say to
    service.read_string(FILES["/etc/systemd/system/loadtest-nightly.service"])
    timer.read_string(FILES["/etc/systemd/system/loadtest-nightly.timer"])
    assert service["Service"]["ExecStart"] in FILES
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_every_command_of_the_jobs_is_one_of_ours() -> None:
    """What a night does not come to, such as the summary of a baseline, is at least a command."""
    words = set(re.findall(r"\bloadtest ([a-z]+)", "\n".join(map(shell_of, SHELLS))))
    assert words == {"suite", "compare", "trend", "runs"}


def test_every_job_makes_runs_enough_for_a_verdict_of_compare() -> None:
    for name in SHELLS:
        (repeats,) = re.findall(r"--repeat (\d+)", shell_of(name))
        assert int(repeats) == REPEATS >= MIN_RUNS
