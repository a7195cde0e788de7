from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.cli import ab as cli
from loadtest.cli import main
from loadtest.cli.compare import FILES
from loadtest.errors import Exit
from loadtest.run import ab as module
from tests.run.test_ab import A, B, InTurns


@pytest.fixture(autouse=True)
def course(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[InTurns]]:
    monkeypatch.setattr(module, "RunSequence", InTurns)
    # The page with its pictures takes seconds, and has tests of its own.
    monkeypatch.setattr(cli, "FILES", {name: FILES[name] for name in FILES if name != "html"})
    InTurns.asked, InTurns.folder = [], tmp_path / "results"
    yield InTurns
    InTurns.drift, InTurns.slower, InTurns.code = 0, {}, {}


def ab(folder: Path, *words: str) -> int:
    common = ["--a", A, "--b", B, "--results", str(folder / "results"), "--label", "v1"]
    return main(["ab", "agent-burst", *common, *words])


def test_a_target_that_is_slower_by_half(
    course: type[InTurns], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course.slower = {B: 50}
    assert ab(tmp_path, "--pairs", "6", "--output", str(tmp_path / "out")) == Exit.FAIL
    told = capsys.readouterr().out
    assert "SLOWER  exit code 1" in told
    assert "change and interval over pairs of blocks" in told
    assert "taken_in_turns" in told
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {"compare.txt", "compare.md", "compare.json", "compare.junit.xml"}
    data = json.loads((tmp_path / "out" / "compare.json").read_text("utf-8"))
    assert data["comparisons"][0]["metrics"][0]["method"] == "pairs"
    assert {tuple(options.sets) for options in course.asked} == {("load.warmup=2s",)}
    assert {options.duration for options in course.asked} == {"10s"}


def test_drift_that_fools_runs_one_after_the_other(course: type[InTurns], tmp_path: Path) -> None:
    """Eight pairs of one target that grows slower all the while, by 5 % of its first time each block."""
    course.drift = 5
    assert ab(tmp_path, "--pairs", "8", "--set", "compare.smallest_effect=8%") == Exit.PASS
    results = str(tmp_path / "results")
    assert main(["compare", "v1-a", "v1-b", "--results", results, "--smallest-effect", "8%"]) == Exit.INVALID


def test_too_few_pairs_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ab(tmp_path, "--pairs", "2") == Exit.INVALID
    assert "there are only 2 pairs of blocks; a verdict needs 6" in " ".join(capsys.readouterr().out.split())
    assert ab(tmp_path, "--pairs", "2", "--lenient") == Exit.PASS
    assert any(path.name.endswith("Z-ab-agent-burst") for path in (tmp_path / "results").iterdir())


def test_one_that_is_gone_is_unreachable(
    course: type[InTurns], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course.code = {2: Exit.UNREACHABLE}
    assert ab(tmp_path) == Exit.UNREACHABLE
    assert "no pair of blocks was finished" in capsys.readouterr().err
    course.asked.clear()
    course.code = {4: Exit.INTERRUPTED}
    assert ab(tmp_path) == Exit.INTERRUPTED
    assert "1 pairs of blocks" in capsys.readouterr().out


def test_both_targets_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ab", "agent-burst", "--a", A]) == Exit.CONFIG
    assert "--b" in capsys.readouterr().err
