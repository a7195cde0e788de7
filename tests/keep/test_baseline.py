from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.keep.baseline import MARK, mark, marked, repeats


def stored(results: Path, name: str, label: str | None, scenario: str = "made") -> Path:
    run = results / name
    run.mkdir()
    manifest = {"schema": "loadtest.run/1", "label": label, "scenario": {"name": scenario}, "started": name}
    (run / "run.json").write_text(json.dumps(manifest), "utf-8")
    return run


def test_the_run_that_was_marked_last_is_the_baseline(tmp_path: Path) -> None:
    one, other = stored(tmp_path, "a", None), stored(tmp_path, "b", None)
    assert marked(tmp_path) is None
    mark(tmp_path, one)
    mark(tmp_path, other)
    assert marked(tmp_path) == other
    assert repeats(tmp_path) == [other]


def test_repeats_of_the_label_belong_to_it(tmp_path: Path) -> None:
    one, other = stored(tmp_path, "a", "v1"), stored(tmp_path, "b", "v1")
    stored(tmp_path, "c", "v2")
    stored(tmp_path, "d", "v1", "another")
    mark(tmp_path, other)
    assert repeats(tmp_path) == [one, other]


def test_a_mark_of_a_run_that_is_gone_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("gone\n", "utf-8")
    assert marked(tmp_path) is None
    (tmp_path / MARK).write_bytes(b"\xff")
    assert marked(tmp_path) is None
    with pytest.raises(ConfigError, match="loadtest runs baseline RUN"):
        repeats(tmp_path)


def test_a_mark_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be marked"):
        mark(tmp_path / "nowhere", tmp_path / "nowhere" / "run")


def test_a_run_that_lies_elsewhere_is_not_marked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="loadtest runs import"):
        mark(tmp_path / "results", tmp_path / "elsewhere" / "run")
    assert marked(tmp_path / "results") is None


def test_a_baseline_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{", "utf-8")
    mark(tmp_path, tmp_path / "run")
    with pytest.raises(ConfigError, match="damaged"):
        repeats(tmp_path)
