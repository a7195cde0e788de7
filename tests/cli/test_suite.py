from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import Exit
from loadtest.run import suite as module
from tests.run.test_suite import Pretended, scenarios


@pytest.fixture(autouse=True)
def _no_real_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RunSequence", Pretended)


def test_the_summary_goes_to_the_screen_to_a_folder_and_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scenarios(tmp_path / "scenarios", a="1s")
    summary, output = tmp_path / "job" / "summary.md", tmp_path / "public"
    words = ["--summary", str(summary), "--output", str(output), "--results", str(tmp_path / "results")]
    assert main(["suite", str(folder), "--budget", "1s", "--label", "v1", *words]) == Exit.INVALID
    told = capsys.readouterr().out
    assert "NOT RUN" in told
    assert f"wrote {output}" in told
    assert summary.read_text("utf-8") == (output / "suite.md").read_text("utf-8")
    assert json.loads((output / "suite.json").read_text("utf-8"))["exit_code"] == Exit.INVALID


def test_without_a_place_it_lies_beside_the_runs(tmp_path: Path) -> None:
    folder = scenarios(tmp_path / "scenarios", a="1s")
    assert main(["suite", str(folder), "--label", "v1", "--results", str(tmp_path / "results")]) == Exit.PASS
    (kept,) = (tmp_path / "results").iterdir()
    assert kept.name.endswith("Z-suite-v1")
    assert (kept / "junit.xml").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Missing argument"),
        (("agent-brust",), "agent-burst"),
        (("agent-burst", "--budget", "soon"), "soon"),
        (("agent-burst", "--summary", "/proc/nowhere/summary.md"), "cannot be written"),
        (("agent-burst", "--output", "/proc/nowhere"), "cannot be written"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str) -> None:
    assert main(["suite", *words]) == Exit.CONFIG
    assert sentence in capsys.readouterr().err
