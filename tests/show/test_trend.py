from __future__ import annotations

import pytest
from trends import TRENDS

from loadtest.show.document import TableRow
from loadtest.show.trend import document


@pytest.mark.parametrize(
    ("name", "word", "code"),
    [
        ("stepped", "SLOWER", 1),
        ("tonight", "SLOWER", 1),
        ("steady", "NO CHANGE FOUND", 0),
        ("one", "TOO LITTLE HISTORY", 0),
        ("nothing", "CANNOT TELL", 4),
    ],
)
def test_the_verdict_comes_first(name: str, word: str, code: int) -> None:
    found = document(TRENDS[name]())
    assert (found.word, found.exit_code) == (word, code)


def first(name: str, section: int) -> TableRow:
    return document(TRENDS[name]()).sections[section].tables[0].rows[0]


def test_a_line_says_where_a_further_run_was_predicted() -> None:
    row = first("tonight", 0)
    assert (row.text(1), row.text(0), row.tone) == ("turn.first_event.p95", "slower", "bad")
    assert row.small(2) == "11 runs, n=11,000"
    assert row.text(3).endswith("ms (10 runs)")
    assert " ms to " in row.text(4)
    assert row.text(5).startswith("+")
    assert row.text(7) == "5.0 %"


def test_where_nothing_can_be_said_stands_a_dash() -> None:
    row = first("one", 0)
    assert (row.text(4), row.text(5), row.small(5), row.text(6)) == ("–", "–", "", "–")
    row = first("unmeasured", 0)
    assert (row.text(2), row.text(3)) == ("not measured", "not measured")


def test_a_change_point_names_who_began_it() -> None:
    row = first("stepped", 1)
    assert (row.text(4), row.whole(5)) == ("2026-01-22", "n021 (v2, commit cccccccccccc)")
    assert row.text(6) == "commit not known → cccccccccccc"
    (why,) = first("stepped", 0).notes
    assert "newest level: slower, +" in why
    assert "against the level before" in why


def test_how_long_a_history_is() -> None:
    assert document(TRENDS["one"]()).about == "1 run, 2026-01-01"
    assert document(TRENDS["year"]()).about == "365 runs, 2026-01-01 to 2027-02-01"
    assert document(TRENDS["nothing"]()).about == "0 runs"


def test_foreign_text_is_made_safe() -> None:
    found = document(TRENDS["hostile"]())
    assert "\x1b" not in repr(found).replace("\\x1b", "")
    changes = [row.whole(5) for row in found.sections[1].tables[0].rows]
    assert "\x1b" not in "".join((found.subject, found.aside, *changes))
