from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.errors import Exit
from loadtest.run import search as module
from tests.run.test_search import Capacity


@pytest.fixture(autouse=True)
def _no_real_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RunSequence", Capacity)
    Capacity.asked = []


def test_the_result_goes_to_the_screen_and_into_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--over", "rate", "--from", "100/s", "--to", "1000", "--repeat", "1", "--precision", "10%"]
    assert main(["search", "echo-steady", *words, "--output", str(tmp_path / "out")]) == Exit.PASS
    told = capsys.readouterr().out
    assert "FOUND  exit code 0" in told
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {"search.json", "search.md", "search.html", "knee.svg", "knee.png"}
    data = json.loads((tmp_path / "out" / "search.json").read_text("utf-8"))
    assert data["load"] == pytest.approx(330, rel=0.1)


def test_without_a_place_it_lies_beside_the_runs(tmp_path: Path) -> None:
    assert main(["search", "--to", "40", "--repeat", "1", "--results", str(tmp_path)]) == Exit.PASS
    (kept,) = tmp_path.iterdir()
    assert kept.name.endswith("Z-search-agent-burst")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "many"), "a whole number, such as 50"),
        (("--over", "rate", "--from", "5 per day"), "is not a rate"),
        (("--from", "0"), "more than 0"),
        (("--precision", "half"), "--precision"),
        (("--precision", "0%"), "between 0.1% and 100%"),
        (("--step", "1"), "--step"),
        (("--over", "users"), "--over"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str) -> None:
    assert main(["search", "agent-burst", *words]) == Exit.CONFIG
    assert sentence in capsys.readouterr().err
    assert Capacity.asked == []


def test_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--to", "40", "--repeat", "1", "--output", "/proc/nowhere"]) == Exit.CONFIG
    assert "cannot be written" in capsys.readouterr().err
