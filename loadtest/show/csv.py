"""The numbers of a run as CSV, one per row, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io

from loadtest.judge.sections import Manifest
from loadtest.show.report_model import tell
from loadtest.show.sanitize import printable
from loadtest.show.values import values

COLUMNS = (
    "run",
    "scenario",
    "label",
    "simulated",
    "group",
    "name",
    "statistic",
    "value",
    "unit",
    "n",
    "reason",
)

_FORMULA = ("=", "+", "-", "@")


def as_csv(manifest: Manifest) -> str:
    """Rows of ``COLUMNS``; ``value`` is empty where nothing was measured, and ``reason`` says why."""
    report = tell(manifest)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    of_run = [report.id, report.scenario, report.label, "yes" if report.simulated else "no"]
    for row in values(manifest):
        value = "" if row.value is None else repr(row.value)
        n = "" if row.n is None else str(row.n)
        texts = [*of_run, row.group, row.name, row.statistic]
        writer.writerow([*map(_cell, texts), value, row.unit, n, _cell(row.reason)])
    return target.getvalue()


def _cell(text: str) -> str:
    """Printable, and never a formula: spreadsheets run what begins like one."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
