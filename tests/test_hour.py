"""A run of an hour can be looked at without waiting.

Held against processor time, and several times what it takes: what else the machine does must not fail it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.hour import MEDIAN_MS, make_hour, timed, views
from loadtest.keep.read import read_run

SECONDS = 3600
CPU_S = {
    "report --format terminal": 1.5,
    "report --format html, with all plots": 10.0,
    "report of its middle third": 5.0,
    "compare with another one": 2.5,
    "compare --format html, with all plots": 12.0,
}
"""Alone they take 0.4, 3.5, 1.5, 0.5 and, of two runs of an hour, 5.4 s."""

pytestmark = [pytest.mark.long, pytest.mark.timed]


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One of an hour, and a short one to compare it with."""
    results = tmp_path_factory.mktemp("results")
    return make_hour(results, "hour", SECONDS), make_hour(results, "minutes", 120, seed=2)


def test_the_run_is_what_it_says(hours: tuple[Path, Path]) -> None:
    run = read_run(hours[0])
    assert len(run.totals().seconds) == SECONDS
    assert set(run.manifest["metrics"]) == set(MEDIAN_MS)
    assert len(MEDIAN_MS) == 15
    assert run.manifest["verdict"]["outcome"] == "pass"


@pytest.mark.parametrize("name", CPU_S)
def test_a_view_comes_soon(hours: tuple[Path, Path], name: str) -> None:
    assert timed(views(*hours, SECONDS)[name]).cpu_s < CPU_S[name]
