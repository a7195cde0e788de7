from __future__ import annotations

import math

import pytest
from compared import COMPARISONS, lossy, single, slower

from loadtest.judge.effect_size import yardstick
from loadtest.plan.scenario import Compare
from loadtest.show.comparison import change_text, interval_text, p_text, tell

LATENCY = yardstick("turn.first_event.p95", [1.0], Compare(), None)
SHARE = yardstick("turns.complete.ratio", [1.0], Compare(), None)


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


def test_a_comparison_in_words() -> None:
    told = tell(slower()[0].comparison)
    assert (told.word, told.exit_code, told.simulated) == ("SLOWER", 1, True)
    assert (told.baseline, told.candidate) == ("v1 (5 runs)", "v2 (5 runs)")
    row = next(row for row in told.primary if row.name == "turn.first_event.p95")
    assert (row.word, row.tone) == ("slower", "bad")
    assert row.baseline_n == "5 runs, n=2,400"
    assert row.baseline.endswith(" ms")


def test_lost_turns_in_words() -> None:
    told = tell(lossy()[0].comparison)
    row = next(row for row in told.primary if row.name == "turns.complete.ratio")
    assert row.word == "worse"
    assert row.change.endswith("points")


def test_one_run_a_side_in_words() -> None:
    told = tell(single()[0].comparison)
    assert (told.word, told.baseline) == ("CANNOT TELL", "v1 (1 run)")
    assert all(row.p == "–" for row in told.primary)


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_text_is_one_printable_line(name: str) -> None:
    for each in COMPARISONS[name]():
        told = tell(each.comparison)
        for text in (told.scenario, told.baseline, told.candidate, told.why):
            assert text.isprintable()
            assert "\n" not in text
