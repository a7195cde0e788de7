from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.keep.baseline import mark
from loadtest.keep.prune import RAW, Pruned, Spared, prune
from loadtest.keep.read import is_pruned, read_manifest, read_run
from tests.keep.samples import second, write_run

WEEK = timedelta(days=7)
LATER = datetime(2026, 11, 30, 12, 15, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = write_run(tmp_path, [second(0), second(1)])
    (path / "run.log").write_text("said\n")
    (path / "report.html").write_text("page")
    return path


def test_raw_files_go_and_summaries_stay(tmp_path: Path, run: Path) -> None:
    size = sum((run / name).stat().st_size for name in RAW)
    assert prune(tmp_path, WEEK, LATER) == [Pruned(run.name, RAW, size)]
    assert sorted(path.name for path in run.iterdir()) == ["report.html", "run.json", "totals.hlog"]
    told = read_manifest(run)["pruned"]
    assert told == {"at": "2026-11-30T12:15:00.000000Z", "files": list(RAW), "bytes": size}
    assert is_pruned(read_manifest(run))
    assert prune(tmp_path, WEEK, LATER) == []


def test_what_is_gone_is_told_and_is_not_damage(tmp_path: Path, run: Path) -> None:
    prune(tmp_path, WEEK, LATER)
    stored = read_run(run)
    for read in (stored.totals, stored.turns, stored.slowest, lambda: list(stored.intervals())):
        with pytest.raises(ConfigError, match="were pruned on 2026-11-30; its summary and reports are still"):
            read()  # type: ignore[operator]  # every one of them can be called


def test_young_runs_stay_whole(tmp_path: Path, run: Path) -> None:
    assert prune(tmp_path, timedelta(days=9), LATER) == []
    assert not is_pruned(read_manifest(run))


def test_a_dry_run_only_says_so(tmp_path: Path, run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    (found,) = prune(tmp_path, WEEK, LATER, dry_run=True)
    assert isinstance(found, Pruned)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_the_baseline_and_its_repeats_are_spared(tmp_path: Path) -> None:
    one, other = (write_run(tmp_path, [second(0)], label="v1") for _ in range(2))
    third = write_run(tmp_path, [second(0)], label="v2")
    mark(tmp_path, one)
    found = {each.id: each for each in prune(tmp_path, WEEK, LATER)}
    assert isinstance(found[third.name], Pruned)
    assert found[one.name] == Spared(one.name, "it belongs to the baseline")
    assert isinstance(found[other.name], Spared)
    assert len(read_run(one).turns()) == 5


def test_what_was_never_judged_is_spared(tmp_path: Path) -> None:
    run = write_run(tmp_path, [second(0)], close=False, verdict=None)
    (found,) = prune(tmp_path, WEEK, LATER)
    assert isinstance(found, Spared)
    assert "never judged" in found.reason
    assert (run / "turns.npy").exists()


def test_a_run_that_goes_on_is_spared(tmp_path: Path) -> None:
    from loadtest.keep.writer_process import this_process

    write_run(tmp_path, [second(0)], close=False, process=this_process())
    assert [each.reason for each in prune(tmp_path, WEEK, LATER) if isinstance(each, Spared)] == [
        "it is still running"
    ]


@pytest.mark.parametrize("ended", ["yesterday", "2026-11-22T12:15:40"])
def test_a_run_whose_end_cannot_be_read_stays(tmp_path: Path, run: Path, ended: str) -> None:
    manifest = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps({**manifest, "ended": ended}), "utf-8")
    assert prune(tmp_path, WEEK, LATER) == []


def test_links_are_not_followed(tmp_path: Path, run: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (run / "run.log").unlink()
    (run / "run.log").symlink_to(outside)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "linked").symlink_to(run)
    assert prune(tmp_path / "results", WEEK, LATER) == []
    prune(tmp_path, WEEK, LATER)
    assert outside.read_text() == "precious"
    assert (run / "run.log").is_symlink()


def test_what_cannot_be_removed_is_told(tmp_path: Path, run: Path) -> None:
    (run / "run.json.new").mkdir()
    with pytest.raises(ConfigError, match="cannot be pruned"):
        prune(tmp_path, WEEK, LATER)
    assert (run / "turns.npy").exists()
    shutil.rmtree(run / "run.json.new")
