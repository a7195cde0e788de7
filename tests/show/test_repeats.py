"""The runs of ``--repeat`` beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sample import SampleRun

from loadtest.show.build_report import build_report
from loadtest.show.repeats import repeats

Sample = Callable[[str], SampleRun]


def test_every_run_has_its_column_and_every_threshold_its_row(sample: Sample) -> None:
    reports = [build_report(sample(name).manifest) for name in ("passed", "failed", "unreachable")]
    lines = repeats(reports).splitlines()
    assert lines[0].split() == ["run", "1", "run", "2", "run", "3"]
    assert lines[1].split() == ["verdict", "PASS", "FAIL", "UNREACHABLE"]
    rows = {line.split("  ")[0]: line for line in lines[2:]}
    assert set(rows) == {f"{each.name} {each.expression}" for report in reports for each in report.thresholds}
    marks = [sum(line.count(mark) for line in lines) for mark in "✓✗?"]
    judged = [row.tone for report in reports for row in report.thresholds]
    assert marks == [judged.count(tone) for tone in ("good", "bad", "doubt")]


def test_a_threshold_that_one_run_was_not_judged_by_is_empty_there(sample: Sample) -> None:
    whole = build_report(sample("passed").manifest)
    bare = replace(whole, thresholds=())
    first = whole.thresholds[0]
    assert repeats([bare, whole]).splitlines()[2].endswith(f"{first.measured} ✓")
    assert repeats([bare, bare]).splitlines()[1:] == ["verdict   PASS   PASS"]


def test_where_the_terminal_takes_no_marks(sample: Sample) -> None:
    assert repeats([build_report(sample("failed").manifest)], ascii_only=True).isascii()
