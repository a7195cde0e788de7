"""The page of the results folder is of all runs in it: nothing in another run changes how this one ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from loadtest.keep.read import read_run
from loadtest.run import reporting
from loadtest.run.options import RunOptions
from tests.cli.stored import store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("results"))


@pytest.fixture(autouse=True)
def without_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the run itself have tests of their own."""
    monkeypatch.setattr(reporting, "write_views", lambda _run: None)


@pytest.mark.parametrize("name", [b"run\xff", "run1²".encode()])
def test_a_folder_of_any_name_stands_beside_a_run(
    run: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(run, run.parent / os.fsdecode(name)))
    (other / "report.html").write_text("a report")
    reporting.show_run(read_run(run), RunOptions(quiet=True))
    assert capsys.readouterr().err == ""
    assert (run.parent / "index.html").is_file()
    shutil.rmtree(other)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("odd\n\x1b[2J"), "ValueError('odd\\n\\x1b[2J')"),
        (MemoryError(), "MemoryError()"),
    ],
)
def test_a_page_that_cannot_be_written_is_told_and_the_run_ends_as_it_was_judged(
    run: Path,
    problem: Exception,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(_results: Path) -> None:
        raise problem

    monkeypatch.setattr(reporting, "write_index", fails)
    kept = read_run(run)
    reporting.show_run(kept, RunOptions(quiet=True))
    assert (
        capsys.readouterr().err
        == f"loadtest: index.html of the results folder could not be written: {told}\n"
    )
    assert "not_written" not in kept.manifest
