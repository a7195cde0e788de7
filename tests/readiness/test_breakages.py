"""The table of breakages in docs/readiness.md says what the probes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.readiness.prober import PROBES
from tests.readiness.breakages import BREAKAGES, CELLS, KINDS, NONE, PAGE, TLS_OPEN, Breakage, found, reasons

ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (\w+) \| ([A-Z-]+) \| (\d) \|")
ROWS = {
    (kind, what): (state, verdict, int(code))
    for kind, what, state, verdict, code in ROW.findall(PAGE.read_text())
}


def test_the_page_has_these_rows_and_no_other() -> None:
    assert sorted(ROWS) == sorted((each.kind, each.what) for each in BREAKAGES)
    assert "\n".join(reasons()) in PAGE.read_text("utf-8")


def test_every_kind_is_broken_in_every_way_or_cannot_be() -> None:
    excused = [
        (kind, cell)
        for cells in NONE.values()
        for kinds, missing in cells.items()
        for kind in kinds
        for cell in missing
    ]
    broken = {(kind, cell) for kind, what in ROWS for cell in CELLS if what.startswith(cell)}
    assert len(excused) == len(set(excused))
    assert broken.isdisjoint(excused)
    assert broken | set(excused) == {(kind, cell) for kind in KINDS for cell in CELLS}
    assert set(KINDS) == set(PROBES)


def marked(breakage: Breakage) -> object:
    """A run of load costs more than a look, and so do twenty handshakes."""
    costly = breakage.kind == "websocket" or breakage.text.startswith(TLS_OPEN)
    marks = [pytest.mark.long] if costly else []
    return pytest.param(breakage, marks=marks, id=f"{breakage.kind}: {breakage.what}")


@pytest.mark.parametrize("breakage", [marked(each) for each in BREAKAGES])
def test_a_breakage_gives_what_the_page_says(breakage: Breakage, tmp_path: Path) -> None:
    state, verdict, code = found(breakage, tmp_path)
    told = ROWS[breakage.kind, breakage.what]
    if (breakage.kind, breakage.what[:4]) == ("websocket", "50 %"):
        # Each of its 49 turns is drawn: whether less than half was answered, which is down, is chance.
        assert state in {"degraded", "down"}
        assert (verdict, code) == told[1:]
    else:
        assert (state, verdict, code) == told


def test_no_part_that_is_dead_hung_or_wrong_is_a_go() -> None:
    for (kind, what), (_, verdict, code) in ROWS.items():
        if re.match("dead|hung|wrong|slow|stale|80 %|behind|bad", what):
            assert (verdict, code) in {("NO-GO", 1), ("INCONCLUSIVE", 4)}, (kind, what)
