"""The runs of ``--repeat`` beside each other: what each threshold measured, run by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.show.render.terminal import MARKS, aligned, plain_ascii
from loadtest.show.report_model import Report, ThresholdRow


def repeats(reports: Sequence[Report], *, ascii_only: bool = False) -> str:
    """A table with a column per run: its verdict, then a row per threshold with its mark and value."""
    table = [["", *(f"run {number + 1}" for number in range(len(reports)))]]
    table.append(["verdict", *(report.judgement.word for report in reports)])
    table += _thresholds(reports)
    text = "\n".join(aligned(table, "l" + "r" * len(reports), 10_000)) + "\n"
    return plain_ascii(text) if ascii_only else text


def _thresholds(reports: Sequence[Report]) -> Iterator[list[str]]:
    """By name and promise; a run that was not judged by one has an empty cell."""
    judged = [{(row.name, row.expression): row for row in report.thresholds} for report in reports]
    for key in dict.fromkeys(key for rows in judged for key in rows):
        yield [" ".join(key), *(_cell(rows.get(key)) for rows in judged)]


def _cell(row: ThresholdRow | None) -> str:
    return "" if row is None else f"{row.measured} {MARKS[row.tone]}"
