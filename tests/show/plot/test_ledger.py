from __future__ import annotations

from collections.abc import Callable

from overlap import shown_texts
from sample import NO_SEQUENCE, SampleRun

from loadtest.show.plot import style
from loadtest.show.plot.ledger import event_bars, turn_bars
from loadtest.show.plot.pictures import Pictures

Sample = Callable[[str], SampleRun]


def texts(run: SampleRun, width: float = style.WIDE_IN) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in shown_texts(Pictures(run).figure("ledger", width))]


def test_every_outcome_has_a_bar_with_n_and_share(sample: Sample) -> None:
    bars, due = turn_bars(sample("failed").manifest)
    assert due == 8750
    assert sum(bar.n or 0 for bar in bars) == due
    assert [bar.text for bar in bars][:3] == ["8,647  98.8 %", "0", "103  1.2 %"]
    assert "turns, of 8,750 due" in texts(sample("failed"))


def test_what_the_protocol_cannot_know_is_no_bar_but_a_reason(sample: Sample) -> None:
    bars = {bar.label: bar for bar in event_bars(sample("failed").manifest)}
    assert (bars["lost"].n, bars["lost"].reason) == (None, NO_SEQUENCE)
    assert texts(sample("failed")).count(f"not measured: {NO_SEQUENCE}") == 4


def test_on_a_phone_the_reason_stands_below(sample: Sample) -> None:
    said = texts(sample("failed"), style.NARROW_IN)
    assert said.count("not measured") == 4
    assert f"expected, lost, duplicate, out of order: {NO_SEQUENCE}" in said


def test_unmeasured_rows_are_hatched(sample: Sample) -> None:
    axes = Pictures(sample("failed")).figure("ledger").axes[1]
    assert [patch.get_hatch() for patch in axes.patches].count("////") == 4


def test_a_bar_too_short_to_be_seen_is_marked() -> None:
    counts = {"turns": {"due": 100_000, "complete": 99_999, "lost": 1}}
    axes = Pictures(SampleRun({"counts": counts})).figure("ledger").axes[0]
    assert len(axes.get_lines()) == 1


def test_nothing_measured_is_said(sample: Sample) -> None:
    assert texts(sample("unreachable")).count("Not measured: no connection was ever ready") == 2
