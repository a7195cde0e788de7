from __future__ import annotations

import math

import pytest
from compared import COMPARISONS, lossy, single, slower

from loadtest.judge.compare import Comparison
from loadtest.judge.effect_size import effect_measure
from loadtest.plan.scenario import Compare
from loadtest.show.comparison import change_text, document, interval_text, p_text
from loadtest.show.document import TableRow

LATENCY = effect_measure("turn.first_event.p95", [1.0], Compare(), None)
SHARE = effect_measure("turns.complete.ratio", [1.0], Compare(), None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (0.1234, "+12.3 %"),
        (-0.05, "−5.0 %"),
        (0.0, "0.0 %"),
        (-0.0001, "0.0 %"),
        (12.5, "+1,250 %"),
        (None, "–"),
        (math.inf, "–"),
    ],
)
def test_a_change_in_words(change: float | None, text: str) -> None:
    assert change_text(LATENCY, change) == text


def test_a_share_changes_by_points() -> None:
    assert change_text(SHARE, -0.3) == "−30.0 points"
    assert interval_text(SHARE, (-0.32, -0.28)) == "−32.0 to −28.0 points"
    assert interval_text(LATENCY, None) == "–"
    assert interval_text(LATENCY, (math.nan, 0.1)) == "–"


def test_p_is_never_nothing() -> None:
    assert (p_text(0.00001), p_text(0.0079), p_text(1.0)) == ("< 0.001", "0.0079", "1")


def decides(comparison: Comparison) -> dict[str, TableRow]:
    """What decides, by the metric's name."""
    return {row.text(1): row for row in document(comparison).sections[0].tables[0].rows}


def test_a_comparison_in_words() -> None:
    found = document(slower()[0].comparison)
    assert (found.word, found.exit_code, found.simulated) == ("SLOWER", 1, True)
    assert (found.subject, found.about) == ("agent-burst", "v1 (5 runs) → v2 (5 runs)")
    row = decides(slower()[0].comparison)["turn.first_event.p95"]
    assert (row.text(0), row.tone) == ("slower", "bad")
    assert row.small(2) == "5 runs, n=2,400"
    assert row.text(2).endswith(" ms")


def test_lost_turns_in_words() -> None:
    row = decides(lossy()[0].comparison)["turns.complete.ratio"]
    assert row.text(0) == "worse"
    assert row.text(4).endswith("points")


def test_one_run_a_side_in_words() -> None:
    found = document(single()[0].comparison)
    assert (found.word, found.decided) == ("CANNOT TELL", False)
    assert found.about.startswith("v1 (1 run) →")
    assert all(row.text(6) == "–" for row in decides(single()[0].comparison).values())


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_text_is_one_printable_line(name: str) -> None:
    for each in COMPARISONS[name]():
        found = document(each.comparison)
        cells = (cell for part in found.sections for table in part.tables for row in table.rows
                 for cell in (*map(row.whole, range(len(row.cells))), *row.notes))  # fmt: skip
        for text in (found.subject, found.about, found.why, *cells):
            assert text == "" or text.isprintable()
            assert "\n" not in text
