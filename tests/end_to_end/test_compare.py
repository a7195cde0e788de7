"""Two releases of a simulated backend, run and compared as users do it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import Exit
from tests.end_to_end.conftest import Launch, launcher

pytestmark = [pytest.mark.long, pytest.mark.timed]

REPEATS = 4


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repeats of two releases, the second of which thinks half as long again, run one after the other."""
    folder = tmp_path_factory.mktemp("compared")
    into = folder / "results"
    for launch in launcher(folder):
        for label, delay in (("v1", "30ms"), ("v2", "45ms")):
            faults = f'target.faults=["delay={delay}"]'
            words = ("--label", label, "--repeat", REPEATS, "--duration", "2s", "--set", "load.warmup=1s")
            launch("run", "agent-burst", *words, "--set", faults, "--results", into, "--quiet").end(180)
    return into


def compare(launch: Launch, results: Path, *words: str) -> Any:
    return launch("compare", *words, "--results", results).end()


def test_a_backend_that_became_slower_is_found(launch: Launch, results: Path) -> None:
    ended = compare(launch, results, "v1", "v2", "--primary", "turn.first_event.p50", "--format", "json")
    read = json.loads(ended.out)
    (row,) = (row for row in read["comparisons"][0]["metrics"] if row["primary"])
    assert (ended.code, row["verdict"]) == (Exit.FAIL, "slower")
    # The delay is half as long again; time on the way is on top of both.
    assert 0.25 < row["change"] < 0.75
    assert row["ci95"][0] < row["change"] < row["ci95"][1]
    names = {each["name"] for each in read["comparisons"][0]["differing"]}
    assert "target.faults" in names


def test_every_view_of_it(launch: Launch, results: Path, tmp_path: Path) -> None:
    formats = "terminal,html,markdown,json,junit"
    compare(launch, results, "v1", "v2", "--format", formats, "--output", str(tmp_path))
    assert {path.name for path in tmp_path.glob("compare.*")} == {
        "compare.txt",
        "compare.html",
        "compare.md",
        "compare.json",
        "compare.junit.xml",
    }


def test_its_own_noise(launch: Launch, results: Path) -> None:
    ended = compare(launch, results, "--noise", "v1")
    assert ended.code == Exit.PASS
    assert "runs differ by" in ended.out
