from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import Exit
from loadtest.keep.baseline import mark
from tests.judge.made import deep
from tests.judge.nights import nights, stepping
from tests.pace import children_s, pace


def write(results: Path, values: list[float], change: dict[str, object] | None = None) -> None:
    """A folder a night with nothing but run.json in it: nothing else is read."""
    for run in nights(values):
        made = deep(run, {"ended": run["started"], **(change or {})})
        (results / str(made["id"])).mkdir(parents=True)
        (results / str(made["id"]) / "run.json").write_text(json.dumps(made), "utf-8")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write(tmp_path, stepping(12, 6, 1.3))
    return tmp_path


def trend(results: Path, *words: str) -> int:
    return main(["trend", *words, "--results", str(results)])


def test_a_worse_level_ends_with_1(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trend(results, "made") == Exit.FAIL
    out = capsys.readouterr().out
    assert "SLOWER  exit code 1" in out
    assert "first run after it: n012" in out


def test_the_baseline_accepts_its_level(results: Path) -> None:
    mark(results, results / "n015")
    assert trend(results, "made") == Exit.PASS
    mark(results, results / "n001")
    assert trend(results, "made") == Exit.FAIL


def test_too_little_history_ends_with_0(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trend(results, "made", "--last", "3") == Exit.PASS
    assert "! too_little_history" in capsys.readouterr().out


def test_what_readiness_asked_is_no_history(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in results.glob("*/run.json"):
        made = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**made, "asked_by": "ready: websocket"}), "utf-8")
    assert trend(results, "made") == Exit.CONFIG
    assert "has no runs yet" in capsys.readouterr().err


def test_named_metrics_decide(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trend(results, "made", "--metric", "turn.first_event.p50") == Exit.PASS
    assert "turn.first_event.p95" not in capsys.readouterr().out


def test_every_scenario_by_default(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = deep(nights([50.0])[0], {"id": "another", "scenario": {"name": "another"}, "ended": "x"})
    (results / "another").mkdir()
    (results / "another" / "run.json").write_text(json.dumps(other), "utf-8")
    assert trend(results) == Exit.FAIL
    out = capsys.readouterr().out
    assert "made  18 runs" in out
    assert "another  1 run" in out
    assert trend(results, "another") == Exit.PASS
    capsys.readouterr()
    assert trend(results, "--format", "png", "--output", str(results / "x.png")) == Exit.CONFIG
    assert "png shows one scenario" in capsys.readouterr().err


def test_a_scenario_by_the_path_of_its_file(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = results / "scenario.toml"
    scenario.write_text(
        'name = "made"\nprotocol = "echo"\n[load]\nconnections = 1\n[target]\nurl = "simulator"\n'
    )
    assert trend(results, str(scenario), "--format", "json") == Exit.FAIL
    assert json.loads(capsys.readouterr().out)["trends"][0]["scenario"] == "made"


def test_another_machine(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trend(results, "made", "--machine", "on") == Exit.FAIL
    capsys.readouterr()
    assert trend(results, "made", "--machine", "two") == Exit.CONFIG
    assert "there are runs of one" in capsys.readouterr().err


def test_every_format_into_a_folder(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    formats = "terminal,html,markdown,json,svg,png,otava"
    assert trend(results, "made", "--format", formats, "--output", str(tmp_path / "out")) == Exit.FAIL
    wrote = {path.name for path in (tmp_path / "out").iterdir()}
    assert wrote == {f"trend.{end}" for end in ("txt", "html", "md", "json", "svg", "png", "csv")}
    assert capsys.readouterr().out.count("wrote ") == 7


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mode",), 'has no run of the scenario "mode"; did you mean "made"?'),
        (("xyz",), "there are runs of made"),
        (("made", "--metric", "turn.first_evnt.p95"), "turn.first_event"),
        (("made", "--format", "json,html"), "several formats need --output FOLDER"),
        (("made", "--format", "png"), "give --output FILE"),
    ],
)
def test_mistakes(
    results: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert trend(results, *words) == Exit.CONFIG
    assert sentence in capsys.readouterr().err


def test_no_runs_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trend(tmp_path) == Exit.CONFIG
    assert "has no runs yet" in capsys.readouterr().err


SILENT = """
import sys
from loadtest.cli import main
code = main(sys.argv[1:])
found = {name.partition(".")[0] for name in sys.modules} & {"locust", "gevent", "matplotlib"}
sys.exit(f"imported {found}" if found else code)
"""


@pytest.mark.timed
def test_it_is_quick_and_needs_neither_locust_nor_plots(tmp_path: Path) -> None:
    """365 runs within 5 s of processor time of the reference's pace, start-up included."""
    write(tmp_path, stepping(365, 0, 1.0))
    words = [sys.executable, "-c", SILENT, "trend", "made", "--results", str(tmp_path)]
    before_s, pace_before = children_s(), pace()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    took_s = children_s() - before_s
    assert (done.returncode, done.stderr) == (0, "")
    assert took_s < 5 * max(pace_before, pace())
