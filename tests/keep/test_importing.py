from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.keep import importing
from loadtest.keep.importing import import_runs
from loadtest.keep.read import read_run
from tests.keep.samples import second, write_run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    run = write_run(tmp_path / "elsewhere", [second(0), second(1)])
    (run / "plots").mkdir()
    (run / "plots" / "spectrum.svg").write_text("<svg/>")
    return run


def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def rewrite(run: Path, **changes: Any) -> None:
    manifest = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps({**manifest, **changes}), "utf-8")


def refused(tmp_path: Path, source: Path, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        import_runs(results(tmp_path), source)
    there = results(tmp_path)
    assert not there.exists() or list(there.iterdir()) == []


def test_a_run_is_taken_over_whole(tmp_path: Path, source: Path) -> None:
    (source / "notes.txt").write_text("mine")
    (made,) = import_runs(results(tmp_path), source)
    assert (made.path, made.new, made.ignored) == (results(tmp_path) / source.name, True, ("notes.txt",))
    assert read_run(made.path).totals().histograms == read_run(source).totals().histograms
    assert (made.path / "plots" / "spectrum.svg").exists()
    assert [path.name for path in results(tmp_path).iterdir()] == [source.name]


def test_every_run_of_a_folder(tmp_path: Path, source: Path) -> None:
    write_run(tmp_path / "elsewhere", [second(0)], label="v2")
    assert len(import_runs(results(tmp_path), tmp_path / "elsewhere")) == 2


def test_what_is_there_is_never_written_to(tmp_path: Path, source: Path) -> None:
    import_runs(results(tmp_path), source)
    (again,) = import_runs(results(tmp_path), source)
    assert not again.new
    rewrite(source, label="other")
    with pytest.raises(ConfigError, match=r"a different run exists at .*; nothing was overwritten"):
        import_runs(results(tmp_path), source)
    assert read_run(results(tmp_path) / source.name).manifest["label"] is None


@pytest.mark.parametrize(
    "run_id", ["../escaped", "/etc", "..", ".hidden", "a/b", "", "x" * 300, None, 7, "a\x00"]
)
def test_an_id_cannot_lead_elsewhere(tmp_path: Path, source: Path, run_id: object) -> None:
    rewrite(source, id=run_id)
    refused(tmp_path, source, r"not a valid id of a run|at .\$.id")
    assert not (tmp_path / "escaped").exists()


def test_links_are_refused(tmp_path: Path, source: Path) -> None:
    (source / "run.log").symlink_to("/etc/passwd")
    refused(tmp_path, source, "is a link or a device")
    (source / "run.log").unlink()
    (source / "plots" / "more").symlink_to(tmp_path)
    refused(tmp_path, source, "is a link or a device")
    (source / "plots" / "more").unlink()
    linked = tmp_path / "linked"
    linked.symlink_to(source)
    refused(tmp_path, linked, "is a link; give the path of the folder itself")


def test_a_pipe_is_refused(tmp_path: Path, source: Path) -> None:
    os.mkfifo(source / "run.log")
    refused(tmp_path, source, "is a link or a device")


def test_names_of_plots_are_plain(tmp_path: Path, source: Path) -> None:
    (source / "plots" / "..svg").write_text("x")
    (source / "plots" / "deep").mkdir()
    (source / "plots" / "deep" / "x.svg").write_text("x")
    (made,) = import_runs(results(tmp_path), source)
    assert made.ignored == ("plots/..svg", "plots/deep/x.svg")


@pytest.mark.parametrize("name", ["intervals.hlog", "turns.npy", "slowest.jsonl"])
def test_a_damaged_file_is_refused(tmp_path: Path, source: Path, name: str) -> None:
    (source / name).write_bytes(b"damaged\n")
    refused(tmp_path, source, "cannot be read|damaged")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": "loadtest.run/9"}, "this version of loadtest reads"),
        ({"scenario": 7}, r"cannot be read: Expected .object., got .int. - at .\$.scenario"),
        ({"observed": 7, "ended": None}, r"at .\$.observed"),
    ],
)
def test_a_damaged_manifest_is_refused(
    tmp_path: Path, source: Path, changes: dict[str, Any], sentence: str
) -> None:
    os.utime(source / "intervals.jsonl", (0, 0))
    rewrite(source, **changes)
    refused(tmp_path, source, sentence)


def test_a_file_that_is_large_only_by_its_length_is_refused(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_BYTES", 1 << 20)
    with (source / "run.log").open("ab") as sparse:
        sparse.truncate((1 << 20) + 1)
    refused(tmp_path, source, "run.log. is larger than 1.0 MiB, so the run was not imported")
    monkeypatch.setattr(importing, "MAX_BYTES", 2 << 20)
    assert import_runs(results(tmp_path), source)[0].new


def test_the_histograms_of_a_day_are_not_too_large_for_an_import(source: Path) -> None:
    with (source / "intervals.hlog").open("ab") as sparse:
        sparse.truncate(3 << 30)
    sizes, _ = importing._listed(source)
    assert sizes["intervals.hlog"] == 3 << 30


def test_runs_that_are_large_together_are_refused_before_one_is_taken(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "elsewhere", [second(0)], label="v2")
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    monkeypatch.setattr(importing, "MAX_BYTES", size)
    refused(tmp_path, tmp_path / "elsewhere", "so none was imported; import fewer at a time")
    import_runs(results(tmp_path), source)
    # What is there already is not written again.
    monkeypatch.setattr(importing, "MAX_BYTES", size - 1)
    made = import_runs(results(tmp_path), tmp_path / "elsewhere")
    assert sorted(each.new for each in made) == [False, True]


def test_a_file_that_grows_meanwhile_is_refused(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grown(found: object) -> None:
        (source / "run.log").write_text("a line more")

    (source / "run.log").write_text("")
    monkeypatch.setattr(importing, "_limit", grown)
    refused(tmp_path, source, "has grown during the import")


def test_two_copies_of_one_run_are_one(tmp_path: Path, source: Path) -> None:
    shutil.copytree(source, tmp_path / "elsewhere" / "again")
    made = import_runs(results(tmp_path), tmp_path / "elsewhere")
    assert [each.new for each in made] == [True, False]


def test_a_run_that_goes_on_is_refused(tmp_path: Path, source: Path) -> None:
    rewrite(source, ended=None, process={"host": "another", "pid": 1})
    refused(tmp_path, source, "has not ended")


def test_a_summary_alone_is_a_run(tmp_path: Path, source: Path) -> None:
    rewrite(source, pruned={"at": "2026-11-30T12:00:00Z", "files": [], "bytes": 0})
    for name in ("intervals.hlog", "intervals.jsonl", "turns.npy"):
        (source / name).unlink()
    assert import_runs(results(tmp_path), source)[0].new


def test_no_run_there(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path / "nowhere", "contains no run")
    refused(tmp_path, tmp_path, "contains no run")


def test_results_that_cannot_be_written_to(tmp_path: Path, source: Path) -> None:
    results(tmp_path).write_text("a file")
    with pytest.raises(ConfigError, match="cannot be imported"):
        import_runs(results(tmp_path), source)
