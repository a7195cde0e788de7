from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.keep.folder import checked_name, folder_name, make_folder

NOON = datetime(2026, 11, 22, 12, 15, 30, 999_999, tzinfo=UTC)


def test_a_folder_is_named_by_utc_time_scenario_and_label() -> None:
    assert folder_name("agent-burst", "v1.4.0", NOON) == "20261122T121530Z-agent-burst-v1.4.0"
    assert folder_name("agent-burst", None, NOON) == "20261122T121530Z-agent-burst"
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert folder_name("agent-burst", None, elsewhere) == "20261122T121530Z-agent-burst"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        folder_name("a", None, NOON.replace(tzinfo=None))


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "a\n", "a\0", "ä", "x" * 81])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="the label"):
        folder_name("chat", name, NOON)
    with pytest.raises(ConfigError, match="the scenario's name"):
        folder_name(name, None, NOON)


@pytest.mark.parametrize("name", ["..", "v1.4.0", "a_b-c", "0"])
def test_dots_alone_stay_inside_since_the_time_stands_before_them(name: str) -> None:
    assert checked_name(name, "the label") == name
    assert "/" not in folder_name("chat", name, NOON)


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    made = [make_folder(tmp_path / "results", "run").name for _ in range(3)]
    assert made == ["run", "run-2", "run-3"]


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigError, match=r"cannot write to the results folder .*file"):
        make_folder(blocked / "results", "run")
