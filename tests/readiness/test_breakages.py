"""The table of breakages in docs/readiness.md says what the probes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readiness.breakages import BREAKAGES, PAGE, Breakage, found

ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (\w+) \| ([A-Z-]+) \| (\d) \|")
ROWS = {
    (kind, what): (state, verdict, int(code))
    for kind, what, state, verdict, code in ROW.findall(PAGE.read_text())
}


def test_there_are_forty_rows_and_no_other() -> None:
    assert sorted(ROWS) == sorted((each.kind, each.what) for each in BREAKAGES)
    assert len(ROWS) >= 40


def marked(breakage: Breakage) -> object:
    """A run of load costs more than a look."""
    marks = [pytest.mark.long] if breakage.kind == "websocket" else []
    return pytest.param(breakage, marks=marks, id=f"{breakage.kind}: {breakage.what}")


@pytest.mark.parametrize("breakage", [marked(each) for each in BREAKAGES])
def test_a_breakage_gives_what_the_page_says(breakage: Breakage, tmp_path: Path) -> None:
    assert found(breakage, tmp_path) == ROWS[breakage.kind, breakage.what]


def test_no_part_that_is_dead_hung_or_wrong_is_a_go() -> None:
    for (kind, what), (_, verdict, code) in ROWS.items():
        if re.match("dead|hung|wrong|slow|stale|80 %|behind|bad", what):
            assert (verdict, code) in {("NO-GO", 1), ("INCONCLUSIVE", 4)}, (kind, what)
