from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.cli.commands import loadtest
from loadtest.errors import WORST_FIRST, Exit, worst_of


def test_several_runs_end_with_the_worst() -> None:
    assert [int(code) for code in WORST_FIRST] == [70, 130, 2, 1, 3, 4, 0]
    assert set(WORST_FIRST) == set(Exit)
    assert worst_of([Exit.PASS, Exit.INVALID, Exit.UNREACHABLE]) is Exit.UNREACHABLE
    assert worst_of([Exit.FAIL, Exit.UNREACHABLE, Exit.CONFIG]) is Exit.CONFIG
    assert worst_of([]) is Exit.PASS


@pytest.mark.parametrize("page", ["README.md", "docs/measuring.md"])
def test_a_page_lists_every_exit_code_as_the_program_means_it(page: str) -> None:
    text = (Path(__file__).parent.parent / page).read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", text, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in Exit]


def test_help_lists_every_exit_code() -> None:
    assert loadtest.epilog is not None
    listed = re.search(r"Exit codes: (.+)\.", loadtest.epilog)
    assert listed is not None
    assert listed[1].split(", ") == [f"{code:d} {code.word}" for code in Exit]
