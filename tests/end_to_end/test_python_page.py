"""Every file of docs/python.md is run as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import Awaited, Begin
from tests.end_to_end.documents import ROOT, Block, blocks
from tests.end_to_end.running import LOCUST

pytestmark = pytest.mark.long

PAGE = list(blocks(ROOT / "docs" / "python.md"))
FILES = [block for block in PAGE if block.language == "python"]
MARK = "locustfile="


def name_of(block: Block) -> str:
    (name,) = [mark.removeprefix(MARK) for mark in block.marks if mark.startswith(MARK)]
    return name


@pytest.fixture(scope="module")
def running(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Awaited]:
    folder = tmp_path_factory.mktemp("page")
    for block in PAGE:
        if block.file:
            (folder / block.file).write_text(block.text)
    begun = {}
    for block in FILES:
        # Locust runs elsewhere: the scenario is named by where it is.
        text = block.text.replace('scenario = "', f'scenario = "{folder}/')
        path: Path = folder / name_of(block)
        path.write_text(text)
        begun[name_of(block)] = begin("-f", path, "--headless", command=LOCUST)
    return begun


@pytest.mark.parametrize("name", [name_of(block) for block in FILES])
def test_it_runs_as_it_stands(running: dict[str, Awaited], name: str) -> None:
    ended = running[name].end()
    assert ended.code == 0, ended.screen
    assert "Traceback" not in ended.screen
    turns = ended.manifest["counts"]["turns"]
    assert turns["complete"] == turns["due"] > 0
    assert not ended.manifest["counts"].get("tasks")
