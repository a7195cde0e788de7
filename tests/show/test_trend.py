from __future__ import annotations

import pytest
from trends import TRENDS

from loadtest.show.trend import tell


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
    told = tell(TRENDS[name]())
    assert (told.word, told.exit_code) == (word, code)


def test_a_line_says_what_was_foretold() -> None:
    line = tell(TRENDS["tonight"]()).primary[0]
    assert (line.name, line.word, line.tone) == ("turn.first_event.p95", "slower", "bad")
    assert line.level.endswith("ms (10 runs)")
    assert " ms to " in line.foretold
    assert line.change.startswith("+")
    assert line.counted == "11 runs, n=11,000"
    assert line.smallest == "5.0 %"


def test_where_nothing_can_be_said_stands_a_dash() -> None:
    line = tell(TRENDS["one"]()).primary[0]
    assert (line.foretold, line.change, line.interval, line.p) == ("–", "–", "–", "–")
    line = tell(TRENDS["unmeasured"]()).primary[0]
    assert (line.newest, line.level) == ("not measured", "not measured")


def test_a_turning_names_who_began_it() -> None:
    (turning,) = tell(TRENDS["stepped"]()).turnings
    assert (turning.run, turning.who, turning.date) == ("n021", "v2, commit cccccccccccc", "2026-01-22")
    assert turning.with_it == ("commit not told → cccccccccccc",)
    line = tell(TRENDS["stepped"]()).primary[0]
    assert "newest level: slower, +" in line.why
    assert "against the level before" in line.why


def test_how_long_a_history_is() -> None:
    assert tell(TRENDS["one"]()).of == "1 run, 2026-01-01"
    assert tell(TRENDS["year"]()).of == "365 runs, 2026-01-01 to 2027-02-01"
    assert tell(TRENDS["nothing"]()).of == "0 runs"


def test_foreign_text_is_made_safe() -> None:
    told = tell(TRENDS["hostile"]())
    assert "\x1b" not in repr(told).replace("\\x1b", "")
    assert "\x1b" not in "".join((told.scenario, told.machine, *(each.run for each in told.turnings)))
