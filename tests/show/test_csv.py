from __future__ import annotations

import csv
import io
from collections.abc import Callable

from sample import SampleRun

from loadtest.show.values import COLUMNS, as_csv

Sample = Callable[[str], SampleRun]


def rows(run: SampleRun) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(run.manifest))))


def test_every_row_has_every_column(run: SampleRun) -> None:
    for row in rows(run):
        assert tuple(row) == COLUMNS
        assert None not in row.values()


def test_numbers_are_those_of_the_manifest(sample: Sample) -> None:
    run = sample("passed")
    found = {(row["name"], row["statistic"]): row for row in rows(run)}
    row = found["turn.first_event", "p95"]
    assert float(row["value"]) == run.manifest["metrics"]["turn.first_event"]["p95"]
    assert (row["unit"], row["n"], row["simulated"], row["label"]) == ("ms", "7500", "yes", "v1.4.0")


def test_what_was_not_measured_is_empty_with_its_reason(sample: Sample) -> None:
    found = {(row["group"], row["name"], row["statistic"]): row for row in rows(sample("unreachable"))}
    row = found["rates", "turns_per_s", "value"]
    assert (row["value"], row["reason"]) == ("", "no turn was begun")


def test_no_cell_is_a_formula() -> None:
    manifest = {"label": "=cmd()", "scenario": {"name": "@sum"}, "rates": {"-1": {"n": 0, "reason": "+1"}}}
    (row,) = rows(SampleRun(manifest))
    assert [row[key] for key in ("label", "scenario", "name", "reason")] == ["'=cmd()", "'@sum", "'-1", "'+1"]
