from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtest.cli import main
from loadtest.cli.compare_extra import LIBRARIES, need_compare
from loadtest.errors import Exit
from tests.cli.stored import store

ABSENT_TARGETS = ("--a", "ws://127.0.0.1:1/", "--b", "ws://127.0.0.1:1/")


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "v1", "v2"),
        ("compare", "--noise", "v1"),
        ("trend",),
        ("ab", "echo-steady", *ABSENT_TARGETS),
    ],
    ids=lambda words: " ".join(words[:2]),
)
@pytest.mark.parametrize("missing", [*((name,) for name in LIBRARIES), LIBRARIES], ids=" and ".join)
def test_without_the_extra_a_comparison_ends_with_2_and_one_sentence(
    words: tuple[str, ...],
    missing: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store(tmp_path, "v1")
    store(tmp_path, "v2")
    before = sorted(tmp_path.iterdir())
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert main([*words, "--results", str(tmp_path)]) == Exit.CONFIG
    said = capsys.readouterr()
    assert said.out == ""
    assert f"this command needs {' and '.join(missing)}, not installed here" in said.err
    assert f"pip install {' '.join(missing)}" in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_with_the_extra_nothing_is_said() -> None:
    need_compare("compare")
