"""The highest load that holds, against a simulator with a limit, and with a generator that is the limit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.documents import ROOT

LIMITED = """
protocol = "agent-events"
[target]
url = "simulator"
faults = ["rate-limit=40"]
[load]
connections = 10
duration = "2s"
[traffic]
rate = "36/s"
timeout = "2s"
"""


@pytest.mark.long
@pytest.mark.timed
def test_a_rate_limit_is_found_within_five_percent_and_so_is_the_knee(run: RunIt, tmp_path: Path) -> None:
    scenario, out = tmp_path / "limited.toml", tmp_path / "out"
    scenario.write_text(LIMITED, "utf-8")
    ended = run("search", scenario, "--over", "rate", "--repeat", "1", "--step", "1.3", "--output", out)
    assert ended.code == 0, ended.screen
    data = json.loads((out / "search.json").read_text("utf-8"))
    assert data["load"] == pytest.approx(40, rel=0.05)
    assert data["knee"]["load"] == pytest.approx(40, rel=0.1)
    assert {probe["run"] for probe in data["probes"]} == {path.name for path in ended.folders}
    assert (out / "knee.svg").is_file()


BURNING = """
import sys
from loadtest.run import subprocess_runs
subprocess_runs.PROGRAM = ("benchmarks.instrumented", "--burn-us", "2200", "--burn-after", "0")
from loadtest.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""A generator that needs 2.2 ms for each of the seven events of a turn: 65 turns a second are a core."""


@pytest.mark.long
@pytest.mark.timed
def test_a_generator_that_is_the_limit_says_so(run: RunIt, tmp_path: Path) -> None:
    scenario, out = tmp_path / "limited.toml", tmp_path / "out"
    scenario.write_text(LIMITED.replace("rate-limit=40", "delay=1ms"), "utf-8")
    words = ("search", scenario, "--over", "rate", "--output", out)
    burning = (sys.executable, "-c", BURNING)
    ended = run(*words, command=burning, environment={"PYTHONPATH": str(ROOT)})
    assert ended.code == 4, ended.screen
    data = json.loads((out / "search.json").read_text("utf-8"))
    assert (data["outcome"], data["missed"]) == ("invalid", None)
    assert [probe["answer"] for probe in data["probes"]][-2:] == ["invalid", "invalid"]
    # The screen folds long sentences.
    assert "the generator or the measurement was the limit, not the target" in " ".join(ended.out.split())
