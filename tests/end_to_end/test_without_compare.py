"""Everything but comparisons, where the extra ``compare`` is not installed: as in a worker's image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.cli.compare_extra import LIBRARIES
from tests.end_to_end.conftest import Launch

HIDE = f"""
from importlib.machinery import PathFinder

found = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {set(LIBRARIES)!r} else found(name, path, target)


PathFinder.find_spec = find_spec
"""
JUDGED = {0, 1, 4}
"""What a run says of a target is not the matter here, nor how busy this machine is."""
SHORT = (
    "--duration",
    "1s",
    "--set",
    "load.warmup=0s",
    "--set",
    "target.faults=[]",
    "--connections",
    "5",
    "--connect-rate",
    "100/s",
)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of processes that find neither library; their children do not either."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE, "utf-8")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


@pytest.mark.long
def test_a_run_and_all_its_reports(launch: Launch, bare: dict[str, str], tmp_path: Path) -> None:
    ended = launch("run", "agent-burst", *SHORT, environment=bare).end(120)
    assert ended.code in JUDGED, ended.screen
    made = ended.folder
    assert (made / "report.html").is_file()
    formats = "terminal,html,markdown,json,csv,junit,prometheus,pdf"
    for words in (
        ("report", made, "--format", formats, "--output", tmp_path / "views"),
        ("runs", "list", "--results", ended.results),
    ):
        shown = launch(*words, environment=bare).end(120)
        assert shown.code == 0, shown.screen
        assert "Traceback" not in shown.screen
    compared = launch("compare", made, made, "--results", ended.results, environment=bare).end(120)
    assert compared.code == 2, compared.screen
    assert "pip install scipy ruptures" in compared.err


@pytest.mark.long
def test_a_suite_and_a_search(launch: Launch, bare: dict[str, str]) -> None:
    short = ("--duration", "1s", "--set", "load.warmup=0s", "--set", "target.faults=[]")
    suite = launch("suite", "agent-burst", *short, environment=bare).end(120)
    assert suite.code in JUDGED, suite.screen
    bounds = ("--from", "12", "--to", "12", "--repeat", "1")
    search = launch("search", "agent-burst", *short, *bounds, environment=bare).end(120)
    assert search.code in JUDGED, search.screen
    assert "Traceback" not in suite.screen + search.screen
