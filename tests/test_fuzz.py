"""The fuzzing harness: its checks hold on what it begins with, and can fail; without atheris it says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tools import fuzz


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_every_check_holds_on_its_seeds_and_on_broken_ones(name: str) -> None:
    check, seeds = fuzz.TARGETS[name]()
    assert seeds
    for seed in seeds:
        for data in (seed, seed[: len(seed) // 2], seed[:2] + b"\xff" + seed[2:], b""):
            check(data)


def test_a_lane_that_hears_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check, seeds = fuzz.frames()
    monkeypatch.setattr("loadtest.speak.frames.FrameParser.receive", lambda *_: [])
    with pytest.raises(AssertionError, match="is not"):
        check(seeds[0])


def test_an_error_that_is_not_documented_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise KeyError("protocol")

    monkeypatch.setattr("loadtest.plan.scenario_file.load_scenario", crash)
    check, seeds = fuzz.scenario()
    with pytest.raises(KeyError):
        check(seeds[0])


def test_without_atheris_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr("sys.argv", ["fuzz"])
    assert fuzz.main() == 0
    assert "atheris is not installed" in capsys.readouterr().out


def test_the_page_names_every_target() -> None:
    page = (Path(fuzz.ROOT) / "docs" / "fuzzing.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in fuzz.TARGETS)
