from __future__ import annotations

import errno
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.errors import ConfigError, LoadtestError
from loadtest.keep import turns as turns_module
from loadtest.keep.read import read_run
from loadtest.keep.redact import Redactor
from loadtest.keep.write import RunFolder
from loadtest.measure.interval import Interval
from tests.keep.samples import STARTED, frame, manifest, second, turns


@pytest.fixture
def made(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "results", "chat", "v1", STARTED, Redactor(["hush-hush"]))


def test_a_folder_is_named_and_readable_from_the_first_second(made: RunFolder) -> None:
    made.manifest(manifest(id=made.id, ended=None))
    run = read_run(made.path)
    made.close()
    assert made.id == made.path.name == "20261122T121530Z-chat-v1"
    assert run.totals().seconds == []
    assert len(run.turns()) == 0
    assert repr(made).startswith("<RunFolder ")


def test_a_second_folder_of_the_same_second_gets_a_number(made: RunFolder) -> None:
    other = RunFolder.create(made.path.parent, "chat", "v1", STARTED + timedelta(milliseconds=1))
    for folder in (made, other):
        folder.close()
    assert other.id == f"{made.id}-2"


def test_a_label_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'label "\.\./x"'):
        RunFolder.create(tmp_path, "chat", "../x", STARTED)
    assert list(tmp_path.iterdir()) == []


def test_each_second_is_on_disk_when_the_call_returns(made: RunFolder) -> None:
    made.manifest(manifest(ended=None))
    for number in range(3):
        made.interval(second(number))
        run = read_run(made.path)
        assert run.totals().count("turns.complete") == 5 * (number + 1)
        assert len(run.turns()) == 5 * (number + 1)
        assert len((made.path / "timeline.csv").read_text().splitlines()) == number + 2
    made.close()
    assert len(read_run(made.path).slowest()) == 3


def test_writing_in_steps_leaves_nothing_half_done(made: RunFolder) -> None:
    made.manifest(manifest(ended=None))
    steps = made.writing(second(0))
    next(steps)
    next(steps)
    steps.close()
    made.interval(second(1))
    made.close()
    assert [row.second for row in read_run(made.path).intervals()] == [1]


def test_seconds_may_come_out_of_order_and_in_parts(made: RunFolder) -> None:
    made.manifest(manifest())
    for number in (1, 0, 1):
        made.interval(second(number))
    made.close()
    assert [interval.second for interval in read_run(made.path).intervals()] == [1, 0, 1]
    assert read_run(made.path).totals().count("turns.complete") == 15


def test_closing_sorts_the_turns_and_may_be_done_twice(made: RunFolder) -> None:
    for number in range(3):
        made.interval(second(number))
    assert made.close() == made.close() == []
    assert np.load(made.path / "turns.npy")["seq"].tolist() == list(range(15))


def test_a_run_of_very_many_turns_says_that_it_kept_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "MAX_TURNS", 50)
    made = RunFolder(tmp_path, STARTED, Redactor(), most_turns=50)
    made.manifest(manifest())
    made.interval(Interval(second=0, turns=turns(0, 300)))
    (fact,) = made.close()
    assert fact == {"code": "turns_sampled", "numbers": {"turns": 300, "one_in": 8}}
    assert 0 < len(read_run(tmp_path).turns()) <= 50


def test_the_manifest_is_replaced_in_one_step_and_strict_json(made: RunFolder) -> None:
    made.manifest(manifest(n=np.int64(3), bad=float("inf"), at=STARTED))
    made.close()
    written = json.loads((made.path / "run.json").read_text())
    assert (written["n"], written["bad"], written["at"]) == (3, None, "2026-11-22T12:15:30.250000+00:00")
    assert not list(made.path.glob("*.new"))


def test_no_file_holds_a_secret(made: RunFolder) -> None:
    made.manifest(manifest(settings={"headers": {"Authorization": "Bearer zq81kx"}, "note": "hush-hush"}))
    made.interval(Interval(second=0, frames=[frame("foreign", 1, 1, text="hush-hush", token="zq81kx")]))
    made.close()
    for path in made.path.iterdir():
        assert b"hush-hush" not in path.read_bytes()
        assert b"zq81kx" not in path.read_bytes()


class FullDisk:
    """Stands in for a file; its disk is full."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self.file.close()


@pytest.mark.parametrize("name", ["_histograms", "_timeline", "_intervals"])
def test_a_full_disk_is_told_once_and_what_was_written_is_kept(made: RunFolder, name: str) -> None:
    made.manifest(manifest(ended=None))
    made.interval(second(0))
    file = getattr(made, name)
    for stand_in in (FullDisk(file), file):
        setattr(made, name, stand_in)
        with pytest.raises(
            LoadtestError, match=r"cannot write to .*: No space left on device; everything written before"
        ):
            made.interval(second(1))
    made.close()
    run = read_run(made.path)
    assert [interval.second for interval in run.intervals()] == [0]
    assert run.totals().count("turns.complete") == 5
    assert sorted(run.turns()["seq"]) == [0, 1, 2, 3, 4]


def test_a_file_that_fails_at_the_end_does_not_cost_the_others(
    made: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.manifest(manifest())
    made.interval(second(0))

    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(made._slowest, "close", fail)
    with pytest.raises(LoadtestError, match="Input/output error"):
        made.close()
    made._slowest._file.close()
    assert np.load(made.path / "turns.npy")["seq"].tolist() == [0, 1, 2, 3, 4]
    assert read_run(made.path).totals().count("turns.complete") == 5


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("which", ["_write", "write_manifest"])
def test_where_there_is_no_room_to_begin_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(f"loadtest.keep.write.{which}", no_room)
    with pytest.raises(
        ConfigError, match=r"cannot write to the results folder .*: No space left on device; make room there"
    ):
        RunFolder.create(tmp_path / "results", "agent-burst", None, STARTED).begin(manifest())
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("deleted", [True, False])
def test_a_folder_that_is_gone_is_seen_at_the_next_second(
    made: RunFolder, tmp_path: Path, *, deleted: bool
) -> None:
    made.interval(second(0))
    made.path.rename(tmp_path / "moved")
    if deleted:
        shutil.rmtree(tmp_path / "moved")
    with pytest.raises(LoadtestError, match="was deleted or moved during the run"):
        made.interval(second(1))
    with pytest.raises(LoadtestError, match="was deleted or moved"):
        made.close()
