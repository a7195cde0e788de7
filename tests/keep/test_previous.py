from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.keep.baseline import mark
from loadtest.keep.previous import LOOKED_AT, previous_run


def store(results: Path, name: str, scenario: str = "chat", outcome: str = "pass", **more: Any) -> Path:
    path = results / name
    path.mkdir()
    verdict = {"outcome": outcome, "reason": "", "thresholds": []}
    run = {"schema": "loadtest.run/1", "id": name, "scenario": {"name": scenario}, "verdict": verdict, **more}
    (path / "run.json").write_text(json.dumps(run))
    return path


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    return store(tmp_path, "20261122T120000Z-chat")


def found(run: Path) -> tuple[str, str] | None:
    previous = previous_run(run, "chat")
    return previous and (previous[0], previous[1]["id"])


def test_of_the_first_run_there_is_none(newest: Path) -> None:
    assert found(newest) is None
    assert previous_run(newest / "nowhere" / "run", "chat") is None


def test_it_is_the_last_one_before_of_the_same_scenario_that_was_measured(
    tmp_path: Path, newest: Path
) -> None:
    store(tmp_path, "20261121T120000Z-chat", outcome="fail")
    store(tmp_path, "20261120T120000Z-chat")
    store(tmp_path, "20261121T130000Z-chat-rooms", scenario="chat-rooms")
    store(tmp_path, "20261121T140000Z-chat", outcome="invalid")
    store(tmp_path, "20261121T150000Z-chat", asked_by="ready: chat")
    store(tmp_path, "20261123T120000Z-chat")
    (tmp_path / "20261121T160000Z-chat").mkdir()
    assert found(newest) == ("last run", "20261121T120000Z-chat")


def test_the_baseline_comes_before_it(tmp_path: Path, newest: Path) -> None:
    store(tmp_path, "20261121T120000Z-chat")
    mark(tmp_path, store(tmp_path, "20261101T120000Z-chat"))
    assert found(newest) == ("baseline", "20261101T120000Z-chat")
    mark(tmp_path, newest)
    assert found(newest) == ("last run", "20261121T120000Z-chat")
    mark(tmp_path, store(tmp_path, "20261102T120000Z-other", scenario="other"))
    assert found(newest) == ("last run", "20261121T120000Z-chat")


def test_only_the_newest_are_looked_at(tmp_path: Path, newest: Path) -> None:
    store(tmp_path, "20261101T120000Z-chat")
    for number in range(LOOKED_AT):
        store(tmp_path, f"20261121T12{number:02}00Z-chat", outcome="invalid")
    assert found(newest) is None


def test_a_file_that_cannot_be_read_is_no_run(tmp_path: Path, newest: Path) -> None:
    store(tmp_path, "20261121T120000Z-chat")
    (tmp_path / "20261121T120000Z-chat" / "run.json").write_text("[")
    assert found(newest) is None


def test_what_the_reader_refuses_is_no_run(tmp_path: Path, newest: Path) -> None:
    store(tmp_path, "20261121T120000Z-chat", of_due={"turn.completion": {"unbounded": 5}})
    assert found(newest) is None
